package mailbox

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// settled fails unless the watchdog is parked, now and an hour from now: with all
// goroutines parked, nothing at all happens in between.
func settled(t *testing.T, e *Executor, when string) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	if !e.dog.parked.Load() {
		t.Errorf("%s the watchdog still looks after a second", when)
	}
	seen := &e.dog.seen[0]
	seen.looks = -1 // the next look would change it
	time.Sleep(time.Hour)
	synctest.Wait()
	if !e.dog.parked.Load() || seen.looks != -1 {
		t.Errorf("%s the watchdog looked again", when)
	}
	seen.looks = 0
}

func TestIdleExecutorIsAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 2})
		settled(t, e, "unused,")
		a := spawn(e, unbounded, func(*Worker, *int) {})
		for range 1000 {
			a.tell(nil, 0)
		}
		settled(t, e, "after work")
		release := hold(t, e)
		settled(t, e, "while a turn blocks")
		served := make(chan struct{})
		begun := time.Now()
		spawn(e, unbounded, func(*Worker, *int) { close(served) }).tell(nil, 0)
		<-served
		if d := time.Since(begun); d > 0 {
			t.Errorf("beside a turn that has blocked for an hour, served after %v", d)
		}
		release()
		settled(t, e, "after a turn that blocked")
	})
}

// A watchdog that was parked comes back when it is needed.
func TestWatchdogWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startAlone(t, ExecutorOptions{Parallelism: 1}, 0)
		for range 3 {
			settled(t, e, "idle,")
			release := hold(t, e)
			served := make(chan struct{})
			begun := time.Now()
			spawn(e, unbounded, func(*Worker, *int) { close(served) }).tell(nil, 0)
			<-served
			if d := time.Since(begun); d > 2*calmTick {
				t.Errorf("served after %v", d)
			}
			release()
		}
	})
}

// Stalled is called at each tick, for the worker that is stuck and no other, until
// it is detached.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalled sync.Map
		var calls atomic.Int32
		e := startAlone(t, ExecutorOptions{Parallelism: 2, Stalled: func(w *Worker) {
			stalled.Store(w, w.Detached())
			calls.Add(1)
		}}, 0)
		gate := make(chan struct{})
		var stuck *Worker
		spawn(e, unbounded, func(w *Worker, _ *int) {
			stuck = w
			<-gate
		}).tell(nil, 0)
		brief := spawn(e, unbounded, func(*Worker, *int) {})
		for range 100 {
			brief.tell(nil, 0)
			time.Sleep(calmTick)
		}
		synctest.Wait()
		stalled.Range(func(w, detached any) bool {
			if w != stuck || detached != true {
				t.Errorf("Stalled was called for the stuck worker: %t; detached the last time: %t", w == stuck, detached)
			}
			return true
		})
		if n := calls.Load(); n < 1 || n > patience+1 {
			t.Errorf("Stalled was called %d times", n)
		}
		close(gate)
	})
}

// What a turn queues is flushed soon even if the turn blocks right afterwards:
// either the turn sees that it is detached, or Stalled comes later. The hook lets
// the turn queue at the worst moment, when it has flushed already.
func TestStalledMissesNothing(t *testing.T) {
	for _, others := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			proceed, queued, flushed := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var box, calls atomic.Int32
			flush := func() {
				if box.Swap(0) > 0 {
					close(flushed)
				}
			}
			e := start(t, ExecutorOptions{Parallelism: 1, Stalled: func(*Worker) {
				flush()
				if calls.Add(1) == 1 {
					proceed <- struct{}{}
					<-queued
				}
			}})
			done := make(chan struct{})
			spawn(e, unbounded, func(w *Worker, _ *int) {
				<-proceed
				box.Store(1)
				if w.Detached() {
					flush()
				}
				queued <- struct{}{}
				<-flushed // what it sent asks for an answer
				close(done)
			}).tell(nil, 0)
			if others {
				spawn(e, unbounded, func(*Worker, *int) {}).tell(nil, 0)
			}
			<-done
		})
	}
}

// A turn that computes for long beside nobody loses its processor and nothing
// else: it is followed by the next ones as ever.
func TestLongTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 2})
		var detached int
		slow := spawn(e, unbounded, func(w *Worker, _ *int) {
			time.Sleep(time.Second)
			if w.Detached() {
				detached++
			}
		})
		slow.quantum = 4
		for range 10 {
			slow.tell(nil, 0)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if slow.handled != 10 || slow.turns != 3 || detached != 10 {
			t.Errorf("%d messages in %d turns, detached for %d", slow.handled, slow.turns, detached)
		}
		settled(t, e, "after long turns")
	})
}

// While the CPUs are crowded, a turn that does not end is more likely to compute
// than to block: others get its processor later, and one at a time; but they do.
func TestCrowdedCPUs(t *testing.T) {
	for _, c := range []struct{ crowd, looks int }{
		{0, 1}, {1, 1}, {8, 5}, {1000, patience},
	} {
		synctest.Test(t, func(t *testing.T) {
			const blocked = 20
			e := startAlone(t, ExecutorOptions{Parallelism: 2}, c.crowd*runtime.GOMAXPROCS(0))
			gate, entered := make(chan struct{}), make(chan struct{})
			begun := time.Now()
			for range blocked {
				spawn(e, unbounded, func(*Worker, *int) {
					entered <- struct{}{}
					<-gate
				}).tell(nil, 0)
			}
			for range blocked {
				<-entered
			}
			close(gate)
			took, one := time.Since(begun), time.Duration(c.looks+1)*alertTick
			least, most := (blocked/2-1)*one-calmTick, blocked/2*one+2*calmTick // two at once, then two after each round
			if c.looks == 1 {
				least = 0 // errands make it faster
			}
			if took < least || took > most {
				t.Errorf("with %d goroutines that wait for each CPU, %d blocked turns began within %v, want %v to %v",
					c.crowd, blocked, took, least, most)
			}
		})
	}
}

// A Go release that renames the metric would leave the watchdog blind.
func TestRunnableMetric(t *testing.T) {
	sample := []metrics.Sample{{Name: runnableMetric}}
	if metrics.Read(sample); sample[0].Value.Kind() != metrics.KindUint64 {
		t.Errorf("%s is of kind %d", runnableMetric, sample[0].Value.Kind())
	}
	if n := runnableGoroutines()(); n < 0 {
		t.Errorf("%d goroutines wait for a CPU", n)
	}
}
