package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Errors to branch on with [errors.Is]. They match by code, whatever the text and
// whichever node the error came from.
var (
	ErrActorNotFound  error = &posthaste.Error{Code: posthaste.ActorNotFound}
	ErrActorStopped   error = &posthaste.Error{Code: posthaste.ActorStopped}
	ErrMailboxFull    error = &posthaste.Error{Code: posthaste.MailboxFull}
	ErrOverloaded     error = &posthaste.Error{Code: posthaste.Overloaded}
	ErrNoEndpoint     error = &posthaste.Error{Code: posthaste.NoEndpoint}
	ErrConnectFailed  error = &posthaste.Error{Code: posthaste.ConnectFailed}
	ErrConnLost       error = &posthaste.Error{Code: posthaste.ConnLost}
	ErrDraining       error = &posthaste.Error{Code: posthaste.Draining}
	ErrTooLarge       error = &posthaste.Error{Code: posthaste.TooLarge}
	ErrUnimplemented  error = &posthaste.Error{Code: posthaste.Unimplemented}
	ErrAlreadyExists  error = &posthaste.Error{Code: posthaste.AlreadyExists}
	ErrExpiredInQueue error = &posthaste.Error{Code: posthaste.ExpiredInQueue}
)

var (
	errCut      = posthaste.Errorf(posthaste.ActorStopped, "the time that the runtime had to stop was up")
	errNoRef    = posthaste.Errorf(posthaste.InvalidArgument, "the Ref is zero: get one from Spawn, Service or At")
	errNoMethod = posthaste.Errorf(posthaste.InvalidArgument, "the method is zero: declare it with NewMethod, NewEvent or NewServerStream")
)

// describe returns err as the caller of a method sees it: an [*posthaste.Error]
// that says what was attempted and on whom. The original is not changed: it may be
// shared.
func describe(err error, m *method, to posthaste.Addr) error {
	if err == nil {
		return nil
	}
	var e *posthaste.Error
	if !errors.As(err, &e) {
		code := posthaste.CodeOf(err)
		e = &posthaste.Error{Code: code, Status: code.Status(), Msg: err.Error(), Err: err}
	}
	if e.Op != "" {
		return e
	}
	described := *e
	described.Op, described.To = m.op(), to
	return &described
}

// handlerError returns what a handler returned as the error it is for its asker,
// the same here as on another node: its code and text, and that the handler ran,
// even if it passes on an error of a call that did not.
func handlerError(err error) *posthaste.Error {
	e, ok := err.(*posthaste.Error)
	if !ok {
		e = &posthaste.Error{Code: posthaste.CodeOf(err), Status: posthaste.StatusExecuted, Msg: err.Error(), Err: err}
		var inner *posthaste.Error
		if errors.As(err, &inner) {
			e.RetryAfter = inner.RetryAfter
		}
		return e
	}
	if e.Status == posthaste.StatusExecuted && e.Op == "" {
		return e
	}
	own := *e // somebody else may hold e
	own.Status = posthaste.StatusExecuted
	if e.Op != "" { // of a call that the handler made: not this one's
		own.Msg, own.Op, own.To, own.Err = e.Error(), "", posthaste.Addr{}, e
	}
	return &own
}

// endOf returns why ctx has ended: its cause, which for a deadline always matches
// context.DeadlineExceeded.
func endOf(ctx context.Context) error {
	why := context.Cause(ctx)
	if err := ctx.Err(); err == context.DeadlineExceeded && !errors.Is(why, err) {
		return fmt.Errorf("%w: %w", err, why)
	}
	return why
}

// gaveUp explains why an asker stopped waiting: its context ended, or its time
// was up. sent says whether the request had left.
func gaveUp(err error, waited time.Duration, sent bool) error {
	status := posthaste.StatusUnknown
	if !sent {
		status = posthaste.StatusNotExecuted
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e := posthaste.Errorf(posthaste.DeadlineExceeded, "no reply within the deadline: %w", err)
		if waited > 0 {
			e.Msg = "no reply within " + waited.String() + "; the context has no deadline, so rt.Timeout or rt.AskTimeout sets one"
		}
		e.Status = status
		return e
	}
	e := posthaste.Errorf(posthaste.Canceled, "the caller gave up: %w", err)
	e.Status = status
	return e
}

// noRoomError is for a sender that has waited for room in vain.
func (a *cell) noRoomError(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return gaveUp(err, 0, false)
	}
	e := posthaste.Errorf(posthaste.DeadlineExceeded, "the mailbox of %s holds its %d messages, and there was no room before the deadline: %w", a.label(), a.box.Capacity(), err)
	e.Status = posthaste.StatusNotExecuted
	return e
}

func (a *cell) fullError(fate string) error {
	e := posthaste.Errorf(posthaste.MailboxFull, "the mailbox of %s holds its %d messages; send slower, or give it a larger one with rt.Mailbox", a.label(), a.box.Capacity())
	if fate != "" {
		e.Msg = "the mailbox of " + a.label().String() + " is full and the message " + fate
	}
	return e
}

// stoppedError is for messages that were not handled when the actor stopped.
func (a *cell) stoppedError() error {
	a.mu.Lock()
	why := a.stopErr
	a.mu.Unlock()
	e := posthaste.Errorf(posthaste.ActorStopped, "%s has stopped, or is about to", a.label())
	if why != nil {
		e.Msg += ": " + why.Error()
		e.Err = why
	}
	e.Status = posthaste.StatusNotExecuted
	return e
}

func (a *cell) expiredError() error {
	return posthaste.Errorf(posthaste.ExpiredInQueue, "the asker's time ran out while the message waited at %s; its handler was not started", a.label())
}
