package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

func TestFailureOf(t *testing.T) {
	limited := posthaste.Errorf(posthaste.Overloaded, "queue is 2s long")
	limited.RetryAfter = 5 * time.Millisecond
	stopped := posthaste.Errorf(posthaste.ActorStopped, "gone")
	stopped.Status = posthaste.StatusNotExecuted
	cases := []struct {
		name string
		err  error
		want wire.Failure
	}{
		{"plain", errors.New("no"), wire.Failure{Code: posthaste.Unknown, Status: posthaste.StatusExecuted, Message: []byte("no")}},
		{"coded", posthaste.Errorf(posthaste.NotFound, "no %q", "x"), wire.Failure{Code: posthaste.NotFound, Status: posthaste.StatusExecuted, Message: []byte(`no "x"`)}},
		{"status kept", stopped, wire.Failure{Code: posthaste.ActorStopped, Status: posthaste.StatusNotExecuted, Retry: posthaste.RetryOther, Message: []byte("gone")}},
		{"retry after", limited, wire.Failure{Code: posthaste.Overloaded, Status: posthaste.StatusNotExecuted, Retry: posthaste.RetryAfter, RetryAfter: 5 * time.Millisecond, Message: []byte("queue is 2s long")}},
		{"wrapped", fmt.Errorf("load: %w", posthaste.Errorf(posthaste.NotFound, "no")), wire.Failure{Code: posthaste.NotFound, Status: posthaste.StatusExecuted, Message: []byte("load: NOT_FOUND: no")}},
		{"deadline", context.DeadlineExceeded, wire.Failure{Code: posthaste.DeadlineExceeded, Status: posthaste.StatusExecuted, Message: []byte("context deadline exceeded")}},
		{"OK", &posthaste.Error{Msg: "forgot the code"}, wire.Failure{Code: posthaste.Unknown, Message: []byte("forgot the code")}},
		{"cause stays", &posthaste.Error{Code: posthaste.Internal, Err: errors.New("password")}, wire.Failure{Code: posthaste.Internal}},
		{"nil", nil, wire.Failure{Code: posthaste.Unknown, Status: posthaste.StatusExecuted}},
	}
	for _, c := range cases {
		got := wire.FailureOf(c.err)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestFailureCrosses: what the caller sees is what the handler returned.
func TestFailureCrosses(t *testing.T) {
	sent := posthaste.Errorf(posthaste.RateLimited, "quota of %d used up", 5)
	sent.RetryAfter = 1500 * time.Microsecond
	f := wire.FailureOf(sent)
	var back wire.Failure
	if err := back.Parse(wire.AppendFailure(nil, firstID, &f)[wire.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	got := back.Err()
	if got.Code != sent.Code || got.Status != sent.Status || got.Msg != sent.Msg || got.RetryAfter != 2*time.Millisecond {
		t.Errorf("got %+v, want %+v with RetryAfter rounded up", got, sent)
	}
}

func TestFailureErrOwnsItsBytes(t *testing.T) {
	message := []byte("abc\xffdef")
	f := wire.Failure{Code: posthaste.Internal, Message: message}
	err := f.Err()
	clear(message)
	if err.Msg != "abc\uFFFDdef" {
		t.Errorf("message is %q", err.Msg)
	}
}

func TestFailureMessageCut(t *testing.T) {
	for _, c := range []struct {
		name, message string
		want          int
	}{
		{"fits", strings.Repeat("m", 4096), 4096},
		{"ASCII", strings.Repeat("m", 5000), 4096},
		{"between runes", "m" + strings.Repeat("ë", 3000), 4095},
		{"long runes", "mm" + strings.Repeat("🦉", 2000), 4094},
		{"not UTF-8", strings.Repeat("\x80", 5000), 4096},
	} {
		var back wire.Failure
		frame := wire.AppendFailure(nil, firstID, &wire.Failure{Code: posthaste.Internal, Message: []byte(c.message)})
		if err := back.Parse(frame[wire.HeaderLen:]); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if len(back.Message) != c.want || utf8.ValidString(c.message) && !utf8.Valid(back.Message) {
			t.Errorf("%s: cut to %d bytes, valid %v; want %d", c.name, len(back.Message), utf8.Valid(back.Message), c.want)
		}
	}
}

// TestFailureAlwaysFits: whatever f holds, the frame is one that a peer takes.
func TestFailureAlwaysFits(t *testing.T) {
	huge := make([]byte, 1<<20)
	f := wire.Failure{Status: 9, Retry: 99, RetryAfter: 1 << 62, Message: huge, Details: huge}
	var back wire.Failure
	if err := back.Parse(wire.AppendFailure(nil, firstID, &f)[wire.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	if back.Code != posthaste.Unknown || back.Status != posthaste.StatusUnknown || len(back.Details) != 0 {
		t.Errorf("got %v %v with %d bytes of details", back.Code, back.Status, len(back.Details))
	}
	g := wire.GoAway{Message: huge, Successor: huge}
	var backG wire.GoAway
	if err := backG.Parse(wire.AppendGoAway(nil, &g)[wire.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	if backG.Phase != wire.PhaseFinal || len(backG.Message) != wire.MaxErrorText || len(backG.Successor) != 0 {
		t.Errorf("got phase %v, %d bytes of message, successor %q", backG.Phase, len(backG.Message), backG.Successor)
	}
}
