package runtime

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/lb"
	"github.com/posthaste-go/posthaste/wire"
)

// remote is the way to an actor that is not, or not surely, of this node: by
// address, or through a service. It is immutable.
type remote struct {
	rt      *Runtime
	addr    posthaste.Addr
	target  wire.Target     // none for a service
	peer    *eventloop.Peer // nil for a service, and for this node itself
	service *service        // nil for an address
	timeout time.Duration   // for calls whose context has no deadline; 0: the method's
}

// newRemote makes the way to an address.
func (rt *Runtime) newRemote(addr posthaste.Addr) *remote {
	r := &remote{rt: rt, addr: addr}
	if addr.ID != 0 {
		r.target = wire.Target{Set: true, Kind: wire.TargetPID, ID: addr.ID, Incarnation: addr.Incarnation}
	} else {
		r.target = wire.Target{Set: true, Kind: wire.TargetName, Name: []byte(addr.Name)}
	}
	if !addr.Node.IsZero() && !rt.answersAt(addr.Node) {
		r.peer = rt.pool.Peer(addr.Node)
	}
	return r
}

// way is where one call goes: to an actor here, or over a connection.
type way struct {
	cell    *cell
	session *session
	node    *lb.Node  // the pick to report back on, nil without a balancer
	began   time.Time // zero if there was no choice: then nothing is to be learnt
}

// done teaches the balancer how the call went.
func (w *way) done(err error) {
	if w.node == nil {
		return
	}
	var rtt time.Duration
	if !w.began.IsZero() {
		rtt = max(time.Since(w.began), 1) // 0 would say that nothing was measured
	}
	w.node.Done(rtt, err != nil && infrastructure(posthaste.CodeOf(err)))
}

// infrastructure reports whether a code says something about the node rather than
// about the request.
func infrastructure(c posthaste.Code) bool {
	switch c {
	case posthaste.DeadlineExceeded, posthaste.Unavailable, posthaste.Internal, posthaste.ConnLost,
		posthaste.ConnectFailed, posthaste.Overloaded, posthaste.MailboxFull, posthaste.Draining,
		posthaste.ActorStopped, posthaste.NoEndpoint: // it does not serve the name any more
		return true
	}
	return false
}

// find picks where a call goes, and connects if need be, no later than deadline.
func (r *remote) find(ctx context.Context, deadline int64) (way, error) {
	switch {
	case r.service != nil:
		return r.service.pick(ctx, deadline)
	case r.peer == nil:
		a, err := r.rt.lookup(r.addr)
		return way{cell: a}, err
	}
	s, err := r.rt.connect(ctx, r.peer, deadline)
	return way{session: s}, err
}

// connect returns the session with a peer, making the connection if there is none.
func (rt *Runtime) connect(ctx context.Context, peer *eventloop.Peer, deadline int64) (*session, error) {
	if conn := peer.Conn(); conn != nil {
		return sessionOf(conn), nil
	}
	bound, cancel := rt.within(ctx, deadline)
	defer cancel()
	yieldTurn(ctx)
	conn, err := peer.Dial(bound)
	if err != nil {
		var coded *posthaste.Error
		if bound.Err() != nil && !errors.As(err, &coded) {
			err = gaveUp(context.Cause(bound), 0, false)
		}
		return nil, err
	}
	return sessionOf(conn), nil
}

// within returns ctx bounded by a clock reading, if that is not 0. It is for the
// slow paths: the fast ones have the watchlist.
func (rt *Runtime) within(ctx context.Context, deadline int64) (context.Context, context.CancelFunc) {
	if deadline == 0 {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, rt.clock.At(deadline))
}

// ask is the way of an ask through a connection: pick, encode, take an id, send,
// wait, decode.
func (r *remote) ask(ctx context.Context, a *call) (settled bool, err error) {
	waited := r.prepare(ctx, a)
	for try := 1; ; try++ {
		w, err := r.find(ctx, a.deadline)
		switch {
		case err != nil:
			return true, err
		case w.cell != nil:
			settled, err = w.cell.ask(ctx, a)
		default:
			settled, err = w.session.ask(ctx, r, a, waited)
		}
		w.done(err)
		if err == nil || !settled || !r.again(&w, err, try) {
			return settled, err
		}
		a.err, a.body = nil, nil
		a.state.Store(callWaiting)
	}
}

// again reports whether to repeat a call that has failed: it met a node that is
// leaving, or a connection whose end was not known yet. The handler did not run,
// and the next attempt will meet something else.
func (r *remote) again(w *way, err error, try int) bool {
	if try >= maxPicks || posthaste.StatusOf(err) != posthaste.StatusNotExecuted {
		return false
	}
	switch posthaste.CodeOf(err) {
	case posthaste.ConnLost:
		if w.session != nil {
			r.rt.pool.Drop(w.session.conn)
			r.rt.services.part(w.session)
		}
		return true
	case posthaste.Draining, posthaste.ActorStopped, posthaste.NoEndpoint:
		return r.service != nil
	}
	return false
}

// prepare sets the deadline, with the service's time-out before the method's.
func (r *remote) prepare(ctx context.Context, a *call) (waited time.Duration) {
	waited = r.rt.prepare(ctx, a)
	if waited != 0 && r.timeout != 0 {
		a.deadline += int64(r.timeout - waited)
		waited = r.timeout
	}
	return waited
}

// tell is the way of a tell through a connection.
func (r *remote) tell(ctx context.Context, m teller, v any) error {
	if err := ctx.Err(); err != nil {
		return gaveUp(context.Cause(ctx), 0, false)
	}
	for try := 1; ; try++ {
		w, err := r.find(ctx, r.rt.tellDeadline(ctx))
		w.began = time.Time{} // nothing to be learnt from how long it takes to queue
		switch {
		case err != nil:
			return err
		case w.cell != nil:
			e := envelope{method: m.base(), form: formTell}
			m.pack(v, &e)
			err = w.cell.tell(ctx, &e)
		default:
			err = w.session.tell(ctx, r, m.base(), v)
		}
		w.done(err)
		if err == nil || !r.again(&w, err, try) {
			return err
		}
	}
}

// encoding is a body on its way out. It is borrowed from a pool.
type encoding struct{ b []byte }

var encodings = sync.Pool{New: func() any { return &encoding{b: make([]byte, 0, 512)} }}

// maxKeptEncoding is the largest buffer that goes back to the pool.
const maxKeptEncoding = 64 << 10

// free gives the buffer back; nil is no buffer.
func (e *encoding) free() {
	if e != nil && cap(e.b) <= maxKeptEncoding {
		e.b = e.b[:0]
		encodings.Put(e)
	}
}

// codecFor returns what encodes a method's values for a peer. The error is
// CodecFailed: the peer does not speak it.
func (rt *Runtime) codecFor(m *method, agreed *wire.Agreed) (codec.Codec, error) {
	c := m.codec
	switch {
	case c != nil:
	case m.raw:
		return codec.Raw{}, nil
	default:
		c = rt.codec
	}
	for _, id := range agreed.Codecs {
		if id == c.ID() {
			return c, nil
		}
	}
	return nil, posthaste.Errorf(posthaste.CodecFailed, "the peer does not speak %s; give both nodes the codec with rt.Codecs", c.Name())
}
