package runtime

import (
	"context"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/fragment"
	"github.com/posthaste-go/posthaste/wire"
)

// Messages that need several frames leave a connection one after the other, and
// between their frames they wait for room: the large messages of a few callers
// would otherwise fill the connection's queue, which is then cut as if the peer
// read too slowly, and be more incomplete messages than the peer puts up with.
// Small messages pass between the frames.

// patience says how long a large message may wait, for its turn and for room.
type patience struct {
	ctx      context.Context // nil: not at all
	deadline int64           // clock reading that ends it too, 0 for none
}

// enter waits for the turn of a large message, and for room to begin it. The one
// who entered must leave.
func (s *session) enter(p patience) error {
	select {
	case s.large <- struct{}{}:
	default:
		if err := s.queueUp(p); err != nil {
			return err
		}
	}
	err := s.waitIfCongested(p)
	if err != nil {
		s.leave()
	}
	return err
}

func (s *session) queueUp(p patience) error {
	if p.ctx == nil {
		return s.congested()
	}
	bound, cancel := s.rt.within(p.ctx, p.deadline)
	defer cancel()
	yieldTurn(p.ctx)
	select {
	case s.large <- struct{}{}: // who holds it leaves when the connection is lost
		return nil
	case <-bound.Done():
		return gaveUp(context.Cause(bound), 0, false)
	}
}

func (s *session) leave() { <-s.large }

// roomEvery is how many frames of a large message are queued between two looks at
// the room there is: few enough not to matter, enough for one write.
const roomEvery = 16

// sendRest sends the fragments after the first of a message. end closes the
// stream with the last one.
func (s *session) sendRest(p patience, h wire.Header, rest []byte, end bool) error {
	var space [wire.HeaderLen + 16]byte
	for n := 1; len(rest) > 0; n++ {
		if n%roomEvery == 0 && p.ctx != nil {
			s.conn.Flush()
			if err := s.waitIfCongested(p); err != nil {
				return err
			}
		}
		var piece []byte
		piece, rest = fragment.Next(rest, s.room())
		d := wire.Data{More: len(rest) > 0, End: end && len(rest) == 0}
		head, err := wire.AppendData(space[:0], wire.Header{Priority: h.Priority, Codec: h.Codec, ID: h.ID}, &d, len(piece))
		if err != nil {
			return err
		}
		if err := s.conn.Send(head, piece); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) waitIfCongested(p patience) error {
	switch {
	case !s.conn.Congested():
		return nil
	case p.ctx == nil:
		return s.congested()
	}
	return s.waitRoom(p.ctx, p.deadline)
}

// checkSize refuses a message over what the connection takes.
func (s *session) checkSize(what string, n int) error {
	limit := s.conn.Agreed().MaxMessage
	if uint64(n) <= limit {
		return nil
	}
	return posthaste.Errorf(posthaste.TooLarge, "%s has %d bytes; this connection takes %d (rt.MaxMessage, the smaller of both nodes)", what, n, limit)
}

// replyLarge sends a reply that needs several frames. It waits in the actor's turn,
// so that an actor does not make replies faster than its askers read them; no
// longer than they wait.
func (in *inbound) replyLarge(c *Context, h wire.Header, reply *wire.Reply, body []byte) error {
	s := in.session
	if err := s.checkSize("the reply", len(body)); err != nil {
		return err
	}
	p := patience{c, c.deadline}
	if p.deadline == 0 {
		p.deadline = s.rt.clock.Now() + int64(s.rt.o.askTimeout)
	}
	if err := s.enter(p); err != nil {
		return err
	}
	defer s.leave()
	reply.More, reply.Total = true, uint64(len(body))
	first := body[:s.room()]
	var space [wire.HeaderLen + 32]byte
	head, err := wire.AppendReply(space[:0], h, reply, len(first))
	if err != nil {
		return err
	}
	if err := s.conn.Send(head, first); err != nil {
		return err
	}
	return s.sendRest(p, h, body[len(first):], false)
}

// replyPatience bounds how long a reply waits for room: long enough for a peer that
// reads at all, short for an actor.
const replyPatience = time.Second

// slowDown has a turn wait because its replies come faster than the peer reads
// them. If there is still no room, the reply is queued all the same: a peer that
// does not read is cut at the hard limit.
func (s *session) slowDown(c *Context) {
	_ = s.waitRoom(c, s.rt.clock.Now()+int64(replyPatience)) // it is tried, in any case
}
