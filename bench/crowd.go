package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// crowded is how many receivers are a crowd.
	crowded = 10_000

	// spawnGrace is for peers that need half a minute for a million actors.
	spawnGrace = 3 * time.Minute

	// crowdTimeout bounds what a crowd does at a time.
	crowdTimeout = 2 * time.Minute
)

// A spawnLoad starts a crowd, greets it, weighs it and ends it: once, for a second
// time would find the memory of the first.
type spawnLoad struct {
	*crew
	local Local
	crowd *crowd
	over  chan struct{} // closed when all that is over

	mu     sync.Mutex // guards following
	last   count
	weight Gauges
}

func openSpawn(impl any, s Shape, _ string) (load, error) {
	return &spawnLoad{crew: newCrew(), local: impl.(Local), crowd: newCrowd(s.Actors), over: make(chan struct{})}, nil
}

func (l *spawnLoad) start()                    {} // with the window
func (l *spawnLoad) finished() <-chan struct{} { return l.over }

func (l *spawnLoad) record(on bool) {
	l.crew.record(on)
	if on {
		l.last = countNow(0)
		l.hire(l.live)
	}
}

// live is a life of the crowd.
func (l *spawnLoad) live() error {
	h, err := l.local.Open(true)
	if err != nil {
		return err
	}
	defer h.Close()
	before := weigh()
	begin := time.Now()
	guests, err := h.Crowd(l.crowd)
	if err != nil {
		return fmt.Errorf("spawn: %w", err)
	}
	spawned := time.Since(begin)
	if err := l.crowd.greet(guests); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	g := weigh().over(before, l.crowd.size)
	begin = time.Now()
	if err := guests.Leave(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	g.StopNs = float64(time.Since(begin)) / float64(l.crowd.size)
	g.SpawnNs = float64(spawned) / float64(l.crowd.size)
	l.mu.Lock()
	l.last, l.weight = countNow(uint64(l.crowd.size)), g
	l.mu.Unlock()
	close(l.over)
	return nil
}

func (l *spawnLoad) done() (count, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}

func (l *spawnLoad) stop() (*hdrhistogram.Histogram, error) { return nil, l.dismiss() }

func (l *spawnLoad) gauges() Gauges {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.weight
}

// An idleLoad is a crowd that has been greeted, and then does nothing. Its figures
// are what the process costs meanwhile; what is done is only that time passes.
type idleLoad struct {
	*crew
	house  House
	crowd  *crowd
	guests Guests
	before weight
	weight Gauges
	looks  uint64
}

func openIdle(impl any, s Shape, _ string) (load, error) {
	l := &idleLoad{crew: newCrew(), crowd: newCrowd(s.Actors)}
	var err error
	if l.house, err = impl.(Local).Open(true); err != nil {
		return nil, err
	}
	l.before = weigh()
	if l.guests, err = l.house.Crowd(l.crowd); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *idleLoad) start() {
	if err := l.crowd.greet(l.guests); err != nil {
		l.hire(func() error { return fmt.Errorf("greet: %w", err) })
	}
	l.weight = weigh().over(l.before, l.crowd.size) // and have no collection under way
}

func (l *idleLoad) done() (count, error) {
	l.looks++
	return countNow(l.looks * uint64(l.crowd.size)), nil
}

// stop greets the crowd again: it must be as it was.
func (l *idleLoad) stop() (*hdrhistogram.Histogram, error) {
	err := l.dismiss()
	if err == nil {
		err = l.crowd.greet(l.guests)
	}
	if err == nil {
		err = l.guests.Leave()
	}
	l.house.Close()
	return nil, err
}

func (l *idleLoad) gauges() Gauges { return l.weight }

// A weight is the memory of this process, of which nothing is garbage.
type weight struct {
	heap       uint64 // heap and stacks
	rss        uint64 // 0 where the system does not tell it
	goroutines int
}

func weigh() weight {
	debug.FreeOSMemory() // collects garbage first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{m.HeapAlloc + m.StackInuse, residentMemory(), runtime.NumGoroutine()}
}

// over returns how much more than before it is, for each of n.
func (w weight) over(before weight, n int) Gauges {
	each := func(now, then uint64) float64 { return max(0, (float64(now)-float64(then))/float64(n)) }
	return Gauges{
		HeapB:      each(w.heap, before.heap),
		RSSB:       each(w.rss, before.rss),
		Goroutines: float64(w.goroutines-before.goroutines) / float64(n),
	}
}

// residentMemory returns what Linux says of this process, elsewhere 0.
func residentMemory() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	if _, err := fmt.Fscan(bytes.NewReader(b), &size, &resident); err != nil {
		return 0
	}
	return resident * uint64(os.Getpagesize())
}
