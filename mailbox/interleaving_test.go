package mailbox

import (
	"testing"
	"testing/synctest"
	"time"
)

// The interleavings that the comments walk through, set up by hand where stress
// would rarely hit them.

// A task that was made next on a processor just before it became idle is found by
// whoever made it idle.
func TestTaskLeftOnIdleProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 2})
		a := spawn(e, unbounded, func(*Worker, *int) {})
		a.box.Push(Normal, new(int))
		p := e.procs[0]
		p.next.Store(&a.task)
		e.recheck(p)
		synctest.Wait()
		if a.handled != 1 || p.next.Load() != nil {
			t.Errorf("handled %d times", a.handled)
		}
	})
}

// A task that is made next on a processor just after it became idle is taken back
// by whoever made it next, and so is what was next before.
func TestTaskScheduledOnIdleProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 2})
		a, b := spawn(e, unbounded, func(*Worker, *int) {}), spawn(e, unbounded, func(*Worker, *int) {})
		a.box.Push(Normal, new(int))
		b.box.Push(Normal, new(int))
		p := e.procs[0]
		p.next.Store(&a.task)
		e.scheduleNext(p, &b.task)
		synctest.Wait()
		if a.handled != 1 || b.handled != 1 {
			t.Errorf("handled %d and %d times", a.handled, b.handled)
		}
	})
}

// A processor that is handed over while only others have work goes to steal it:
// nobody woke a worker when that work came, for no processor was idle.
func TestHandOverToSteal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		e := start(t, ExecutorOptions{Parallelism: 2})
		block, gate := make(chan struct{}), make(chan struct{})
		blocker := spawn(e, unbounded, func(w *Worker, _ *int) {
			<-block
			w.Block()
			<-gate
		})
		served := []*actor[int]{spawn(e, unbounded, func(*Worker, *int) {}), spawn(e, unbounded, func(*Worker, *int) {})}
		busy := spawn(e, unbounded, func(w *Worker, _ *int) {
			for _, a := range served {
				a.tell(w, 0)
			}
			close(block)
			<-gate
		})
		blocker.tell(nil, 0)
		synctest.Wait()
		busy.tell(nil, 0)
		synctest.Wait()
		// The last one told is next on busy's own processor.
		if served[0].handled != 1 || served[1].handled != 0 || time.Since(begun) > 0 {
			t.Errorf("handled %d and %d times after %v", served[0].handled, served[1].handled, time.Since(begun))
		}
		close(gate)
	})
}

// Two that find a processor idle, and only one gets it: the other leaves no trace,
// and the next wake-up works.
func TestWakeWithoutProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 1})
		release := hold(t, e)
		e.nidle.Store(1) // as seen before the other one took it
		e.wake()
		e.nidle.Store(0)
		if e.waking.Load() {
			t.Error("still waking")
		}
		release()
		synctest.Wait()
		a := spawn(e, unbounded, func(*Worker, *int) {})
		a.tell(nil, 0)
		synctest.Wait()
		if a.handled != 1 {
			t.Errorf("handled %d times", a.handled)
		}
	})
}

// A worker that was woken just before the watchdog says that it is parked is seen.
func TestWatchdogSeesWorkerBeforeItParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Executor{procs: make([]*processor, 1)} // none of them idle
		e.dog.init(e)
		if !e.dog.rest() || e.dog.parked.Load() {
			t.Error("parked")
		}
	})
}

// A turn is ended once, whoever comes first, and the number of an old turn ends
// none.
func TestClaim(t *testing.T) {
	p := &processor{}
	if p.claim(p.turns.Load()) {
		t.Error("claimed without a turn")
	}
	p.turns.Store(7)
	if p.claim(5) || !p.claim(7) || p.claim(7) || p.claim(p.turns.Load()) {
		t.Error("a turn ended twice, or not at all")
	}
}

// A worker that lost its processor gives its next one back as everybody does.
func TestStrayWorkerIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, ExecutorOptions{Parallelism: 1})
		var first *Worker
		a := spawn(e, unbounded, func(w *Worker, _ *int) {
			if first == nil {
				first = w
			}
			if w != first || w.Detached() {
				t.Errorf("worker %p, then %p, detached %t", first, w, w.Detached())
			}
			w.Block()
		})
		for i := range 10 {
			a.tell(nil, i)
			synctest.Wait()
		}
		if e.workers != 1 || e.astray.Load() != 0 || a.handled != 10 {
			t.Errorf("%d workers, %d astray, %d handled", e.workers, e.astray.Load(), a.handled)
		}
	})
}
