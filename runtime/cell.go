package runtime

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
)

// quantum is how many messages an actor handles before others have their turn.
const quantum = 256

// envelope is a message in a mailbox.
type envelope struct {
	method *method // nil for the runtime's own
	from   *cell   // the sending actor, nil outside
	form   form
	body   payload
}

// form says what an envelope's body is.
type form uint8

const (
	formTell    form = iota // the value itself
	formAsk                 // p is the *call, which holds the value
	formStream              // p is the *streamHead of a localStream
	formInbound             // p is the *inbound
	formStart               // the actor's first turn
	formStop                // no more messages will be let in
)

// cell is an actor.
type cell struct {
	box  mailbox.Mailbox[envelope]
	task mailbox.Task
	rt   *Runtime // set once in spawn, with id, name, kind and options
	id   uint64
	name string
	kind *kind
	o    spawnOptions

	gone   chan struct{} // closed when the actor has stopped
	done   atomic.Bool   // the actor has stopped
	serves atomic.Bool   // it is, or was, published under a service name

	// Owned by the turn.
	state    any
	restarts restartBudget
	stopping bool

	mu      sync.Mutex // guards stopErr, which is written before gone is closed
	stopErr error      // why the actor stopped, nil if it was asked to
}

// addr returns the actor's address as other nodes can use it.
func (a *cell) addr() posthaste.Addr {
	return posthaste.Addr{Node: a.rt.Endpoint(), Name: a.name, ID: a.id, Incarnation: a.rt.incarnation}
}

// label is how the actor appears in errors.
func (a *cell) label() posthaste.Addr {
	if a.name != "" {
		return posthaste.Addr{Node: a.rt.Endpoint(), Name: a.name}
	}
	return a.addr()
}

// push queues a message and has the actor run. w is the worker of the sending
// turn, if there is one. It returns nil, MailboxFull or ActorStopped.
func (a *cell) push(e *envelope, lane mailbox.Lane, w *mailbox.Worker) error {
	switch a.box.Push(lane, e) {
	case mailbox.Queued:
		return nil
	case mailbox.Woken:
		a.rt.executor.Schedule(&a.task, w)
		return nil
	case mailbox.Displaced:
		a.discard(e, a.fullError("made room for a newer one (DropOldest)"))
		return nil
	case mailbox.Dropped:
		a.discard(e, a.fullError("was dropped (DropNewest)"))
		return nil
	case mailbox.Closed:
		return a.stoppedError()
	}
	return a.fullError("")
}

// Run takes a turn. It implements mailbox.Runner.
func (a *cell) Run(w *mailbox.Worker) (again bool) {
	d := w.Local().(*desk)
	d.context.cell = a
	over := false
	defer func() {
		if !over {
			a.exited(d)
		}
	}()
	for left := quantum; ; {
		fault, more := a.turn(d, &left)
		if fault == nil {
			d.context.cell = nil
			over = true
			return more
		}
		a.crashed(d, fault)
	}
}

// turn handles messages until the mailbox is empty, the quantum is used up, or a
// handler crashes.
func (a *cell) turn(d *desk, left *int) (fault *crash, more bool) {
	defer func() {
		if r := recover(); r != nil {
			fault = &crash{value: r, stack: debug.Stack()}
		}
	}()
	for *left > 0 {
		stopping := a.stopping // before Next, whose nil may have another worker run a
		e := a.box.Next()
		if e == nil {
			if stopping {
				a.terminate(d, nil)
			}
			return nil, false
		}
		*left--
		c := d.context
		a.handle(c, e)
		if c.failure != nil {
			return &crash{value: c.failure}, true
		}
	}
	return nil, true
}

// handle handles one message.
func (a *cell) handle(c *Context, e *envelope) {
	switch e.form {
	case formTell:
		c.from = e.from
		a.kind.find(e.method).local(a.state, c, e)
	case formAsk:
		ask := (*call)(e.body.p)
		if ask.over() || a.rt.expired(ask.deadline) {
			ask.fail(a.expiredError())
			return
		}
		c.from, c.call, c.asker, c.deadline = e.from, ask, ask.ctx, ask.deadline
		a.kind.find(e.method).local(a.state, c, e)
	case formStream:
		s := (*streamHead)(e.body.p)
		if s.over() || a.rt.expired(s.deadline) {
			s.fail(a.expiredError())
			return
		}
		c.from, c.stream, c.asker, c.deadline = e.from, s, s.ctx, s.deadline
		a.kind.find(e.method).local(a.state, c, e)
	case formInbound:
		in := (*inbound)(e.body.p)
		if in.over() || a.rt.expired(in.deadline) {
			in.fail(c, a.expiredError())
			return
		}
		c.in, c.deadline = in, in.deadline
		in.handler.remote(a.state, c, in)
	case formStart:
		a.start(c)
	case formStop:
		a.stopping = true
		a.box.Close()
		if a.rt.cut.Load() {
			a.terminate(c.desk, errCut)
		}
	}
	c.end()
}
