package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/posthaste-go/posthaste/bench/savina"
)

// Savinist is a peer that can run the benchmarks of package savina.
type Savinist interface {
	// Stage makes ready for laps of b. close releases what that took.
	Stage(b *savina.Benchmark) (lap func(savina.Size) (result int), close func(), err error)
}

var (
	_ Savinist = posthastePeer{}
	_ Savinist = chanPeer{}
	_ Savinist = libraryPeer(nil)
)

// Stage starts a node.
func (posthastePeer) Stage(b *savina.Benchmark) (func(savina.Size) int, func(), error) {
	n, err := savina.NewNode()
	if err != nil {
		return nil, nil, err
	}
	return func(s savina.Size) int { return b.Posthaste(n, s) }, n.Close, nil
}

// Stage has nothing to start.
func (chanPeer) Stage(b *savina.Benchmark) (func(savina.Size) int, func(), error) {
	return b.Chan, func() {}, nil
}

// Stage starts a system.
func (p libraryPeer) Stage(b *savina.Benchmark) (func(savina.Size) int, func(), error) {
	s, err := p(false)
	if err != nil {
		return nil, nil, err
	}
	return func(z savina.Size) int { return b.Library(s, z) }, s.Close, nil
}

// savinas lists the benchmarks of package savina as scenarios.
func savinas() []Scenario {
	var all []Scenario
	for _, b := range savina.All() {
		open := func(impl any, s Shape, _ string) (load, error) { return openSavina(impl, b, s) }
		all = append(all, Scenario{
			Name:  "savina/" + b.Name,
			About: b.About,
			Shape: Shape{Actors: b.Size.Actors, Work: b.Size.Work},
			kind:  kind{false, implements[Savinist], open, localFigures, 0},
		})
	}
	return all
}

// A savinaLoad runs laps of a benchmark, one after the other. Each has a fixed
// number of operations and a known result.
type savinaLoad struct {
	*crew
	size  savina.Size
	ops   int
	want  int
	lap   func(savina.Size) int
	close func()

	mu   sync.Mutex // guards following
	last count      // at the end of the last lap
}

func openSavina(impl any, b *savina.Benchmark, s Shape) (load, error) {
	size := savina.Size{Actors: s.Actors, Work: s.Work}
	lap, end, err := impl.(Savinist).Stage(b)
	if err != nil {
		return nil, err
	}
	return &savinaLoad{
		crew: newCrew(), size: size, ops: b.Ops(size), want: b.Want(size), lap: lap, close: end,
		last: countNow(0),
	}, nil
}

func (l *savinaLoad) start() {
	l.hire(func() error {
		for n := uint64(0); !l.stopping.Load(); {
			if got := l.lap(l.size); got != l.want {
				return fmt.Errorf("the result is %d, want %d", got, l.want)
			}
			n += uint64(l.ops)
			l.mu.Lock()
			l.last = count{n, time.Now()}
			l.mu.Unlock()
		}
		return nil
	})
}

// done returns the operations of whole laps.
func (l *savinaLoad) done() (count, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}

func (l *savinaLoad) stop() (*hdrhistogram.Histogram, error) {
	err := l.dismiss()
	if err == nil {
		l.close()
	}
	return nil, err
}
