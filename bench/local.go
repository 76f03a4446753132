package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A localTellLoad lets goroutines send to one receiver as fast as its mailbox
// takes the messages. What was handled counts.
type localTellLoad struct {
	*crew
	shape Shape
	house House
	sink  Sink
	sent  atomic.Uint64 // each sender adds what it sent when it ends
}

func openLocalTell(impl any, s Shape, _ string) (load, error) {
	h, err := impl.(Local).Open(false)
	if err != nil {
		return nil, err
	}
	sink, err := h.Sink()
	return &localTellLoad{crew: newCrew(), shape: s, house: h, sink: sink}, err
}

func (l *localTellLoad) start() {
	for range l.shape.Callers {
		l.hire(func() error {
			n := uint64(0)
			defer func() { l.sent.Add(n) }()
			for !l.stopping.Load() {
				for range samples {
					if err := l.sink.Tell(n); err != nil {
						return fmt.Errorf("tell: %w", err)
					}
					n++
				}
			}
			return nil
		})
	}
}

func (l *localTellLoad) done() (count, error) { return countNow(l.sink.Handled()), nil }

func (l *localTellLoad) stop() (*hdrhistogram.Histogram, error) {
	if err := l.dismiss(); err != nil {
		return nil, err
	}
	defer l.house.Close()
	handled, err := l.sink.Finish()
	if sent := l.sent.Load(); err == nil && sent != handled {
		err = fmt.Errorf("%d tells sent, %d handled", sent, handled)
	}
	return nil, err
}

// A localAskLoad is a closed loop inside the process. One ask in 64 is timed:
// the clock costs as much as a fast ask. After 64 asks a caller yields: Go lets
// two goroutines that only wake each other have a processor for 10 ms, so 256
// callers would take turns of 10 ms, and the driver would wait for its own for
// seconds.
type localAskLoad struct {
	*crew
	shape   Shape
	house   House
	echoes  Echoes
	tallies []*tally
}

func openLocalAsk(impl any, s Shape, _ string) (load, error) {
	return openEchoes(impl, s, func(h House) (Echoes, error) { return h.Echoes(s.Actors) })
}

func openLocalInline(impl any, s Shape, _ string) (load, error) {
	return openEchoes(impl, s, func(h House) (Echoes, error) { return impl.(Inliner).InlineEchoes(h, s.Actors) })
}

func openEchoes(impl any, s Shape, start func(House) (Echoes, error)) (load, error) {
	h, err := impl.(Local).Open(false)
	if err != nil {
		return nil, err
	}
	l := &localAskLoad{crew: newCrew(), shape: s, house: h}
	for range s.Callers {
		l.tallies = append(l.tallies, newTally())
	}
	l.echoes, err = start(h)
	return l, err
}

func (l *localAskLoad) start() {
	for i, t := range l.tallies {
		l.hire(func() error { return l.loop(t, l.echoes.Asker(i%l.shape.Actors)) })
	}
}

func (l *localAskLoad) loop(t *tally, ask func(uint64) (uint64, error)) error {
	for v := uint64(0); !l.stopping.Load(); v += samples {
		begin := time.Now()
		if err := checkedAsk(ask, v); err != nil {
			return err
		}
		if l.recording.Load() {
			t.add(time.Since(begin))
		}
		for i := uint64(1); i < samples; i++ {
			if err := checkedAsk(ask, v+i); err != nil {
				return err
			}
		}
		t.count.Store(v + samples)
		runtime.Gosched()
	}
	return nil
}

func checkedAsk(ask func(uint64) (uint64, error), v uint64) error {
	got, err := ask(v)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if got != v {
		return fmt.Errorf("echo: %d came back of %d", got, v)
	}
	return nil
}

func (l *localAskLoad) done() (count, error) { return countNow(sumTallies(l.tallies)), nil }

func (l *localAskLoad) stop() (*hdrhistogram.Histogram, error) {
	if err := l.dismiss(); err != nil {
		return nil, err
	}
	l.house.Close()
	return mergeTallies(l.tallies), nil
}
