package lb

import "math/rand/v2"

// P2C returns the default policy: it takes two different nodes at random and
// picks the one that promises to answer sooner. The promise is
//
//	cost × (calls in flight + 1) / weight
//
// where cost is the peak-biased average round trip that [Node.Done] teaches. Two
// random choices come close to looking at all nodes, at constant cost, and do
// not send every caller to the same best node at once (Mitzenmacher, "The Power
// of Two Choices in Randomized Load Balancing", 2001).
//
// A node that nothing is known about gets one call to learn from, and a second
// one only when the other choice is as unknown. A node that fails or slows down
// is avoided until its cost has faded; it is never shut out for good.
func P2C() Policy { return p2c{} }

type p2c struct{}

func (p2c) Pick(nodes []*Node, _ uint64) int {
	if len(nodes) == 1 {
		return 0
	}
	i, j := twoOf(uint32(len(nodes)), rand.Uint64())
	now := nodes[i].now()
	if nodes[j].score(now) < nodes[i].score(now) {
		return int(j)
	}
	return int(i)
}

// twoOf maps 64 random bits to two different numbers below n, n > 1. Each half is
// scaled by multiplication, which favours no number by more than n in 2^32.
func twoOf(n uint32, bits uint64) (i, j uint32) {
	i = uint32(bits >> 32 * uint64(n) >> 32)
	j = uint32(bits & (1<<32 - 1) * uint64(n-1) >> 32)
	if j >= i {
		j++
	}
	return i, j
}

func (n *Node) score(now int64) float64 {
	return score(n.load.cost.at(now), n.load.inflight.Load(), n.load.weight.Load())
}

// unknown is the score of a node that has its first calls in flight and has
// answered none: worse than any known node, so that it is not flooded before it
// has shown what it can do. Finagle's value, about 39 hours.
const unknown = float64(1<<63-1) / (1 << 16)

// score is the decision of P2C as a pure function: lower is better.
func score(cost float64, inflight, weight int64) float64 {
	if cost == 0 && inflight > 0 {
		return unknown + float64(inflight)/float64(weight)
	}
	return cost * float64(inflight+1) / float64(weight)
}
