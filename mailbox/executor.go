package mailbox

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// MaxBlocked is how many turns may block at the same time before others have to
// wait for one of them to end.
const MaxBlocked = 10_000

// maxSpares is how many goroutines without work are kept for the next burst.
const maxSpares = 64

// ExecutorOptions configure an [Executor]. The zero value runs GOMAXPROCS turns
// at once and has no hooks.
type ExecutorOptions struct {
	Parallelism int // turns that run at once, blocked ones not counted

	// Attach makes the value that Worker.Local returns, once per worker. It is
	// called under a lock: it must not call the executor.
	Attach func(w *Worker) any
	// Flush is called on the worker before it parks, and after some turns if it
	// does not. It must not block, for it is not part of a turn.
	Flush func(w *Worker)
	// Stalled is called by the watchdog at each tick for a worker whose turn has
	// not ended since the tick before, the last time just after Detached has
	// become true. It must not block, and be safe beside that turn and any later
	// one.
	Stalled func(w *Worker)
}

// Executor grants turns to tasks. It has a fixed number of processors, each with
// a queue, and as many workers as it takes to keep the processors busy. A worker
// is a goroutine; it runs turns while it holds a processor, and the processor
// passes to another worker when the turn blocks. It is Go's own scheduler in
// small (processors are its P, workers its M), with turns in place of
// goroutines: the task woken last runs next on the same worker, still warm in
// its cache, and nobody is woken for it.
//
// All methods are safe for concurrent use.
type Executor struct {
	o     ExecutorOptions
	procs []*processor // set once in NewExecutor
	limit int          // of workers; set once in NewExecutor

	mu      sync.Mutex     // guards following
	global  ring           // tasks that no processor has taken
	idle    []*processor   // without a worker
	spares  []*Worker      // without a processor, parked or about to be
	workers int            // alive
	alive   sync.WaitGroup // workers and watchdog

	stopped atomic.Bool  // written under mu
	nglobal atomic.Int32 // global.n
	nidle   atomic.Int32 // len(idle)
	waking  atomic.Bool  // a worker is on its way to look for work
	astray  atomic.Int32 // turns that run without a processor
	dog     watchdog
}

// NewExecutor starts an executor. Its goroutines end with Stop.
func NewExecutor(o ExecutorOptions) *Executor {
	e := newExecutor(o)
	e.alive.Go(e.dog.watchLoop)
	return e
}

func newExecutor(o ExecutorOptions) *Executor {
	if o.Parallelism <= 0 {
		o.Parallelism = runtime.GOMAXPROCS(0)
	}
	e := &Executor{o: o, limit: MaxBlocked + o.Parallelism}
	for range o.Parallelism {
		p := &processor{}
		p.vacant.Store(true)
		e.procs = append(e.procs, p)
	}
	e.idle = append(e.idle, e.procs...)
	e.nidle.Store(int32(len(e.idle)))
	e.dog.init(e)
	return e
}

// Schedule queues t for a turn. It must be called exactly once for each time the
// task's mailbox reported Woken. from is the worker whose turn caused it, nil
// otherwise; any worker is safe, the right one is fast. It never blocks.
func (e *Executor) Schedule(t *Task, from *Worker) {
	if from != nil {
		if p := from.proc.Load(); p != nil {
			e.scheduleNext(p, t)
			return
		}
	}
	e.inject(t)
	e.wake()
}

// scheduleNext makes t the next task of p and queues what was next before.
//
// p may become vacant at any time. Its worker sets vacant, then looks at next;
// we set next, then look at vacant: at least one of the two sees the other, so t
// is not left on a processor that nobody serves.
func (e *Executor) scheduleNext(p *processor, t *Task) {
	old := p.next.Swap(t)
	if p.vacant.Load() && p.next.CompareAndSwap(t, nil) {
		e.inject(t)
		e.wake()
	}
	if old != nil {
		p.push(old)
		e.wake()
	}
}

func (e *Executor) inject(t *Task) {
	e.mu.Lock()
	e.global.push(t)
	e.nglobal.Store(int32(e.global.n))
	e.mu.Unlock()
}

