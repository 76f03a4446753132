package main

import (
	"sync"
	"sync/atomic"
)

// chanMailbox is the capacity of a channel that stands for a mailbox.
const chanMailbox = 1024

// chanPeer is what a Go programmer writes without a library: a goroutine behind
// a channel.
type chanPeer struct{}

var (
	_ Local   = chanPeer{}
	_ Inliner = chanPeer{}
)

// Open has nothing to start.
func (chanPeer) Open(bool) (House, error) { return &chanHouse{}, nil }

// A chanHouse knows how to end those goroutines that do not end by themselves.
type chanHouse struct{ ends []func() }

func (h *chanHouse) Close() {
	for _, end := range h.ends {
		end()
	}
}

// Sink starts a goroutine that counts what comes through a buffered channel.
func (*chanHouse) Sink() (Sink, error) {
	s := &chanSink{box: make(chan uint64, chanMailbox), total: make(chan uint64)}
	go s.countLoop()
	return s, nil
}

type chanSink struct {
	box     chan uint64 // closed by Finish, which ends countLoop
	handled atomic.Uint64
	total   chan uint64 // one value when box is empty and closed
}

func (s *chanSink) countLoop() {
	n := uint64(0)
	for range s.box {
		if n++; n%samples == 0 {
			s.handled.Store(n)
		}
	}
	s.total <- n
}

func (s *chanSink) Tell(v uint64) error {
	s.box <- v
	return nil
}

func (s *chanSink) Handled() uint64 { return s.handled.Load() }

func (s *chanSink) Finish() (uint64, error) {
	close(s.box)
	return <-s.total, nil
}

// Echoes starts n goroutines that answer requests.
func (h *chanHouse) Echoes(n int) (Echoes, error) {
	e := make(chanEchoes, n)
	for i := range e {
		e[i] = make(chan chanRequest, chanMailbox)
		go func() {
			for r := range e[i] {
				r.reply <- r.v
			}
		}()
	}
	h.ends = append(h.ends, e.end)
	return e, nil
}

// InlineEchoes are Echoes: this is what others are compared with.
func (chanPeer) InlineEchoes(h House, n int) (Echoes, error) { return h.Echoes(n) }

// A chanRequest carries the channel of its reply, which the caller reuses.
type chanRequest struct {
	v     uint64
	reply chan uint64
}

type chanEchoes []chan chanRequest

func (e chanEchoes) end() {
	for _, box := range e {
		close(box)
	}
}

func (e chanEchoes) Asker(i int) func(uint64) (uint64, error) {
	box, reply := e[i], make(chan uint64, 1)
	return func(v uint64) (uint64, error) {
		box <- chanRequest{v, reply}
		return <-reply, nil
	}
}

// Rings starts a goroutine and a channel for each receiver. The channels have room
// for the message, because a receiver may be its own neighbour; unbuffered ones are
// not faster.
func (*chanHouse) Rings(r *rings) error {
	for i := range r.rings {
		first := make(chan uint64, 1)
		in := first
		for place := range r.size {
			out := first
			if place < r.size-1 {
				out = make(chan uint64, 1)
			}
			go passLoop(r.stage(i, place), in, out)
			in = out
		}
		first <- 0
	}
	return nil
}

// passLoop is a receiver of a ring. The one that keeps the message closes its
// neighbour's channel; then each closes the next one's.
func passLoop(s stage, in <-chan uint64, out chan<- uint64) {
	defer close(out)
	for hop := range in {
		if !s.pass(hop) {
			return
		}
		out <- hop + 1
	}
}

// Fan starts a goroutine for the source and one for each leaf.
func (h *chanHouse) Fan(f *fan) error {
	next := make(chan uint64, 1)
	leaves := make([]chan uint64, f.leaves)
	for i := range leaves {
		leaves[i] = make(chan uint64, 1)
		go leafLoop(f.leaf(i), leaves[i], next)
	}
	go sourceLoop(next, leaves)
	next <- 0
	h.ends = append(h.ends, func() { close(next) })
	return nil
}

func leafLoop(l leaf, in <-chan uint64, next chan<- uint64) {
	for round := range in {
		if l.handle(round) {
			next <- round + 1
		}
	}
}

// sourceLoop ends the leaves when it ends.
func sourceLoop(next <-chan uint64, leaves []chan uint64) {
	for round := range next {
		for _, to := range leaves {
			to <- round
		}
	}
	for _, to := range leaves {
		close(to)
	}
}

// Crowd starts a goroutine and a channel for each receiver.
func (*chanHouse) Crowd(c *crowd) (Guests, error) {
	g := &chanGuests{to: make([]chan uint64, c.size)}
	for i := range g.to {
		g.to[i] = make(chan uint64)
		g.alive.Add(1)
		go g.guestLoop(c, g.to[i])
	}
	return g, nil
}

type chanGuests struct {
	to    []chan uint64
	alive sync.WaitGroup
}

func (g *chanGuests) guestLoop(c *crowd, box <-chan uint64) {
	defer g.alive.Done()
	for range box {
		c.meet()
	}
}

func (g *chanGuests) Greet() error {
	for _, to := range g.to {
		to <- 0
	}
	return nil
}

func (g *chanGuests) Leave() error {
	for _, to := range g.to {
		close(to)
	}
	g.alive.Wait()
	return nil
}
