package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
)

func number(i int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }

// TestReaderIsWoken lets one thing happen to a stream whose reader sleeps.
func TestReaderIsWoken(t *testing.T) {
	tests := []struct {
		name string
		by   func(*Stream)
		want string
	}{
		{"by an item", deliver("a"), "a"},
		{"by the end", finish, "EOF"},
		{"by a failure", fail, "test"},
		{"by a cancel", cancel, "CANCELED"},
		{"by an item too large", func(s *Stream) { _ = s.Deliver(make([]byte, 17<<20)) }, "RESOURCE_EXHAUSTED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				woken := make(chan struct{})
				go func() {
					defer close(woken)
					item, err := s.Recv(t.Context())
					if err != nil {
						item = []byte(recv(s)) // ends do not change
					}
					if string(item) != test.want {
						t.Errorf("got %q, %v", item, err)
					}
				}()
				synctest.Wait() // it sleeps
				test.by(s)
				<-woken
			})
		})
	}
}

func TestReaderStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := s.Recv(ctx)
		if posthaste.CodeOf(err) != posthaste.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("Recv = %v after %v", err, time.Since(began))
		}
	})
}

// TestItemAndDeadlineTogether races an item with the end of the reader's context:
// whichever comes first, the item is not lost.
func TestItemAndDeadlineTogether(t *testing.T) {
	for range 500 {
		s := New(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(cancel)
		wg.Go(func() { _ = s.Deliver([]byte("a")) })
		item, err := s.Recv(ctx)
		wg.Wait()
		if err != nil {
			item, err = s.Recv(t.Context())
		}
		if string(item) != "a" || err != nil {
			t.Fatalf("Recv = %q, %v", item, err)
		}
		if got := drain(s); got != "wait" {
			t.Fatalf("then %q", got)
		}
	}
}

// TestOrderUnderConcurrency reads while another goroutine delivers, with a reader
// that now and then gives up waiting.
func TestOrderUnderConcurrency(t *testing.T) {
	const n = 20_000
	s := New(Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			if err := s.Deliver(number(i)); err != nil {
				t.Error(err)
				return
			}
			if rand.IntN(8) == 0 {
				runtime.Gosched()
			}
		}
		s.Finish()
	})
	got := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(50))*time.Microsecond)
		item, err := s.Recv(ctx)
		cancel()
		if err == io.EOF {
			break
		}
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil || binary.LittleEndian.Uint64(item) != uint64(got) {
			t.Fatalf("Recv = %v, %v; want item %d", item, err, got)
		}
		got++
	}
	wg.Wait()
	if got != n {
		t.Errorf("%d items, want %d", got, n)
	}
}

// TestEveryEndWakes aborts a stream from all sides at once while it is read and
// written. The reader must come to an end, and to the same one ever after.
func TestEveryEndWakes(t *testing.T) {
	for range 300 {
		s := New(Options{MaxItems: 64})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 100 {
				_ = s.Deliver(number(i))
			}
		})
		wg.Go(func() { s.Fail(errTest) })
		wg.Go(func() { s.Cancel(nil) })
		wg.Go(s.Finish)
		wg.Go(s.CloseSend)
		var first error
		for first == nil {
			_, first = s.Recv(t.Context())
		}
		wg.Wait()
		if _, again := s.Recv(t.Context()); again != first || s.State() != Closed {
			t.Fatalf("end %v, then %v in state %v", first, again, s.State())
		}
	}
}

// TestTwoReadersDoNotBlockTheLoop breaks the rule of one reader: that is the
// readers' loss, but the loop must not hang.
func TestTwoReadersDoNotBlockTheLoop(t *testing.T) {
	s := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.Recv(ctx)
			}
		})
	}
	for i := range 5000 {
		_ = s.Deliver(number(i))
	}
	cancel()
	wg.Wait()
}

func TestDeliverAndRecvDoNotAllocate(t *testing.T) {
	s := New(Options{})
	item := make([]byte, 64)
	ctx := t.Context()
	run := func() {
		for range 8 {
			_ = s.Deliver(item)
		}
		for range 8 {
			_, _ = s.Recv(ctx)
		}
		_ = s.Reserve(ctx, 64)
	}
	run() // makes the ring
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDeliverRecv(b *testing.B) {
	s := New(Options{})
	item := make([]byte, 64)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Deliver(item)
		_, _ = s.Recv(ctx)
	}
}

// BenchmarkHandOff delivers in bursts to a reader on another goroutine, as a loop
// does that reads a batch of frames.
func BenchmarkHandOff(b *testing.B) {
	const burst = 64
	s := New(Options{})
	item := make([]byte, 64)
	read := make(chan struct{}, 1)
	go func() {
		for n := 1; ; n++ {
			if _, err := s.Recv(context.Background()); err != nil {
				close(read)
				return
			}
			if n%burst == 0 {
				read <- struct{}{}
			}
		}
	}()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_ = s.Deliver(item)
		if i++; i%burst == 0 {
			<-read
		}
	}
	s.Finish()
	for range read {
	}
}

func BenchmarkReserve(b *testing.B) {
	s := New(Options{})
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Reserve(ctx, 64)
	}
}
