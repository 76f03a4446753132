package posthaste

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is the one error type of posthaste. It crosses the wire: an error that
// a handler returns on one node arrives on another with the same Code, Status,
// RetryAfter and Msg. Treat a received Error as read-only; it may be shared.
type Error struct {
	Code       Code
	Status     Status        // whether the handler ran
	RetryAfter time.Duration // earliest useful retry; 0 if not known
	Op         string        // what was attempted: "ask bank.deposit"
	To         Addr          // the actor or node it was for, if known
	Peer       Endpoint      // the node that answered; zero for this one
	Msg        string        // what happened and what to do next
	Err        error         // cause on this node; does not cross the wire
}

// Errorf makes an [*Error] with c's default status. The %w operands become the
// cause. Handlers return it to give their error a code:
//
//	return 0, posthaste.Errorf(posthaste.NotFound, "no account %q", id)
func Errorf(c Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: c, Status: c.Status(), Msg: err.Error(), Err: errors.Unwrap(err)}
	if _, several := err.(interface{ Unwrap() []error }); several {
		e.Err = err
	}
	return e
}

// Error returns the error as one line: what was attempted, the code, the
// message, and the status when it is not the usual one for the code.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		if !e.To.IsZero() {
			b.WriteString(" to ")
			b.WriteString(e.To.String())
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Code.String())
	if e.Msg != "" {
		b.WriteString(": ")
		b.WriteString(e.Msg)
	} else if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Status != e.Code.Status() {
		b.WriteString(" (")
		b.WriteString(e.Status.String())
		b.WriteString(")")
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (retry after %v)", e.RetryAfter)
	}
	return b.String()
}

// Unwrap returns the cause on this node, if any.
func (e *Error) Unwrap() error { return e.Err }

// Is makes [errors.Is] compare codes: an Error matches any other with the same
// code, so a package-level Error serves as a sentinel, also for errors that came
// from another node. [context.DeadlineExceeded] and [context.Canceled] match the
// codes of the same meaning.
func (e *Error) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Code == DeadlineExceeded || e.Code == ExpiredInQueue
	case context.Canceled:
		return e.Code == Canceled
	}
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of err: OK for nil and nothing else, that of the first
// [*Error] in its chain, DeadlineExceeded or Canceled for the errors of package
// context, and Unknown for all else.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var e *Error
	switch {
	case errors.As(err, &e) && e.Code != OK:
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Unknown
}

// StatusOf returns whether the handler of a call that failed with err ran. An
// error that carries no status means UNKNOWN; nil means EXECUTED.
func StatusOf(err error) Status {
	if err == nil {
		return StatusExecuted
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return StatusUnknown
}
