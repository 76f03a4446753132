package runtime_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestStream reads local streams to their ends, of lengths around those at which
// items change hands.
func TestStream(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	for _, n := range []int{0, 1, 2, 1000, rt.MaxStreamItems} {
		items, err := collect(rt.Recv(t.Context(), ref, emit, emitCount(n)))
		if err != nil || len(items) != n || !slices.Equal(items, slices.Collect(firsts(count(n)))) {
			t.Errorf("of %d items %d came, or in another order; %v", n, len(items), err)
		}
	}
}

// firsts drops the errors of a sequence.
func firsts[R any](s iter.Seq2[R, error]) iter.Seq[R] {
	return func(yield func(R) bool) {
		for r := range s {
			if !yield(r) {
				return
			}
		}
	}
}

func TestStreamAsksAnewForEachIteration(t *testing.T) {
	ref := spawn(t, start(t), "")
	asked := 0
	s := rt.Recv(t.Context(), ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] { asked++; return count(asked) })
	answers(t, ref)
	if asked != 0 {
		t.Errorf("the handler ran %d times before the first iteration", asked)
	}
	for want := range 3 {
		if items, err := collect(s); err != nil || len(items) != want+1 {
			t.Errorf("iteration %d: %v, %v", want, items, err)
		}
	}
}

func TestStreamErrorInTheMiddle(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	late := false
	items, err := collect(rt.Recv(t.Context(), ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil) && yield(3, errNoMoney)
			late = yield(4, nil)
		}
	}))
	refused(t, err, posthaste.Unknown, executed, "open script.emit to acc", "no money")
	if !errors.Is(err, errNoMoney) || !slices.Equal(items, []int{1, 2}) {
		t.Errorf("items %v, then %v; want 1 and 2, then what the handler yielded", items, err)
	}
	answers(t, ref)
	if late {
		t.Error("the handler could yield after an error")
	}
}

func TestStreamPanicInTheMiddle(t *testing.T) {
	sys := start(t)
	ref := spawn(t, sys, "acc")
	items, err := collect(rt.Recv(t.Context(), ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			yield(1, nil)
			panic(errNoMoney)
		}
	}))
	refused(t, err, posthaste.Internal, unknown, "the handler panicked", "the log of test")
	if !errors.Is(err, errNoMoney) || !slices.Equal(items, []int{1}) {
		t.Errorf("items %v, then %v; want 1, then the panic", items, err)
	}
	answers(t, ref)
	if s := sys.Stats(); s.Crashes != 1 || s.Restarts != 1 {
		t.Errorf("stats are %+v, want one crash and one restart", s)
	}
}

// endless yields until it is told to stop, then says so.
func endless(c *rt.Context, stopped chan<- error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 0; yield(i, nil); i++ {
			if i == 10 { // enough for the reader
				<-c.Done()
			}
		}
		stopped <- context.Cause(c)
	}
}

// TestBreakCancelsTheStream has a handler wait in the middle of its stream: only
// its context can tell it that the reader has left.
func TestBreakCancelsTheStream(t *testing.T) {
	ref := spawn(t, start(t), "")
	stopped := make(chan error, 1)
	for i, err := range rt.Recv(t.Context(), ref, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] { return endless(c, stopped) }) {
		if err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			break
		}
	}
	if cause := <-stopped; cause != context.Canceled {
		t.Errorf("the cause of the handler's context is %v, want %v", cause, context.Canceled)
	}
	answers(t, ref)
}

func TestReadersContextEndsTheStream(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	stopped := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for i, err := range rt.Recv(ctx, ref, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] { return endless(c, stopped) }) {
		if last = err; i == 10 {
			cancel(errNoMoney)
		}
	}
	refused(t, last, posthaste.Canceled, unknown, "open script.emit to acc", "no money")
	if cause := <-stopped; cause != errNoMoney {
		t.Errorf("the cause of the handler's context is %v, want the reader's", cause)
	}
}

func TestPanicOfTheReaderCancelsTheStream(t *testing.T) {
	ref := spawn(t, start(t), "")
	stopped := make(chan error, 1)
	func() {
		defer func() { _ = recover() }()
		for range rt.Recv(t.Context(), ref, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] { return endless(c, stopped) }) {
			panic("the reader's own")
		}
	}()
	<-stopped
}

// TestQueuedStreamOfAReaderWhoLeft cancels a stream before its handler starts.
func TestQueuedStreamOfAReaderWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "")
		release := hold(t, ref)
		ctx, cancel := context.WithCancel(t.Context())
		ended, ran := make(chan error), false
		go func() {
			_, err := collect(rt.Recv(ctx, ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] { ran = true; return count(1) }))
			ended <- err
		}()
		synctest.Wait() // the request is queued
		cancel()
		refused(t, <-ended, posthaste.Canceled, unknown)
		release()
		answers(t, ref)
		if ran {
			t.Error("the handler ran for a reader who had left")
		}
	})
}

// TestStreamBeyondTheLimit has a reader who does not read while the handler yields
// more than may wait, whatever the reader took before.
func TestStreamBeyondTheLimit(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	next, halt := iter.Pull2(rt.Recv(t.Context(), ref, emit, emitCount(2*rt.MaxStreamItems+1)))
	defer halt()
	for n := 0; ; n++ {
		if n == 1 {
			answers(t, ref) // so the handler has yielded all it can
		}
		i, err, ok := next()
		if !ok {
			t.Fatalf("the stream ended properly after %d items", n)
		}
		if err != nil {
			refused(t, err, posthaste.ResourceExhausted, executed, "65536 values", "rt.MaxStreamItems")
			if n < rt.MaxStreamItems {
				t.Errorf("%d items came before the error, want all that waited", n)
			}
			return
		}
		if i != n {
			t.Fatalf("item %d is %d", n, i)
		}
	}
}

func TestStreamFromAHandler(t *testing.T) {
	sys := start(t)
	reader, source := spawn(t, sys, ""), spawn(t, sys, "")
	items := do(t, reader, func(_ *notes, c *rt.Context) ([]int, error) {
		return collect(rt.Recv(c, source, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] {
			if c.From() != reader.Addr() {
				t.Errorf("the stream is from %v, want %v", c.From(), reader)
			}
			return count(100)
		}))
	})
	if len(items) != 100 {
		t.Errorf("a handler read %d items, want 100", len(items))
	}
}

// TestQueuedStreamOfAnActorThatStops has an actor crash for good while a stream
// waits in its mailbox.
func TestQueuedStreamOfAnActorThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc", rt.Restart(0, 0))
		release := hold(t, ref)
		tell(t, ref, func(*notes, *rt.Context) error { panic("for good") })
		ended := make(chan error)
		go func() { _, err := collect(rt.Recv(t.Context(), ref, emit, emitCount(1))); ended <- err }()
		synctest.Wait() // the request is queued
		release()
		refused(t, <-ended, posthaste.ActorStopped, notExecuted, "open script.emit to acc", "for good")
		_, err := collect(rt.Recv(t.Context(), ref, emit, emitCount(1)))
		refused(t, err, posthaste.ActorStopped, notExecuted, "acc has stopped", "for good")
	})
}
