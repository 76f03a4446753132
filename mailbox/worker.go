package mailbox

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// flushEvery is how many turns a worker takes before it flushes though it has
// more to do.
const flushEvery = 32

// maxHops is how many tasks may run by way of next in a row while others wait in
// the queue.
const maxHops = 64

// processor is the right to run turns, and a queue of tasks that wait for one.
// Tasks may be added by anyone; only the worker that owns it takes turns.
type processor struct {
	next   atomic.Pointer[Task]   // runs before the queue
	owner  atomic.Pointer[Worker] // nil while idle
	n      atomic.Int32           // queue.n
	vacant atomic.Bool            // idle, or about to be: nobody looks at next

	// turns is odd while a turn runs. Whoever moves it from odd to even ends the
	// turn as far as the processor is concerned: the worker, because it is over,
	// or somebody who claims the processor, because it blocks.
	turns atomic.Uint64

	mu    sync.Mutex // guards queue
	queue ring
}

func (p *processor) push(t *Task) {
	p.mu.Lock()
	p.queue.push(t)
	p.n.Store(int32(p.queue.n))
	p.mu.Unlock()
}

func (p *processor) pop() *Task {
	if p.n.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	t := p.queue.pop()
	p.n.Store(int32(p.queue.n))
	p.mu.Unlock()
	return t
}

// moveHalf takes half of p's queue, returns the first task and gives the others
// to q. The two locks are never held together.
func (p *processor) moveHalf(q *processor) *Task {
	var batch [32]*Task
	p.mu.Lock()
	n := min((p.queue.n+1)/2, len(batch))
	for i := range n {
		batch[i] = p.queue.pop()
	}
	p.n.Store(int32(p.queue.n))
	p.mu.Unlock()
	for i := 1; i < n; i++ {
		q.push(batch[i])
	}
	return batch[0]
}

// claim ends the turn numbered turn as far as p is concerned and reports whether
// it was still running. The winner must hand p over.
func (p *processor) claim(turn uint64) bool {
	return turn&1 == 1 && p.turns.CompareAndSwap(turn, turn+1)
}

// Worker runs turns, one at a time. It is made by its [Executor].
type Worker struct {
	executor *Executor
	local    any                       // set once, before the worker starts
	proc     atomic.Pointer[processor] // nil: none; given by others only while parked
	park     chan struct{}             // one token: go on

	// Set by others only while parked, otherwise the worker's own.
	searching bool  // woken by wake: clear executor.waking when work is found
	errand    *Task // one turn to run without a processor

	// The worker's own.
	turn      uint64 // number of the turn that runs on proc
	unflushed uint32 // turns since the last flush
	tick      uint32
	hops      uint32
}

// Local returns what ExecutorOptions.Attach made for this worker.
func (w *Worker) Local() any { return w.local }

// Detached reports whether the current turn has lost its processor because it
// blocks. What it sends from now on is not followed by a flush soon, so it should
// first queue what it sends, then ask, then flush by itself: in that order, either
// this reports true or ExecutorOptions.Stalled is called after the queueing.
func (w *Worker) Detached() bool { return w.proc.Load() == nil }

// give makes w, which waits on park, the owner of p.
func (w *Worker) give(p *processor) {
	w.proc.Store(p)
	p.owner.Store(w)
}

// workLoop waits for a processor or an errand, and runs turns until there is
// nothing to do. It ends when the executor stops or has spare workers enough.
func (w *Worker) workLoop() {
	for {
		<-w.park
		p := w.proc.Load()
		stay := false
		switch {
		case p != nil:
			stay = w.serve(p)
		case w.errand != nil:
			stay = w.runErrand()
		default: // stopped
			stay = w.retire(nil)
		}
		if !stay {
			return
		}
	}
}

