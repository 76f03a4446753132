package lb

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
)

// ErrNoEndpoint is what [Group.Pick] returns for an empty group. Its code is
// [posthaste.NoEndpoint], its status NOT_EXECUTED. [errors.Is] also matches it
// with errors of that code that name the service.
var ErrNoEndpoint error = posthaste.Errorf(posthaste.NoEndpoint,
	"no node serves this name now; check that one is up, reachable and in the same registry")

// Group is the set of endpoints that serve one name, with the policy that
// chooses among them. Safe for concurrent use.
type Group struct {
	policy Policy       // set once in NewGroup
	now    func() int64 // set once in NewGroup

	mu    sync.Mutex              // serializes Update; Pick does not take it
	nodes atomic.Pointer[[]*Node] // never nil; the slice behind it never changes
}

// Option changes how [NewGroup] makes a group.
type Option func(*Group)

// WithClock makes the group measure the age of what it has learned by now, which
// returns nanoseconds that do not go backwards, from any origin. It is called
// once or twice for each call of the service and must be safe for concurrent
// use. A millisecond is fine enough. The default is the process's monotonic clock,
// which is about half of what a call costs with [P2C].
func WithClock(now func() int64) Option {
	return func(g *Group) { g.now = now }
}

// NewGroup makes an empty group. A nil policy means [P2C].
func NewGroup(p Policy, options ...Option) *Group {
	if p == nil {
		p = P2C()
	}
	g := &Group{policy: p, now: monotonic()}
	for _, o := range options {
		o(g)
	}
	g.nodes.Store(new([]*Node))
	return g
}

// monotonic returns a clock that starts now. Reading it takes about 20 ns.
func monotonic() func() int64 {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

// Update replaces the members of the group. It does not keep the slice.
//
// A member with an endpoint and incarnation that the group has keeps its [Node],
// with the calls in flight and the cost learned; its weight is the new one. If
// its Value is another (the connection was made anew), it gets a new Node with
// that Value, which shares counters and cost with the old one. Of several members
// with one endpoint the one with the highest incarnation counts, the last among
// equals: the others are runs that have ended. Nodes keep the order of the
// members.
//
// Picks that run meanwhile choose among the old members or the new ones. Takes
// O(members) time and memory.
func (g *Group) Update(members []Member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := make(map[posthaste.Endpoint]*Node)
	for _, n := range g.Nodes() {
		known[n.endpoint] = n
	}
	current := newest(members)
	nodes := make([]*Node, len(current))
	for i, m := range current {
		nodes[i] = g.nodeFor(m, known[m.Endpoint])
		nodes[i].load.setWeight(m.Weight)
	}
	g.nodes.Store(&nodes)
}

// nodeFor returns the Node for m. was is the one of the same endpoint so far, or
// nil.
func (g *Group) nodeFor(m Member, was *Node) *Node {
	switch {
	case was == nil || was.incarnation != m.Incarnation:
		return newNode(m, new(load), g.now)
	case was.Value != m.Value:
		return newNode(m, was.load, g.now)
	}
	return was
}

// newest returns members without those that a later run has replaced.
func newest(members []Member) []Member {
	place := make(map[posthaste.Endpoint]int, len(members))
	current := make([]Member, 0, len(members))
	for _, m := range members {
		i, seen := place[m.Endpoint]
		switch {
		case !seen:
			place[m.Endpoint] = len(current)
			current = append(current, m)
		case m.Incarnation >= current[i].Incarnation:
			current[i] = m
		}
	}
	return current
}

// Pick chooses a node for one call and counts the call as in flight until
// [Node.Done]. key is the caller's affinity for policies that look at one; 0
// means none. The error of an empty group is [ErrNoEndpoint].
//
// It takes no lock and does not allocate.
func (g *Group) Pick(key uint64) (*Node, error) {
	nodes := g.Nodes()
	if len(nodes) == 0 {
		return nil, ErrNoEndpoint
	}
	n := nodes[g.policy.Pick(nodes, key)]
	n.load.inflight.Add(1)
	return n, nil
}

// Nodes returns the nodes of the group as the last Update left them. The slice
// is shared and never changes: read it, do not write to it. Costs one atomic
// load.
func (g *Group) Nodes() []*Node { return *g.nodes.Load() }

// Len returns the number of nodes.
func (g *Group) Len() int { return len(g.Nodes()) }
