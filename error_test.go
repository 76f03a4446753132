package posthaste_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
)

func TestErrorText(t *testing.T) {
	addr := posthaste.Addr{Name: "acc-1", Node: posthaste.Endpoint{Network: "mem", Address: "a"}}
	for want, e := range map[string]*posthaste.Error{
		"NOT_FOUND: no account 7":      posthaste.Errorf(posthaste.NotFound, "no account %d", 7),
		"NOT_FOUND (UNKNOWN)":          {Code: posthaste.NotFound},
		"CONN_LOST (EXECUTED)":         {Code: posthaste.ConnLost, Status: posthaste.StatusExecuted},
		"CONN_LOST: EOF":               {Code: posthaste.ConnLost, Err: io.EOF},
		"CONN_LOST: it broke":          {Code: posthaste.ConnLost, Err: io.EOF, Msg: "it broke"},
		"tell bank.note: CONN_LOST":    {Code: posthaste.ConnLost, Op: "tell bank.note"},
		"CODE(2000): frozen":           posthaste.Errorf(2000, "frozen"),
		"UNAVAILABLE (retry after 1s)": {Code: posthaste.Unavailable, RetryAfter: time.Second},
		"ask bank.deposit to acc-1@mem:a: MAILBOX_FULL: 1024 wait (retry after 5ms)": {
			Code: posthaste.MailboxFull, Status: posthaste.StatusNotExecuted, RetryAfter: 5 * time.Millisecond,
			Op: "ask bank.deposit", To: addr, Msg: "1024 wait",
		},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestErrorf(t *testing.T) {
	cause, second := errors.New("disk full"), errors.New("no quota")
	for _, c := range []struct {
		err    *posthaste.Error
		msg    string
		causes []error
	}{
		{posthaste.Errorf(posthaste.DataLoss, "plain"), "plain", nil},
		{posthaste.Errorf(posthaste.DataLoss, "cannot write %s: %w", "x", cause), "cannot write x: disk full", []error{cause}},
		{posthaste.Errorf(posthaste.DataLoss, "%w and %w", cause, second), "disk full and no quota", []error{cause, second}},
		{posthaste.Errorf(posthaste.DataLoss, "not a cause: %v", cause), "not a cause: disk full", nil},
	} {
		if c.err.Code != posthaste.DataLoss || c.err.Status != posthaste.DataLoss.Status() || c.err.Msg != c.msg {
			t.Errorf("got %#v, want DATA_LOSS with its status and %q", c.err, c.msg)
		}
		for _, cause := range c.causes {
			if !errors.Is(c.err, cause) {
				t.Errorf("%q does not wrap %q", c.err, cause)
			}
		}
		if (c.err.Unwrap() != nil) != (c.causes != nil) {
			t.Errorf("%q wraps %v, want %v", c.err, c.err.Unwrap(), c.causes)
		}
	}
}

// TestErrorIs shows that a package-level Error serves as a sentinel, and that an
// error keeps its class on the way from another node, where causes are lost.
func TestErrorIs(t *testing.T) {
	full := posthaste.Errorf(posthaste.MailboxFull, "the mailbox is full")
	for _, c := range []struct {
		err, target error
		want        bool
	}{
		{&posthaste.Error{Code: posthaste.MailboxFull, Msg: "1024 wait"}, full, true},
		{fmt.Errorf("deposit: %w", posthaste.Errorf(posthaste.MailboxFull, "x")), full, true},
		{errors.Join(io.EOF, posthaste.Errorf(posthaste.MailboxFull, "x")), full, true},
		{posthaste.Errorf(posthaste.Overloaded, "x: %w", full), full, true},
		{posthaste.Errorf(posthaste.Overloaded, "x"), full, false},
		{io.EOF, full, false},
		{full, io.EOF, false},
		{posthaste.Errorf(posthaste.ConnLost, "x: %w", io.EOF), io.EOF, true},
		{posthaste.Errorf(posthaste.DeadlineExceeded, "x"), context.DeadlineExceeded, true},
		{posthaste.Errorf(posthaste.ExpiredInQueue, "x"), context.DeadlineExceeded, true},
		{posthaste.Errorf(posthaste.Canceled, "x"), context.Canceled, true},
		{posthaste.Errorf(posthaste.Canceled, "x"), context.DeadlineExceeded, false},
		{posthaste.Errorf(posthaste.DeadlineExceeded, "x"), context.Canceled, false},
	} {
		if got := errors.Is(c.err, c.target); got != c.want {
			t.Errorf("errors.Is(%q, %q) = %t", c.err, c.target, got)
		}
	}
}

func TestCodeOfAndStatusOf(t *testing.T) {
	expired, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	for _, c := range []struct {
		err    error
		code   posthaste.Code
		status posthaste.Status
	}{
		{nil, posthaste.OK, posthaste.StatusExecuted},
		{io.EOF, posthaste.Unknown, posthaste.StatusUnknown},
		{posthaste.Errorf(posthaste.NotFound, "x"), posthaste.NotFound, posthaste.StatusExecuted},
		{fmt.Errorf("y: %w", posthaste.Errorf(posthaste.Draining, "x")), posthaste.Draining, posthaste.StatusNotExecuted},
		{posthaste.Errorf(posthaste.Overloaded, "y: %w", posthaste.Errorf(posthaste.NotFound, "x")), posthaste.Overloaded, posthaste.StatusNotExecuted},
		{&posthaste.Error{Code: posthaste.ConnLost, Status: posthaste.StatusNotExecuted}, posthaste.ConnLost, posthaste.StatusNotExecuted},
		{posthaste.Errorf(2000, "x"), 2000, posthaste.StatusExecuted},
		{context.Canceled, posthaste.Canceled, posthaste.StatusUnknown},
		{fmt.Errorf("y: %w", context.DeadlineExceeded), posthaste.DeadlineExceeded, posthaste.StatusUnknown},
		{expired.Err(), posthaste.DeadlineExceeded, posthaste.StatusUnknown},
		// What failed is never OK, also if a peer says so.
		{&posthaste.Error{Msg: "x"}, posthaste.Unknown, posthaste.StatusUnknown},
	} {
		if code, status := posthaste.CodeOf(c.err), posthaste.StatusOf(c.err); code != c.code || status != c.status {
			t.Errorf("%v is %s, %s; want %s, %s", c.err, code, status, c.code, c.status)
		}
	}
}
