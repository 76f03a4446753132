package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A wire is a sink in memory: what is written goes through an echo and back into
// the mux, both cut into pieces of random lengths.
type wire struct {
	mux    *mux
	echo   echo
	random *rand.Rand

	mu    sync.Mutex // guards following
	wrote [][]byte
	err   error // of the next write
}

func newWire(t *testing.T) *wire {
	w := &wire{random: rand.New(rand.NewPCG(1, 2))}
	w.echo.told = &atomic.Uint64{}
	w.mux = newMux(w)
	t.Cleanup(func() { w.mux.end(errors.New("the test is over")) })
	return w
}

func (w *wire) write(b []byte) error { return w.writev([][]byte{b}) }

func (w *wire) abort() { go w.mux.end(errors.New("aborted")) }

func (w *wire) writev(bs [][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	w.wrote = append(w.wrote, bytes.Join(bs, nil))
	return nil
}

// pump answers what was written until stop is closed.
func (w *wire) pump(t *testing.T, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.mu.Lock()
		wrote := bytes.Join(w.wrote, nil)
		w.wrote = nil
		w.mu.Unlock()
		if len(wrote) == 0 {
			time.Sleep(10 * time.Microsecond)
		}
		for piece := range w.pieces(wrote) {
			out, err := w.echo.feed(piece)
			if err != nil {
				t.Error(err)
			}
			for back := range w.pieces(bytes.Join(out, nil)) {
				if err := w.mux.feed(back); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// pieces cuts b at random places, mostly into few bytes or very many. What it
// yields is overwritten afterwards, as a read buffer is.
func (w *wire) pieces(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(len(b), 1+w.random.IntN(12))
			if w.random.IntN(2) == 0 {
				n = min(len(b), 1+w.random.IntN(100_000))
			}
			piece := slices.Clone(b[:n])
			if !yield(piece) {
				return
			}
			clear(piece)
			b = b[n:]
		}
	}
}

// TestMuxAndEcho sends calls of all sizes, tells and counts through the two halves
// of the raw protocol and wants everything to arrive.
func TestMuxAndEcho(t *testing.T) {
	w := newWire(t)
	stop := make(chan struct{})
	var pump, callers sync.WaitGroup
	pump.Go(func() { w.pump(t, stop) })
	for i := range 8 {
		callers.Go(func() { askMany(t, w.mux, i) })
	}
	for i := range 500 {
		if err := w.mux.tell(make([]byte, i%40)); err != nil {
			t.Fatal(err)
		}
	}
	client := &muxClient{mux: w.mux}
	if n, err := client.Told(t.Context()); n != 500 || err != nil {
		t.Errorf("told %d, %v, want 500", n, err)
	}
	callers.Wait()
	close(stop)
	pump.Wait()
}

func askMany(t *testing.T, m *mux, seed int) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	source := rand.NewChaCha8([32]byte{byte(seed)})
	var buf []byte
	for range 100 {
		size := random.IntN(100)
		if random.IntN(10) == 0 {
			size = random.IntN(3 * bigBody)
		}
		req := make([]byte, size)
		_, _ = source.Read(req)
		reply, err := m.ask(req, buf)
		if err != nil || !bytes.Equal(reply, req) {
			t.Errorf("%d bytes came back of %d, error %v", len(reply), size, err)
			return
		}
		buf = reply
	}
}

// TestMuxEnd wants every caller to get the error: those that wait, the one whose
// reply is arriving, and those that come later.
func TestMuxEnd(t *testing.T) {
	w := newWire(t)
	cause := errors.New("the cable is cut")
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := w.mux.ask(make([]byte, 10), nil)
			errs <- err
		}()
	}
	var sent []byte
	for len(sent) < 3*(frameHead+10) {
		time.Sleep(time.Millisecond)
		w.mu.Lock()
		sent = bytes.Join(w.wrote, nil)
		w.mu.Unlock()
	}
	if err := w.mux.feed(sent[:frameHead+5]); err != nil { // half a reply
		t.Fatal(err)
	}
	w.mux.end(cause)
	for range 3 {
		if err := <-errs; !errors.Is(err, cause) {
			t.Errorf("a waiting caller got %v", err)
		}
	}
	if _, err := w.mux.ask(nil, nil); !errors.Is(err, cause) {
		t.Errorf("a late caller got %v", err)
	}
	if err := w.mux.tell(nil); !errors.Is(err, cause) {
		t.Errorf("a late teller got %v", err)
	}
	w.mux.waitWriter()
}

func TestMuxWriteError(t *testing.T) {
	w := newWire(t)
	w.err = errors.New("broken pipe")
	if _, err := w.mux.ask(make([]byte, 10), nil); !errors.Is(err, w.err) {
		t.Errorf("error %v", err)
	}
	w.mux.waitWriter()
}

// TestMuxStaleReply wants a reply to an earlier call on the same slot, and one to
// a call that never was, to be passed over.
func TestMuxStaleReply(t *testing.T) {
	w := newWire(t)
	w.mux.mu.Lock()
	old, _ := w.mux.pendLocked(&waiter{done: make(chan struct{}, 1)})
	w.mux.takeLocked(old)
	now := &waiter{done: make(chan struct{}, 1)}
	id, _ := w.mux.pendLocked(now)
	w.mux.mu.Unlock()
	if old == id {
		t.Fatal("a slot was used twice under one id")
	}
	var b []byte
	for _, id := range []uint32{old, 0xffffffff, idTell, idTold, id} {
		b = append(appendHead(b, id, 2), fmt.Sprintf("%02d", id%100)...)
	}
	if err := w.mux.feed(b); err != nil {
		t.Fatal(err)
	}
	if len(now.done) != 1 || string(now.reply) != fmt.Sprintf("%02d", id%100) {
		t.Errorf("%d wake-ups, reply %q", len(now.done), now.reply)
	}
}

func TestFrameTooLong(t *testing.T) {
	w := newWire(t)
	long := appendHead(nil, idCall, frameMax+1)
	if err := w.mux.feed(long); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("mux: %v", err)
	}
	if _, err := w.echo.feed(long); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("echo: %v", err)
	}
}
