package posthaste_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-go/posthaste"
)

// A handler gives its error a code; the caller, on whatever node, branches on it.
func ExampleErrorf() {
	withdraw := func(balance, n int64) error {
		if n > balance {
			return posthaste.Errorf(posthaste.FailedPrecondition, "balance is %d, cannot withdraw %d", balance, n)
		}
		return nil
	}

	err := withdraw(10, 25)
	fmt.Println(err)
	fmt.Println(posthaste.CodeOf(err) == posthaste.FailedPrecondition)
	// Output:
	// FAILED_PRECONDITION: balance is 10, cannot withdraw 25
	// true
}

// An application numbers its own codes from FirstApplication.
func ExampleErrorf_application() {
	const AccountFrozen = posthaste.FirstApplication + 1

	err := posthaste.Errorf(AccountFrozen, "account acc-1 is frozen until Monday")
	fmt.Println(err)
	fmt.Println(posthaste.CodeOf(err) == AccountFrozen, posthaste.StatusOf(err))
	// Output:
	// CODE(1025): account acc-1 is frozen until Monday
	// true EXECUTED
}

// Whether a failed call may be repeated is a question for its status, not for
// its code: NOT_EXECUTED means that no handler saw it.
func ExampleStatusOf() {
	for _, err := range []error{
		posthaste.Errorf(posthaste.MailboxFull, "1024 messages wait"),
		posthaste.Errorf(posthaste.ConnLost, "the connection ended before the reply"),
		posthaste.Errorf(posthaste.NotFound, "no account acc-2"),
	} {
		fmt.Println(posthaste.CodeOf(err), posthaste.StatusOf(err))
	}
	// Output:
	// MAILBOX_FULL NOT_EXECUTED
	// CONN_LOST UNKNOWN
	// NOT_FOUND EXECUTED
}

// Everything that the runtime knows about a failed call is in the Error.
func ExampleError() {
	var err error = &posthaste.Error{
		Code:       posthaste.RateLimited,
		Status:     posthaste.StatusNotExecuted,
		RetryAfter: 40 * time.Millisecond,
		Op:         "ask bank.deposit",
		To:         posthaste.Addr{Name: "acc-1", Node: posthaste.Endpoint{Network: "tcp", Address: "10.0.0.7:7001"}},
		Msg:        "over 5000 calls a second",
	}

	var e *posthaste.Error
	if errors.As(fmt.Errorf("payday: %w", err), &e) {
		fmt.Println(e)
		fmt.Println(e.To.Name, e.RetryAfter)
	}
	// Output:
	// ask bank.deposit to acc-1@10.0.0.7:7001: RATE_LIMITED: over 5000 calls a second (retry after 40ms)
	// acc-1 40ms
}

// A deadline that passed is the same error wherever it passed.
func ExampleError_Is() {
	err := posthaste.Errorf(posthaste.ExpiredInQueue, "queued 1.9s behind 431 messages, never started")
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// true
}

func ExampleParseAddr() {
	for _, text := range []string{"acc-1", "acc-1@10.0.0.7:7001", "#1f.18c2a@unix:/run/bank.sock", "acc 1"} {
		a, err := posthaste.ParseAddr(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("name %q, id %#x, node %q\n", a.Name, a.ID, a.Node)
	}
	// Output:
	// name "acc-1", id 0x0, node ""
	// name "acc-1", id 0x0, node "10.0.0.7:7001"
	// name "", id 0x1f, node "unix:/run/bank.sock"
	// INVALID_ARGUMENT: name "acc 1" has ' ' at byte 3; allowed are letters, digits and . _ / -
}

// An interceptor wraps the call, whichever side it is on and wherever the actor
// lives. This one says what happened.
func ExampleInterceptor() {
	var logged posthaste.Interceptor = func(next posthaste.Invoker) posthaste.Invoker {
		return func(ctx context.Context, c *posthaste.Call) error {
			err := next(ctx, c)
			fmt.Println(c.Verb, c.Method, "to", c.To, "->", posthaste.CodeOf(err))
			return err
		}
	}

	call := logged(func(context.Context, *posthaste.Call) error {
		return posthaste.Errorf(posthaste.Draining, "the node is shutting down")
	})
	_ = call(context.Background(), &posthaste.Call{
		Verb: posthaste.VerbAsk, Method: "bank.deposit", To: posthaste.Addr{Name: "acc-1"},
	})
	// Output:
	// ask bank.deposit to acc-1 -> DRAINING
}
