package runtime

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/mailbox"
)

// Method is an ask that actors of protocol P answer: request Q, reply R. Declare
// it once, as a package variable that both sides import. Methods are values:
// copy them freely.
type Method[P, Q, R any] struct{ m *askMethod[Q, R] }

// Event is a tell that actors of protocol P take: a message Q and no reply.
type Event[P, Q any] struct{ m *tellMethod[Q] }

// ServerStream is a request Q to an actor of protocol P that answers with any
// number of R.
type ServerStream[P, Q, R any] struct{ m *streamMethod[Q, R] }

// Name returns the name the method was declared with.
func (m Method[P, Q, R]) Name() string { return m.m.name }

// Name returns the name the event was declared with.
func (e Event[P, Q]) Name() string { return e.m.name }

// Name returns the name the stream was declared with.
func (s ServerStream[P, Q, R]) Name() string { return s.m.name }

// NewMethod declares an ask. The name goes over the wire, so it must be unique
// within the protocol and stay the same: "bank.deposit". NewMethod panics if the
// name is not one that [posthaste.CheckName] accepts, for that is a bug in the
// program.
func NewMethod[P, Q, R any](name string, opts ...MethodOption) Method[P, Q, R] {
	m := &askMethod[Q, R]{method: newMethod(name, posthaste.VerbAsk, opts)}
	m.raw = isRaw[Q]() && isRaw[R]()
	m.calls.New = func() any { return newAskCall(m) }
	return Method[P, Q, R]{m}
}

// NewEvent declares a tell. The rules of [NewMethod] hold.
func NewEvent[P, Q any](name string, opts ...MethodOption) Event[P, Q] {
	m := &tellMethod[Q]{method: newMethod(name, posthaste.VerbTell, opts)}
	m.raw = isRaw[Q]()
	m.fit = fitOf(reflect.TypeFor[Q]())
	return Event[P, Q]{m}
}

// NewServerStream declares a stream of replies. The rules of [NewMethod] hold.
func NewServerStream[P, Q, R any](name string, opts ...MethodOption) ServerStream[P, Q, R] {
	m := &streamMethod[Q, R]{method: newMethod(name, posthaste.VerbOpen, opts)}
	m.raw = isRaw[Q]() && isRaw[R]()
	return ServerStream[P, Q, R]{m}
}

// MethodOption configures a method where it is declared.
type MethodOption interface{ applyMethod(m *method) }

type methodOption func(*method)

func (o methodOption) applyMethod(m *method) { o(m) }

// Idempotent says that running the method twice does no harm, so that a call may
// be repeated when it is not known whether it ran.
func Idempotent() MethodOption {
	return methodOption(func(m *method) { m.idempotent = true })
}

// Lane says which lane of the mailbox and of the connection the method's messages
// take: mailbox.High, mailbox.Normal (the default) or mailbox.Bulk. There is no
// order between lanes.
func Lane(l mailbox.Lane) MethodOption {
	if l < mailbox.High || l > mailbox.Bulk {
		panic(fmt.Sprintf("runtime: Lane(%d): methods use mailbox.High, Normal or Bulk", l))
	}
	return methodOption(func(m *method) { m.lane = l })
}

// Codec says how the method's values travel between nodes; the default is
// msgpack, or the bytes themselves for methods whose types are all []byte.
func Codec(c codec.Codec) MethodOption {
	return methodOption(func(m *method) { m.codec = c })
}

// method is what a method of any kind and type has. It is immutable.
type method struct {
	id         uint32 // number in this process: methods of one protocol are neighbours
	name       string
	verb       posthaste.Verb
	lane       mailbox.Lane
	idempotent bool
	timeout    time.Duration // for asks whose context has no deadline; 0: the runtime's
	raw        bool          // all types are []byte: no codec is needed
	codec      codec.Codec   // nil: raw or the runtime's
}

// askMethod, tellMethod and streamMethod add what depends on the types.
type askMethod[Q, R any] struct {
	method
	calls sync.Pool // of *askCall[Q, R]
}

type tellMethod[Q any] struct {
	method
	fit fit
}

type streamMethod[Q, R any] struct{ method }

// teller is a tellMethod without its type.
type teller interface {
	base() *method
	pack(v any, e *envelope) // v is *Q
}

func (m *tellMethod[Q]) base() *method { return &m.method }

func (m *tellMethod[Q]) pack(v any, e *envelope) { store(&e.body, m.fit, *v.(*Q)) }

// methods counts declarations, to number them. Package variables are declared in
// order, so a protocol's numbers are dense and its handler table needs no hashing.
var methods atomic.Uint32

func newMethod(name string, verb posthaste.Verb, opts []MethodOption) method {
	if err := posthaste.CheckName(name); err != nil {
		panic("runtime: " + err.Error())
	}
	return makeMethod(name, verb, opts)
}

// makeMethod is newMethod without the check: the runtime's own names begin with $.
func makeMethod(name string, verb posthaste.Verb, opts []MethodOption) method {
	m := method{id: methods.Add(1), name: name, verb: verb, lane: mailbox.Normal}
	for _, o := range opts {
		o.applyMethod(&m)
	}
	return m
}

// op is how the method appears in errors: "ask bank.deposit".
func (m *method) op() string { return m.verb.String() + " " + m.name }

func isRaw[T any]() bool {
	_, ok := any((*T)(nil)).(*[]byte)
	return ok
}
