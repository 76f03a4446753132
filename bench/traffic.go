package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// stopTimeout bounds the end of what needs milliseconds to end.
const stopTimeout = 5 * time.Second

var errOrder = errors.New("messages were lost, repeated or mixed up")

// A terminus is where the messages of endless traffic end when it is stopped.
type terminus struct {
	closing atomic.Bool
	ended   chan struct{} // one token for each message
	fault   atomic.Bool   // a receiver got what it should not have got
}

// stop makes the messages end and returns when they have.
func (t *terminus) stop() error {
	t.closing.Store(true)
	late := time.After(stopTimeout)
	for i := range cap(t.ended) {
		select {
		case <-t.ended:
		case <-late:
			return fmt.Errorf("%d of %d messages were lost", cap(t.ended)-i, cap(t.ended))
		}
	}
	if t.fault.Load() {
		return errOrder
	}
	return nil
}

// rings are receivers that pass one message in each ring, without a pause. The
// message is the number of its hop. All peers share this part, so that they differ
// only in how a message gets from one receiver to the next.
type rings struct {
	terminus
	size  int           // receivers in each ring
	nap   time.Duration // that each receiver takes before it passes the message on
	rings []ring
}

// A ring has its cache line to itself.
type ring struct {
	_       [64]byte
	handled atomic.Uint64 // up to 64 behind, unless there are naps
}

func newRings(n, size int, nap time.Duration) *rings {
	r := &rings{size: size, nap: nap, rings: make([]ring, n)}
	r.ended = make(chan struct{}, n)
	return r
}

// done returns how many messages all receivers have handled.
func (r *rings) done() uint64 {
	n := uint64(0)
	for i := range r.rings {
		n += r.rings[i].handled.Load()
	}
	return n
}

// A stage is the state of the receiver that is at the given place of a ring.
type stage struct {
	of   *rings
	ring *ring
	due  uint64 // the hop that ends here next
}

func (r *rings) stage(ring, place int) stage {
	return stage{r, &r.rings[ring], uint64(place)}
}

// yieldHops is after how many hops a ring lets others have the processor. Go lets
// two goroutines that only wake each other keep it for 10 ms: a hundred pairs would
// take turns of 10 ms, and the driver would wait for its own for a second.
const yieldHops = 1024

// pass handles a message and reports whether it is to be passed on, as hop+1.
func (s *stage) pass(hop uint64) bool {
	if hop != s.due {
		s.of.fault.Store(true)
	}
	s.due = hop + uint64(s.of.size)
	if s.of.nap > 0 {
		time.Sleep(s.of.nap)
		s.ring.handled.Store(hop + 1)
	} else if hop%samples == 0 {
		s.ring.handled.Store(hop)
		if hop%yieldHops == 0 {
			runtime.Gosched()
		}
	}
	if s.of.closing.Load() {
		s.of.ended <- struct{}{}
		return false
	}
	return true
}

// leavesPerBranch is how many receivers of a fan count together: one counter for
// all would be what the processors wait for.
const leavesPerBranch = 100

// A fan is a source that tells all its leaves, and tells them again as soon as all
// have handled it. The message is the number of the round. All peers share this
// part.
type fan struct {
	terminus
	leaves   int
	handled  atomic.Uint64 // messages of whole rounds
	branches []branch
	grown    atomic.Int64 // branches that have finished this round
}

type branch struct {
	_       [64]byte
	arrived atomic.Int64 // leaves that have finished this round
}

func newFan(leaves int) *fan {
	f := &fan{leaves: leaves, branches: make([]branch, (leaves+leavesPerBranch-1)/leavesPerBranch)}
	f.ended = make(chan struct{}, 1)
	return f
}

// done returns how many messages the leaves have handled.
func (f *fan) done() uint64 { return f.handled.Load() }

// A leaf is the state of a receiver.
type leaf struct {
	of     *fan
	number int
	due    uint64 // the round that comes next
}

func (f *fan) leaf(i int) leaf { return leaf{f, i, 0} }

// handle handles a message and reports whether it was the last of its round: then
// the source is to begin the next, round+1.
func (l *leaf) handle(round uint64) (last bool) {
	f := l.of
	if round != l.due {
		f.fault.Store(true)
	}
	l.due = round + 1
	i := l.number / leavesPerBranch
	b, size := &f.branches[i], min(leavesPerBranch, f.leaves-i*leavesPerBranch)
	if b.arrived.Add(1) < int64(size) {
		return false
	}
	b.arrived.Store(0)
	if f.grown.Add(1) < int64(len(f.branches)) {
		return false
	}
	f.grown.Store(0)
	f.handled.Store(l.due * uint64(f.leaves))
	if f.closing.Load() {
		f.ended <- struct{}{}
		return false
	}
	return true
}

// A crowd is receivers that are idle but for a greeting now and then.
type crowd struct {
	size    int
	greeted atomic.Int64
	all     chan struct{} // a token when all have been greeted
}

func newCrowd(size int) *crowd { return &crowd{size: size, all: make(chan struct{}, 1)} }

// meet handles a greeting.
func (c *crowd) meet() {
	if n := c.greeted.Add(1); n%int64(c.size) == 0 {
		c.all <- struct{}{}
	}
}

// greet greets the guests and returns when they have handled it.
func (c *crowd) greet(g Guests) error {
	if err := g.Greet(); err != nil {
		return err
	}
	select {
	case <-c.all:
		return nil
	case <-time.After(crowdTimeout):
		return fmt.Errorf("%d of %d greeted", c.greeted.Load(), c.size)
	}
}
