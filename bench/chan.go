package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// chanMailbox is the capacity of a channel that stands for a mailbox.
const chanMailbox = 1024

// chanPeer is what a Go programmer writes without a library: a goroutine behind
// a channel.
type chanPeer struct{}

var (
	_ LocalTeller = chanPeer{}
	_ LocalAsker  = chanPeer{}
	_ LocalPonger = chanPeer{}
)

// StartSink starts a goroutine that counts what comes through a buffered
// channel.
func (chanPeer) StartSink() (Sink, error) {
	s := &chanSink{box: make(chan uint64, chanMailbox), total: make(chan uint64)}
	go s.countLoop()
	return s, nil
}

type chanSink struct {
	box     chan uint64 // closed by Close, which ends countLoop
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

func (s *chanSink) Close() (uint64, error) {
	close(s.box)
	return <-s.total, nil
}

// StartEchoes starts n goroutines that answer requests.
func (chanPeer) StartEchoes(n int) (Echoes, error) {
	e := make(chanEchoes, n)
	for i := range e {
		e[i] = make(chan chanRequest, chanMailbox)
		go func() {
			for r := range e[i] {
				r.reply <- r.v
			}
		}()
	}
	return e, nil
}

// A chanRequest carries the channel of its reply, which the caller reuses.
type chanRequest struct {
	v     uint64
	reply chan uint64
}

type chanEchoes []chan chanRequest

func (e chanEchoes) Asker(i int) func(uint64) (uint64, error) {
	box, reply := e[i], make(chan uint64, 1)
	return func(v uint64) (uint64, error) {
		box <- chanRequest{v, reply}
		return <-reply, nil
	}
}

func (e chanEchoes) Close() {
	for _, box := range e {
		close(box)
	}
}

// StartPairs starts two goroutines and two channels for each pair.
func (chanPeer) StartPairs(n int) (Pairs, error) {
	p := &chanPairs{pairs: make([]*chanPair, n)}
	for i := range p.pairs {
		c := &chanPair{ping: make(chan uint64), pong: make(chan uint64)}
		p.pairs[i] = c
		p.wg.Go(c.pongLoop)
		p.wg.Go(func() { c.pingLoop(p) })
	}
	return p, nil
}

type chanPairs struct {
	pairs    []*chanPair
	stopping atomic.Bool
	wg       sync.WaitGroup // both loops of every pair
}

type chanPair struct {
	ping    chan uint64 // closed by pingLoop, which ends pongLoop
	pong    chan uint64 // closed by pongLoop
	handled atomic.Uint64
	lost    bool // set by pingLoop before it ends
	_       [64]byte
}

// pingLoop sends the message and gets it back: two messages handled.
func (c *chanPair) pingLoop(p *chanPairs) {
	defer close(c.ping)
	for v := uint64(0); !p.stopping.Load(); v++ {
		c.ping <- v
		if got := <-c.pong; got != v {
			c.lost = true
			return
		}
		if v%(samples/2) == 0 {
			c.handled.Store(2 * v)
		}
	}
}

func (c *chanPair) pongLoop() {
	defer close(c.pong)
	for v := range c.ping {
		c.pong <- v
	}
}

func (p *chanPairs) Handled() uint64 {
	n := uint64(0)
	for _, c := range p.pairs {
		n += c.handled.Load()
	}
	return n
}

func (p *chanPairs) Close() error {
	p.stopping.Store(true)
	p.wg.Wait()
	for i, c := range p.pairs {
		if c.lost {
			return fmt.Errorf("pair %d lost its message", i)
		}
	}
	return nil
}
