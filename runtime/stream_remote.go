package runtime

import (
	"context"
	"io"
	"iter"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/stream"
	"github.com/posthaste-go/posthaste/wire"
)

// remoteStream is a stream that another node answers.
type remoteStream struct {
	*stream.Stream
	begun   bool          // an item has come; owned by the loop
	ordinal atomic.Uint64 // of the request on its connection, 0 before it is sent
	codec   uint8         // of the items: OPEN's, or that of the first item; not written after that
}

// fail implements waiter.
func (r *remoteStream) fail(err error) { r.Fail(err) }

// sentAfter implements waiter.
func (r *remoteStream) sentAfter(n uint64) bool { return r.ordinal.Load() > n }

func recvRemote[Q, R any](ctx context.Context, s *session, far *remote, m *streamMethod[Q, R], q Q, yield func(R, error) bool) error {
	r := &remoteStream{Stream: stream.New(stream.Options{MaxItems: MaxStreamItems, MaxBytes: int(s.conn.Agreed().MaxMessage)})}
	id, err := s.open(ctx, far, &m.method, r, &q)
	if err != nil {
		return err
	}
	defer s.cancelStream(id, r) // unless it has ended by then
	yieldTurn(ctx)
	for {
		item, err := r.Recv(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if e, ok := err.(*posthaste.Error); ok && e.Code == posthaste.ResourceExhausted && e.Peer.IsZero() {
				return s.unreadable(err) // the bound of this side's buffer
			}
			if ctx.Err() != nil {
				return gaveUp(context.Cause(ctx), 0, true)
			}
			return err
		}
		var v R
		if err := s.decodeItem(r.codec, item, &v); err != nil {
			return err
		}
		if !yield(v, nil) {
			return errBroken
		}
	}
}

// cancelStream tells the peer that nobody reads a stream any more. It stays in the
// pending table until the peer's end: what is on its way is dropped.
func (s *session) cancelStream(id uint32, r *remoteStream) {
	if r.Cancel(nil) {
		s.control(wire.AppendReset(nil, id, posthaste.Canceled))
		s.conn.Flush()
	}
}

// open sends the request for a stream.
func (s *session) open(ctx context.Context, far *remote, m *method, r *remoteStream, q any) (id uint32, err error) {
	c, err := s.rt.codecFor(m, s.conn.Agreed())
	if err != nil {
		return 0, err
	}
	body, buffer, err := encodeValue(c, q)
	if err != nil {
		return 0, err
	}
	defer buffer.free()
	r.codec = c.ID()
	r.CloseSend() // END is on OPEN
	if id, err = s.pending.add(r); err != nil {
		return 0, err
	}
	o := outgoing{
		kind: wire.KindOpen, flags: wire.FlagEnd, id: id, method: m, far: far, codec: c.ID(), body: body, ordinal: &r.ordinal,
		credit:   wire.Credit{Bytes: s.conn.Agreed().MaxMessage, Messages: MaxStreamItems},
		patience: patience{ctx, s.rt.tellDeadline(ctx)},
	}
	if at, ok := ctx.Deadline(); ok {
		o.deadline = wire.DeadlineUnits(s.rt.until(s.rt.clock.Of(at)))
	}
	if err := s.send(&o); err != nil {
		if o.begun {
			s.cancelStream(id, r)
		} else {
			s.pending.take(id)
		}
		return 0, err
	}
	s.conn.FlushSoon()
	return id, nil
}

func (s *session) decodeItem(id uint8, item []byte, v any) error {
	c := s.rt.codecs.ByID(id)
	if c == nil {
		return s.unreadable(posthaste.Errorf(posthaste.CodecFailed, "the stream is in codec %d, which this node does not have; add it with rt.Codecs", id))
	}
	if err := c.Decode(item, v); err != nil {
		return s.unreadable(posthaste.Errorf(posthaste.CodecFailed, "a value of the stream cannot be decoded: %w", err))
	}
	return nil
}

// streamData takes in an item of a stream, or a fragment of one, on the loop.
func (s *session) streamData(h wire.Header, d *wire.Data, r *remoteStream) error {
	if d.End {
		defer s.pending.take(h.ID)
	}
	if r.State() == stream.Closed { // given up: only the peer's end counts
		s.in.partials.drop(h.ID)
		return nil
	}
	item, err := s.streamItem(h, d, r)
	if err == nil && !d.More && !(d.End && len(item) == 0) {
		err = r.Deliver(item)
	}
	switch {
	case err != nil:
		s.in.partials.drop(h.ID)
		s.giveUp(h.ID, r, err) // after the end the peer does not mind
		s.in.refused = true
	case d.End:
		r.Finish()
	}
	return nil
}

