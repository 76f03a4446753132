package main

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/posthaste-go/posthaste/bench/anyactor"
)

// A libraryPeer is an actor library whose messages are values of any type: what
// makes a system of it. All such peers have the receivers of this file.
type libraryPeer func(crowded bool) (anyactor.System, error)

var _ Local = libraryPeer(nil)

// libraryAhead is how many messages a sender may be ahead of the receiver, because
// these mailboxes have no bound and memory has. It is large enough not to slow
// anybody down: without it they are no faster.
const libraryAhead = 1 << 16

// Open starts a system.
func (p libraryPeer) Open(crowded bool) (House, error) {
	s, err := p(crowded)
	return &libraryHouse{s}, err
}

type libraryHouse struct{ system anyactor.System }

func (h *libraryHouse) Close() { h.system.Close() }

// A libraryCounter counts numbers and replies to anything else with the count.
type libraryCounter struct {
	count   uint64
	handled atomic.Uint64 // count, up to 64 behind
}

func (r *libraryCounter) Receive(c anyactor.Context, m any) {
	if _, ok := m.(uint64); !ok {
		c.Reply(r.count)
		return
	}
	if r.count++; r.count%samples == 0 {
		r.handled.Store(r.count)
	}
}

// libraryTold asks a libraryCounter for its count.
type libraryTold struct{}

func (h *libraryHouse) Sink() (Sink, error) {
	r := &libraryCounter{}
	return &librarySink{system: h.system, r: r, to: h.system.Spawn(r)}, nil
}

type librarySink struct {
	system anyactor.System
	r      *libraryCounter
	to     anyactor.Ref
	sent   atomic.Uint64 // up to 64 for each sender ahead
}

func (s *librarySink) Tell(v uint64) error {
	if v%samples == 0 {
		for sent := s.sent.Add(samples); sent > s.r.handled.Load()+libraryAhead; {
			runtime.Gosched()
		}
	}
	s.system.Send(s.to, v)
	return nil
}

func (s *librarySink) Handled() uint64 { return s.r.handled.Load() }

// Finish asks for the count: the question follows all tells.
func (s *librarySink) Finish() (uint64, error) { return askNumber(s.system, s.to, libraryTold{}) }

// askNumber asks for a number.
func askNumber(s anyactor.System, to anyactor.Ref, m any) (uint64, error) {
	reply, err := s.Ask(to, m)
	if err != nil {
		return 0, err
	}
	v, ok := reply.(uint64)
	if !ok {
		return 0, fmt.Errorf("the reply is a %T", reply)
	}
	return v, nil
}

// A libraryEcho replies with what it gets.
type libraryEcho struct{}

func (libraryEcho) Receive(c anyactor.Context, m any) { c.Reply(m) }

func (h *libraryHouse) Echoes(n int) (Echoes, error) {
	e := &libraryEchoes{system: h.system}
	for range n {
		e.to = append(e.to, h.system.Spawn(libraryEcho{}))
	}
	return e, nil
}

type libraryEchoes struct {
	system anyactor.System
	to     []anyactor.Ref
}

func (e *libraryEchoes) Asker(i int) func(uint64) (uint64, error) {
	to := e.to[i]
	return func(v uint64) (uint64, error) { return askNumber(e.system, to, v) }
}

// A libraryPasser is a receiver of a ring.
type libraryPasser struct {
	stage
	next anyactor.Ref // set before the first message
}

func (p *libraryPasser) Receive(c anyactor.Context, m any) {
	if hop := m.(uint64); p.pass(hop) {
		c.Send(p.next, hop+1)
	}
}

func (h *libraryHouse) Rings(r *rings) error {
	for i := range r.rings {
		last := &libraryPasser{stage: r.stage(i, r.size-1)}
		next := h.system.Spawn(last)
		for place := r.size - 2; place >= 0; place-- {
			next = h.system.Spawn(&libraryPasser{r.stage(i, place), next})
		}
		last.next = next
		h.system.Send(next, uint64(0))
	}
	return nil
}

// A librarySource tells the leaves of a fan.
type librarySource struct{ leaves []anyactor.Ref }

func (s *librarySource) Receive(c anyactor.Context, m any) {
	for _, to := range s.leaves {
		c.Send(to, m)
	}
}

type libraryLeaf struct {
	leaf
	source anyactor.Ref
}

func (l *libraryLeaf) Receive(c anyactor.Context, m any) {
	if round := m.(uint64); l.handle(round) {
		c.Send(l.source, round+1)
	}
}

func (h *libraryHouse) Fan(f *fan) error {
	s := &librarySource{}
	to := h.system.Spawn(s)
	for i := range f.leaves {
		s.leaves = append(s.leaves, h.system.Spawn(&libraryLeaf{f.leaf(i), to}))
	}
	h.system.Send(to, uint64(0))
	return nil
}

// A libraryGuest is a receiver of a crowd.
type libraryGuest struct{ of *crowd }

func (g libraryGuest) Receive(anyactor.Context, any) { g.of.meet() }

func (h *libraryHouse) Crowd(c *crowd) (Guests, error) {
	g := &libraryGuests{h.system, make([]anyactor.Ref, c.size)}
	for i := range g.to {
		g.to[i] = h.system.Spawn(libraryGuest{c})
	}
	return g, nil
}

type libraryGuests struct {
	system anyactor.System
	to     []anyactor.Ref
}

func (g *libraryGuests) Greet() error {
	for _, to := range g.to {
		g.system.Send(to, uint64(0))
	}
	return nil
}

func (g *libraryGuests) Leave() error {
	for _, to := range g.to {
		g.system.Stop(to)
	}
	g.system.Wait()
	return nil
}
