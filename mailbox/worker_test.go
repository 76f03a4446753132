package mailbox

import (
	"sync"
	"testing"
	"testing/synctest"
)

// Attach is called once for each worker, and Local returns what it made.
func TestAttach(t *testing.T) {
	type local struct{ w *Worker }
	var mu sync.Mutex
	attached := map[*Worker]int{}
	e := start(t, ExecutorOptions{Parallelism: 4, Attach: func(w *Worker) any {
		mu.Lock()
		defer mu.Unlock()
		attached[w]++
		return &local{w}
	}})
	const actors, each = 100, 100
	var handled sync.WaitGroup
	handled.Add(actors * each)
	for range actors {
		a := spawn(e, unbounded, func(w *Worker, n *int) {
			if l, ok := w.Local().(*local); !ok || l.w != w {
				t.Errorf("Local returns %v", w.Local())
			}
			handled.Done()
		})
		for i := range each {
			a.tell(nil, i)
		}
	}
	handled.Wait()
	stop(t, e)
	for w, n := range attached {
		if n != 1 {
			t.Errorf("worker %p was attached %d times", w, n)
		}
	}
	if len(attached) == 0 {
		t.Error("Attach was never called")
	}
}

// A worker flushes before it parks, after a turn that lost its processor, and
// every flushEvery turns while it is busy.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type outbox struct{ n int }
		most, left := 0, 0
		var mu sync.Mutex
		all := map[*outbox]bool{}
		e := start(t, ExecutorOptions{Parallelism: 2,
			Attach: func(*Worker) any {
				o := &outbox{}
				mu.Lock()
				all[o] = true
				mu.Unlock()
				return o
			},
			Flush: func(w *Worker) {
				mu.Lock()
				most = max(most, w.Local().(*outbox).n)
				mu.Unlock()
				w.Local().(*outbox).n = 0
			},
		})
		flushed := func(when string) {
			t.Helper()
			synctest.Wait()
			left = 0
			for o := range all {
				left += o.n
			}
			if left > 0 || len(all) == 0 {
				t.Errorf("%s: %d of %d workers' messages are left", when, left, len(all))
			}
		}
		one := spawn(e, unbounded, func(w *Worker, _ *int) { w.Local().(*outbox).n++ })
		one.tell(nil, 0)
		flushed("one turn")

		var ping, pong *actor[int]
		ping = spawn(e, unbounded, func(w *Worker, n *int) {
			w.Local().(*outbox).n++
			if *n > 0 {
				pong.tell(w, *n-1)
			}
		})
		pong = spawn(e, unbounded, func(w *Worker, n *int) {
			w.Local().(*outbox).n++
			ping.tell(w, *n)
		})
		ping.tell(nil, 1000)
		flushed("ping-pong")
		if most > flushEvery {
			t.Errorf("%d turns went by without a flush", most)
		}

		gate := make(chan struct{})
		spawn(e, unbounded, func(w *Worker, _ *int) {
			w.Block()
			<-gate
			w.Local().(*outbox).n++
		}).tell(nil, 0)
		close(gate)
		flushed("a turn that blocks")
	})
}

// What Flush itself schedules is run before the worker parks.
func TestFlushSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b *actor[int]
		pending := false
		e := start(t, ExecutorOptions{Parallelism: 1, Flush: func(w *Worker) {
			if pending {
				pending = false
				b.tell(w, 0)
			}
		}})
		a = spawn(e, unbounded, func(*Worker, *int) { pending = true })
		b = spawn(e, unbounded, func(*Worker, *int) {})
		for i := range 10 {
			a.tell(nil, 0)
			synctest.Wait()
			if b.handled != i+1 {
				t.Fatalf("%d of %d turns that Flush asked for", b.handled, i+1)
			}
		}
	})
}

// Schedule takes any worker, also one that is idle or runs somebody else's turn.
func TestScheduleFromAnyWorker(t *testing.T) {
	const actors, each = 20, 2000
	e := start(t, ExecutorOptions{Parallelism: 3})
	workers := make(chan *Worker, 1000)
	var handled, tellers sync.WaitGroup
	handled.Add(actors * each)
	for range actors {
		a := spawn(e, unbounded, func(w *Worker, _ *int) {
			select {
			case workers <- w:
			default:
			}
			handled.Done()
		})
		tellers.Go(func() {
			var w *Worker
			for i := range each {
				select {
				case w = <-workers:
				default:
				}
				a.tell(w, i)
				if w != nil && i%50 == 0 {
					w.Block() // safe, though of no use
				}
			}
		})
	}
	tellers.Wait()
	handled.Wait()
}
