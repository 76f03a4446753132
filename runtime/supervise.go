package runtime

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/posthaste-go/posthaste"
)

// crash is what ended a turn: a panic, or the error given to Fail.
type crash struct {
	value any
	stack []byte // nil for Fail
}

// err returns the crash as an error.
func (f *crash) err() error {
	if err, ok := f.value.(error); ok {
		return err
	}
	return fmt.Errorf("panic: %v", f.value)
}

// restartBudget counts restarts within a window. It takes the time as an
// argument, starts nothing and holds no lock.
type restartBudget struct {
	times []int64 // clock readings of the restarts within the window
}

// spend reports whether one more restart is within the budget, and takes it.
func (b *restartBudget) spend(now int64, o RestartPolicy) bool {
	kept := b.times[:0]
	for _, t := range b.times {
		if o.Within <= 0 || now-t < int64(o.Within) {
			kept = append(kept, t)
		}
	}
	b.times = kept
	if len(b.times) >= o.Max {
		return false
	}
	b.times = append(b.times, now)
	return true
}

// crashed contains a crash: the message that caused it is answered, and the
// actor restarts with a new state, its mailbox and address unchanged, or stops
// when it has restarted too often. It runs in the actor's turn.
func (a *cell) crashed(d *desk, fault *crash) {
	a.answerCrash(d.context, fault)
	d.context.end()
	d.context.failure = nil
	for {
		a.rt.log.Error("actor crashed", "actor", a.label().String(), "error", fault.err(), "stack", string(fault.stack))
		a.rt.counters.crashes.Add(1)
		if a.done.Load() {
			return // it crashed while stopping
		}
		if o := a.o.restart; !a.restarts.spend(a.rt.clock.Now(), o) {
			a.terminate(d, posthaste.Errorf(posthaste.ActorStopped, "it crashed more often than rt.Restart(%d, %v) allows, last with: %w", o.Max, o.Within, fault.err()))
			return
		}
		if fault = a.restart(d, fault.err()); fault == nil {
			return
		}
	}
}

// errExit is the crash of a handler that ended the goroutine it ran on.
var errExit = errors.New("runtime.Goexit was called; if it was by a testing.T's FailNow or SkipNow, these are for the goroutine of the test")

// exited contains runtime.Goexit. It runs deferred, while the worker's goroutine
// ends: another worker has to go on with the mailbox.
func (a *cell) exited(d *desk) {
	defer a.rt.executor.Schedule(&a.task, nil) // even if a hook does it again
	defer d.flush()
	a.crashed(d, &crash{value: errExit, stack: debug.Stack()})
}

// answerCrash answers the message that the crashed handler was working on. The
// panic's value and stack stay on this node.
func (a *cell) answerCrash(c *Context, fault *crash) {
	if fault.stack == nil {
		return // Fail: the handler returned, and its reply was sent
	}
	what := "panicked"
	if fault.value == errExit {
		what = "called runtime.Goexit"
	}
	err := posthaste.Errorf(posthaste.Internal, "the handler %s; see the log of %s for the stack", what, a.rt.name)
	err.Err = fault.err()
	switch {
	case c.call != nil:
		ask := c.call
		c.end() // once settled, the call may be in use for another ask
		ask.fail(err)
	case c.stream != nil:
		c.stream.fail(err)
	case c.in != nil:
		c.in.fail(c, err)
	}
}

// restart gives the actor a new state.
func (a *cell) restart(d *desk, why error) *crash {
	a.rt.counters.restarts.Add(1)
	return d.hook(func(c *Context) error {
		a.state = a.kind.state()
		if a.kind.restarted != nil {
			return a.kind.restarted(a.state, c, why)
		}
		return nil
	})
}

// start runs the Started hook. An error stops the actor, a panic counts as a
// crash.
func (a *cell) start(c *Context) {
	if err := a.kind.started(a.state, c); err != nil {
		c.end()
		a.terminate(c.desk, posthaste.Errorf(posthaste.ActorStopped, "its Started hook failed: %w", err))
	}
}

// hook runs f, which is no message's handler, and returns its panic, its error or
// what it gave to Fail as a crash.
func (d *desk) hook(f func(c *Context) error) *crash {
	c := d.context
	fault := contain(func() error { return f(c) })
	c.end()
	if fault == nil && c.failure != nil {
		fault = &crash{value: c.failure}
	}
	c.failure = nil
	return fault
}

// contain runs f and returns its panic or error as a crash.
func contain(f func() error) (fault *crash) {
	defer func() {
		if r := recover(); r != nil {
			fault = &crash{value: r, stack: debug.Stack()}
		}
	}()
	if err := f(); err != nil {
		return &crash{value: err}
	}
	return nil
}

// stop has the actor handle what is queued and then end.
func (a *cell) stop() {
	e := envelope{form: formStop}
	// Closed: it has stopped, or is about to. The System lane refuses for no
	// other reason.
	_ = a.push(&e, 0, nil)
}

// terminate ends the actor in its turn: what is queued is answered, the Stopped
// hook runs, names are given back. It is called once, by whoever is first.
func (a *cell) terminate(d *desk, why error) {
	if a.done.Swap(true) {
		return
	}
	a.mu.Lock()
	a.stopErr = why
	a.mu.Unlock()
	a.box.Close()
	a.box.Drain(func(e *envelope) { a.discard(e, a.stoppedError()) })
	defer a.depart(why) // whatever the hook does
	if a.kind.stopped != nil {
		if fault := d.hook(func(c *Context) error { a.kind.stopped(a.state, c); return nil }); fault != nil {
			a.rt.log.Error("actor crashed while stopping", "actor", a.label().String(), "error", fault.err(), "stack", string(fault.stack))
		}
	}
}

// depart gives the actor's names back: nobody finds it any more.
func (a *cell) depart(why error) {
	if why != nil {
		a.rt.log.Warn("actor stopped", "actor", a.label().String(), "error", why)
	}
	a.rt.forget(a)
	close(a.gone)
}

// discard ends a message that no handler will see: an ask gets the error, a tell
// is counted as a dead letter.
func (a *cell) discard(e *envelope, why error) {
	switch e.form {
	case formAsk:
		(*call)(e.body.p).fail(why)
	case formStream:
		(*streamHead)(e.body.p).fail(why)
	case formInbound:
		(*inbound)(e.body.p).fail(nil, why)
	case formTell:
		a.rt.deadLetter(e.method.name, a.label(), why)
	}
}

// RestartPolicy says how often a crashing actor is restarted: at most Max times
// Within a window of time, or in all if Within is 0. After that it stops.
type RestartPolicy struct {
	Max    int
	Within time.Duration
}
