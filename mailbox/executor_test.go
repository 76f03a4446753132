package mailbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hold occupies one processor of e until the returned function is called, so that
// what is scheduled in between waits.
func hold(t *testing.T, e *Executor) (release func()) {
	t.Helper()
	running, gate := make(chan struct{}), make(chan struct{})
	a := spawn(e, unbounded, func(*Worker, *int) {
		close(running)
		<-gate
	})
	a.tell(nil, 0)
	<-running
	return func() { close(gate) }
}

// Two tasks that are always busy alternate, a quantum each.
func TestBusyTasksAlternate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quantum, turns = 64, 20
		e := start(t, ExecutorOptions{Parallelism: 1})
		release := hold(t, e)
		var order []int
		for i := range 2 {
			a := spawn(e, unbounded, func(*Worker, *int) { order = append(order, i) })
			for range quantum * turns {
				a.tell(nil, i)
			}
		}
		release()
		synctest.Wait()
		var want []int
		for i := range 2 * turns {
			want = append(want, slices.Repeat([]int{i % 2}, quantum)...)
		}
		if !slices.Equal(order, want) {
			t.Errorf("%d turns' messages out of order: %v", 2*turns, order)
		}
	})
}

// A pair of actors that keep each other busy by way of next starves neither the
// processor's queue nor the global one: the pair goes on until the third is
// served.
func TestPingPongStarvesNobody(t *testing.T) {
	for _, global := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, ExecutorOptions{Parallelism: 1})
			var ping, pong *actor[int]
			rallies := 0
			third := spawn(e, unbounded, func(*Worker, *int) {})
			ping = spawn(e, unbounded, func(w *Worker, n *int) {
				switch {
				case *n == 10 && global:
					third.tell(nil, 0)
				case *n == 10:
					third.tell(w, 0) // into the queue, when pong becomes next
				}
				if third.handled == 0 {
					pong.tell(w, *n+1)
				}
				rallies = *n
			})
			pong = spawn(e, unbounded, func(w *Worker, n *int) { ping.tell(w, *n) })
			ping.tell(nil, 0)
			synctest.Wait()
			if rallies < 11 || rallies > 10+maxHops {
				t.Errorf("global %t: the third was served after %d rallies", global, rallies)
			}
		})
	}
}

// Tasks that wait are found by all processors, without the watchdog.
func TestAllProcessorsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const parallelism = 4
		begun := time.Now()
		e := start(t, ExecutorOptions{Parallelism: parallelism})
		var barrier sync.WaitGroup
		meet := func(*Worker, *int) {
			barrier.Done()
			barrier.Wait()
		}
		barrier.Add(parallelism)
		for range parallelism { // all of them wait for one worker that wakes
			spawn(e, unbounded, meet).tell(nil, 0)
		}
		barrier.Wait()
		synctest.Wait()

		barrier.Add(parallelism)
		spawn(e, unbounded, func(w *Worker, _ *int) {
			for range parallelism { // all of them are on this worker's processor
				spawn(e, unbounded, meet).tell(w, 0)
			}
		}).tell(nil, 0)
		barrier.Wait()
		synctest.Wait()

		// One is next on the processor, and waits for the one in its queue.
		var answer chan int
		asker := spawn(e, unbounded, func(*Worker, *int) { answer <- 0; answer <- 0 })
		var busy *actor[int]
		busy = spawn(e, unbounded, func(w *Worker, n *int) {
			if *n == 0 {
				busy.tell(w, 1)
				asker.tell(w, 0)
				return
			}
			<-answer
			<-answer
		})
		busy.quantum = 1
		answer = make(chan int)
		busy.tell(nil, 0)
		synctest.Wait()
		if asker.handled != 1 || busy.handled != 2 {
			t.Errorf("%d and %d turns", asker.handled, busy.handled)
		}
		if d := time.Since(begun); d > 0 {
			t.Errorf("somebody waited for the watchdog: %v", d)
		}
	})
}

func TestRing(t *testing.T) {
	const size, tokens, hops = 1000, 50, 40
	e := start(t, ExecutorOptions{})
	done := make(chan struct{}, tokens)
	ring := make([]*actor[int], size)
	for i := range ring {
		ring[i] = spawn(e, unbounded, func(w *Worker, left *int) {
			if *left == 0 {
				done <- struct{}{}
				return
			}
			ring[(i+1)%size].tell(w, *left-1)
		})
	}
	for i := range tokens {
		ring[i*size/tokens].tell(nil, size*hops/10)
	}
	for range tokens {
		<-done
	}
	stop(t, e)
	handled := 0
	for _, a := range ring {
		handled += a.handled
	}
	if want := tokens * (size*hops/10 + 1); handled != want {
		t.Errorf("%d hops, want %d", handled, want)
	}
}

