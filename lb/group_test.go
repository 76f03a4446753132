package lb

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
)

func TestPickOfEmptyGroup(t *testing.T) {
	g := NewGroup(nil)
	n, err := g.Pick(0)
	if n != nil || !errors.Is(err, ErrNoEndpoint) {
		t.Fatalf("Pick = %v, %v; want nil, ErrNoEndpoint", n, err)
	}
	if posthaste.CodeOf(err) != posthaste.NoEndpoint || posthaste.StatusOf(err) != posthaste.StatusNotExecuted {
		t.Errorf("code %v, status %v", posthaste.CodeOf(err), posthaste.StatusOf(err))
	}
	g.Update(members(1))
	g.Update(nil)
	if _, err := g.Pick(0); err == nil {
		t.Error("a group whose members left still gives one")
	}
}

func TestUpdateKeepsNodesOfMembersThatStay(t *testing.T) {
	g, _ := groupOf(RoundRobin(), 1, 1)
	a, b := g.Nodes()[0], g.Nodes()[1]
	pick(t, g)
	pick(t, g)
	a.Done(time.Millisecond, false)

	restarted := Member{Endpoint: endpoint(1), Incarnation: 2}
	g.Update([]Member{restarted, {Endpoint: endpoint(0), Incarnation: 1, Weight: 7}})

	if got := g.Nodes()[1]; got != a || got.Cost() != a.Cost() || got.Weight() != 7 {
		t.Errorf("the member that stayed: %+v", got)
	}
	if got := g.Nodes()[0]; got == b || got.InFlight() != 0 || got.Incarnation() != 2 {
		t.Errorf("the member that restarted: %+v", got)
	}
	b.Done(time.Millisecond, true) // after its removal: must not disturb
	if b.InFlight() != 0 {
		t.Errorf("the removed node has %d calls in flight after their Done", b.InFlight())
	}
}

func TestUpdateTakesTheNewestRunOfAnEndpoint(t *testing.T) {
	g := NewGroup(P2C())
	e := endpoint(0)
	g.Update([]Member{{Endpoint: e, Incarnation: 2, Zone: "b"}, {Endpoint: e, Incarnation: 1, Zone: "a"}})
	if g.Len() != 1 || g.Nodes()[0].Incarnation() != 2 || g.Nodes()[0].Zone() != "b" {
		t.Errorf("got %d nodes, first of incarnation %d", g.Len(), g.Nodes()[0].Incarnation())
	}
	g.Update([]Member{{Endpoint: e, Incarnation: 2, Weight: 1}, {Endpoint: e, Incarnation: 3}})
	if g.Len() != 1 || g.Nodes()[0].Incarnation() != 3 {
		t.Errorf("got %d nodes, first of incarnation %d", g.Len(), g.Nodes()[0].Incarnation())
	}
}

func TestUpdateClampsWeights(t *testing.T) {
	g, _ := groupOf(Weighted(), -1, 0, 1, MaxWeight, MaxWeight+1)
	var got []int
	for _, n := range g.Nodes() {
		got = append(got, n.Weight())
	}
	if want := []int{1, 1, 1, MaxWeight, MaxWeight}; !slices.Equal(got, want) {
		t.Errorf("weights %v, want %v", got, want)
	}
}

func TestNewValueKeepsWhatWasLearned(t *testing.T) {
	g := NewGroup(P2C())
	g.Update([]Member{{Endpoint: endpoint(0), Value: "lost connection"}})
	pick(t, g).Done(time.Second, false)
	old := pick(t, g)
	g.Update([]Member{{Endpoint: endpoint(0), Value: "new connection"}})
	n := pick(t, g)
	if n == old || old.Value != "lost connection" || n.Value != "new connection" {
		t.Errorf("values %v and %v", old.Value, n.Value)
	}
	if n.InFlight() != 2 || n.Cost() < time.Second/2 {
		t.Errorf("%d in flight, cost %v", n.InFlight(), n.Cost())
	}
	old.Done(0, false)
	n.Done(0, false)
	if n.InFlight() != 0 || old.InFlight() != 0 {
		t.Errorf("%d and %d in flight at rest", n.InFlight(), old.InFlight())
	}
}

func TestDoneWithoutPickPanics(t *testing.T) {
	g, _ := groupOf(P2C(), 1)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	g.Nodes()[0].Done(time.Millisecond, false)
}

