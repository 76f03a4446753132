package runtime

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/wire"
)

// inbound is a request from another node, from its arrival to its answer. Each
// ask and stream is answered exactly once, by reply or fail, and then goes back to
// the pool; so does a tell, which is only let go of.
type inbound struct {
	session  *session
	id       uint32 // 0 for a tell
	verb     posthaste.Verb
	priority wire.Priority
	codec    uint8
	route    *inRoute // what was asked for
	handler  *handler // who handles it, once the actor is known
	actor    *cell    // whom it is for, while its fragments are coming in
	body     []byte   // the collector's: handlers may keep it
	held     int64    // bytes of body that the node counts
	deadline int64    // clock reading, 0 for none

	gone atomic.Bool // nobody waits for the answer: cancelled, or connection lost

	mu    sync.Mutex // guards scope
	scope context.CancelCauseFunc
}

var inbounds = sync.Pool{New: func() any { return new(inbound) }}

func (in *inbound) free() {
	in.letGoBytes()
	in.session, in.route, in.handler, in.actor, in.body, in.scope = nil, nil, nil, nil, nil, nil
	in.gone.Store(false)
	inbounds.Put(in)
}

// over reports whether nobody waits for the answer.
func (in *inbound) over() bool { return in.gone.Load() }

// setScope has cancel called if the asker gives up, at once if he has.
func (in *inbound) setScope(cancel context.CancelCauseFunc) {
	in.mu.Lock()
	in.scope = cancel
	in.mu.Unlock()
	// cancel moves gone, then looks at scope; we set scope, then look at gone.
	if cancel != nil && in.over() {
		cancel(context.Canceled)
	}
}

// cancel tells the handler that nobody waits any more. It is called under
// session.mu, so that in is still this request.
func (in *inbound) cancel(why error) {
	in.gone.Store(true)
	in.mu.Lock()
	cancel := in.scope
	in.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
}

// take makes room for a request among those this side is answering.
func (s *session) take(in *inbound) error {
	slot := int(wire.IDSlot(in.id)) - 1
	s.mu.Lock()
	if uint(slot) < uint(len(s.serving)) && s.serving[slot] == nil && !s.lost {
		s.serving[slot] = in
		s.mu.Unlock()
		return nil
	}
	err := s.takeSlowLocked(in, slot)
	s.mu.Unlock()
	return err
}

func (s *session) takeSlowLocked(in *inbound, slot int) error {
	switch {
	case s.lost:
		return posthaste.Errorf(posthaste.ConnLost, "the connection is lost")
	case slot < 0 || slot >= s.pending.limit:
		return posthaste.Errorf(posthaste.Protocol, "stream id %#x has place %d; the agreed limit is %d", in.id, slot+1, s.pending.limit)
	case slot < len(s.serving):
		return posthaste.Errorf(posthaste.Protocol, "stream id %#x is opened while %#x has its place", in.id, s.serving[slot].id)
	}
	s.serving = append(s.serving, make([]*inbound, slot+1-len(s.serving))...)
	s.serving[slot] = in
	return nil
}

// vacate gives a request's place back. It comes before the answer is queued: as
// soon as the peer has read the answer, it may use the place again.
func (s *session) vacate(in *inbound) {
	if in.id == 0 || in.verb == posthaste.VerbTell {
		return
	}
	slot := int(wire.IDSlot(in.id)) - 1
	s.mu.Lock()
	if slot < len(s.serving) && s.serving[slot] == in {
		s.serving[slot] = nil
	}
	s.mu.Unlock()
}

// cancelServing cancels the request with an id, for the peer's RESET.
func (s *session) cancelServing(id uint32) {
	slot := int(wire.IDSlot(id)) - 1
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot >= 0 && slot < len(s.serving) {
		if in := s.serving[slot]; in != nil && in.id == id {
			in.cancel(context.Canceled)
		}
	}
}

// loseServing cancels all requests, for the loss of the connection. Their handlers
// run to their ends; the answers go nowhere.
func (s *session) loseServing(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	for _, in := range s.serving {
		if in != nil {
			in.cancel(why)
		}
	}
	s.serving = nil
}