// wake sends one more worker to look for work, unless none is idle or one is on
// its way: that one will wake the next if it finds more than it can run.
//
// If we find nobody to send after all, waking is cleared before mu is free, or a
// task could be forgotten: we find no idle processor; its worker W retires, sees
// the task that came meanwhile, and sends nobody, because we are still waking;
// we clear waking and go. Now W makes its processor idle after we have cleared.
func (e *Executor) wake() {
	if e.nidle.Load() == 0 || e.waking.Load() || !e.waking.CompareAndSwap(false, true) {
		return
	}
	e.mu.Lock()
	w := e.dispatchLocked()
	if w == nil {
		e.waking.Store(false)
		e.mu.Unlock()
		return
	}
	w.searching = true
	e.mu.Unlock()
	e.dog.unleash()
	w.park <- struct{}{}
}

// dispatchLocked gives an idle processor to a worker that waits on park, and
// returns it, or nil: no processor is idle, or all of MaxBlocked block, and the
// first to end looks for work.
func (e *Executor) dispatchLocked() *Worker {
	n := len(e.idle)
	if n == 0 || e.stopped.Load() {
		return nil
	}
	w := e.workerLocked()
	if w == nil {
		return nil
	}
	p := e.idle[n-1]
	e.idle = e.idle[:n-1]
	e.nidle.Store(int32(n - 1))
	p.vacant.Store(false)
	w.give(p)
	return w
}

func (e *Executor) pushIdleLocked(p *processor) {
	p.owner.Store(nil)
	p.vacant.Store(true)
	e.idle = append(e.idle, p)
	e.nidle.Store(int32(len(e.idle)))
}

// workerLocked returns a worker that waits on park, or nil if there are too many.
// It is the caller's until told to go on, and no spare any more.
func (e *Executor) workerLocked() *Worker {
	if n := len(e.spares); n > 0 {
		w := e.spares[n-1]
		e.spares = e.spares[:n-1]
		return w
	}
	if e.workers >= e.limit {
		return nil
	}
	e.workers++
	w := &Worker{executor: e, park: make(chan struct{}, 1)}
	if e.o.Attach != nil {
		w.local = e.o.Attach(w)
	}
	e.alive.Go(w.workLoop)
	return w
}

// handOver finds another worker for a processor whose turn blocks. The caller
// has claimed it.
func (e *Executor) handOver(p *processor) {
	e.mu.Lock()
	busy := p.next.Load() != nil || p.n.Load() > 0 || e.global.n > 0
	if busy && !e.stopped.Load() {
		if w := e.workerLocked(); w != nil {
			w.give(p)
			e.mu.Unlock()
			w.park <- struct{}{}
			return
		}
	}
	e.pushIdleLocked(p)
	e.mu.Unlock()
	e.recheck(p)
}

// recheck looks for work that came while p was becoming idle and did not wake
// anybody because p was not idle yet.
func (e *Executor) recheck(p *processor) {
	if t := p.next.Swap(nil); t != nil {
		e.inject(t)
	}
	if e.hasWork() {
		e.wake()
	}
}

// hasWork reports whether a task waits in any queue.
func (e *Executor) hasWork() bool {
	if e.nglobal.Load() > 0 {
		return true
	}
	for _, p := range e.procs {
		if p.n.Load() > 0 {
			return true
		}
	}
	return false
}

// takeGlobal returns a task from the global queue and moves p's share of the
// rest to p.
func (e *Executor) takeGlobal(p *processor) *Task {
	if e.nglobal.Load() == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.global.pop()
	for n := min(e.global.n/len(e.procs), 64); n > 0; n-- {
		p.push(e.global.pop())
	}
	e.nglobal.Store(int32(e.global.n))
	return t
}

// steal takes a task from a processor other than p, with half of its queue.
func (e *Executor) steal(p *processor) *Task {
	for _, victim := range e.procs {
		if victim == p || victim.n.Load() == 0 {
			continue
		}
		t := victim.moveHalf(p)
		if p.n.Load() > 0 {
			e.wake() // who looked while they were in nobody's queue may be idle now
		}
		if t != nil {
			return t
		}
	}
	return nil
}

// Stop ends all goroutines of the executor once the turns that are running have
// ended, and returns ctx's cause if that takes longer than ctx. Tasks that wait
// for a turn are not run; stop what schedules them first. It may be called any
// number of times, but not from a turn, which would wait for itself.
func (e *Executor) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopped.Store(true)
	spares := e.spares
	e.spares = nil
	e.mu.Unlock()
	for _, w := range spares {
		w.park <- struct{}{}
	}
	e.dog.stop()
	ended := make(chan struct{})
	go func() { // ends with the last worker
		e.alive.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
