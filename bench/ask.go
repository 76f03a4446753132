package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// An askLoad is a closed loop: every caller asks, waits for the reply, checks it
// and asks again.
type askLoad struct {
	*crew
	clients []Client
	callers []*caller
	tallies []*tally // of the callers
}

var (
	_ load      = (*askLoad)(nil)
	_ exchanger = (*askLoad)(nil)
)

func openAsk(impl any, s Shape, addr string) (load, error) {
	l := &askLoad{crew: newCrew()}
	for range s.Conns {
		c, err := impl.(Remote).Dial(addr)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("dial: %w", err)
		}
		l.clients = append(l.clients, c)
		for range s.Callers {
			w := newCaller(c, len(l.callers), s.Body)
			l.callers = append(l.callers, w)
			l.tallies = append(l.tallies, w.tally)
		}
	}
	return l, nil
}

func (l *askLoad) start() {
	for _, w := range l.callers {
		l.hire(func() error { return w.loop(l.crew) })
	}
}

func (l *askLoad) done() (count, error) { return countNow(sumTallies(l.tallies)), nil }

func (l *askLoad) stop() (*hdrhistogram.Histogram, error) {
	err := l.dismiss()
	l.close()
	return mergeTallies(l.tallies), err
}

func (l *askLoad) exchange(n int) (int, error) {
	each := (n + len(l.callers) - 1) / len(l.callers)
	for _, w := range l.callers {
		l.hire(func() error {
			for range each {
				if err := w.call(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return each * len(l.callers), l.wait()
}

func (l *askLoad) close() {
	for _, c := range l.clients {
		c.Close()
	}
}

// A caller is one goroutine of an askLoad. Its request is its own number and the
// number of the call, then random bytes, so a reply that belongs to another
// caller, or to an earlier call, is noticed.
type caller struct {
	*tally
	ask  func(ctx context.Context, req, buf []byte) ([]byte, error)
	req  []byte
	buf  []byte // where the last reply came, if the client is an IntoAsker
	next uint64
}

func newCaller(c Client, id, body int) *caller {
	w := &caller{tally: newTally(), req: make([]byte, body), next: uint64(id) << 40}
	source := rand.NewChaCha8([32]byte{byte(id), byte(id >> 8)})
	_, _ = source.Read(w.req) // never fails
	w.ask = func(ctx context.Context, req, _ []byte) ([]byte, error) { return c.Ask(ctx, req) }
	if into, ok := c.(IntoAsker); ok {
		w.ask = into.AskInto
		w.buf = make([]byte, 0, body)
	}
	return w
}

func (w *caller) loop(c *crew) error {
	last := time.Now()
	for !c.stopping.Load() {
		if err := w.call(); err != nil {
			return err
		}
		took := time.Since(last)
		last = last.Add(took)
		if c.recording.Load() {
			w.add(took)
		}
		w.count.Store(w.count.Load() + 1)
	}
	return nil
}

// call makes one call and checks the reply: length and number always, the
// content of every 64th.
func (w *caller) call() error {
	w.next++
	binary.LittleEndian.PutUint64(w.req, w.next)
	reply, err := w.ask(context.Background(), w.req, w.buf)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if w.buf != nil {
		w.buf = reply
	}
	switch {
	case len(reply) != len(w.req):
		return fmt.Errorf("echo: %d bytes came back of %d", len(reply), len(w.req))
	case binary.LittleEndian.Uint64(reply) != w.next:
		return fmt.Errorf("echo: reply %x to call %x", binary.LittleEndian.Uint64(reply), w.next)
	case w.next%samples == 1 && !bytes.Equal(reply, w.req):
		return fmt.Errorf("echo: other bytes came back, from offset %d", firstDifference(reply, w.req))
	}
	return nil
}

// firstDifference compares slices of equal length that differ.
func firstDifference(a, b []byte) int {
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}
