package runtime

import (
	"math"
	"sync"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/fragment"
	"github.com/posthaste-go/posthaste/wire"
)

// partials are the messages of one connection whose fragments are not all here: the
// peer's requests, the replies to this side's, and values of streams. The
// connection's loop adds to them; the sweeper drops those that are not continued.
type partials struct {
	mu        sync.Mutex // guards following
	assembler *fragment.Assembler
	requests  map[uint32]*inbound // whose they are, for the peer's requests
	due       int64               // when to sweep next
	counted   int64               // of what is buffered, the bytes counted in held

	rt *Runtime // set once
}

func (p *partials) init(rt *Runtime, limits fragment.Limits) {
	p.rt = rt
	p.assembler, p.requests = fragment.NewAssembler(limits), map[uint32]*inbound{}
}

// begin keeps the first fragment of a message. in is nil if it is no request.
func (p *partials) begin(id uint32, in *inbound, total uint64, first []byte, now int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.accountLocked()
	if in != nil {
		if err := p.rt.checkHeld(int64(len(first))); err != nil {
			return err
		}
	}
	if err := p.assembler.Begin(id, total, first, now); err != nil {
		return err
	}
	if in != nil {
		p.requests[id] = in
	}
	return nil
}

func (p *partials) has(id uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.assembler.Has(id)
}

// add takes the next fragment. It returns the message with the last one. in is the
// request that the message belongs to, if it is whole or has failed: it is the
// caller's then.
func (p *partials) add(id uint32, piece []byte, more bool, now int64) (whole []byte, in *inbound, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.accountLocked()
	if p.requests[id] != nil {
		if err = p.rt.checkHeld(int64(len(piece))); err != nil {
			p.assembler.Drop(id)
		}
	}
	if err == nil {
		whole, err = p.assembler.Add(id, piece, more, now)
	}
	if err != nil || !more {
		in = p.requests[id]
		delete(p.requests, id)
	}
	return whole, in, err
}

// drop forgets a message and returns its request, if it is one: the caller's then.
func (p *partials) drop(id uint32) (in *inbound) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.accountLocked()
	p.assembler.Drop(id)
	in = p.requests[id]
	delete(p.requests, id)
	return in
}

// close drops all messages: the connection has ended.
func (p *partials) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.accountLocked()
	p.assembler.Sweep(math.MaxInt64, func(uint32) {})
	clear(p.requests)
}

// sweepEvery is how often late messages are looked for.
const sweepEvery = int64(time.Second)

// sweep drops the messages that have waited too long for a fragment, and returns
// their ids and how many messages are left.
func (p *partials) sweep(now int64) (late []uint32, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open = p.assembler.Open(); open > 0 && now >= p.due {
		defer p.accountLocked()
		p.due = now + sweepEvery
		p.assembler.Sweep(now, func(id uint32) { late = append(late, id) })
		open = p.assembler.Open()
	}
	return late, open
}

// sweepPartials gives up the messages that the peer does not continue, on the
// sweeper, and returns how many are incomplete.
func (s *session) sweepPartials(now int64) (open int) {
	late, open := s.in.partials.sweep(now)
	for _, id := range late {
		err := s.in.partials.assembler.Late()
		if in := s.in.partials.drop(id); in != nil {
			in.fail(nil, err)
		} else if w, _ := s.pending.get(id); w != nil {
			s.giveUp(id, w, err)
			s.conn.Flush()
		}
	}
	return open
}

// giveUp ends the wait for an answer that cannot be taken in. The id stays open
// until the peer has heard of it.
func (s *session) giveUp(id uint32, w waiter, err error) {
	if _, stream := w.(*remoteStream); stream || s.pending.abandon(id, w) {
		s.control(wire.AppendReset(nil, id, posthaste.CodeOf(err)))
		w.fail(s.unreadable(err))
	}
}

// unreadable returns err, about an answer that has come, as the asker sees it: the
// handler ran.
func (s *session) unreadable(err error) error {
	if err == nil {
		return nil
	}
	e := *handlerError(err)
	e.Peer = s.conn.Remote()
	return &e
}
