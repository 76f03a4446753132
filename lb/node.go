package lb

import (
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
)

// MaxWeight is the largest weight of a [Member]; larger ones count as this.
const MaxWeight = 1<<16 - 1

// Member is what the registry says of one endpoint of a service. It is a value
// that [Group.Update] reads and does not keep.
type Member struct {
	Endpoint    posthaste.Endpoint
	Incarnation uint64 // run of the node that answers there; higher is newer
	Weight      int    // share of the load relative to the others; 0 or less counts as 1
	Zone        string // where it stands, "" if not known
	Value       any    // the caller's own, for [Node.Value]: nil or comparable, mostly a pointer
}

// Node is one endpoint of a service as this process sees it: who it is, how many
// calls it has in flight and what they cost. [Group.Update] makes Nodes;
// [Group.Pick] hands them out. Safe for concurrent use without locks.
type Node struct {
	// Value is the [Member.Value] that the node was made with. The group only
	// compares it. Read-only.
	Value any

	// Set once when the node is made.
	endpoint    posthaste.Endpoint
	incarnation uint64
	zone        string
	now         func() int64 // the group's clock
	load        *load        // shared by the Nodes that stood for this run of the endpoint
}

// load is what changes about a node. Written with atomics by all.
type load struct {
	weight   atomic.Int64 // 1…MaxWeight; written by Update, read by policies
	inflight atomic.Int64 // picks without their Done
	cost     cost         // what Done has taught
}

// newNode makes the Node for m, which works on l.
func newNode(m Member, l *load, now func() int64) *Node {
	return &Node{Value: m.Value, endpoint: m.Endpoint, incarnation: m.Incarnation, zone: m.Zone, now: now, load: l}
}

// Endpoint returns where the node answers.
func (n *Node) Endpoint() posthaste.Endpoint { return n.endpoint }

// Incarnation returns the run of the node that this Node stands for.
func (n *Node) Incarnation() uint64 { return n.incarnation }

// Zone returns where the node stands, "" if not known.
func (n *Node) Zone() string { return n.zone }

// Weight returns the node's share of the load relative to the others,
// 1…[MaxWeight], as the last Update gave it.
func (n *Node) Weight() int { return int(n.load.weight.Load()) }

// InFlight returns how many picks of the node have not ended with Done.
func (n *Node) InFlight() int { return int(n.load.inflight.Load()) }

// Cost returns what a call to the node is expected to take now: the peak-biased
// average of the round trips that Done reported, which fades while there are
// none. 0 means that nothing is known.
func (n *Node) Cost() time.Duration { return time.Duration(n.load.cost.at(n.now())) }

// Done ends one pick. Call it exactly once for each [Group.Pick]; one call too
// many panics.
//
// rtt is how long the call took, also if the caller gave up waiting: it is then
// a lower bound and still tells the truth about the node. failed says that the
// node failed the call: it was unreachable, overloaded or did not answer. An
// error that a handler returned on purpose is no failure here.
//
// A failure counts as slow however quickly it came: as at least five times what
// the node cost so far. A node that said when to come back is best reported
// with the larger of that time and rtt. An rtt of 0 or less without failure
// means that nothing was measured (a tell), and teaches nothing; so take rtt from
// a clock that is finer than the calls.
//
// It takes no lock, does not allocate, and mostly writes nothing but the
// in-flight counter.
func (n *Node) Done(rtt time.Duration, failed bool) {
	if n.load.inflight.Add(-1) < 0 {
		panic("lb: Node.Done without a Pick")
	}
	switch {
	case failed:
		n.load.cost.fail(n.now(), rtt)
	case rtt > 0:
		n.load.cost.observe(n.now(), rtt)
	}
}

func (l *load) setWeight(w int) { l.weight.Store(int64(min(max(w, 1), MaxWeight))) }