// streamItem returns the item that a frame brings, or completes if d.More is not
// set.
func (s *session) streamItem(h wire.Header, d *wire.Data, r *remoteStream) (item []byte, err error) {
	if !d.First && s.in.partials.has(h.ID) {
		item, _, err = s.in.partials.add(h.ID, d.Body, d.More, s.now())
		return item, err
	}
	if d.End && len(d.Body) == 0 {
		return nil, nil // the end alone
	}
	if err := r.speaks(h, s.conn.Agreed()); err != nil {
		return nil, err
	}
	switch {
	case d.First:
		err = s.in.partials.begin(h.ID, nil, d.Total, d.Body, s.now())
		s.rt.watch.wake() // should it never end
		return nil, err
	case d.More:
		return nil, posthaste.Errorf(posthaste.Protocol, "a fragment of a stream's value came before the first")
	case len(d.Body) > 0:
		return s.conn.Keep(d.Body), nil
	}
	return nil, nil
}

// speaks checks that an item is in the codec of the first: what its header says,
// or, if the header leaves it to metadata, which items have not, that of OPEN.
func (r *remoteStream) speaks(h wire.Header, agreed *wire.Agreed) error {
	id, ok := agreed.CodecID(h.Codec)
	switch {
	case !ok || id == r.codec:
	case r.begun:
		return posthaste.Errorf(posthaste.Protocol, "a value of the stream is in codec %d, the first was in codec %d", id, r.codec)
	default:
		r.codec = id
	}
	r.begun = true
	return nil
}

// serveRemoteStream runs a stream's handler for a reader on another node.
func serveRemoteStream[S, Q, R any](c *Context, in *inbound, s *S, f func(*S, *Context, Q) iter.Seq2[R, error]) {
	enc, err := in.codecOf()
	if err != nil {
		in.fail(c, err)
		return
	}
	q, err := decodeRequest[Q](enc, in)
	if err != nil {
		in.fail(c, err)
		return
	}
	for r, err := range f(s, c, q) {
		if err != nil {
			in.fail(c, handlerError(err))
			return
		}
		if err := in.item(c, enc, &r); err != nil {
			in.fail(c, handlerError(err)) // the handler ran
			return
		}
	}
	in.finish(c)
}

// item sends one value of a stream. An error ends the stream.
func (in *inbound) item(c *Context, enc codec.Codec, v any) error {
	s := in.session
	if in.over() {
		return posthaste.Errorf(posthaste.Canceled, "the reader has given up")
	}
	if s.conn.Congested() {
		if err := s.waitRoom(c, c.deadline); err != nil {
			return err
		}
	}
	body, buffer, err := encodeValue(enc, v)
	if err != nil {
		return posthaste.Errorf(posthaste.CodecFailed, "a value of the stream cannot be encoded: %w", err)
	}
	defer buffer.free()
	err = in.sendItem(c, body)
	c.touch(s) // so that the value leaves if the handler takes long to make the next
	return err
}

// sendItem sends an encoded value, in as many frames as it takes.
func (in *inbound) sendItem(c *Context, body []byte) error {
	s := in.session
	h := wire.Header{Priority: in.priority, ID: in.id}
	h.Codec, _ = s.conn.Agreed().CodecField(in.codec)
	d := wire.Data{}
	first := body
	p := patience{c, c.deadline}
	if room := s.room(); len(body) > room {
		if err := s.checkSize("a value of the stream", len(body)); err != nil {
			return err
		}
		if err := s.enter(p); err != nil {
			return err
		}
		defer s.leave()
		d.First, d.More, d.Total = true, true, uint64(len(body))
		first = body[:room]
	}
	var space [wire.HeaderLen + 32]byte
	head, err := wire.AppendData(space[:0], h, &d, len(first))
	if err != nil {
		return err
	}
	if err := s.conn.Send(head, first); err != nil {
		return err
	}
	return s.sendRest(p, h, body[len(first):], false)
}

// finish ends a stream properly.
func (in *inbound) finish(c *Context) {
	in.session.vacate(in)
	var space [wire.HeaderLen + 8]byte
	head, err := wire.AppendData(space[:0], wire.Header{Priority: in.priority, ID: in.id}, &wire.Data{End: true}, 0)
	if err == nil {
		err = in.session.conn.Send(head, nil)
	}
	if err != nil { // the connection is gone, and so is the reader
		in.session.rt.log.Debug("a stream's end could not be sent", "method", in.route.method, "error", err)
	}
	in.session.answered(c, in)
}