// serve runs turns while there is work and the worker has its processor, and
// reports whether the worker goes on.
func (w *Worker) serve(p *processor) bool {
	for {
		t := w.find(p)
		if t == nil {
			w.proc.Store(nil)
			return w.retire(p)
		}
		if w.searching {
			w.found()
		}
		w.turn = p.turns.Load() + 1
		p.turns.Store(w.turn)
		again := t.runner.Run(w)
		if !p.turns.CompareAndSwap(w.turn, w.turn+1) {
			w.stray(t, again)
			return w.retire(nil)
		}
		if again {
			if p.push(t); p.n.Load() > 1 || p.next.Load() != nil {
				w.executor.wake()
			}
		}
		if w.unflushed++; w.unflushed >= flushEvery {
			w.flush()
		}
	}
}

// found tells the executor that this search was a success.
func (w *Worker) found() {
	w.searching = false
	w.executor.waking.Store(false)
	if w.executor.hasWork() {
		w.executor.wake()
	}
}

// stray ends a turn whose processor is gone.
//
// Who claimed it cleared w.proc before anybody could be given the processor, and
// nobody gives this worker another one before it is a spare: so the store here
// cannot undo a gift.
func (w *Worker) stray(t *Task, again bool) {
	e := w.executor
	w.proc.Store(nil)
	e.astray.Add(-1)
	if again {
		e.inject(t)
		e.wake()
	}
	w.flush()
}

// runErrand gives one turn to a task without a processor, because more turns
// block than processors can pass by one at a time.
func (w *Worker) runErrand() bool {
	t := w.errand
	w.errand = nil
	w.stray(t, t.runner.Run(w))
	return w.retire(nil)
}

// find returns the next task to run, or nil.
func (w *Worker) find(p *processor) *Task {
	if w.executor.stopped.Load() {
		w.flush()
		return nil
	}
	if w.tick++; w.tick%61 == 0 { // so that the global queue does not starve
		if t := w.executor.takeGlobal(p); t != nil {
			return t
		}
	}
	if t := w.takeNext(p); t != nil {
		if w.hops++; w.hops < maxHops || p.n.Load() == 0 {
			return t
		}
		p.push(t)
	}
	w.hops = 0
	if t := w.findQueued(p); t != nil {
		return t
	}
	// Let those who are about to send something do so: parking and being woken
	// again costs more than one more look.
	w.flush()
	runtime.Gosched()
	if t := w.takeNext(p); t != nil {
		return t
	}
	return w.findQueued(p)
}

func (w *Worker) takeNext(p *processor) *Task {
	if p.next.Load() == nil {
		return nil
	}
	return p.next.Swap(nil)
}

func (w *Worker) findQueued(p *processor) *Task {
	if t := p.pop(); t != nil {
		return t
	}
	if t := w.executor.takeGlobal(p); t != nil {
		return t
	}
	return w.executor.steal(p)
}

// retire makes the worker a spare and its processor idle, if it has one, and
// reports whether the worker goes on. Once it is a spare, others may give it a
// processor, and only park may be touched.
func (w *Worker) retire(p *processor) (stay bool) {
	e := w.executor
	if w.searching {
		w.searching = false
		e.waking.Store(false)
	}
	e.mu.Lock()
	if p != nil {
		e.pushIdleLocked(p)
	}
	if stay = !e.stopped.Load() && len(e.spares) < maxSpares; stay {
		e.spares = append(e.spares, w)
	} else {
		e.workers--
	}
	e.mu.Unlock()
	if p != nil {
		e.recheck(p)
	} else if e.hasWork() {
		e.wake() // a processor may have found all workers taken
	}
	return stay
}

func (w *Worker) flush() {
	w.unflushed = 0
	if f := w.executor.o.Flush; f != nil {
		f(w)
	}
}

// Block says that the current turn is about to wait for something other than a
// processor: its processor passes to another worker at once, instead of after
// the watchdog's ticks, and the turn runs to its end without one. Call it after
// flushing. It is safe, though of no use, to call it from elsewhere.
func (w *Worker) Block() {
	p := w.proc.Load()
	if p == nil || !p.claim(p.turns.Load()) {
		return
	}
	w.proc.CompareAndSwap(p, nil) // before anybody can be given p
	w.executor.astray.Add(1)
	w.executor.handOver(p)
}
