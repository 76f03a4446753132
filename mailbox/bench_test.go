package mailbox

import (
	"fmt"
	"sync"
	"testing"
)

// message is as large as a runtime's own: an operation, a sender, a payload.
type message struct {
	_ [3]*int
	a uint64 // what the benchmarks use
	_ uint64
}

// batch is how many messages one iteration passes.
const batch = 100_000

func perMessage(b *testing.B, messages int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(messages), "ns/msg")
	b.ReportMetric(0, "ns/op")
}

// compare runs a benchmark with actors and with a goroutine and a channel for
// each of them.
func compare(b *testing.B, name string, actors, channels func(b *testing.B)) {
	b.Run("actors/"+name, actors)
	b.Run("channels/"+name, channels)
}

// BenchmarkMailbox is the queue alone: the consumer is a plain loop.
func BenchmarkMailbox(b *testing.B) {
	for _, lane := range []Lane{System, High, Normal, Bulk} {
		b.Run(fmt.Sprintf("lane=%d", lane), func(b *testing.B) {
			m := newMailbox[message](Options{})
			v := message{}
			b.ReportAllocs()
			for b.Loop() {
				for range 512 {
					m.Push(lane, &v)
				}
				for m.Next() != nil {
				}
			}
			perMessage(b, 512)
		})
	}
	b.Run("single", func(b *testing.B) {
		m := newMailbox[message](Options{})
		v := message{}
		for b.Loop() {
			m.Push(Normal, &v)
			for m.Next() != nil {
			}
		}
	})
}

func BenchmarkTell(b *testing.B) {
	for _, producers := range []int{1, 8} {
		for _, o := range []Options{unbounded, {Overflow: Block}} {
			name := fmt.Sprintf("%dto1", producers)
			if o.Capacity != Unbounded {
				name += "/bounded"
			}
			compare(b, name,
				func(b *testing.B) { benchTell(b, producers, o) },
				func(b *testing.B) { benchSend(b, producers) })
		}
	}
}

func benchTell(b *testing.B, producers int, o Options) {
	e := start(b, ExecutorOptions{})
	handled := make(chan struct{})
	n := 0
	a := spawn(e, o, func(*Worker, *message) {
		if n++; n == batch {
			n = 0
			handled <- struct{}{}
		}
	})
	a.quantum = 256
	b.ReportAllocs()
	for b.Loop() {
		for range producers {
			go func() {
				for i := range batch / producers {
					if o.Capacity == Unbounded {
						a.tell(nil, message{a: uint64(i)})
					} else {
						a.tellWait(b.Context(), message{a: uint64(i)})
					}
				}
			}()
		}
		<-handled
	}
	perMessage(b, batch)
}

func benchSend(b *testing.B, producers int) {
	c := make(chan message, DefaultCapacity)
	handled := make(chan struct{})
	go func() {
		n := 0
		for range c {
			if n++; n == batch {
				n = 0
				handled <- struct{}{}
			}
		}
	}()
	for b.Loop() {
		for range producers {
			go func() {
				for i := range batch / producers {
					c <- message{a: uint64(i)}
				}
			}()
		}
		<-handled
	}
	close(c)
	perMessage(b, batch)
}

// crew is a set of actors, or of goroutines with channels, that pass messages
// among themselves: where says who is next and for how long.
type crew struct {
	size, tokens, hops int
	to                 func(from int) int
}

func (c crew) actors(b *testing.B) {
	e := start(b, ExecutorOptions{})
	var done sync.WaitGroup
	all := make([]*actor[message], c.size)
	chunks := NewChunks[message]()
	for i := range all {
		all[i] = spawn(e, unbounded, func(w *Worker, v *message) {
			if v.a == 0 {
				done.Done()
				return
			}
			all[c.to(i)].tell(w, message{a: v.a - 1})
		})
		all[i].box.Init(chunks, unbounded)
	}
	b.ReportAllocs()
	for b.Loop() {
		done.Add(c.tokens)
		for i := range c.tokens {
			all[i*c.size/c.tokens].tell(nil, message{a: uint64(c.hops)})
		}
		done.Wait()
	}
	perMessage(b, c.tokens*c.hops)
}

func (c crew) channels(b *testing.B) {
	var done sync.WaitGroup
	all := make([]chan message, c.size)
	for i := range all {
		all[i] = make(chan message, 64)
	}
	for i := range all {
		go func() {
			for v := range all[i] {
				if v.a == 0 {
					done.Done()
					continue
				}
				all[c.to(i)] <- message{a: v.a - 1}
			}
		}()
	}
	for b.Loop() {
		done.Add(c.tokens)
		for i := range c.tokens {
			all[i*c.size/c.tokens] <- message{a: uint64(c.hops)}
		}
		done.Wait()
	}
	for _, ch := range all {
		close(ch)
	}
	perMessage(b, c.tokens*c.hops)
}

func BenchmarkPingPong(b *testing.B) {
	for _, pairs := range []int{1, 100} {
		c := crew{size: 2 * pairs, tokens: pairs, hops: batch / pairs, to: func(i int) int { return i ^ 1 }}
		compare(b, fmt.Sprintf("pairs=%d", pairs), c.actors, c.channels)
	}
}

func BenchmarkRing(b *testing.B) {
	for _, size := range []int{1000, 100_000} {
		c := crew{size: size, tokens: 100, hops: 10 * batch / 100, to: func(i int) int { return (i + 1) % size }}
		compare(b, fmt.Sprintf("size=%d", size), c.actors, c.channels)
	}
}

// BenchmarkFanOut is one actor that tells 10,000 others, over and over.
func BenchmarkFanOut(b *testing.B) {
	const width = 10_000
	compare(b, "width=10000", func(b *testing.B) {
		e := start(b, ExecutorOptions{})
		var done sync.WaitGroup
		leaves := make([]*actor[message], width)
		chunks := NewChunks[message]()
		for i := range leaves {
			leaves[i] = spawn(e, unbounded, func(*Worker, *message) { done.Done() })
			leaves[i].box.Init(chunks, unbounded)
		}
		root := spawn(e, unbounded, func(w *Worker, v *message) {
			for _, l := range leaves {
				l.tell(w, *v)
			}
		})
		b.ReportAllocs()
		for b.Loop() {
			done.Add(width)
			root.tell(nil, message{})
			done.Wait()
		}
		perMessage(b, width)
	}, func(b *testing.B) {
		var done sync.WaitGroup
		leaves := make([]chan message, width)
		for i := range leaves {
			leaves[i] = make(chan message, 64)
			go func() {
				for range leaves[i] {
					done.Done()
				}
			}()
		}
		for b.Loop() {
			done.Add(width)
			for _, l := range leaves {
				l <- message{}
			}
			done.Wait()
		}
		for _, l := range leaves {
			close(l)
		}
		perMessage(b, width)
	})
}
