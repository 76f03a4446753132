package runtime

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"github.com/posthaste-go/posthaste"
)

// Kind is a kind of actor: how to make its state S, and what handles each method
// of protocol P. It is immutable; spawn any number of actors of it.
type Kind[P, S any] struct{ k *kind }

// Handler binds a method of protocol P to a function of state S. Make one with
// [On], [OnTell] or [OnServer], or a hook with [Started], [Stopped] or
// [Restarted].
type Handler[P, S any] struct {
	h    *handler
	hook func(*kind) error
	err  error
}

// Define makes a kind of actor. new returns the state of a fresh actor; it is
// called for each spawn and each restart, on the goroutine of the caller of Spawn
// or in the actor's turn. Handlers cannot be added later.
//
// Define panics on a mistake in the program: a nil function, two handlers for one
// method, or two hooks of one kind.
func Define[P, S any](new func() *S, handlers ...Handler[P, S]) Kind[P, S] {
	if new == nil {
		panic("runtime: Define: the function that makes the state is nil")
	}
	k := &kind{state: func() any { return new() }, byName: map[string]*handler{}}
	for _, h := range handlers {
		if err := k.add(h.h, h.hook, h.err); err != nil {
			panic("runtime: Define: " + err.Error())
		}
	}
	k.index()
	return Kind[P, S]{k}
}

// On binds an ask to f. f runs in the actor's turn: never twice at once for one
// actor, so S needs no locks. c is valid until f returns. The value or the error
// that f returns is the reply; an error is a reply like any other and does not
// restart the actor, only a panic or [Context.Fail] does.
func On[P, S, Q, R any](m Method[P, Q, R], f func(s *S, c *Context, q Q) (R, error)) Handler[P, S] {
	if m.m == nil || f == nil {
		return Handler[P, S]{err: errors.New("On: the method was not declared, or its handler is nil")}
	}
	return Handler[P, S]{h: &handler{
		method: &m.m.method,
		local: func(state any, c *Context, e *envelope) {
			serveLocalAsk(c, (*askCall[Q, R])(e.body.p), state.(*S), f)
		},
		remote: func(state any, c *Context, in *inbound) { serveRemoteAsk(c, in, state.(*S), f) },
	}}
}

// OnTell binds a tell to f, which runs as described at [On]. Nobody waits for a
// tell, so an error that f returns is logged.
func OnTell[P, S, Q any](e Event[P, Q], f func(s *S, c *Context, q Q) error) Handler[P, S] {
	if e.m == nil || f == nil {
		return Handler[P, S]{err: errors.New("OnTell: the event was not declared, or its handler is nil")}
	}
	return Handler[P, S]{h: &handler{
		method: &e.m.method,
		local: func(state any, c *Context, env *envelope) {
			if err := f(state.(*S), c, load[Q](&env.body, e.m.fit)); err != nil {
				c.tellFailed(err)
			}
		},
		remote: func(state any, c *Context, in *inbound) { serveRemoteTell(c, in, state.(*S), f) },
	}}
}

// OnServer binds a server stream to f, which runs as described at [On]. The
// iterator that f returns is run to its end within the same turn, and its values
// wait for the reader, up to the limits of [StreamLimits]; the first error it
// yields ends the stream with that error.
func OnServer[P, S, Q, R any](m ServerStream[P, Q, R], f func(s *S, c *Context, q Q) iter.Seq2[R, error]) Handler[P, S] {
	if m.m == nil || f == nil {
		return Handler[P, S]{err: errors.New("OnServer: the stream was not declared, or its handler is nil")}
	}
	return Handler[P, S]{h: &handler{
		method: &m.m.method,
		local: func(state any, c *Context, e *envelope) {
			serveLocalStream(c, (*localStream[Q, R])(e.body.p), state.(*S), f)
		},
		remote: func(state any, c *Context, in *inbound) { serveRemoteStream(c, in, state.(*S), f) },
	}}
}

