package runtime

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste/eventloop"
)

func kindOf(ids ...uint32) (*kind, []*method) {
	k := &kind{byName: map[string]*handler{}}
	var methods []*method
	for _, id := range ids {
		m := &method{id: id, name: fmt.Sprint("m", id)}
		methods = append(methods, m)
		if err := k.add(&handler{method: m}, nil, nil); err != nil {
			panic(err)
		}
	}
	k.index()
	return k, methods
}

// TestKindTable finds methods of all distributions of numbers, and no others.
func TestKindTable(t *testing.T) {
	many := func(n int, id func(i int) uint32) (ids []uint32) {
		for i := range n {
			ids = append(ids, id(i))
		}
		return ids
	}
	for name, c := range map[string]struct {
		ids  []uint32
		most int // size of the table
	}{
		"none":               {nil, 1},
		"one":                {[]uint32{77}, 1},
		"neighbours":         {[]uint32{6, 7, 8}, 4},
		"twenty neighbours":  {many(20, func(i int) uint32 { return uint32(1000 + i) }), 32},
		"two far apart":      {[]uint32{1, 1 + 1<<20}, maxTable},
		"all in one place":   {many(100, func(i int) uint32 { return uint32(i) * maxTable }), maxTable},
		"more than maxTable": {many(maxTable+1, func(i int) uint32 { return uint32(i) * 64 }), 4 * maxTable},
		"random":             {many(50, func(i int) uint32 { return rand.Uint32()<<6 + uint32(i) }), maxTable},
	} {
		t.Run(name, func(t *testing.T) {
			k, methods := kindOf(c.ids...)
			if len(k.table) > c.most {
				t.Errorf("%d methods have a table of %d places, want %d", len(c.ids), len(k.table), c.most)
			}
			for _, m := range methods {
				if h := k.find(m); h == nil || h.method != m {
					t.Errorf("the handler of %s was not found", m.name)
				}
				stranger := *m // its number is taken by another
				if k.find(&stranger) != nil {
					t.Errorf("a method with the number of %s was found", m.name)
				}
				if k.find(&method{id: m.id + 1<<30}) != nil {
					t.Errorf("a method in the place of %s was found", m.name)
				}
			}
		})
	}
}

func TestRestartBudgetWindow(t *testing.T) {
	const second = int64(time.Second)
	for _, c := range []struct {
		name  string
		o     RestartPolicy
		times []int64 // of crashes, in seconds
		want  string  // r for restart, . for not
	}{
		{"none", RestartPolicy{}, []int64{0}, "."},
		{"none in a window", RestartPolicy{0, time.Minute}, []int64{0, 100}, ".."},
		{"negative", RestartPolicy{-1, time.Minute}, []int64{0}, "."},
		{"within", RestartPolicy{2, 10 * time.Second}, []int64{0, 1, 2}, "rr."},
		{"the first is forgotten", RestartPolicy{2, 10 * time.Second}, []int64{0, 5, 10, 11, 15}, "rrr.r"},
		{"a refusal is not counted", RestartPolicy{1, 10 * time.Second}, []int64{0, 9, 10}, "r.r"},
		{"spread out", RestartPolicy{1, time.Second}, []int64{0, 1, 2, 3}, "rrrr"},
		{"no window", RestartPolicy{2, 0}, []int64{0, 1e6, 2e6, 3e6}, "rr.."},
	} {
		var b restartBudget
		got := ""
		for _, at := range c.times {
			if b.spend(at*second, c.o) {
				got += "r"
			} else {
				got += "."
			}
		}
		if got != c.want {
			t.Errorf("%s: %+v at %v gives %q, want %q", c.name, c.o, c.times, got, c.want)
		}
		if len(b.times) > max(c.o.Max, 0) {
			t.Errorf("%s: %d times are kept", c.name, len(b.times))
		}
	}
}

