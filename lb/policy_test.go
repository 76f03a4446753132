package lb

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"pgregory.net/rapid"
)

// even fails unless every share is within slack of its part.
func even(t *testing.T, got, want []float64, slack float64) {
	t.Helper()
	for i := range want {
		if got[i] < want[i]-slack || got[i] > want[i]+slack {
			t.Errorf("node %d got %.4f of the picks, want %.4f ± %.4f (all: %.4f)", i, got[i], want[i], slack, got)
		}
	}
}

func TestDistribution(t *testing.T) {
	quarter := []float64{.25, .25, .25, .25}
	tests := []struct {
		name    string
		policy  Policy
		weights []int
		want    []float64
		slack   float64 // six standard deviations where it is random
	}{
		{"random", Random(), []int{1, 9, 1, 1}, quarter, .009},
		{"round robin", RoundRobin(), []int{1, 9, 1, 1}, quarter, 0},
		{"weighted, equal", Weighted(), []int{3, 3, 3, 3}, quarter, 0},
		{"weighted", Weighted(), []int{1, 2, 3, 4}, []float64{.1, .2, .3, .4}, .001},
		{"weighted, far apart", Weighted(), []int{1, 999}, []float64{.001, .999}, .0001},
		{"least conn, idle and equal", LeastConn(), []int{1, 1, 1, 1}, quarter, .009},
		{"p2c, nothing known", P2C(), []int{1, 1, 1, 1}, quarter, .009},
		{"one node", P2C(), []int{1}, []float64{1}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, _ := groupOf(test.policy, test.weights...)
			even(t, shares(t, g, 100_000), test.want, test.slack)
		})
	}
}

func TestWeightedSpreadsEvenly(t *testing.T) {
	g, _ := groupOf(Weighted(), 1, 1, 2)
	heavy := g.Nodes()[2]
	run, longest := 0, 0
	for range 10_000 {
		n := pick(t, g)
		n.Done(0, false)
		if run++; n != heavy {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 2 {
		t.Errorf("the node with half of the weight was picked %d times in a row", longest)
	}
}

func TestWeightedFollowsAnUpdate(t *testing.T) {
	g, _ := groupOf(Weighted(), 1, 1)
	even(t, shares(t, g, 10_000), []float64{.5, .5}, 0)
	g.Update(members(1, 3))
	even(t, shares(t, g, 10_000), []float64{.25, .75}, .001)
}

func TestWeightedSharedByGroups(t *testing.T) {
	p := Weighted()
	a, _ := groupOf(p, 1, 3)
	b, _ := groupOf(p, 3, 1)
	for range 100 {
		if n := pick(t, a); n != a.Nodes()[0] && n != a.Nodes()[1] {
			t.Fatal("group a got a node of group b")
		}
		pick(t, b)
	}
}

// TestStrideKeepsEveryShare walks whole periods, where the shares are exact.
func TestStrideKeepsEveryShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, MaxWeight), 1, 6).Draw(t, "weights")
		g, _ := groupOf(Weighted(), weights...)
		s := newStride(g.Nodes())
		counts := make([]int, len(weights))
		for n := range uint64(strideMax * len(weights)) {
			if i, ok := s.step(n); ok {
				counts[i]++
			}
		}
		for i, share := range s.shares {
			if counts[i] != int(share) {
				t.Fatalf("node %d was picked %d times in a period, want %d", i, counts[i], share)
			}
		}
		if !slices.Contains(s.shares, strideMax) {
			t.Fatalf("no node takes every turn: %v", s.shares)
		}
	})
}

func TestLeastConnPrefersTheIdle(t *testing.T) {
	g, _ := groupOf(LeastConn(), 1, 1, 2)
	got := make([]int, 3)
	for range 400 {
		pick(t, g) // never ends: the counters alone decide
	}
	for i, n := range g.Nodes() {
		got[i] = n.InFlight()
	}
	if want := []int{100, 100, 200}; !slices.Equal(got, want) {
		t.Errorf("in flight %v, want %v", got, want)
	}
}

func TestTwoOfAreDistinctAndEven(t *testing.T) {
	valid := func(n uint32, bits uint64) bool {
		n = n%1000 + 2
		i, j := twoOf(n, bits)
		return i != j && i < n && j < n
	}
	if err := quick.Check(valid, nil); err != nil {
		t.Error(err)
	}
	if i, j := twoOf(2, 1<<64-1); i != 1 || j != 0 {
		t.Errorf("the highest bits give %d, %d", i, j)
	}
	counts := make(map[[2]uint32]int)
	for range 120_000 {
		i, j := twoOf(4, rand.Uint64())
		counts[[2]uint32{i, j}]++
	}
	for pair, n := range counts {
		if n < 9400 || n > 10_600 {
			t.Errorf("pair %v came %d times in 120000, want about 10000", pair, n)
		}
	}
}

