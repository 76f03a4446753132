package runtime

import (
	"context"
	"math"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/fragment"
	"github.com/posthaste-go/posthaste/mailbox"
	"github.com/posthaste-go/posthaste/wire"
)

// session is what the runtime keeps for one connection. Its outgoing half is used
// by callers and workers, its incoming half by the connection's loop.
type session struct {
	rt   *Runtime
	conn *eventloop.Conn // set once, with the agreed limits
	gone chan struct{}   // closed when the connection is

	// What this side sends.
	pending pending
	routes  outRoutes
	large   chan struct{} // holds a token while a message in several frames is being sent
	cut     atomic.Uint64 // the first request that the peer, which has shut down, did not take in; 0 before

	// What this side is asked, by the place in the peer's stream ids.
	mu      sync.Mutex // guards serving
	serving []*inbound
	lost    bool

	in incoming // owned by the loop
}

// sweepSessions expires the calls that are due on all connections, drops messages
// that are not continued, and returns how many of both are open.
func (rt *Runtime) sweepSessions(now int64) (open int) {
	rt.sessions.Range(func(key, _ any) bool {
		s := key.(*session)
		open += s.pending.sweep(now) + s.sweepPartials(now)
		return true
	})
	return open
}

func sessionOf(c *eventloop.Conn) *session { return c.Context().(*session) }

func (rt *Runtime) newSession(c *eventloop.Conn) *session {
	s := &session{rt: rt, conn: c, gone: make(chan struct{}), large: make(chan struct{}, 1)}
	s.pending.client = c.Outbound()
	s.pending.limit = min(int(c.Agreed().MaxInFlight), wire.MaxSlot)
	s.in.partials.init(rt, fragment.Limits{Message: c.Agreed().MaxMessage})
	return s
}

// ask sends a call and waits for its reply.
func (s *session) ask(ctx context.Context, r *remote, a *call, waited time.Duration) (settled bool, err error) {
	if s.conn.Congested() {
		if err := s.waitRoom(ctx, a.deadline); err != nil {
			return true, err
		}
	}
	c, err := s.rt.codecFor(a.method, s.conn.Agreed())
	if err != nil {
		return true, err
	}
	id, settled, err := s.sendCall(ctx, r, a, c)
	if err != nil {
		if !settled {
			settled = s.withdraw(ctx, id, a, waited)
		}
		return settled, err
	}
	s.conn.FlushSoon()
	settled, err = s.rt.await(ctx, a, waited)
	if !settled {
		s.abandon(id, a)
		return false, err
	}
	if err == nil {
		err = s.decode(a)
	}
	return true, err
}

// sendCall encodes and queues a call, under an id by which its reply will find it.
// After an error settled says whether the call is surely the caller's again.
func (s *session) sendCall(ctx context.Context, r *remote, a *call, c codec.Codec) (id uint32, settled bool, err error) {
	body, buffer, err := a.typed.encode(c)
	if err != nil {
		return 0, true, err
	}
	settled = true
	a.listed = true
	a.ordinal.Store(0)
	if id, err = s.pending.add(a); err == nil {
		if a.own {
			s.rt.watch.wake()
		}
		o := outgoing{
			kind: wire.KindAsk, id: id, method: a.method, far: r, codec: c.ID(), body: body, ordinal: &a.ordinal,
			deadline: wire.DeadlineUnits(s.rt.until(a.deadline)), patience: patience{ctx, a.deadline},
		}
		if err = s.send(&o); err != nil {
			if settled = !o.begun; settled {
				w, _ := s.pending.take(id)
				settled = w != nil
			}
		}
	}
	buffer.free()
	return id, settled, err
}

// withdraw gives up a call that was not sent to its end, and reports whether it is
// the caller's again.
func (s *session) withdraw(ctx context.Context, id uint32, a *call, waited time.Duration) (settled bool) {
	if s.abandon(id, a) {
		return false // the loop may be looking at it
	}
	// The end of the connection, or an early answer, has found the call in the
	// table: it has been ended, or is about to be.
	settled, _ = s.rt.await(ctx, a, waited)
	return settled
}

// decode turns the encoded reply into the asker's value.
func (s *session) decode(a *call) error {
	c := s.rt.codecs.ByID(a.codec)
	if c == nil {
		return s.unreadable(posthaste.Errorf(posthaste.CodecFailed, "the reply is in codec %d, which this node does not have; add it with rt.Codecs", a.codec))
	}
	if err := a.typed.decode(c, a.body); err != nil {
		return s.unreadable(posthaste.Errorf(posthaste.CodecFailed, "the reply cannot be decoded: %w", err))
	}
	return nil
}

