package mailbox

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Many more handlers block than there are processors, on something that the
// executor cannot see; an actor that is told something meanwhile is served.
func TestBlockedHandlersDelayNobody(t *testing.T) {
	const blocked = 500
	for _, parallelism := range []int{1, 2, 8} {
		e := start(t, ExecutorOptions{Parallelism: parallelism})
		gate := make(chan struct{})
		var entered, left sync.WaitGroup
		entered.Add(blocked)
		left.Add(blocked)
		for range blocked {
			spawn(e, unbounded, func(*Worker, *int) {
				entered.Done()
				<-gate
				left.Done()
			}).tell(nil, 0)
		}
		served := make(chan struct{})
		spawn(e, unbounded, func(*Worker, *int) { close(served) }).tell(nil, 0)
		<-served
		entered.Wait()
		again := make(chan struct{})
		spawn(e, unbounded, func(*Worker, *int) { close(again) }).tell(nil, 0)
		<-again
		close(gate)
		left.Wait()
		stop(t, e)
	}
}

// The same with virtual time, which stands still while anybody can run: it says
// how long the watchdog needs, exactly.
func TestBlockedHandlersInTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blocked = 500
		e := startAlone(t, ExecutorOptions{Parallelism: 2}, 0)
		gate := make(chan struct{})
		var entered sync.WaitGroup
		entered.Add(blocked)
		begun := time.Now()
		for range blocked {
			spawn(e, unbounded, func(*Worker, *int) {
				entered.Done()
				<-gate
			}).tell(nil, 0)
		}
		entered.Wait()
		// Twice as many after every other tick, not two more.
		if d := time.Since(begun); d > 3*calmTick+20*alertTick {
			t.Errorf("all have entered after %v", d)
		}
		begun = time.Now()
		again := make(chan struct{})
		spawn(e, unbounded, func(*Worker, *int) { close(again) }).tell(nil, 0)
		<-again
		if d := time.Since(begun); d > 2*calmTick {
			t.Errorf("beside %d blocked ones served after %v", blocked, d)
		}
		close(gate)
		synctest.Wait()
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.workers != len(e.spares) || e.workers > maxSpares || e.astray.Load() != 0 || len(e.idle) != 2 {
			t.Errorf("at rest: %d workers, %d spares, %d astray, %d of 2 processors idle",
				e.workers, len(e.spares), e.astray.Load(), len(e.idle))
		}
	})
}

// With Block no tick passes: virtual time does not move.
func TestBlockHandsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		e := start(t, ExecutorOptions{Parallelism: 1})
		gate := make(chan struct{})
		var order []string
		served := func(name string) *actor[int] {
			return spawn(e, unbounded, func(*Worker, *int) { order = append(order, name) })
		}
		next, queued, global, late := served("next"), served("queued"), served("global"), served("late")
		blocker := spawn(e, unbounded, func(w *Worker, _ *int) {
			if w.Detached() != (order != nil) {
				t.Error("detached before it blocks, or not after")
			}
			queued.tell(w, 0)
			next.tell(w, 0)
			global.tell(nil, 0)
			w.Block()
			if !w.Detached() {
				t.Error("not detached after Block")
			}
			w.Block() // changes nothing
			<-gate
			late.tell(w, 0)
		})
		blocker.tell(nil, 0)
		blocker.tell(nil, 0)
		synctest.Wait()
		if len(order) != 3 || order[0] != "next" || order[1] != "queued" || order[2] != "global" {
			t.Errorf("while it blocks: %q", order)
		}
		close(gate)
		synctest.Wait()
		if len(order) != 8 || blocker.handled != 2 {
			t.Errorf("at last: %q, %d blocked", order, blocker.handled)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v: somebody waited for the watchdog", d)
		}
	})
}

// Each actor of a chain waits in its handler for the next one's answer: only the
// last can answer, so all of them must have got their turns.
func TestNestedBlocking(t *testing.T) {
	type ask struct{ answer chan int }
	const depth = 300
	run := func(t *testing.T, block bool) {
		e := start(t, ExecutorOptions{Parallelism: 2})
		chain := make([]*actor[ask], depth)
		for i := range chain {
			chain[i] = spawn(e, Options{}, func(w *Worker, v *ask) {
				if i == depth-1 {
					v.answer <- 1
					return
				}
				mine := ask{make(chan int, 1)}
				chain[i+1].tell(w, mine)
				if block {
					w.Block()
				}
				v.answer <- 1 + <-mine.answer
			})
		}
		for range 3 {
			begun := time.Now()
			first := ask{make(chan int, 1)}
			chain[0].tell(nil, first)
			if n := <-first.answer; n != depth {
				t.Errorf("the answer is %d, want %d", n, depth)
			}
			if d := time.Since(begun); block && d > 0 {
				t.Errorf("somebody waited for the watchdog: %v", d)
			}
		}
	}
	t.Run("Block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, true) })
	})
	t.Run("watchdog", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, false) })
	})
}

// Once the limit is reached, a task waits until one of the blocked turns ends;
// then it is served, and so are all others, one after the other.
func TestTooManyBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const parallelism, limit, all = 2, 10, 40
		for _, block := range []bool{true, false} {
			e := start(t, ExecutorOptions{Parallelism: parallelism})
			e.limit = limit
			gate := make(chan struct{})
			var mu sync.Mutex
			entered := 0
			for range all {
				spawn(e, unbounded, func(w *Worker, _ *int) {
					mu.Lock()
					entered++
					mu.Unlock()
					if block {
						w.Block()
					}
					<-gate
				}).tell(nil, 0)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for left := range all {
				if want := min(limit+left, all); entered != want {
					t.Fatalf("Block %t: %d turns have begun after %d ended, want %d", block, entered, left, want)
				}
				gate <- struct{}{}
				time.Sleep(time.Second)
				synctest.Wait()
			}
		}
	})
}
