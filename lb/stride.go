package lb

import (
	"math/rand/v2"
	"sync/atomic"
)

// Weighted returns the policy that gives each node a share of the picks in
// proportion to its weight, spread evenly: a node of weight 3 among others of
// weight 1 is not picked three times in a row. It ignores load. With equal
// weights it is round robin.
//
// The algorithm is the static stride scheduler of grpc-go
// (balancer/weightedroundrobin/scheduler.go): one shared counter walks over the
// nodes again and again, and each is passed over in the rounds that its weight
// does not entitle it to. That needs no lock and no table longer than the nodes.
// One pick takes as many steps as the heaviest weight is above the mean, on
// average, each an atomic add.
//
// Give each [Group] its own: a shared one works, but computes the shares anew,
// with an allocation, whenever the groups take turns.
func Weighted() Policy {
	p := new(weighted)
	p.next.Store(uint64(rand.Uint32()))
	return p
}

// weighted is safe for concurrent use: the counter and the plan are all it has.
type weighted struct {
	next atomic.Uint64          // steps taken
	plan atomic.Pointer[stride] // of the snapshot seen last
}

func (p *weighted) Pick(nodes []*Node, _ uint64) int {
	plan := p.plan.Load()
	if !plan.is(nodes) {
		// Several goroutines may get here after an Update and make equal plans;
		// one that still holds the old snapshot may store its plan last, and the
		// next pick replaces that.
		plan = newStride(nodes)
		p.plan.Store(plan)
	}
	for {
		if i, ok := plan.step(p.next.Add(1) - 1); ok {
			return i
		}
	}
}

// stride is the plan for one snapshot of nodes. Read-only once made.
type stride struct {
	nodes  []*Node  // kept so that its memory is not used for another snapshot
	shares []uint16 // weight of each, scaled so that the heaviest has strideMax
}

const (
	strideMax    = 1<<16 - 1
	strideOffset = strideMax / 2
)

func newStride(nodes []*Node) *stride {
	weights := make([]int64, len(nodes))
	heaviest := int64(1)
	for i, n := range nodes {
		weights[i] = n.load.weight.Load()
		heaviest = max(heaviest, weights[i])
	}
	s := &stride{nodes: nodes, shares: make([]uint16, len(nodes))}
	for i, w := range weights {
		s.shares[i] = uint16(max((w*strideMax+heaviest/2)/heaviest, 1))
	}
	return s
}

// is reports whether s was made for this very snapshot.
func (s *stride) is(nodes []*Node) bool {
	return s != nil && len(s.nodes) == len(nodes) && &s.nodes[0] == &nodes[0]
}

// step returns the node whose turn it is at step n and whether it may take it.
// Over strideMax rounds a node takes as many turns as its share; the offset sets
// neighbours of equal weight apart. The heaviest takes every turn, so that no
// more steps than there are nodes come to nothing in a row.
func (s *stride) step(n uint64) (i int, ok bool) {
	size := uint64(len(s.shares))
	at := n % size
	round := n / size % strideMax
	share := uint64(s.shares[at])
	mod := (share*round + at*strideOffset) % strideMax
	return int(at), mod >= strideMax-share
}
