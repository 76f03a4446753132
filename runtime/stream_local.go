package runtime

import (
	"context"
	"iter"
	"sync"
	"unsafe"

	"github.com/posthaste-go/posthaste"
)

// streamHead is a local stream without its types. It must be the first field of
// localStream.
type streamHead struct {
	// Set before the request is sent, read-only after.
	ctx      context.Context
	deadline int64         // clock reading, 0 for none
	ready    chan struct{} // one token: look again

	mu    sync.Mutex // guards following, and localStream.items
	ended bool
	err   error // why it ended, nil at its proper end
	gone  error // why the reader has given up, nil if he has not
	scope context.CancelCauseFunc
}

// localStream holds what a handler of this node has yielded and nobody has read.
type localStream[Q, R any] struct {
	streamHead
	q     Q
	items []R
}

func recvLocal[Q, R any](ctx context.Context, x *cell, m *streamMethod[Q, R], q Q, yield func(R, error) bool) error {
	if x.kind.find(&m.method) == nil {
		return x.kind.unimplemented(m.name)
	}
	l := &localStream[Q, R]{q: q}
	l.ctx, l.ready = ctx, make(chan struct{}, 1)
	if at, ok := ctx.Deadline(); ok {
		l.deadline = x.rt.clock.Of(at)
	}
	done := ctx.Done() // before the handler sees ctx: see Context.end
	e := envelope{method: &m.method, form: formStream}
	e.body.p = unsafe.Pointer(l)
	if err := x.send(ctx, turnOf(ctx), &e); err != nil {
		return err
	}
	defer l.abandon(context.Canceled) // also if yield panics
	yieldTurn(ctx)
	for {
		items, ended, err := l.take()
		for _, r := range items {
			if !yield(r, nil) {
				return errBroken
			}
		}
		if ended {
			return err
		}
		select {
		case <-l.ready:
		case <-done:
			l.abandon(context.Cause(ctx))
			return gaveUp(endOf(ctx), 0, true)
		}
	}
}

// take returns all that waits. The end counts only once nothing does.
func (l *localStream[Q, R]) take() (items []R, ended bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	items, l.items = l.items, nil
	return items, l.ended, l.err
}

// put adds a value and reports whether the handler is to go on.
func (l *localStream[Q, R]) put(r R) (ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gone != nil:
		return false, nil
	case len(l.items) >= MaxStreamItems:
		return false, posthaste.Errorf(posthaste.ResourceExhausted, "%d values of the stream wait for their reader, which is the limit (rt.MaxStreamItems)", MaxStreamItems)
	}
	l.items = append(l.items, r)
	l.signalLocked()
	return true, nil
}

func (h *streamHead) signalLocked() {
	select {
	case h.ready <- struct{}{}:
	default: // there is a token
	}
}

// fail ends the stream with an error, or properly with nil. Only the first end
// counts.
func (h *streamHead) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended, h.err = true, err
		h.signalLocked()
	}
}

// abandon tells the handler that nobody reads any more.
func (h *streamHead) abandon(why error) {
	h.mu.Lock()
	if h.gone == nil {
		h.gone = why
	}
	cancel := h.scope
	h.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
}

// over reports whether the reader has given up.
func (h *streamHead) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone != nil
}

// setScope has cancel called when the reader gives up, at once if he has.
func (h *streamHead) setScope(cancel context.CancelCauseFunc) {
	h.mu.Lock()
	h.scope = cancel
	gone := h.gone
	h.mu.Unlock()
	if gone != nil && cancel != nil {
		cancel(gone)
	}
}

// serveLocalStream runs a stream's handler for a reader of this node.
func serveLocalStream[S, Q, R any](c *Context, l *localStream[Q, R], s *S, f func(*S, *Context, Q) iter.Seq2[R, error]) {
	for r, err := range f(s, c, l.q) {
		if err != nil {
			l.fail(handlerError(err))
			return
		}
		if ok, err := l.put(r); !ok {
			if err != nil {
				err = handlerError(err) // the handler ran
			}
			l.fail(err)
			return
		}
	}
	l.fail(nil)
}
