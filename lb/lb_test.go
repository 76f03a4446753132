package lb

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-go/posthaste"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move by hand. One goroutine only.
type clock struct{ nanos int64 }

func (c *clock) now() int64              { return c.nanos }
func (c *clock) advance(d time.Duration) { c.nanos += int64(d) }

// endpoint makes the i-th endpoint of a test.
func endpoint(i int) posthaste.Endpoint {
	return posthaste.Endpoint{Network: "mem", Address: fmt.Sprintf("n%d", i)}
}

// members makes one member for each weight.
func members(weights ...int) []Member {
	ms := make([]Member, len(weights))
	for i, w := range weights {
		ms[i] = Member{Endpoint: endpoint(i), Incarnation: 1, Weight: w}
	}
	return ms
}

// groupOf makes a group with a clock that stands still until the test moves it.
func groupOf(p Policy, weights ...int) (*Group, *clock) {
	c := &clock{nanos: int64(time.Hour)}
	g := NewGroup(p, WithClock(c.now))
	g.Update(members(weights...))
	return g, c
}

// pick picks from a group that is known to have a node.
func pick(t testing.TB, g *Group) *Node {
	t.Helper()
	n, err := g.Pick(0)
	if err != nil {
		t.Fatalf("Pick: %v", err)
	}
	return n
}

// shares picks and ends n calls and returns what part of them each node got.
func shares(t *testing.T, g *Group, n int) []float64 {
	t.Helper()
	counts := make(map[*Node]int)
	for range n {
		node := pick(t, g)
		counts[node]++
		node.Done(0, false)
	}
	parts := make([]float64, g.Len())
	for i, node := range g.Nodes() {
		parts[i] = float64(counts[node]) / float64(n)
	}
	return parts
}

// policies are all of the package, fresh.
func policies() map[string]Policy {
	return map[string]Policy{
		"Random": Random(), "RoundRobin": RoundRobin(), "Weighted": Weighted(),
		"LeastConn": LeastConn(), "P2C": P2C(),
	}
}