func TestScore(t *testing.T) {
	order := []struct {
		name  string
		score float64
	}{
		{"unknown and idle", score(0, 0, 1)},
		{"known, heavy and idle", score(1e6, 0, 4)},
		{"known and idle", score(1e6, 0, 1)},
		{"known and busy", score(1e6, 1, 1)},
		{"slow", score(5e9, 0, 1)},
		{"slow and very busy", score(5e9, 10_000, 1)},
		{"unknown with a call in flight", score(0, 1, 1)},
		{"unknown with two", score(0, 2, 1)},
	}
	for i := 1; i < len(order); i++ {
		if order[i-1].score >= order[i].score {
			t.Errorf("%q is not better than %q", order[i-1].name, order[i].name)
		}
	}
}

// simulate lets callers ask for a while of virtual time, one every gap, and
// returns what part each node got. serve says how a node answers.
func simulate(t *testing.T, p Policy, nodes int, serve func(node int) (rtt time.Duration, failed bool)) []float64 {
	t.Helper()
	const calls, gap = 60_000, time.Millisecond
	g, c := groupOf(p, make([]int, nodes)...)
	type ending struct {
		at     int64
		node   int
		rtt    time.Duration
		failed bool
	}
	var pending []ending
	counts := make([]float64, nodes)
	for range calls {
		c.advance(gap)
		pending = slices.DeleteFunc(pending, func(e ending) bool {
			if e.at <= c.now() {
				g.Nodes()[e.node].Done(e.rtt, e.failed)
			}
			return e.at <= c.now()
		})
		i := slices.Index(g.Nodes(), pick(t, g))
		rtt, failed := serve(i)
		pending = append(pending, ending{c.now() + int64(rtt), i, rtt, failed})
		counts[i] += 1.0 / calls
	}
	return counts
}

func TestP2CAvoids(t *testing.T) {
	healthy := func() time.Duration { return 5*ms + time.Duration(rand.Int64N(int64(ms))) }
	tests := []struct {
		name  string
		first func() (time.Duration, bool) // how node 0 of 5 answers
		below float64                      // the most it may get
	}{
		{"a slow node", func() (time.Duration, bool) { return 100 * ms, false }, .02},
		{"a node that fails fast", func() (time.Duration, bool) { return 50 * time.Microsecond, true }, .001},
		{"a node that never answers in time", func() (time.Duration, bool) { return sec, true }, .005},
		{"a node that fails every third call", func() (time.Duration, bool) { return healthy(), rand.IntN(3) == 0 }, .01},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := simulate(t, P2C(), 5, func(node int) (time.Duration, bool) {
				if node == 0 {
					return test.first()
				}
				return healthy(), false
			})
			if got[0] > test.below {
				t.Errorf("it got %.4f of the calls, want at most %.4f (all: %.3f)", got[0], test.below, got)
			}
			even(t, got[1:], []float64{.25, .25, .25, .25}, .06)
		})
	}
}

func TestP2CTriesAFailedNodeAgain(t *testing.T) {
	g, c := groupOf(P2C(), 1, 1)
	bad, good := g.Nodes()[0], g.Nodes()[1]
	bad.load.inflight.Add(1)
	bad.Done(ms, true)
	back := time.Duration(0)
	for back < 5*time.Minute {
		c.advance(10 * ms)
		back += 10 * ms
		n := pick(t, g)
		n.Done(5*ms, false)
		if n == bad {
			break
		}
	}
	if back < 5*sec || back > time.Minute {
		t.Errorf("tried again after %v; want between 5 s and 1 min (costs %v and %v)", back, bad.Cost(), good.Cost())
	}
}

func TestP2CProbesANewcomerOnce(t *testing.T) {
	g, _ := groupOf(P2C(), 1, 1)
	for range 2 {
		pick(t, g).Done(ms, false)
	}
	g.Update(members(1, 1, 1))
	newcomer := g.Nodes()[2]
	for range 1000 {
		if n := pick(t, g); n != newcomer {
			n.Done(ms, false)
		}
	}
	if newcomer.InFlight() != 1 {
		t.Errorf("the newcomer has %d calls in flight before it answered one", newcomer.InFlight())
	}
}
