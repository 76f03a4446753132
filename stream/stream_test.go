package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-go/posthaste"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errTest is an error without a code.
var errTest = errors.New("test")

// ended is a context that has ended: with it, Recv never waits.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// recv takes what is there and returns it in words.
func recv(s *Stream) string {
	item, err := s.Recv(ended())
	switch {
	case err == nil:
		return string(item)
	case err == io.EOF:
		return "EOF"
	case strings.Contains(err.Error(), "no item came"):
		return "wait"
	case err == errTest:
		return "test"
	}
	return posthaste.CodeOf(err).String()
}

// drain calls recv until the answer repeats.
func drain(s *Stream) string {
	var got []string
	for {
		next := recv(s)
		if n := len(got); n > 0 && got[n-1] == next {
			return strings.Join(got, " ")
		}
		got = append(got, next)
	}
}

// steps make a table of what may happen to a stream.
var (
	deliver   = func(item string) func(*Stream) { return func(s *Stream) { _ = s.Deliver([]byte(item)) } }
	finish    = (*Stream).Finish
	closeSend = (*Stream).CloseSend
	fail      = func(s *Stream) { s.Fail(errTest) }
	cancel    = func(s *Stream) { s.Cancel(nil) }
	take      = func(s *Stream) { recv(s) }
)

func TestStream(t *testing.T) {
	tests := []struct {
		name  string
		steps []func(*Stream)
		read  string // by drain
		send  string // by Reserve
		state State
	}{
		{"new", nil, "wait", "", Open},
		{"items", []func(*Stream){deliver("a"), deliver(""), deliver("b")}, "a  b wait", "", Open},
		{"end after items", []func(*Stream){deliver("a"), finish}, "a EOF", "", HalfClosedRemote},
		{"a server stream, asking end", []func(*Stream){closeSend, deliver("a"), finish}, "a EOF", "FAILED_PRECONDITION", Closed},
		{"a server stream, answering end", []func(*Stream){finish, closeSend}, "EOF", "FAILED_PRECONDITION", Closed},
		{"half closed", []func(*Stream){closeSend, closeSend}, "wait", "FAILED_PRECONDITION", HalfClosedLocal},
		{"finished twice", []func(*Stream){finish, finish}, "EOF", "", HalfClosedRemote},

		{"error after items", []func(*Stream){deliver("a"), deliver("b"), fail}, "a b test", "test", Closed},
		{"a failure spares a half that ended", []func(*Stream){deliver("a"), finish, fail}, "a EOF", "test", Closed},
		{"the first failure counts", []func(*Stream){fail, func(s *Stream) { s.Fail(nil) }, finish}, "test", "test", Closed},
		{"failed without a reason", []func(*Stream){func(s *Stream) { s.Fail(nil) }}, "CANCELED", "CANCELED", Closed},
		{"an item after the failure", []func(*Stream){fail, deliver("a")}, "test", "test", Closed},
		{"an item after the end", []func(*Stream){finish, deliver("a")}, "EOF", "", HalfClosedRemote},

		{"canceled drops items", []func(*Stream){deliver("a"), cancel}, "CANCELED", "CANCELED", Closed},
		{"canceled drops items before the end", []func(*Stream){closeSend, deliver("a"), finish, cancel}, "CANCELED", "FAILED_PRECONDITION", Closed},
		{"canceled after everything", []func(*Stream){closeSend, deliver("a"), finish, take, cancel}, "EOF", "FAILED_PRECONDITION", Closed},
		{"canceled twice", []func(*Stream){func(s *Stream) { s.Cancel(errTest) }, cancel}, "test", "test", Closed},
		{"an item after the cancel", []func(*Stream){cancel, deliver("a")}, "CANCELED", "CANCELED", Closed},
		{"canceled after the failure", []func(*Stream){deliver("a"), fail, cancel}, "CANCELED", "test", Closed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := New(Options{})
			for _, step := range test.steps {
				step(s)
			}
			if got := drain(s); got != test.read {
				t.Errorf("the reader gets %q, want %q", got, test.read)
			}
			send := ""
			if err := s.Reserve(t.Context(), 1); err == errTest {
				send = "test"
			} else if err != nil {
				send = posthaste.CodeOf(err).String()
			}
			if send != test.send || s.State() != test.state {
				t.Errorf("the sender gets %q in state %v, want %q, %v", send, s.State(), test.send, test.state)
			}
		})
	}
}

func TestStates(t *testing.T) {
	want := map[State][3]State{ // endSent, endReceived, aborted
		Open:             {HalfClosedLocal, HalfClosedRemote, Closed},
		HalfClosedLocal:  {HalfClosedLocal, Closed, Closed},
		HalfClosedRemote: {Closed, HalfClosedRemote, Closed},
		Closed:           {Closed, Closed, Closed},
	}
	for s, row := range want {
		for e, next := range row {
			if got := s.after(event(e)); got != next {
				t.Errorf("%v after event %d is %v, want %v", s, e, got, next)
			}
		}
	}
	if got := fmt.Sprint(Open, HalfClosedLocal, HalfClosedRemote, Closed, State(9)); got != "Open HalfClosedLocal HalfClosedRemote Closed State(9)" {
		t.Error(got)
	}
}

