package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A tellLoad sends as fast as the peer lets it. What the server has handled
// counts, not what was sent.
type tellLoad struct {
	*crew
	teller Teller
	body   []byte
	base   uint64        // handled before this load
	sent   atomic.Uint64 // set when the sender ends
}

var (
	_ load      = (*tellLoad)(nil)
	_ exchanger = (*tellLoad)(nil)
)

// openTell opens one connection with one sender: the only shape there is.
func openTell(impl any, s Shape, addr string) (load, error) {
	t, err := impl.(RemoteTeller).DialTeller(addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	base, err := t.Told(context.Background())
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("told: %w", err)
	}
	return &tellLoad{crew: newCrew(), teller: t, body: make([]byte, s.Body), base: base}, nil
}

func (l *tellLoad) start() {
	l.hire(func() error {
		n := uint64(0)
		defer func() { l.sent.Store(n) }()
		for !l.stopping.Load() {
			if err := l.teller.Tell(context.Background(), l.body); err != nil {
				return fmt.Errorf("tell: %w", err)
			}
			n++
		}
		return nil
	})
}

func (l *tellLoad) done() (count, error) {
	n, err := l.told()
	return countNow(n), err
}

// told returns how many of this load's tells the server has handled.
func (l *tellLoad) told() (uint64, error) {
	n, err := l.teller.Told(context.Background())
	if err != nil {
		return 0, fmt.Errorf("told: %w", err)
	}
	return n - l.base, nil
}

func (l *tellLoad) stop() (*hdrhistogram.Histogram, error) {
	defer l.close()
	if err := l.dismiss(); err != nil {
		return nil, err
	}
	return nil, l.settle(l.sent.Load())
}

func (l *tellLoad) exchange(n int) (int, error) {
	before, err := l.told()
	if err != nil {
		return 0, err
	}
	for range n {
		if err := l.teller.Tell(context.Background(), l.body); err != nil {
			return 0, fmt.Errorf("tell: %w", err)
		}
	}
	return n, l.settle(before + uint64(n))
}

func (l *tellLoad) close() { l.teller.Close() }

// settle waits until the server has handled all that was sent.
func (l *tellLoad) settle(sent uint64) error {
	for end := time.Now().Add(stopGrace); ; time.Sleep(time.Millisecond) {
		n, err := l.told()
		switch {
		case err != nil:
			return err
		case n == sent:
			return nil
		case n > sent || time.Now().After(end):
			return fmt.Errorf("%d tells sent, %d handled", sent, n)
		}
	}
}
