package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// threadRing is a ring of actors that pass a message until it has made enough
// hops. The size is the suite's. The result is the number of the actor at which
// it ends.
var threadRing = Benchmark{
	Name:  "threadring",
	About: "a ring of 100 actors passes a message; per message",
	Size:  Size{Actors: 100, Work: 100_000}, // hops

	Ops:  func(s Size) int { return s.Work },
	Want: func(s Size) int { return s.Work % s.Actors },

	Posthaste: threadRingPosthaste,
	Chan:      threadRingChan,
	Library:   threadRingLibrary,
}

type threads struct{}

var (
	threadHop  = rt.NewEvent[threads, int]("thread.hop")  // how many are left
	threadExit = rt.NewEvent[threads, int]("thread.exit") // how many are to exit
)

type thread struct {
	number int
	next   rt.Ref[threads]
	size   int
	result chan int
}

func (t *thread) hop(c *rt.Context, left int) error {
	if left > 0 {
		tell(c, t.next, threadHop, left-1)
		return nil
	}
	t.result <- t.number
	return t.exit(c, t.size)
}

func (t *thread) exit(c *rt.Context, left int) error {
	if left > 1 {
		tell(c, t.next, threadExit, left-1)
	}
	c.Stop()
	return nil
}

func threadRingPosthaste(n *Node, s Size) int {
	result := make(chan int, 1)
	var state *thread // of the next actor
	kind := define(n, func() *thread { return state }, rt.OnTell(threadHop, (*thread).hop), rt.OnTell(threadExit, (*thread).exit))
	last := &thread{number: s.Actors - 1, size: s.Actors, result: result}
	state = last
	first := spawn(n, kind)
	for i := s.Actors - 2; i >= 0; i-- {
		state = &thread{i, first, s.Actors, result}
		first = spawn(n, kind)
	}
	last.next = first
	tell(outside, first, threadHop, s.Work)
	n.wait()
	return <-result
}

func threadRingChan(s Size) int {
	result := make(chan int, 1)
	first := make(chan int)
	var alive sync.WaitGroup
	in := first
	for i := range s.Actors {
		box, out := in, first
		if i < s.Actors-1 {
			out = make(chan int)
		}
		alive.Go(func() { threadLoop(i, box, out, result) })
		in = out
	}
	first <- s.Work
	alive.Wait()
	return <-result
}

// threadLoop closes its neighbour's channel when its own is closed, or it has the
// result.
func threadLoop(number int, in <-chan int, out chan<- int, result chan<- int) {
	defer close(out)
	for left := range in {
		if left == 0 {
			result <- number
			return
		}
		out <- left - 1
	}
}

type (
	anyHop  struct{ left int }
	anyExit struct{ left int }
)

type anyThread struct {
	number int
	next   anyactor.Ref
	size   int
	result chan int
}

func (t *anyThread) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyHop:
		if m.left > 0 {
			c.Send(t.next, anyHop{m.left - 1})
			return
		}
		t.result <- t.number
		t.exit(c, t.size)
	case anyExit:
		t.exit(c, m.left)
	}
}

func (t *anyThread) exit(c anyactor.Context, left int) {
	if left > 1 {
		c.Send(t.next, anyExit{left - 1})
	}
	c.Stop()
}

func threadRingLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, 1)
	last := &anyThread{number: s.Actors - 1, size: s.Actors, result: result}
	first := sys.Spawn(last)
	for i := s.Actors - 2; i >= 0; i-- {
		first = sys.Spawn(&anyThread{i, first, s.Actors, result})
	}
	last.next = first
	sys.Send(first, anyHop{s.Work})
	sys.Wait()
	return <-result
}
