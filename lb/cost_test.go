package lb

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// near reports whether a and b differ by less than a thousandth.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-3*max(math.Abs(a), math.Abs(b)) }

func TestCost(t *testing.T) {
	type event struct {
		at     time.Duration
		rtt    time.Duration
		failed bool
	}
	e := math.Exp(-1)
	tests := []struct {
		name   string
		events []event
		at     time.Duration
		want   float64 // nanoseconds
	}{
		{"nothing is known", nil, sec, 0},
		{"the first sample counts in full", []event{{0, 3 * ms, false}}, 0, 3e6},
		{"a peak replaces the average", []event{{0, ms, false}, {0, 9 * ms, false}}, 0, 9e6},
		{"a dip at the same instant has no weight", []event{{0, 9 * ms, false}, {0, ms, false}}, 0, 9e6},
		{"a dip weighs by its distance", []event{{0, 9 * ms, false}, {10 * sec, ms, false}}, 10 * sec, 1e6*(1-e) + 9e6*e},
		{"silence fades", []event{{0, 9 * ms, false}}, 10 * sec, 9e6 * e},
		{"a quick failure counts five times the average", []event{{0, 2 * ms, false}, {0, 1, true}}, 0, 10e6},
		{"a slow failure counts what it took", []event{{0, 2 * ms, false}, {0, 700 * ms, true}}, 0, 700e6},
		{"a first failure counts 150 ms", []event{{0, 1, true}}, 0, 150e6},
		{"a failure without a time counts too", []event{{0, 2 * ms, false}, {0, 0, true}}, 0, 10e6},
		{"repeated failures end at 5 s", []event{{0, sec, false}, {0, 1, true}, {0, 1, true}, {0, 1, true}}, 0, 5e9},
		{"a failure is not forgiven by silence", []event{{0, 2 * ms, false}, {100 * sec, 1, true}}, 100 * sec, 10e6},
		{"a success after silence is believed", []event{{0, sec, true}, {200 * sec, ms, false}}, 200 * sec, 1e6},
		{"an order reversed by a race", []event{{5 * sec, 9 * ms, false}, {4 * sec, ms, false}}, 5 * sec, 9e6},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c cost
			origin := int64(time.Hour)
			for _, ev := range test.events {
				if ev.failed {
					c.fail(origin+int64(ev.at), ev.rtt)
				} else {
					c.observe(origin+int64(ev.at), ev.rtt)
				}
			}
			if got := c.at(origin + int64(test.at)); !near(got, test.want) {
				t.Errorf("cost %v, want %v", time.Duration(got), time.Duration(test.want))
			}
		})
	}
}

func TestDoneWithoutMeasureTeachesNothing(t *testing.T) {
	g, _ := groupOf(P2C(), 1)
	pick(t, g).Done(0, false)
	if n := g.Nodes()[0]; n.Cost() != 0 {
		t.Errorf("cost %v after a tell", n.Cost())
	}
	pick(t, g).Done(2*ms, false)
	pick(t, g).Done(-1, false)
	if n := g.Nodes()[0]; !near(float64(n.Cost()), 2e6) {
		t.Errorf("cost %v, want 2ms", n.Cost())
	}
}

// TestCostStaysBetweenItsSamples is the law of an average: fading apart, it is
// never above the highest sample nor, when freshly changed, below the lowest.
func TestCostStaysBetweenItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sample
		now := rapid.Uint32().Draw(t, "origin") // also near the wrap
		low, high := math.Inf(1), 0.0
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			now += rapid.Uint32Range(0, 1<<20).Draw(t, "pause")
			rtt := float64(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "rtt"))
			low, high = min(low, rtt), max(high, rtt)
			s = unpack(s.observe(now, rtt).pack())
			if got := s.at(now); got < low*0.999 || got > high*1.001 {
				t.Fatalf("average %v of samples between %v and %v", got, low, high)
			}
		}
	})
}

func TestConcurrentPeakIsNotLost(t *testing.T) {
	var c cost
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				c.observe(int64(j), time.Duration(1+(i*1000+j)%7919))
			}
		})
	}
	wg.Wait()
	if got := c.at(0); !near(got, 7919) {
		t.Errorf("peak %v, want 7919", got)
	}
}