// TestTable adds and removes actors at random and compares with a map.
func TestTable(t *testing.T) {
	var table table
	byID, ids := map[uint64]*cell{}, map[uint64]bool{}
	var gone []uint64
	for range 20_000 {
		if rand.IntN(5) < 3 || len(byID) == 0 {
			a := &cell{}
			if rand.IntN(2) == 0 {
				a.name = fmt.Sprint("a", rand.IntN(3000))
			}
			taken := table.byName([]byte(a.name)) != nil
			if err := table.add(a); (err != nil) != taken {
				t.Fatalf("adding %q, taken %v: %v", a.name, taken, err)
			} else if taken {
				continue
			}
			if a.id == 0 || ids[a.id] {
				t.Fatalf("the number %x is 0 or was given before", a.id)
			}
			ids[a.id], byID[a.id] = true, a
			continue
		}
		for id, a := range byID {
			table.remove(a)
			delete(byID, id)
			gone = append(gone, id)
			break
		}
	}
	for id, a := range byID {
		if table.byID(id) != a || a.name != "" && table.byName([]byte(a.name)) != a {
			t.Fatalf("the actor %x %q is not found", id, a.name)
		}
	}
	for _, id := range gone {
		if table.byID(id) != nil {
			t.Fatalf("the number %x of an actor that is gone is found", id)
		}
	}
	if table.byID(1<<63|1<<31) != nil || table.byID(uint64(table.used)) != nil {
		t.Error("numbers that were never given are found")
	}
	if places := int(table.used); places > len(byID)+len(gone) || len(table.free)+len(byID) != places {
		t.Errorf("%d places are used and %d free for %d actors", places, len(table.free), len(byID))
	}
	left := table.close()
	if len(left) != len(byID) {
		t.Errorf("close returned %d actors of %d", len(left), len(byID))
	}
	if table.add(&cell{name: "late"}) == nil || table.byName([]byte("late")) != nil {
		t.Error("a closed table took an actor")
	}
	for _, a := range left {
		table.remove(a)
	}
	if len(table.names) != 0 || len(table.free) != int(table.used) {
		t.Errorf("after all are gone there are %d names, and %d of %d places are free", len(table.names), len(table.free), table.used)
	}
}

// TestNameTakenByAnotherTakesNoPlace checks that a refused actor leaves nothing
// behind.
func TestNameTakenByAnotherTakesNoPlace(t *testing.T) {
	var table table
	if err := table.add(&cell{name: "acc"}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if table.add(&cell{name: "acc"}) == nil {
			t.Fatal("two actors have one name")
		}
	}
	if table.used != 1 || len(table.free) != 0 {
		t.Errorf("%d places are used and %d free, want one and none", table.used, len(table.free))
	}
}

// TestSweeper has calls expire, be answered and leave, in virtual time, and wants
// the sweeper gone when there are none.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, err := New(Network(eventloop.NewNetwork()))
		if err != nil {
			t.Fatal(err)
		}
		l := &rt.watch
		began := rt.clock.Now()
		var calls []*call
		for i := range 100 {
			a := &newAskCall(&askMethod[int, int]{}).call
			a.rt, a.ctx, a.own = rt, t.Context(), true
			a.deadline = began + int64(i+1)*int64(time.Second)
			calls = append(calls, a)
			go func() {
				settled, _ := a.park(rt, t.Context())
				if took, want := time.Duration(rt.clock.Now()-began), time.Duration(i+1)*time.Second; !settled && (took < want-time.Millisecond || took > want+watchTick+time.Millisecond) {
					t.Errorf("call %d expired after %v, want %v", i, took, want)
				}
				if settled != (i >= 50) {
					t.Errorf("call %d: settled %v", i, settled)
				}
			}()
		}
		synctest.Wait()
		if n := l.count.Load(); n != 100 || !l.running.Load() {
			t.Fatalf("%d calls are watched, running %v; want 100", n, l.running.Load())
		}
		time.Sleep(50*time.Second + watchTick + 2*time.Millisecond)
		for _, a := range calls {
			a.settle() // for the first half too late
		}
		synctest.Wait()
		if n := l.count.Load(); n != 0 {
			t.Errorf("%d calls are watched, want none", n)
		}
		for i := range l.shards {
			if l.shards[i].head != nil {
				t.Errorf("shard %d has a call", i)
			}
		}
		time.Sleep(time.Second)
		if l.running.Load() {
			t.Error("the sweeper runs with nothing to watch")
		}
		if err := rt.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