// tell sends a message and does not wait.
func (s *session) tell(ctx context.Context, r *remote, m *method, v any) error {
	turn := turnOf(ctx)
	if s.conn.Congested() {
		if turn != nil {
			return s.congested()
		}
		if err := s.waitRoom(ctx, s.rt.tellDeadline(ctx)); err != nil {
			return err
		}
	}
	c, err := s.rt.codecFor(m, s.conn.Agreed())
	if err != nil {
		return err
	}
	body, buffer, err := encodeValue(c, v)
	if err != nil {
		return err
	}
	defer buffer.free()
	o := outgoing{kind: wire.KindTell, method: m, far: r, codec: c.ID(), body: body}
	if turn == nil {
		o.patience = patience{ctx, s.rt.tellDeadline(ctx)}
	}
	if err := s.sendTell(&o); err != nil {
		return err
	}
	if turn != nil {
		turn.touch(s)
	} else {
		s.conn.FlushSoon()
	}
	return nil
}

// sendTell queues a tell. One in fragments needs an id to be known by, until its
// last frame.
func (s *session) sendTell(o *outgoing) (err error) {
	if len(o.body) <= s.room() {
		return s.send(o)
	}
	if o.id, err = s.pending.add(nil); err != nil {
		return err
	}
	defer s.pending.take(o.id)
	if err = s.send(o); err != nil && o.begun {
		s.control(wire.AppendReset(nil, o.id, posthaste.Canceled))
	}
	return err
}

// abandon tells the peer that nobody waits for an id any more, and reports whether
// that was so.
func (s *session) abandon(id uint32, w waiter) bool {
	waited := s.pending.abandon(id, w)
	if waited {
		s.control(wire.AppendReset(nil, id, posthaste.Canceled))
		s.conn.Flush()
	}
	return waited
}

// control queues a frame that is the runtime's own. An error means that the
// connection is gone, which Closed reports.
func (s *session) control(frame []byte) { _ = s.conn.Send(frame, nil) }

// waitRoom waits until the connection is no longer congested.
func (s *session) waitRoom(ctx context.Context, deadline int64) error {
	bound, cancel := s.rt.within(ctx, deadline)
	defer cancel()
	yieldTurn(ctx)
	if err := s.conn.Wait(bound); err != nil {
		if bound.Err() != nil {
			return gaveUp(context.Cause(bound), 0, false)
		}
		return notSent(err)
	}
	return nil
}

func (s *session) congested() error {
	return posthaste.Errorf(posthaste.Overloaded, "more waits for %v than the soft limit of the connection allows; send slower", s.conn.Remote())
}

// room returns how long a body surely fits a single frame.
func (s *session) room() int { return int(s.conn.Agreed().MaxFrame) - maxPrefix }

// maxPrefix bounds what stands in a frame beside the body: route, name, target,
// deadline, credit, total, a codec in metadata, and a checksum.
const maxPrefix = 3 + 2*(2+wire.MaxName) + 5 + 20 + 10 + 5 + wire.ChecksumLen

// outgoing is a request to be sent.
type outgoing struct {
	kind     wire.Kind
	flags    wire.Flags
	id       uint32 // 0 for a tell in one frame
	method   *method
	far      *remote
	codec    uint8
	deadline uint32 // wire units, 0 for none
	credit   wire.Credit
	body     []byte

	patience  patience       // if the body is large
	unordered bool           // does not wait for the turn of large messages: an announcement, which is not very large
	begun     bool           // set by send: the first of several frames is queued
	ordinal   *atomic.Uint64 // set by send before it looks whether the peer still takes requests; nil for a tell
}

// send queues a request, in as many frames as it takes. The error says that the
// request was not and will not be executed.
func (s *session) send(o *outgoing) error {
	if len(o.body) > s.room() {
		if err := s.checkSize("the message", len(o.body)); err != nil {
			return err
		}
		if !o.unordered {
			if err := s.enter(o.patience); err != nil {
				return err
			}
			defer s.leave()
		}
	}
	number, known := s.routes.find(o.far, o.method)
	q := wire.Request{
		Route: number, Target: o.far.target, Deadline: o.deadline, Credit: o.credit,
		Idempotent: o.method.idempotent,
	}
	if !known {
		q.Name = o.far.routeName(o.method)
	}
	h := wire.Header{Kind: o.kind, Flags: o.flags, Priority: priorityOf(o.method.lane), ID: o.id}
	h.Codec, q.Meta = s.codecField(o.codec)
	if err := s.sendPieces(o, h, &q); err != nil {
		return notSent(err)
	}
	if !known {
		s.routes.known(o.far, o.method)
	}
	return nil
}

