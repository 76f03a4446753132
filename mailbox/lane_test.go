package mailbox

import (
	"testing"

	"pgregory.net/rapid"
)

// fill queues n messages on each of the lanes.
func fill(m *Mailbox[Lane], n int, on ...Lane) {
	for range n {
		for _, lane := range on {
			m.Push(lane, &lane)
		}
	}
}

// next takes n messages and counts them by lane.
func next(t *testing.T, m *Mailbox[Lane], n int) (got [lanes]int) {
	t.Helper()
	for i := range n {
		v := m.Next()
		if v == nil {
			t.Fatalf("idle after %d of %d messages", i, n)
		}
		got[*v]++
	}
	return got
}

func TestLanesShareTurns(t *testing.T) {
	for _, overflow := range []Overflow{Reject, DropOldest} {
		m := newMailbox[Lane](Options{Capacity: Unbounded, Overflow: overflow})
		fill(m, 8*100, High, Normal, Bulk)
		want := [lanes]int{High: 8, Normal: 4, Bulk: 1}
		for round := range 100 {
			if got := next(t, m, 13); got != want {
				t.Fatalf("%v: round %d: %v, want %v", overflow, round, got, want)
			}
		}
		// An empty lane's share goes to the others.
		want = [lanes]int{Normal: 4, Bulk: 1}
		for round := range 100 {
			if got := next(t, m, 5); got != want {
				t.Fatalf("%v: round %d without High: %v, want %v", overflow, round, got, want)
			}
		}
		if got := next(t, m, 600); got != [lanes]int{Bulk: 600} || m.Next() != nil {
			t.Fatalf("%v: at last %v, then not idle", overflow, got)
		}
	}
}

// The shares hold while producers refill the lanes, not only for what was there
// when the consumer took it.
func TestLanesShareTurnsUnderLoad(t *testing.T) {
	for _, overflow := range []Overflow{Reject, DropOldest} {
		m := newMailbox[Lane](Options{Capacity: 90, Overflow: overflow})
		fill(m, 30, High, Normal, Bulk)
		var got [lanes]int
		for range 13 * 200 {
			lane := *m.Next()
			got[lane]++
			fill(m, 1, lane)
		}
		if want := [lanes]int{High: 1600, Normal: 800, Bulk: 200}; got != want {
			t.Errorf("%v: %v, want %v", overflow, got, want)
		}
	}
}

// System messages take no share from anybody, however many there are.
func TestSystemStandsOutsideOfRotation(t *testing.T) {
	for every := 1; every < 10; every++ {
		m := newMailbox[Lane](unbounded)
		fill(m, 800, High, Normal, Bulk)
		var got [lanes]int
		for i := range 1300 {
			if i%every == 0 {
				fill(m, 2, System)
				if two := next(t, m, 2); two[System] != 2 {
					t.Fatalf("System did not overtake: %v", two)
				}
			}
			got[*m.Next()]++
		}
		if want := [lanes]int{High: 800, Normal: 400, Bulk: 100}; got != want {
			t.Errorf("a System message after every %d others: %v, want %v", every, got, want)
		}
	}
}

func TestSystemOvertakes(t *testing.T) {
	for _, overflow := range []Overflow{Reject, DropOldest} {
		m := newMailbox[Lane](Options{Capacity: 60, Overflow: overflow})
		fill(m, 20, High, Normal, Bulk)
		for i := range 60 {
			if i%3 == 0 {
				fill(m, 1+i%2, System)
				if got := next(t, m, 1+i%2); got[System] != 1+i%2 {
					t.Fatalf("%v: after %d messages System did not go first: %v", overflow, i, got)
				}
			}
			if *m.Next() == System {
				t.Fatalf("%v: one System message too many", overflow)
			}
		}
		if m.Next() != nil {
			t.Errorf("%v: not idle", overflow)
		}
	}
}

func TestSystemIsNeverRefused(t *testing.T) {
	for _, overflow := range []Overflow{Reject, DropNewest, DropOldest, Block} {
		m := newMailbox[Lane](Options{Capacity: 1, Overflow: overflow})
		fill(m, 3, High)
		for range 1000 {
			if o := m.Push(System, new(Lane)); o != Queued {
				t.Fatalf("%v: Push on System = %d, want Queued", overflow, o)
			}
		}
		if d := m.Depth(); d != 1 {
			t.Errorf("%v: Depth = %d, want 1: System does not count", overflow, d)
		}
		if got := next(t, m, 1001); got != [lanes]int{System: 1000, High: 1} {
			t.Errorf("%v: got %v", overflow, got)
		}
	}
}

// With DropOldest what waits is displaced whichever lane it is in, although the
// consumer has begun with another one.
func TestDisplacesFromEveryLane(t *testing.T) {
	m := newMailbox[Lane](Options{Capacity: 2, Overflow: DropOldest})
	fill(m, 1, High, Normal)
	if first := *m.Next(); first != Normal {
		t.Fatalf("the first message is of lane %d", first)
	}
	fill(m, 1, Bulk)
	for _, c := range []struct {
		lane Lane
		o    Outcome
		v    Lane
	}{{High, Displaced, Bulk}, {High, Displaced, High}, {Normal, Dropped, Normal}} {
		v := c.lane
		if o := m.Push(c.lane, &v); o != c.o || v != c.v {
			t.Errorf("Push on lane %d = %d and lane %d, want %d and %d", c.lane, o, v, c.o, c.v)
		}
	}
	if got := next(t, m, 2); got[High] != 2 || m.Next() != nil {
		t.Errorf("left: %v", got)
	}
}

// The rotation gives every lane that stays in the set its turn within a round,
// and never a lane outside of the set.
func TestRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r rotation
		r.lane = Lane(rapid.IntRange(int(High), int(Bulk)).Draw(t, "lane"))
		waits := [lanes]int{}
		for range rapid.IntRange(1, 100).Draw(t, "messages") {
			set := laneSet(rapid.IntRange(1, 15).Draw(t, "set"))
			peeked := r.peek(set)
			lane := r.advance(set)
			if lane != peeked || set&only(lane) == 0 || (lane == System) != (set&only(System) != 0) {
				t.Fatalf("of %04b: lane %d, peeked %d", set, lane, peeked)
			}
			for l := High; l < lanes; l++ {
				if waits[l]++; l == lane || lane == System || set&only(l) == 0 {
					waits[l] = 0
				}
				if waits[l] > 13-int(burst[l]) {
					t.Fatalf("lane %d waits for %d messages", l, waits[l])
				}
			}
		}
	})
}