func TestGroupUnderConcurrency(t *testing.T) {
	for name, p := range policies() {
		t.Run(name, func(t *testing.T) {
			g := NewGroup(p)
			g.Update(members(1, 2, 3))
			seen := []*Node{} // every node that ever was, to check its counter
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := range 2000 {
						if n, err := g.Pick(uint64(i)); err == nil {
							n.Done(time.Duration(i)*time.Microsecond, i%7 == 0)
						}
					}
				})
			}
			for i := range 200 {
				seen = append(seen, g.Nodes()...)
				g.Update(members(1, 2, 3, 4)[i%4:])
			}
			wg.Wait()
			for _, n := range append(seen, g.Nodes()...) {
				if n.InFlight() != 0 {
					t.Fatalf("%v has %d calls in flight at rest", n.Endpoint(), n.InFlight())
				}
			}
		})
	}
}

// modelOf checks a group against a plain map of what should be in flight, by
// random updates, picks and ends. The property test and the fuzz target share it.
func modelOf(t *rapid.T) {
	all := policies()
	name := rapid.SampledFrom([]string{"Random", "RoundRobin", "Weighted", "LeastConn", "P2C"}).Draw(t, "policy")
	g, c := groupOf(all[name])
	inflight := make(map[*Node]int)
	var open []*Node
	t.Repeat(map[string]func(*rapid.T){
		"update": func(t *rapid.T) {
			before := make(map[string]*Node)
			for _, n := range g.Nodes() {
				before[fmt.Sprint(n.Endpoint(), n.Incarnation())] = n
			}
			ms := rapid.SliceOfN(member(), 0, 8).Draw(t, "members")
			g.Update(ms)
			for _, n := range g.Nodes() {
				if old := before[fmt.Sprint(n.Endpoint(), n.Incarnation())]; old != nil && old != n {
					t.Fatalf("%v of run %d was made anew", n.Endpoint(), n.Incarnation())
				}
			}
		},
		"pick": func(t *rapid.T) {
			n, err := g.Pick(rapid.Uint64().Draw(t, "key"))
			if (err != nil) != (g.Len() == 0) {
				t.Fatalf("Pick from %d nodes: %v", g.Len(), err)
			}
			if err == nil {
				inflight[n]++
				open = append(open, n)
			}
		},
		"done": func(t *rapid.T) {
			if len(open) == 0 {
				t.Skip("nothing in flight")
			}
			i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
			n := open[i]
			open = slices.Delete(open, i, i+1)
			inflight[n]--
			n.Done(time.Duration(rapid.Int64().Draw(t, "rtt")), rapid.Bool().Draw(t, "failed"))
		},
		"wait": func(t *rapid.T) { c.advance(time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "for"))) },
		"": func(t *rapid.T) {
			for n, want := range inflight {
				if n.InFlight() != want || n.Cost() < 0 {
					t.Fatalf("%v: %d in flight, want %d; cost %v", n.Endpoint(), n.InFlight(), want, n.Cost())
				}
			}
		},
	})
}

func member() *rapid.Generator[Member] {
	return rapid.Custom(func(t *rapid.T) Member {
		return Member{
			Endpoint:    endpoint(rapid.IntRange(0, 5).Draw(t, "endpoint")),
			Incarnation: rapid.Uint64Range(0, 2).Draw(t, "incarnation"),
			Weight:      rapid.IntRange(-1, 70000).Draw(t, "weight"),
		}
	})
}

func TestGroupModel(t *testing.T) { rapid.Check(t, modelOf) }

func FuzzGroup(f *testing.F) { f.Fuzz(rapid.MakeFuzz(modelOf)) }

func TestPickAndDoneDoNotAllocate(t *testing.T) {
	for name, p := range policies() {
		g := NewGroup(p)
		g.Update(members(1, 2, 3, 4))
		failed := false
		if n := testing.AllocsPerRun(1000, func() {
			pick(t, g).Done(time.Millisecond, failed)
			failed = !failed
		}); n != 0 {
			t.Errorf("%s: %v allocations for one pick", name, n)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for name, p := range policies() {
		for _, size := range []int{3, 100} {
			g := NewGroup(p)
			g.Update(make100()[:size])
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					n, _ := g.Pick(1)
					n.Done(time.Millisecond, false)
				}
			})
		}
	}
}

func BenchmarkPickParallel(b *testing.B) {
	for name, p := range policies() {
		g := NewGroup(p)
		g.Update(make100()[:10])
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n, _ := g.Pick(1)
					n.Done(time.Millisecond, false)
				}
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	g := NewGroup(P2C())
	ms := make100()
	b.ReportAllocs()
	for b.Loop() {
		g.Update(ms)
	}
}

func make100() []Member {
	weights := make([]int, 100)
	for i := range weights {
		weights[i] = 1 + i%4
	}
	return members(weights...)
}