// Started has f run in the actor's first turn, before any message. An error stops
// the actor: what was sent to it is answered with ActorStopped.
func Started[P, S any](f func(s *S, c *Context) error) Handler[P, S] {
	return hook[P, S]("Started", f == nil, func(k *kind) (taken bool) {
		taken = k.started != nil
		k.started = func(state any, c *Context) error { return f(state.(*S), c) }
		return taken
	})
}

// Stopped has f run in the actor's last turn, after its last message.
func Stopped[P, S any](f func(s *S, c *Context)) Handler[P, S] {
	return hook[P, S]("Stopped", f == nil, func(k *kind) (taken bool) {
		taken = k.stopped != nil
		k.stopped = func(state any, c *Context) { f(state.(*S), c) }
		return taken
	})
}

// Restarted has f run on the new state after a restart, with what made it
// necessary, before the next message. An error counts as another crash.
func Restarted[P, S any](f func(s *S, c *Context, why error) error) Handler[P, S] {
	return hook[P, S]("Restarted", f == nil, func(k *kind) (taken bool) {
		taken = k.restarted != nil
		k.restarted = func(state any, c *Context, why error) error { return f(state.(*S), c, why) }
		return taken
	})
}

// hook makes the Handler of a lifecycle function, which set gives to the kind.
func hook[P, S any](name string, missing bool, set func(*kind) (taken bool)) Handler[P, S] {
	if missing {
		return Handler[P, S]{err: fmt.Errorf("%s: the function is nil", name)}
	}
	return Handler[P, S]{hook: func(k *kind) error {
		if set(k) {
			return fmt.Errorf("two %s hooks", name)
		}
		return nil
	}}
}

// handler is one bound method. It is immutable.
type handler struct {
	method *method
	local  func(state any, c *Context, e *envelope) // a message from this node
	remote func(state any, c *Context, in *inbound) // a message from another node
}

// kind is a Kind without its types. It is immutable after index.
type kind struct {
	state     func() any
	started   func(state any, c *Context) error
	stopped   func(state any, c *Context)
	restarted func(state any, c *Context, why error) error

	handlers []*handler
	byName   map[string]*handler
	// table finds a handler by the low bits of its method's number. It is as
	// large as it takes for no two to collide, which for the neighbouring numbers
	// of one protocol is the next power of two.
	table []*handler
	mask  uint32
}

func (k *kind) add(h *handler, hook func(*kind) error, err error) error {
	switch {
	case err != nil:
		return err
	case hook != nil:
		return hook(k)
	case h == nil:
		return errors.New("a zero Handler: make handlers with On, OnTell or OnServer")
	case k.byName[h.method.name] != nil:
		return fmt.Errorf("two handlers for %s", h.method.name)
	}
	k.byName[h.method.name] = h
	k.handlers = append(k.handlers, h)
	return nil
}

// maxTable bounds the handler table: numbers that still collide at this size are
// thousands of declarations apart, and share a place by probing.
const maxTable = 1 << 12

func (k *kind) index() {
	size := 1 << bits.Len(uint(max(len(k.handlers), 1)-1))
	for ; ; size *= 2 {
		if k.tryIndex(size, size >= max(maxTable, 2*len(k.handlers))) {
			return
		}
	}
}

func (k *kind) tryIndex(size int, probe bool) bool {
	k.table, k.mask = make([]*handler, size), uint32(size-1)
	for _, h := range k.handlers {
		i := h.method.id & k.mask
		for k.table[i] != nil {
			if !probe {
				return false
			}
			i = (i + 1) & k.mask
		}
		k.table[i] = h
	}
	return true
}

// find returns the handler for a method, or nil. It is a load and a comparison.
func (k *kind) find(m *method) *handler {
	i := m.id & k.mask
	h := k.table[i]
	for h != nil && h.method != m {
		i = (i + 1) & k.mask
		h = k.table[i]
		if i == m.id&k.mask {
			return nil
		}
	}
	return h
}

func (k *kind) unimplemented(name string) *posthaste.Error {
	return posthaste.Errorf(posthaste.Unimplemented, "this kind of actor has no handler for %s; bind one in its Define, or check that both sides run the same version", name)
}
