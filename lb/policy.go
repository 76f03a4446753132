package lb

import (
	"math/rand/v2"
	"sync/atomic"
)

// Policy chooses one of several nodes.
//
// Pick returns an index into nodes, which has at least one. It reads the nodes
// and changes none of them. The slice is a snapshot that never changes: while a
// policy holds on to it, the same slice means the same nodes, so what is
// computed from it once may be kept. key is the caller's affinity, for policies
// that send equal keys to equal nodes; none of this package's looks at it yet.
//
// Pick runs on every call of every caller at once: it must take no lock, must
// not block, and should not allocate. State it needs is its own, in atomics.
type Policy interface {
	Pick(nodes []*Node, key uint64) int
}

// Random returns the policy that picks every node with equal probability and
// keeps no state at all. It ignores weights and load.
func Random() Policy { return random{} }

type random struct{}

func (random) Pick(nodes []*Node, _ uint64) int { return rand.IntN(len(nodes)) }

// RoundRobin returns the policy that picks node after node. It ignores weights
// and load. Of n consecutive picks each of n nodes gets exactly one. It starts
// anywhere, so that many callers that start at once do not all meet at the first
// node.
//
// Give each [Group] its own: a shared one still works, but is even only over
// the sum of its groups.
func RoundRobin() Policy {
	p := new(roundRobin)
	p.next.Store(uint64(rand.Uint32()))
	return p
}

type roundRobin struct{ next atomic.Uint64 }

func (p *roundRobin) Pick(nodes []*Node, _ uint64) int {
	return int((p.next.Add(1) - 1) % uint64(len(nodes)))
}

// LeastConn returns the policy that picks the node with the fewest calls in
// flight for its weight, a random one among equals. It looks at every node, a
// nanosecond or two each: prefer [P2C] above some dozens.
func LeastConn() Policy { return leastConn{} }

type leastConn struct{}

func (leastConn) Pick(nodes []*Node, _ uint64) int {
	// A random place to start from makes the first of equals a random one.
	start := rand.IntN(len(nodes))
	best := start
	for i := start + 1; i < start+len(nodes); i++ {
		at := i
		if at >= len(nodes) {
			at -= len(nodes)
		}
		if lessBusy(nodes[at], nodes[best]) {
			best = at
		}
	}
	return best
}

// lessBusy compares (inflight+1)/weight without dividing. The call to be placed
// counts, so that among idle nodes the heaviest comes first.
func lessBusy(a, b *Node) bool {
	return (a.load.inflight.Load()+1)*b.load.weight.Load() < (b.load.inflight.Load()+1)*a.load.weight.Load()
}