// reply answers an ask. c is the turn that does: it may wait, if the reply is large
// or the peer reads slowly.
func (in *inbound) reply(c *Context, body []byte) {
	s := in.session
	h := wire.Header{Priority: in.priority, ID: in.id}
	s.vacate(in)
	var reply wire.Reply
	h.Codec, reply.Meta = s.codecField(in.codec)
	if len(body) > s.room() {
		if err := in.replyLarge(c, h, &reply, body); err != nil {
			in.fail(c, handlerError(err))
			return
		}
		s.answered(c, in)
		return
	}
	var space [wire.HeaderLen + 32]byte
	head, err := wire.AppendReply(space[:0], h, &reply, len(body))
	if err != nil {
		in.fail(c, err)
		return
	}
	if s.conn.Congested() {
		s.slowDown(c)
	}
	_ = s.conn.Send(head, body) // an error means that nobody waits for the answer
	s.answered(c, in)
}

// fail answers a request with an error; a tell becomes a dead letter. c is the turn
// that does, nil outside one.
func (in *inbound) fail(c *Context, err error) {
	s := in.session
	if in.answer(c, err) {
		s.flush(c)
	}
}

// answer is fail without the flush, for which it reports whether there is a need.
func (in *inbound) answer(c *Context, err error) (queued bool) {
	s := in.session
	if in.verb == posthaste.VerbTell {
		s.rt.deadLetter(in.route.method, posthaste.Addr{}, err)
	} else {
		s.vacate(in)
		f := wire.FailureOf(err)
		s.control(wire.AppendFailure(nil, in.id, &f))
		queued = true
	}
	in.letGo(c)
	return queued
}

// answered lets go of a request whose answer is queued.
func (s *session) answered(c *Context, in *inbound) {
	in.letGo(c)
	s.flush(c)
}

// flush writes what is queued: at the end of the worker's turns, or now if there
// is no turn.
func (s *session) flush(c *Context) {
	if c != nil {
		c.touch(s)
	} else {
		s.conn.Flush()
	}
}

// letGo ends the turn's hold on a request and gives it back to the pool.
func (in *inbound) letGo(c *Context) {
	if c != nil && c.in == in {
		c.end()
	}
	in.free()
}

// codecOf returns what decodes the request and encodes its answer.
func (in *inbound) codecOf() (codec.Codec, error) {
	c := in.session.rt.codecs.ByID(in.codec)
	if c == nil {
		return nil, posthaste.Errorf(posthaste.CodecFailed, "the message is in codec %d, which this node does not have; add it with rt.Codecs", in.codec)
	}
	return c, nil
}

// serveRemoteAsk runs an ask's handler for an asker on another node.
func serveRemoteAsk[S, Q, R any](c *Context, in *inbound, s *S, f func(*S, *Context, Q) (R, error)) {
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
	r, err := f(s, c, q)
	if err != nil {
		in.fail(c, handlerError(err))
		return
	}
	if body, ok := any(r).([]byte); ok && enc.ID() == codec.IDRaw {
		in.reply(c, body)
		return
	}
	replyEncoded(c, in, enc, r)
}

// replyEncoded answers with a value that needs encoding.
func replyEncoded[R any](c *Context, in *inbound, enc codec.Codec, r R) {
	body, buffer, err := encodeValue(enc, &r)
	defer buffer.free()
	if err != nil {
		e := posthaste.Errorf(posthaste.CodecFailed, "the reply cannot be encoded: %w", err)
		e.Status = posthaste.StatusExecuted
		in.fail(c, e)
		return
	}
	in.reply(c, body)
}

// decodeRequest decodes a request's body. Raw bytes are not copied: they are the
// handler's.
func decodeRequest[Q any](c codec.Codec, in *inbound) (Q, error) {
	if c.ID() == codec.IDRaw {
		if q, ok := any(in.body).(Q); ok {
			return q, nil
		}
	}
	return decodeEncoded[Q](c, in.body)
}

func decodeEncoded[Q any](c codec.Codec, body []byte) (Q, error) {
	var q Q
	if err := c.Decode(body, &q); err != nil {
		return q, posthaste.Errorf(posthaste.CodecFailed, "the message cannot be decoded: %w", err)
	}
	return q, nil
}

// serveRemoteTell runs a tell's handler for a sender on another node.
func serveRemoteTell[S, Q any](c *Context, in *inbound, s *S, f func(*S, *Context, Q) error) {
	enc, err := in.codecOf()
	if err == nil {
		var q Q
		if q, err = decodeRequest[Q](enc, in); err == nil {
			if err := f(s, c, q); err != nil {
				c.tellFailed(err)
			}
			in.letGo(c)
			return
		}
	}
	in.fail(c, err)
}