// sendPieces sends the request's first frame, and DATA frames for what does not
// fit it.
func (s *session) sendPieces(o *outgoing, h wire.Header, q *wire.Request) error {
	var space [96]byte // room for all but a frame with names, which costs an allocation
	first, end := o.body, false
	if room := s.room(); len(first) > room {
		q.More, q.Total = true, uint64(len(first))
		first = first[:room]
		end = h.Flags&wire.FlagEnd != 0 // which stands on the last fragment
		h.Flags &^= wire.FlagEnd
	}
	head, err := wire.AppendRequest(space[:0], h, q, len(first))
	if err != nil {
		return err
	}
	n, err := s.conn.SendOpener(head, first)
	if err != nil {
		return err
	}
	if o.ordinal != nil {
		o.ordinal.Store(n)
	}
	// We store the ordinal, then look at cut; goAway stores cut, then looks at the
	// ordinals: a request beyond the cut is found by one of the two, or by both.
	if cut := s.cut.Load(); cut != 0 && n >= cut {
		return s.shutDown()
	}
	if !q.More {
		return nil
	}
	o.begun = true
	return s.sendRest(o.patience, h, o.body[len(first):], end)
}

// codecField returns what a header and the metadata say of a codec.
func (s *session) codecField(id uint8) (field uint8, meta []byte) {
	field, inMeta := s.conn.Agreed().CodecField(id)
	if inMeta {
		meta = []byte{0x81, wire.MetaCodec, 0xcc, id} // a msgpack map: {MetaCodec: id}
	}
	return field, meta
}

// codecID returns the codec of a frame that came in.
func (s *session) codecID(h wire.Header, meta []byte) (uint8, error) {
	if id, ok := s.conn.Agreed().CodecID(h.Codec); ok {
		return id, nil
	}
	var m map[int]any
	if err := s.rt.msgpack.Decode(meta, &m); err != nil {
		return 0, posthaste.Errorf(posthaste.CodecFailed, "the metadata cannot be decoded: %w", err)
	}
	switch n := reflect.ValueOf(m[wire.MetaCodec]); { // msgpack has many ways to write a number
	case n.CanInt() && n.Int() >= 0 && n.Int() <= math.MaxUint8:
		return uint8(n.Int()), nil
	case n.CanUint() && n.Uint() <= math.MaxUint8:
		return uint8(n.Uint()), nil
	}
	return 0, posthaste.Errorf(posthaste.CodecFailed, "the frame's codec stands in its metadata, but key %d is not there or no codec", wire.MetaCodec)
}

// number returns the service's number in this process, 0 for an address.
func (r *remote) number() uint32 {
	if r.service == nil {
		return 0
	}
	return r.service.number
}

// routeName returns the name of a route to r: "service/method".
func (r *remote) routeName(m *method) []byte {
	if r.service == nil {
		return []byte("/" + m.name)
	}
	return []byte(r.service.name + "/" + m.name)
}

func priorityOf(l mailbox.Lane) wire.Priority {
	switch l {
	case mailbox.High:
		return wire.High
	case mailbox.Bulk:
		return wire.Bulk
	}
	return wire.Normal
}

func laneOf(p wire.Priority) mailbox.Lane {
	switch p {
	case wire.High, wire.Control:
		return mailbox.High
	case wire.Bulk:
		return mailbox.Bulk
	}
	return mailbox.Normal
}

// encodeValue returns the encoding of what v points to, and the pooled buffer that
// it is in: nil for raw bytes, which are their own encoding.
func encodeValue(c codec.Codec, v any) ([]byte, *encoding, error) {
	if p, ok := v.(*[]byte); ok && c.ID() == codec.IDRaw {
		return *p, nil, nil
	}
	buffer := encodings.Get().(*encoding)
	b, err := c.Append(buffer.b[:0], v)
	if err != nil {
		buffer.free()
		return nil, nil, err
	}
	buffer.b = b
	return b, buffer, nil
}