func TestCancelSaysWhetherToReset(t *testing.T) {
	tests := []struct {
		name  string
		steps []func(*Stream)
		want  bool
	}{
		{"open", nil, true},
		{"half closed here", []func(*Stream){closeSend}, true},
		{"half closed there", []func(*Stream){finish}, true},
		{"both ended, items wait", []func(*Stream){closeSend, deliver("a"), finish}, false},
		{"failed", []func(*Stream){fail}, false},
		{"canceled before", []func(*Stream){cancel}, false},
	}
	for _, test := range tests {
		s := New(Options{})
		for _, step := range test.steps {
			step(s)
		}
		if got := s.Cancel(nil); got != test.want {
			t.Errorf("%s: reset is %t", test.name, got)
		}
		if items, n := s.Buffered(); items != 0 || n != 0 {
			t.Errorf("%s: %d items of %d bytes after Cancel", test.name, items, n)
		}
	}
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		before  []string
		item    string
		names   string // what the error names; "" if the item fits
	}{
		{"bytes fit", Options{MaxBytes: 4}, []string{"ab"}, "cd", ""},
		{"one byte too many", Options{MaxBytes: 4}, []string{"ab"}, "cde", "item of 3 bytes came while 2 wait for the reader; the limit is 4 (stream.Options.MaxBytes)"},
		{"larger than all room", Options{MaxBytes: 4}, nil, "abcde", "(stream.Options.MaxBytes)"},
		{"items fit", Options{MaxItems: 2}, []string{""}, "", ""},
		{"one item too many", Options{MaxItems: 2}, []string{"", ""}, "", "2 items wait for the reader; the limit is 2 (stream.Options.MaxItems)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := New(test.options)
			for _, item := range test.before {
				if err := s.Deliver([]byte(item)); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Deliver([]byte(test.item))
			if test.names == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if posthaste.CodeOf(err) != posthaste.ResourceExhausted || !strings.Contains(err.Error(), test.names) {
				t.Errorf("Deliver = %v", err)
			}
			for _, item := range test.before {
				if got := recv(s); got != item {
					t.Errorf("got %q, want %q", got, item)
				}
			}
			if got := recv(s); got != "RESOURCE_EXHAUSTED" || s.State() != Closed {
				t.Errorf("then %q, state %v", got, s.State())
			}
		})
	}
}

func TestReadingMakesRoom(t *testing.T) {
	s := New(Options{MaxBytes: 10, MaxItems: 3})
	for i := range 1000 {
		for range 3 {
			if err := s.Deliver([]byte("abc")); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		for range 3 {
			recv(s)
		}
	}
}

func TestItemAfterTheEndIsAViolation(t *testing.T) {
	s := New(Options{})
	s.Finish()
	if err := s.Deliver([]byte("a")); posthaste.CodeOf(err) != posthaste.Protocol {
		t.Errorf("Deliver after Finish = %v", err)
	}
	s.Cancel(nil)
	if got := drain(s); got != "EOF" {
		t.Errorf("the reader gets %q", got)
	}
}

func TestNoFailureLooksLikeTheEnd(t *testing.T) {
	for _, err := range []error{
		io.EOF,
		fmt.Errorf("read: %w", io.EOF),
		posthaste.Errorf(posthaste.ConnLost, "the peer went away: %w", io.EOF),
	} {
		s := New(Options{})
		s.Fail(err)
		_, got := s.Recv(t.Context())
		if errors.Is(got, io.EOF) || posthaste.CodeOf(got) != posthaste.ConnLost || !strings.Contains(got.Error(), "EOF") {
			t.Errorf("Fail(%v) gives the reader %v", err, got)
		}
	}
}

func TestEndedContext(t *testing.T) {
	cause := errors.New("the user closed the window")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	s := New(Options{})
	_, err := s.Recv(ctx)
	if posthaste.CodeOf(err) != posthaste.Canceled || !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("Recv = %v", err)
	}
	if err := s.Reserve(ctx, 1); posthaste.CodeOf(err) != posthaste.Canceled || !errors.Is(err, cause) {
		t.Errorf("Reserve = %v", err)
	}
	if s.State() != Open {
		t.Errorf("the stream is %v after a reader gave up waiting", s.State())
	}
	deliver("a")(s)
	if item, err := s.Recv(ctx); string(item) != "a" || err != nil {
		t.Errorf("Recv = %q, %v; an item that is there goes first", item, err)
	}
}

func TestItemsAreNotCopied(t *testing.T) {
	s := New(Options{})
	item := []byte("abc")
	_ = s.Deliver(item)
	if got, _ := s.Recv(t.Context()); &got[0] != &item[0] {
		t.Error("the reader got a copy")
	}
}

func TestQueue(t *testing.T) {
	var q queue
	next, last := 0, 0
	for _, burst := range []int{1, 7, 8, 9, 100, 3, 5000, 2} {
		for range burst {
			q.push(fmt.Append(nil, last))
			last++
		}
		for q.len() > burst/3 {
			if item, ok := q.pop(); !ok || !bytes.Equal(item, fmt.Append(nil, next)) {
				t.Fatalf("got %s, want %d", item, next)
			}
			next++
		}
	}
	for ; next < last; next++ {
		if item, _ := q.pop(); !bytes.Equal(item, fmt.Append(nil, next)) {
			t.Fatalf("got %s, want %d", item, next)
		}
	}
	if _, ok := q.pop(); ok || len(q.ring) > maxIdleRing {
		t.Errorf("an empty queue gave an item or kept a ring of %d", len(q.ring))
	}
}
