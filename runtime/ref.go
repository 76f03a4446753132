package runtime

import (
	"github.com/posthaste-go/posthaste"
)

// Ref is a reference to whatever accepts protocol P: an actor of this node, one
// of another node, or a service. All verbs take it. It is a small value: copy it,
// compare it, keep it. The zero Ref refers to nothing, and calls on it fail.
type Ref[P any] struct{ t target }

// target is a Ref without its type: an actor here, or the way to one elsewhere.
type target struct {
	cell *cell
	far  *remote
}

// Addr returns the address that the reference was made with: that of the actor,
// or for a service the service's name without a node.
func (r Ref[P]) Addr() posthaste.Addr { return r.t.addr() }

// String returns the address as text.
func (r Ref[P]) String() string { return r.t.addr().String() }

// IsZero reports whether r refers to nothing.
func (r Ref[P]) IsZero() bool { return r.t == target{} }

func (t target) addr() posthaste.Addr {
	switch {
	case t.cell != nil:
		return t.cell.addr()
	case t.far != nil:
		return t.far.addr
	}
	return posthaste.Addr{}
}

// runtime returns the runtime that the target was made for; it must not be zero.
func (t target) runtime() *Runtime {
	if t.cell != nil {
		return t.cell.rt
	}
	return t.far.rt
}

// label is how the target appears in errors: by name if it has one.
func (t target) label() posthaste.Addr {
	if t.cell != nil {
		return t.cell.label()
	}
	return t.addr()
}

// At returns a reference to the actor at an address, on this node or another. It
// does not look whether the actor exists: the first call will tell. The protocol P
// is the caller's claim; calling a method that the actor lacks fails with
// Unimplemented.
func At[P any](rt *Runtime, addr posthaste.Addr) Ref[P] {
	if addr.Node.IsZero() || rt.answersAt(addr.Node) {
		if a, err := rt.lookup(addr); err == nil {
			return Ref[P]{target{cell: a}}
		}
	}
	return Ref[P]{target{far: rt.newRemote(addr)}}
}
