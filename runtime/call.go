package runtime

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste/codec"
)

// call is an ask as its asker holds it, without its types. It ends exactly once:
//
//	waiting -> parked     the asker sleeps
//	waiting -> settled    the reply came before that
//	parked  -> settled    the reply came; the asker is woken
//	parked  -> abandoned  the asker gave up: cancelled, or out of time
//	parked  -> expired    the sweeper gave up for the asker, who is woken
//	abandoned, expired -> settled    a late reply; nobody looks at it
//
// Whoever moves it to settled has written the result before; whoever finds it
// settled may read it. A call that ended in settled from waiting or parked is
// recycled by its asker, every other is left to the collector, because the
// handler may still hold it.
type call struct {
	state  atomic.Uint32
	wake   chan struct{} // one token, sent on leaving parked
	rt     *Runtime      // whose call it is, also while it is in the pool
	typed  typedCall     // the askCall that this call is part of
	method *method

	// Set before the call is sent, read-only after.
	ctx      context.Context
	deadline int64         // clock reading
	own      bool          // the deadline is not ctx's: the sweeper has to enforce it
	timeout  time.Duration // the service's, for want of a deadline; 0: the method's
	listed   bool          // the sweeper finds the call in a session's pending table

	ordinal atomic.Uint64 // of the request on its connection, 0 until it is sent

	// The result, with the askCall's reply.
	err   error
	body  []byte // an encoded reply, decoded by the asker
	codec uint8

	// scope cancels the running handler's context, if it has asked for one.
	mu    sync.Mutex // guards scope
	scope context.CancelCauseFunc

	watched    bool // in the watchlist; guarded by its lock
	prev, next *call
}

const (
	callWaiting uint32 = iota
	callParked
	callSettled
	callAbandoned
	callExpired
)

// typedCall is what only the askCall, which knows the types, can do.
type typedCall interface {
	encode(c codec.Codec) ([]byte, *encoding, error)
	decode(c codec.Codec, body []byte) error
}

// askCall is a call with its types. The call must be its first field.
type askCall[Q, R any] struct {
	call
	m *askMethod[Q, R]
	q Q
	r R
}

func newAskCall[Q, R any](m *askMethod[Q, R]) *askCall[Q, R] {
	a := &askCall[Q, R]{m: m}
	a.typed, a.method = a, &m.method
	a.wake = make(chan struct{}, 1)
	return a
}

// take returns a call for use by rt. Calls do not pass from one runtime to another:
// either may live in a testing/synctest bubble, and channels must not leave it.
func (m *askMethod[Q, R]) take(rt *Runtime) *askCall[Q, R] {
	a := m.calls.Get().(*askCall[Q, R])
	if a.rt != nil && a.rt != rt {
		a = newAskCall(m)
	}
	a.rt = rt
	return a
}

func (a *askCall[Q, R]) encode(c codec.Codec) ([]byte, *encoding, error) {
	return encodeValue(c, &a.q)
}

func (a *askCall[Q, R]) decode(c codec.Codec, body []byte) error {
	return c.Decode(body, &a.r)
}

// recycle makes a settled call ready for reuse.
func (a *askCall[Q, R]) recycle() {
	var q Q
	var r R
	a.q, a.r = q, r
	a.ctx, a.err, a.body, a.listed, a.timeout = nil, nil, nil, false, 0
	a.state.Store(callWaiting)
	a.m.calls.Put(a)
}

// settle ends the call; the result has been written.
func (a *call) settle() {
	if a.state.Swap(callSettled) == callParked {
		a.wake <- struct{}{}
	}
}

// fail ends the call with an error.
func (a *call) fail(err error) {
	a.err = err
	a.settle()
}

// expire gives up for the asker if he is parked and his time is up.
func (a *call) expire(now int64) bool {
	if !a.own || a.deadline > now || !a.state.CompareAndSwap(callParked, callExpired) {
		return false
	}
	a.wake <- struct{}{} // has room: there is one token per parking
	return true
}

// sentAfter implements waiter.
func (a *call) sentAfter(n uint64) bool { return a.ordinal.Load() > n }

// over reports whether nobody waits for the result any more.
func (a *call) over() bool { return a.state.Load() >= callAbandoned }

// park waits until the call is settled and reports whether it is. If not, the
// asker has given up, and err says why; the handler's context is cancelled.
func (a *call) park(rt *Runtime, ctx context.Context) (settled bool, err error) {
	if !a.state.CompareAndSwap(callWaiting, callParked) {
		return true, nil
	}
	if a.own && !a.listed {
		rt.watch.add(a)
		defer rt.watch.remove(a)
	}
	if done := ctx.Done(); done == nil {
		<-a.wake // half the price of a select
	} else {
		select {
		case <-a.wake:
		case <-done:
			if a.state.CompareAndSwap(callParked, callAbandoned) {
				a.cancelScope(a.why())
				return false, endOf(ctx)
			}
			<-a.wake // somebody was faster, and has sent or is about to
		}
	}
	if a.state.Load() != callExpired {
		return true, nil
	}
	a.cancelScope(a.why())
	return false, context.DeadlineExceeded
}

// why returns the cause that the handler of an abandoned or expired call is told.
func (a *call) why() error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return context.DeadlineExceeded
}

// setScope has cancel called if the asker gives up, at once if he has.
func (a *call) setScope(cancel context.CancelCauseFunc) {
	a.mu.Lock()
	a.scope = cancel
	a.mu.Unlock()
	// The asker moves the state, then looks at scope; we set scope, then look at
	// the state: one of the two sees the other. Cancelling twice does no harm.
	if cancel != nil && a.over() {
		a.cancelScope(a.why())
	}
}

func (a *call) cancelScope(why error) {
	a.mu.Lock()
	cancel := a.scope
	a.scope = nil
	a.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
}
