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

// outboxes gives each worker an outbox, and empties it when the worker flushes.
type outboxes struct {
	mu   sync.Mutex // guards following
	all  []*outbox
	most int // in one at a flush
}

type outbox struct{ n int }

func (o *outboxes) attach(*Worker) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, &outbox{})
	return o.all[len(o.all)-1]
}

func (o *outboxes) flush(w *Worker) {
	box := w.Local().(*outbox)
	o.mu.Lock()
	o.most = max(o.most, box.n)
	o.mu.Unlock()
	box.n = 0
}

// A worker flushes before it parks, after a turn that lost its processor, and
// every flushEvery turns while it is busy.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outboxes{}
		e := start(t, ExecutorOptions{Parallelism: 2, Attach: o.attach, Flush: o.flush})
		flushed := func(when string) {
			t.Helper()
			synctest.Wait()
			for _, box := range o.all {
				if box.n > 0 {
					t.Errorf("%s: %d messages are left", when, box.n)
				}
			}
		}
		send := func(w *Worker, _ *int) { w.Local().(*outbox).n++ }
		spawn(e, unbounded, send).tell(nil, 0)
		flushed("one turn")

		var ping, pong *actor[int]
		ping = spawn(e, unbounded, func(w *Worker, n *int) {
			if send(w, n); *n > 0 {
				pong.tell(w, *n-1)
			}
		})
		pong = spawn(e, unbounded, func(w *Worker, n *int) {
			send(w, n)
			ping.tell(w, *n)
		})
		ping.tell(nil, 1000)
		flushed("ping-pong")
		if o.most == 0 || o.most > flushEvery {
			t.Errorf("%d turns went by without a flush", o.most)
		}

		gate := make(chan struct{})
		spawn(e, unbounded, func(w *Worker, n *int) {
			w.Block()
			<-gate
			send(w, n)
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

// Schedule takes any worker, also one that is idle or runs somebody else's turn,
// and so does Block. The tellers wait for each answer, so that workers go idle and
// come back all the time.
func TestScheduleFromAnyWorker(t *testing.T) {
	const each = 2000
	for _, tellers := range []int{1, 2, 16} {
		e := start(t, ExecutorOptions{Parallelism: 3})
		var all sync.WaitGroup
		workers := make(chan *Worker, 16)
		for range tellers {
			answer := make(chan *Worker, 1)
			a := spawn(e, unbounded, func(w *Worker, _ *int) { answer <- w })
			all.Go(func() {
				var w *Worker
				for i := range each {
					a.tell(w, i)
					workers <- <-answer
					w = <-workers // perhaps another teller's
					if i%10 == 0 {
						w.Block()
					}
				}
			})
		}
		all.Wait()
		stop(t, e)
	}
}
