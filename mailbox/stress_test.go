package mailbox

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Callers that wait for each answer keep the executor at the edge of idleness,
// where a wake-up could be lost: it shows as a hang.
func TestNoWakeUpIsLost(t *testing.T) {
	type ask struct{ answer chan int }
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for _, parallelism := range []int{1, 2, 3, 8} {
		for _, callers := range []int{1, 2, 3, 16} {
			e := start(t, ExecutorOptions{Parallelism: parallelism})
			var behind [4]*actor[ask]
			for i := range behind {
				behind[i] = spawn(e, unbounded, func(_ *Worker, v *ask) { v.answer <- i })
			}
			var all sync.WaitGroup
			for c := range callers {
				front := spawn(e, unbounded, func(w *Worker, v *ask) {
					if c%2 == 0 {
						behind[c%len(behind)].tell(w, *v)
						return
					}
					v.answer <- c
				})
				all.Go(func() {
					v := ask{make(chan int, 2)}
					for i := range rounds {
						front.tell(nil, v)
						if i%3 == 0 {
							behind[c%len(behind)].tell(nil, v)
							<-v.answer
						}
						<-v.answer
					}
				})
			}
			all.Wait()
			stop(t, e)
		}
	}
}

// crowd is many actors that pass messages on at random, block now and then, and
// are told more from outside all the while.
type crowd struct {
	t      *testing.T
	actors []*actor[hop]
	alive  sync.WaitGroup // messages that will be handled or refused
	next   []map[int]int  // by receiver and producer: number of the next message

	sent, handled, refused, displaced atomic.Int64
}

type hop struct {
	producer, n int // outside messages only; producer is -1 inside
	left        int // times to pass it on
}

func (c *crowd) tell(w *Worker, to int, v hop) {
	a := c.actors[to]
	c.sent.Add(1)
	c.alive.Add(1)
	lane := Lane(1 + (v.producer+v.left+1)%3)
	if v.producer >= 0 {
		lane = Normal // one lane for each producer, or there is no order
	}
	switch o := a.box.Push(lane, &v); o {
	case Woken:
		a.e.Schedule(&a.task, w)
	case Displaced:
		c.displaced.Add(1)
		c.alive.Done()
	case Full, Dropped:
		c.refused.Add(1)
		c.alive.Done()
	case Queued:
	default:
		c.t.Errorf("Push = %d", o)
	}
}

func (c *crowd) handle(i int, w *Worker, v *hop) {
	defer c.alive.Done()
	c.handled.Add(1)
	if v.producer >= 0 {
		if v.n < c.next[i][v.producer] {
			c.t.Errorf("actor %d: message %d of %d came late", i, v.n, v.producer)
		}
		c.next[i][v.producer] = v.n + 1
	}
	r := rand.Uint32()
	switch r % 97 {
	case 0:
		w.Block()
		runtime.Gosched()
	case 1:
		runtime.Gosched()
	case 2:
		c.actors[i].box.Depth()
	}
	if v.left > 0 {
		c.tell(w, int(r>>8)%len(c.actors), hop{-1, 0, v.left - 1})
	}
}

func TestCrowd(t *testing.T) {
	const actors, producers = 50, 8
	each := 4000
	if testing.Short() {
		each = 400
	}
	for _, o := range []Options{
		unbounded,
		{Capacity: 1},
		{Capacity: 100},
		{Capacity: 10, Overflow: DropOldest},
		{Capacity: 64, Overflow: DropOldest},
		{Capacity: 50, Overflow: DropNewest},
	} {
		c := &crowd{t: t}
		e := start(t, ExecutorOptions{Flush: func(*Worker) {}, Stalled: func(*Worker) {}})
		for i := range actors {
			c.next = append(c.next, map[int]int{})
			a := spawn(e, o, func(w *Worker, v *hop) { c.handle(i, w, v) })
			a.quantum = 1 + i
			c.actors = append(c.actors, a)
		}
		var all sync.WaitGroup
		for p := range producers {
			all.Go(func() {
				for n := range each {
					c.tell(nil, (n+p)%actors, hop{p, n, 3})
				}
			})
		}
		all.Wait()
		c.alive.Wait() // a message that is forgotten shows as a hang
		stop(t, e)
		left := 0
		for _, a := range c.actors { // ours now that nobody runs them
			a.box.Close()
			a.box.Drain(func(*hop) { left++ })
			left += a.box.Depth()
		}
		if sum := c.handled.Load() + c.refused.Load() + c.displaced.Load(); sum != c.sent.Load() || left > 0 {
			t.Errorf("%+v: %d sent, %d handled, %d refused, %d displaced, %d left",
				o, c.sent.Load(), c.handled.Load(), c.refused.Load(), c.displaced.Load(), left)
		}
	}
}
