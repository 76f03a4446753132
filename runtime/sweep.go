package runtime

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// watchlist is the sweeper: it expires parked calls whose context has no deadline
// of its own. Those to actors of this node are in its list, those to others in
// their session's pending table. It runs a goroutine while there are any, so an
// idle runtime has none.
type watchlist struct {
	rt     *Runtime
	shards [8]watchShard
	count  atomic.Int32 // calls in all shards

	running atomic.Bool // sweepLoop runs; changes under mu

	mu    sync.Mutex    // guards following
	ended chan struct{} // closed when the last sweepLoop to be started ends
	quit  chan struct{} // closed by stop
}

type watchShard struct {
	mu   sync.Mutex // guards the list, and prev, next and watched of its calls
	head *call
	_    [48]byte // its own cache line
}

// watchTick is how late a call may expire.
const watchTick = 10 * time.Millisecond

func (l *watchlist) init(rt *Runtime) { l.rt, l.quit = rt, make(chan struct{}) }

func (l *watchlist) shard(a *call) *watchShard {
	return &l.shards[addressOf(a)>>9&7]
}

func (l *watchlist) add(a *call) {
	s := l.shard(a)
	s.mu.Lock()
	a.watched = true
	a.prev, a.next = nil, s.head
	if s.head != nil {
		s.head.prev = a
	}
	s.head = a
	s.mu.Unlock()
	l.count.Add(1)
	l.wake()
}

// wake has the sweeper run. It is called after a call has become visible to it.
func (l *watchlist) wake() {
	if !l.running.Load() {
		l.start()
	}
}

func (l *watchlist) remove(a *call) {
	s := l.shard(a)
	s.mu.Lock()
	s.unlink(a)
	s.mu.Unlock()
	l.count.Add(-1)
}

func (s *watchShard) unlink(a *call) {
	if !a.watched {
		return
	}
	a.watched = false
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		s.head = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
}

func (l *watchlist) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running.Load() {
		l.running.Store(true)
		l.ended = make(chan struct{})
		go l.sweepLoop(l.ended)
	}
}

// idleSweeps is how many sweeps in a row that find no call end the sweeper.
const idleSweeps = 20

// sweepLoop expires calls until there are none for a while, or at all after stop.
func (l *watchlist) sweepLoop(ended chan struct{}) {
	defer close(ended)
	ticker := time.NewTicker(watchTick)
	defer ticker.Stop()
	quit, enough := l.quit, idleSweeps
	for idle := 0; ; {
		select {
		case <-ticker.C:
		case <-quit:
			quit, enough = nil, 0
		}
		if l.sweep(l.rt.clock.Now()) > 0 {
			idle = 0
		} else if idle++; idle > enough && l.rest() {
			return
		}
	}
}

// rest ends the sweeper unless a call has just come.
func (l *watchlist) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Callers become visible, then look at running; we clear running, then look
	// for callers: none is left without a sweeper.
	l.running.Store(false)
	if l.sweep(l.rt.clock.Now()) == 0 {
		return true
	}
	l.running.Store(true)
	return false
}

// sweep expires what is due and returns how many calls there are.
func (l *watchlist) sweep(now int64) int {
	for i := range l.shards {
		l.shards[i].sweep(now)
	}
	return int(l.count.Load()) + l.rt.sweepSessions(now)
}

func (s *watchShard) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := s.head; a != nil; {
		next := a.next
		if a.expire(now) {
			s.unlink(a)
		}
		a = next
	}
}

// stop has the goroutine end with the last call. It waits for that if everything
// has stopped well; otherwise calls to actors that were cut off are still to end,
// each in its time.
func (l *watchlist) stop(wait bool) {
	l.mu.Lock()
	close(l.quit)
	ended := l.ended
	l.mu.Unlock()
	if ended != nil && wait {
		<-ended
	}
}

// addressOf returns where a call lies, to spread calls over shards. Calls do not
// move: the collector does not compact.
func addressOf(a *call) uintptr { return uintptr(unsafe.Pointer(a)) }
