package posthaste

import (
	"context"
	"strconv"
)

// Verb is the kind of a call.
type Verb uint8

// The verbs.
const (
	VerbAsk  Verb = iota // one request, one reply
	VerbTell             // one message, no reply
	VerbOpen             // a stream
)

// String returns ask, tell or open.
func (v Verb) String() string {
	switch v {
	case VerbAsk:
		return "ask"
	case VerbTell:
		return "tell"
	case VerbOpen:
		return "open"
	}
	return "Verb(" + strconv.Itoa(int(v)) + ")"
}

// Call is what an [Interceptor] sees of a call. It lives until the outermost
// [Invoker] returns and must not be kept.
type Call struct {
	Verb    Verb
	Method  string // as declared: "bank.deposit"
	From    Addr   // the calling actor; zero for a caller outside any actor
	To      Addr   // the actor addressed, if it is known yet
	Service string // the service name addressed, if any
	Inbound bool   // true at the callee, false at the caller
	Attempt int    // 0 for the first
	Request any    // *Q of the method; an interceptor may change what it points to
	Reply   any    // *R of the method, nil for a tell; set once the Invoker returned nil
}

// Invoker carries out a call. It fills c.Reply or returns an error.
type Invoker func(ctx context.Context, c *Call) error

// Interceptor wraps an [Invoker] to act before and after a call: log it, time
// it, refuse it, change it. The same type serves the caller's and the callee's
// side, local and remote calls. next is never nil; calling it not at all refuses
// the call, calling it twice repeats it.
type Interceptor func(next Invoker) Invoker
