package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// traffic is messages that receivers send each other: rings or a fan.
type traffic interface {
	// open starts the receivers, which are busy from then on.
	open(h House) error

	// done returns how many messages were handled.
	done() uint64

	// stop ends the messages and returns an error if any was lost.
	stop() error
}

func (r *rings) open(h House) error { return h.Rings(r) }
func (f *fan) open(h House) error   { return h.Fan(f) }

// A trafficLoad has no goroutines of its own: the receivers keep each other busy.
type trafficLoad struct {
	*crew
	house   House
	traffic traffic
	started bool
}

// openRings opens one ring for each of s.Rings, each of s.Actors.
func openRings(impl any, s Shape, _ string) (load, error) {
	return openTraffic(impl, newRings(s.Rings, s.Actors, 0), s)
}

func openFan(impl any, s Shape, _ string) (load, error) {
	return openTraffic(impl, newFan(s.Actors), s)
}

func openTraffic(impl any, t traffic, s Shape) (load, error) {
	h, err := impl.(Local).Open(s.Actors >= crowded)
	return &trafficLoad{crew: newCrew(), house: h, traffic: t}, err
}

// start starts the receivers, too: they cannot be held back.
func (l *trafficLoad) start() {
	if err := l.traffic.open(l.house); err != nil {
		l.hire(func() error { return fmt.Errorf("start: %w", err) })
		return
	}
	l.started = true
}

func (l *trafficLoad) done() (count, error) { return countNow(l.traffic.done()), nil }

func (l *trafficLoad) stop() (*hdrhistogram.Histogram, error) {
	err := l.dismiss()
	if err == nil && l.started {
		err = l.traffic.stop()
	}
	l.house.Close()
	return nil, err
}

const (
	napTime = 100 * time.Millisecond // of the handlers of a blockedLoad
	askPace = time.Millisecond       // from one ask to the next
)

// A blockedLoad is one asker among handlers that sleep. It does not ask as fast
// as it can: in the time of one late reply it would ask a hundred thousand times
// more, and the late one would not show in any percentile.
type blockedLoad struct {
	*crew
	house  House
	naps   *rings // of one receiver each
	echoes Echoes
	tally  *tally
	begun  time.Time
	ended  time.Time
}

func openBlocked(impl any, s Shape, _ string) (load, error) {
	h, err := impl.(Local).Open(false)
	if err != nil {
		return nil, err
	}
	l := &blockedLoad{crew: newCrew(), house: h, naps: newRings(s.Rings, s.Actors, napTime), tally: newTally()}
	l.echoes, err = h.Echoes(1)
	return l, err
}

func (l *blockedLoad) start() {
	l.begun = time.Now()
	if err := l.house.Rings(l.naps); err != nil {
		l.hire(func() error { return fmt.Errorf("start: %w", err) })
		return
	}
	l.hire(l.askLoop)
}

func (l *blockedLoad) askLoop() error {
	ask := l.echoes.Asker(0)
	pace := time.NewTicker(askPace)
	defer pace.Stop()
	for v := uint64(1); !l.stopping.Load(); v++ {
		<-pace.C
		begin := time.Now()
		if err := checkedAsk(ask, v); err != nil {
			return err
		}
		if l.recording.Load() {
			l.tally.add(time.Since(begin))
		}
		l.tally.count.Store(v)
	}
	return nil
}

func (l *blockedLoad) done() (count, error) { return countNow(l.tally.count.Load()), nil }

func (l *blockedLoad) stop() (*hdrhistogram.Histogram, error) {
	err := l.dismiss()
	if err == nil {
		err = l.naps.stop()
	}
	l.ended = time.Now()
	l.house.Close()
	return l.tally.lat, err
}

// gauges says how many handlers slept at a time, from start to stop.
func (l *blockedLoad) gauges() Gauges {
	slept := float64(l.naps.done()) * napTime.Seconds()
	return Gauges{Asleep: slept / l.ended.Sub(l.begun).Seconds()}
}
