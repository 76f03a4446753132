package eventloop

import (
	"context"
	"errors"
	"net"

	"github.com/posthaste-go/posthaste"
)

// errTransportClosed is the cause of what fails because the transport closes.
var errTransportClosed = errors.New("the transport of this node is closed")

// dial is [Transport.Dial] over m. It also ends when the transport closes.
func (h *hub) dial(ctx context.Context, ep posthaste.Endpoint, m medium) (*Conn, error) {
	if !h.enter() {
		return nil, connectFailed(ctx, ep, errTransportClosed)
	}
	defer h.work.Done()
	leave, full := h.seat()
	if full != nil {
		full.Peer = ep
		return nil, full
	}
	joint, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.ctx, func() { cancel(errTransportClosed) })()
	c, err := h.attempt(joint, ep, m, leave)
	if err == nil {
		return c, nil
	}
	leave()
	if h.ctx.Err() != nil {
		err = errTransportClosed
	}
	return nil, connectFailed(ctx, ep, err)
}

func (h *hub) attempt(ctx context.Context, ep posthaste.Endpoint, m medium, leave func()) (*Conn, error) {
	nc, err := m.connect(ctx, ep)
	if err != nil {
		return nil, err
	}
	s, err := h.shake(ctx, nc, ep)
	if err != nil {
		discard(nc)
		return nil, err
	}
	s.leave = leave
	return m.start(nc, s)
}

// connectFailed is what Dial to ep returns because of err. ctx is the caller's:
// once it has ended, that is the reason.
func connectFailed(ctx context.Context, ep posthaste.Endpoint, err error) *posthaste.Error {
	code := posthaste.ConnectFailed
	if ctx.Err() != nil {
		code, err = posthaste.CodeOf(ctx.Err()), context.Cause(ctx)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		err = e.Err // the rest of it repeats the endpoint
	}
	e := posthaste.Errorf(code, "cannot connect to %v: %w", ep, err)
	e.Status, e.Peer = posthaste.StatusNotExecuted, ep
	if refused, ok := errors.AsType[*posthaste.Error](err); ok {
		e.RetryAfter = refused.RetryAfter
	}
	return e
}

// discard closes a connection that is of no use. What that may fail with does
// not matter any more.
func discard(nc net.Conn) { nc.Close() }