func TestFanOut(t *testing.T) {
	const width, rounds = 500, 20
	e := start(t, ExecutorOptions{})
	done := make(chan struct{})
	var root *actor[int]
	leaves := make([]*actor[int], width)
	for i := range leaves {
		leaves[i] = spawn(e, unbounded, func(w *Worker, n *int) { root.tell(w, *n) })
	}
	back := make([]int, rounds)
	root = spawn(e, unbounded, func(w *Worker, n *int) {
		if *n >= 0 {
			if back[*n]++; back[*n] < width {
				return
			}
		}
		if *n++; *n == rounds {
			close(done)
			return
		}
		for _, l := range leaves {
			l.tell(w, *n)
		}
	})
	root.tell(nil, -1)
	<-done
	for n, got := range back {
		if got != width {
			t.Errorf("round %d: %d of %d came back", n, got, width)
		}
	}
}

func TestPingPongPairs(t *testing.T) {
	const pairs, rallies = 100, 1000
	e := start(t, ExecutorOptions{})
	done := make(chan int, pairs)
	for range pairs {
		var ping, pong *actor[int]
		ping = spawn(e, unbounded, func(w *Worker, n *int) {
			if *n == 0 {
				done <- ping.handled + pong.handled
				return
			}
			pong.tell(w, *n-1)
		})
		pong = spawn(e, unbounded, func(w *Worker, n *int) { ping.tell(w, *n-1) })
		ping.tell(nil, 2*rallies)
	}
	for range pairs {
		if n := <-done; n != 2*rallies+1 {
			t.Errorf("%d messages, want %d", n, 2*rallies+1)
		}
	}
}

func TestStopWaitsForTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewExecutor(ExecutorOptions{Parallelism: 2})
		release := hold(t, e)
		errs := make(chan error, 2)
		for range cap(errs) { // it may be called twice
			go func() { errs <- e.Stop(context.Background()) }()
			synctest.Wait()
			if len(errs) > 0 {
				t.Fatal("Stop did not wait for a turn that runs")
			}
		}
		release()
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Errorf("Stop returned %v", err)
			}
		}
	})
}

func TestStopHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewExecutor(ExecutorOptions{})
		release := hold(t, e)
		stuck := errors.New("stuck")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, stuck)
		defer cancel()
		if err := e.Stop(ctx); err != stuck {
			t.Errorf("Stop returned %v, want the context's cause", err)
		}
		release() // and the bubble sees that no goroutine is left
	})
}

// Stop ends workers that never run out of work, flushes what they have done, and
// does not run what waits.
func TestStopWhileBusy(t *testing.T) {
	for _, parallelism := range []int{1, 2, 8} {
		unflushed := make(chan struct{}, 1000)
		e := NewExecutor(ExecutorOptions{Parallelism: parallelism, Flush: func(*Worker) {
			for {
				select {
				case <-unflushed:
				default:
					return
				}
			}
		}})
		rolling := make(chan struct{}, 1)
		var actors []*actor[int]
		for range 2 * parallelism { // pairs that never stop
			var a, b *actor[int]
			a = spawn(e, unbounded, func(w *Worker, _ *int) { b.tell(w, 0) })
			b = spawn(e, unbounded, func(w *Worker, _ *int) {
				a.tell(w, 0)
				select {
				case unflushed <- struct{}{}:
				default:
				}
			})
			actors = append(actors, a, b)
		}
		var forever *actor[int]
		forever = spawn(e, unbounded, func(w *Worker, n *int) {
			forever.tell(w, *n+1)
			if *n == 1000 {
				rolling <- struct{}{}
			}
		})
		actors = append(actors, forever)
		for _, a := range actors {
			a.tell(nil, 0)
		}
		<-rolling
		stop(t, e)
		handled := 0
		for _, a := range actors {
			handled += a.handled
			a.tell(nil, 0)
			e.Schedule(&a.task, nil)
		}
		stop(t, e)
		for _, a := range actors {
			handled -= a.handled
		}
		if handled != 0 || len(unflushed) > 0 || e.workers != 0 {
			t.Errorf("after Stop %d messages were handled, %d not flushed, %d workers live", -handled, len(unflushed), e.workers)
		}
	}
}
