package runtime

import (
	"context"
	"time"
	"unsafe"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
)

// Ask sends q to an actor or a service and waits for the reply. It ends exactly
// once: with the reply, with the error the handler returned, or with an
// [*posthaste.Error] whose Status says whether the handler ran.
//
// ctx bounds the wait; if it has no deadline, the default of [AskTimeout] does.
// When ctx ends, Ask returns at once and the handler's context is cancelled. Inside
// a handler pass the handler's own *Context: the deadline is inherited, and other
// actors run on while this one waits.
//
// A message to an actor of this node is passed as it is: what q points to is then
// shared. A message to another node is encoded before Ask returns.
func Ask[P, Q, R any](ctx context.Context, to Ref[P], m Method[P, Q, R], q Q) (R, error) {
	var none R
	switch {
	case m.m == nil:
		return none, errNoMethod
	case to.IsZero():
		return none, describe(errNoRef, &m.m.method, posthaste.Addr{})
	}
	a := m.m.take(to.t.runtime())
	a.q = q
	settled, err := to.t.ask(ctx, &a.call)
	if !settled { // a.r may be written at any time
		return none, describe(err, a.method, to.t.label())
	}
	r := a.r
	a.recycle()
	if err != nil {
		return none, describe(err, &m.m.method, to.t.label())
	}
	return r, nil
}

// ask carries out a call and reports whether it is settled, that is, the caller's
// again.
func (t target) ask(ctx context.Context, a *call) (settled bool, err error) {
	if ctx.Err() != nil {
		return true, gaveUp(endOf(ctx), 0, false)
	}
	if t.cell != nil {
		return t.cell.ask(ctx, a)
	}
	a.timeout = t.far.timeout
	return t.far.ask(ctx, a)
}

// ask is the way of an ask to an actor of this node: queue, wait.
func (a *cell) ask(ctx context.Context, ask *call) (settled bool, err error) {
	if a.kind.find(ask.method) == nil {
		return true, a.kind.unimplemented(ask.method.name)
	}
	e := envelope{method: ask.method, form: formAsk}
	e.body.p = unsafe.Pointer(ask)
	waited := a.rt.prepare(ctx, ask)
	if err := a.send(ctx, turnOf(ctx), &e); err != nil {
		return true, err
	}
	return a.rt.await(ctx, ask, waited)
}

// prepare sets the call's deadline, unless it is set: then finding the actor has
// taken some of the time. It returns the time-out if that is what bounds the
// call, else 0.
func (rt *Runtime) prepare(ctx context.Context, a *call) (waited time.Duration) {
	if at, ok := ctx.Deadline(); ok {
		a.ctx, a.deadline, a.own = ctx, rt.clock.Of(at), false
		return 0
	}
	switch {
	case a.timeout != 0:
		waited = a.timeout
	case a.method.timeout != 0:
		waited = a.method.timeout
	default:
		waited = rt.o.askTimeout
	}
	if a.ctx == nil {
		a.ctx, a.deadline, a.own = ctx, rt.clock.Now()+int64(waited), true
	}
	return waited
}

// await waits for the reply to a call that has been sent. If the asker is an
// actor's turn, its processor passes to another worker meanwhile.
func (rt *Runtime) await(ctx context.Context, a *call, waited time.Duration) (settled bool, err error) {
	if a.state.Load() != callSettled {
		yieldTurn(ctx)
	}
	if settled, err = a.park(rt, ctx); !settled {
		return false, gaveUp(err, waited, true)
	}
	return true, a.err
}

// send queues a message for an actor of this node. A full mailbox with policy
// Block makes a sender outside any actor wait; inside a handler nothing waits.
func (a *cell) send(ctx context.Context, c *Context, e *envelope) error {
	if c == nil {
		if a.o.box.Overflow == mailbox.Block {
			return a.sendWaiting(ctx, e)
		}
		return a.push(e, e.method.lane, nil)
	}
	e.from = c.cell
	return a.push(e, e.method.lane, c.worker)
}

// sendWaiting queues a message when there is room for it, which may take until ctx
// ends, or as long as an ask may if ctx has no deadline.
func (a *cell) sendWaiting(ctx context.Context, e *envelope) error {
	outcome := a.box.Push(e.method.lane, e)
	if outcome == mailbox.Full {
		deadline := a.rt.tellDeadline(ctx)
		if e.form == formAsk {
			deadline = (*call)(e.body.p).deadline
		}
		bound, cancel := a.rt.within(ctx, deadline)
		defer cancel()
		var err error
		if outcome, err = a.box.PushWait(bound, e.method.lane, e); err != nil {
			return a.noRoomError(err)
		}
	}
	switch outcome {
	case mailbox.Woken:
		a.rt.executor.Schedule(&a.task, nil)
	case mailbox.Closed:
		return a.stoppedError()
	}
	return nil
}

// serveLocalAsk runs an ask's handler for an asker of this node.
func serveLocalAsk[S, Q, R any](c *Context, a *askCall[Q, R], s *S, f func(*S, *Context, Q) (R, error)) {
	r, err := f(s, c, a.q)
	if err != nil {
		a.err = handlerError(err) // may panic: err is the user's
	} else {
		a.r = r
	}
	c.end() // once settled, the call may be in use for another ask
	a.settle()
}

// Tell sends q to an actor or a service and does not wait for it to be handled.
// nil means that the message was accepted: by the actor's mailbox, or by the
// connection to the actor's node. A refusal is an error here, or, when the other
// node refuses it, a dead letter there. ctx bounds the wait for room or for a
// connection; inside a handler nothing waits for room.
func Tell[P, Q any](ctx context.Context, to Ref[P], e Event[P, Q], q Q) error {
	if e.m == nil {
		return errNoMethod
	}
	if x := to.t.cell; x != nil {
		env := envelope{method: &e.m.method, form: formTell}
		store(&env.body, e.m.fit, q)
		if err := x.tell(ctx, &env); err != nil {
			return describe(err, &e.m.method, x.label())
		}
		return nil
	}
	if to.t.far == nil {
		return describe(errNoRef, &e.m.method, posthaste.Addr{})
	}
	v := q // its own variable, so that a local tell does not pay for it
	return describe(to.t.far.tell(ctx, e.m, &v), &e.m.method, to.t.far.addr)
}

// tell is the way of a tell to an actor of this node.
func (a *cell) tell(ctx context.Context, e *envelope) error {
	if a.kind.find(e.method) == nil {
		return a.kind.unimplemented(e.method.name)
	}
	if ctx.Err() != nil {
		return gaveUp(endOf(ctx), 0, false)
	}
	return a.send(ctx, turnOf(ctx), e)
}
