package runtime

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
)

// Context is what a handler knows of the message it handles and of the actor it
// is. It is a [context.Context] with the asker's deadline, cancellation and
// values: pass it on to whatever takes one, goroutines that the handler waits for
// included.
//
// A Context belongs to one run of one handler and must not be used after the
// handler has returned, nor must what [context.WithValue] or
// [context.WithoutCancel] make of it. Contexts that package context makes of it
// with a cancellation or a deadline of their own may be: they are cancelled by
// then.
type Context struct {
	rt     *Runtime
	worker *mailbox.Worker // nil when the handler runs outside a worker
	desk   *desk           // of the worker

	// The message being handled.
	cell     *cell
	call     *call           // the ask, if it is local
	stream   *streamHead     // the stream, if it is local
	in       *inbound        // the message, if it came from another node
	from     *cell           // the sender, if it is a local actor
	asker    context.Context // whose values are seen, nil if it is not local
	deadline int64           // clock reading, 0 for none
	failure  error           // set by Fail

	mu    sync.Mutex // held while scope is made
	scope atomic.Pointer[scope]
}

var _ context.Context = (*Context)(nil)

// scope is the context that Done, Err and Value speak for, made on demand.
type scope struct {
	context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // of the deadline, nil if there is none
	over   atomic.Bool        // the handler has returned
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if c.deadline == 0 {
		return time.Time{}, false
	}
	return c.rt.clock.At(c.deadline), true
}

// Done implements [context.Context]: the channel is closed when the asker gives
// up, its deadline passes, its connection is lost, or the handler returns.
func (c *Context) Done() <-chan struct{} { return c.open().Done() }

// Err implements [context.Context].
func (c *Context) Err() error {
	if c.scope.Load() == nil && !c.over() && !c.rt.expired(c.deadline) {
		return nil
	}
	return c.open().Err()
}

// over reports whether nobody waits for the message to be handled.
func (c *Context) over() bool {
	switch {
	case c.call != nil:
		return c.call.over()
	case c.stream != nil:
		return c.stream.over()
	case c.in != nil:
		return c.in.over()
	}
	return false
}

// Value implements [context.Context]. Values of a local asker's context are seen
// here; they do not cross to other nodes.
func (c *Context) Value(key any) any {
	s := c.scope.Load()
	switch {
	case key == (turnKey{}):
		return c
	case s != nil:
		return s.Value(key)
	case c.asker != nil:
		return c.asker.Value(key)
	}
	return nil
}

// turnKey finds the Context that a context was derived from.
type turnKey struct{}

// turnOf returns the turn that ctx belongs to, nil outside any actor.
func turnOf(ctx context.Context) *Context {
	c, ok := ctx.(*Context)
	if !ok {
		c, _ = ctx.Value(turnKey{}).(*Context)
	}
	if c == nil {
		return nil
	}
	if s := c.scope.Load(); s != nil && s.over.Load() {
		return nil // the turn is over, and ctx has outlived it
	}
	return c
}

// yieldTurn passes the processor of the turn that ctx belongs to, if any, to
// another worker: the turn is about to wait.
func yieldTurn(ctx context.Context) {
	if c := turnOf(ctx); c != nil && c.worker != nil {
		c.desk.flush()
		c.worker.Block()
	}
}

// open returns the scope, and makes it if there is none. Contexts derived from c
// find it through Value, and so register with it directly, without a goroutine.
func (c *Context) open() *scope {
	if s := c.scope.Load(); s != nil {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.scope.Load()
	if s == nil {
		s = c.newScope()
		c.scope.Store(s)
		c.register(s.cancel)
	}
	return s
}

func (c *Context) newScope() *scope {
	s := &scope{}
	parent := context.Background()
	if c.asker != nil {
		c.asker.Done() // if it is a turn, let its Context be kept as well: see end
		parent = context.WithoutCancel(c.asker)
	}
	s.Context, s.cancel = context.WithCancelCause(parent)
	if c.deadline != 0 {
		s.Context, s.stop = context.WithDeadline(s.Context, c.rt.clock.At(c.deadline))
	}
	return s
}

// register has cancel called when nobody waits for the message any more.
func (c *Context) register(cancel context.CancelCauseFunc) {
	switch {
	case c.call != nil:
		c.call.setScope(cancel)
	case c.stream != nil:
		c.stream.setScope(cancel)
	case c.in != nil:
		c.in.setScope(cancel)
	}
}

// end lets go of the message. If there is a scope, contexts may have been derived
// from c that live on, so c stays as it is for them and the next message gets
// another.
func (c *Context) end() {
	s := c.scope.Load()
	switch {
	case s == nil:
		c.asker, c.deadline = nil, 0
	case !s.over.Swap(true):
		c.register(nil)
		s.cancel(context.Canceled)
		if s.stop != nil {
			s.stop()
		}
		c.desk.context = &Context{rt: c.rt, worker: c.worker, desk: c.desk, cell: c.cell}
	}
	c.from, c.call, c.stream, c.in = nil, nil, nil, nil
}

// Self returns the address of the actor.
func (c *Context) Self() posthaste.Addr { return c.cell.addr() }

// From returns the address of the actor that sent the message; it is zero when
// the sender is no actor, or is on another node.
func (c *Context) From() posthaste.Addr {
	if c.from == nil {
		return posthaste.Addr{}
	}
	return c.from.addr()
}

// Runtime returns the runtime that the actor lives in.
func (c *Context) Runtime() *Runtime { return c.rt }

// Log returns the runtime's logger with the actor's address.
func (c *Context) Log() *slog.Logger { return c.rt.log.With("actor", c.Self().String()) }

// Stop stops the actor once it has handled what is in its mailbox.
func (c *Context) Stop() { c.cell.stop() }

// Fail makes the actor crash once the handler has returned: the reply is sent as
// usual, and the actor restarts, or stops when it has restarted too often.
func (c *Context) Fail(err error) { c.failure = err }

// tellFailed reports the error of a handler that nobody waits for.
func (c *Context) tellFailed(err error) {
	c.Log().Warn("a tell's handler returned an error", "error", err)
}
