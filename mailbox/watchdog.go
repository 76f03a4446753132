package mailbox

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// The watchdog looks at the processors every calmTick, every alertTick while a
// turn seems to block and alertTicks more, because who comes after it may block
// as well, and not at all after calmTicks without work.
const (
	calmTick   = 2 * time.Millisecond
	alertTick  = 500 * time.Microsecond
	alertTicks = 4
	calmTicks  = 50
)

// patience is how many looks in a row a turn that keeps nobody waiting is left
// alone. Then it is taken to block for long, and is no reason to go on looking.
const patience = 20

// watchdog takes the processor from a turn that has not ended between two ticks
// while something else waits. It runs on a goroutine of its own, parked while
// the executor is idle or all its turns block, so such a program uses no CPU.
type watchdog struct {
	e      *Executor
	leash  chan struct{} // one token: something to watch
	off    chan struct{} // closed by stop
	once   sync.Once
	parked atomic.Bool

	// Owned by watchLoop.
	seen     []sighting // by processor
	runnable func() int // goroutines that wait for a CPU; tests replace it
}

// sighting is what the watchdog has seen of a processor.
type sighting struct {
	turn  uint64 // turns at the last look
	looks int    // in a row that found that turn running still
}

func (d *watchdog) init(e *Executor) {
	d.e = e
	d.leash = make(chan struct{}, 1)
	d.off = make(chan struct{})
	d.seen = make([]sighting, len(e.procs))
	d.runnable = runnableGoroutines()
}

const runnableMetric = "/sched/goroutines/runnable:goroutines"

// runnableGoroutines returns a function that counts the program's goroutines that
// wait for a CPU, in less than a microsecond. It is for one goroutine.
func runnableGoroutines() func() int {
	sample := []metrics.Sample{{Name: runnableMetric}}
	return func() int {
		metrics.Read(sample)
		if v := sample[0].Value; v.Kind() == metrics.KindUint64 {
			return int(v.Uint64())
		}
		return 0
	}
}

// unleash has the watchdog look, if it is parked.
func (d *watchdog) unleash() {
	if d.parked.Load() && d.parked.CompareAndSwap(true, false) {
		d.leash <- struct{}{}
	}
}

func (d *watchdog) stop() { d.once.Do(func() { close(d.off) }) }

func (d *watchdog) watchLoop() {
	timer := time.NewTimer(calmTick)
	defer timer.Stop()
	for calm := alertTicks; ; { // looks since a turn seemed to block
		if calm >= calmTicks {
			calm = alertTicks
			if !d.rest() {
				return
			}
		}
		select {
		case <-timer.C:
		case <-d.off:
			return
		}
		switch {
		case d.look():
			calm = 0
		case calm < alertTicks || !d.working():
			calm++
		default:
			calm = alertTicks
		}
		if calm < alertTicks {
			timer.Reset(alertTick)
		} else {
			timer.Reset(calmTick)
		}
	}
}

// working reports whether any processor is in use.
func (d *watchdog) working() bool { return int(d.e.nidle.Load()) < len(d.e.procs) }

// rest parks until a worker is woken, and reports whether to go on.
func (d *watchdog) rest() bool {
	d.parked.Store(true)
	// A worker woken before this store did not unleash us; it shows here.
	if d.working() && d.parked.CompareAndSwap(true, false) {
		return true
	}
	select {
	case <-d.leash:
		return true
	case <-d.off:
		return false
	}
}

// look claims the processors whose turns have not ended since the last look, if
// anything waits for a processor, and reports whether any turn seems to block.
func (d *watchdog) look() (alert bool) {
	claimed, stretch := false, 1
	for i, p := range d.e.procs {
		s := &d.seen[i]
		turn := p.turns.Load()
		if turn&1 == 0 || turn != s.turn {
			*s = sighting{turn: turn}
			continue
		}
		if s.looks++; !alert {
			alert, stretch = true, d.stretch()
		}
		claimed = d.relieve(p, *s, stretch) || claimed
	}
	if stretch == 1 && (claimed || alert && d.e.astray.Load() > 0) {
		d.reinforce()
	}
	return alert
}

// stretch returns how many times longer than alone a turn may take because other
// goroutines want the CPUs too; one or two that wait for each are everyday. A turn
// that computes looks like one that blocks: without this, each that is taken for
// blocked has one more compute beside it, so that all take still longer, until
// hundreds of turns share the CPUs.
func (d *watchdog) stretch() int {
	return min(1+d.runnable()/(2*runtime.GOMAXPROCS(0)), patience)
}

// relieve hands p over if something has waited for it for so many looks, or
// nothing has for long, and reports whether it did.
func (d *watchdog) relieve(p *processor, s sighting, looks int) bool {
	e, w := d.e, p.owner.Load()
	if w == nil {
		return false
	}
	if p.next.Load() == nil && !e.hasWork() {
		looks = patience
	}
	claimed := s.looks >= looks && p.claim(s.turn)
	if claimed {
		w.proc.CompareAndSwap(p, nil) // before anybody can be given p
		e.astray.Add(1)
		for t := p.pop(); t != nil; t = p.pop() {
			e.inject(t) // what p had queued is everybody's now
		}
		e.handOver(p)
	}
	if e.o.Stalled != nil {
		e.o.Stalled(w) // after Detached has become true: see there
	}
	return claimed
}

// reinforce sends a worker on an errand for each turn that is astray already, as
// long as tasks wait: the more turns block, the likelier the next ones do too,
// and a burst of blocking actors should be through in a few ticks, not in one
// tick each.
func (d *watchdog) reinforce() {
	for range d.e.astray.Load() {
		if !d.e.sendErrand() {
			return
		}
	}
}

func (e *Executor) sendErrand() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.global.n == 0 || e.stopped.Load() {
		return false
	}
	w := e.workerLocked()
	if w == nil {
		return false
	}
	w.errand = e.global.pop()
	e.nglobal.Store(int32(e.global.n))
	e.astray.Add(1)
	w.park <- struct{}{} // has room: w is parked, or about to be
	return true
}
