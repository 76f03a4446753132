package mailbox

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// model is a mailbox beside slices that say what it must do: an interpreter of
// random operations, for the property test and for the fuzzer.
type model struct {
	box      Mailbox[letter]
	overflow Overflow
	capacity int
	slack    int // how many of the messages taken last may still count

	lanes        [lanes][]letter
	sent         int
	busy, closed bool
	count        struct{ taken, displaced, dropped, refused int }
}

type letter struct {
	lane Lane
	n    int
	self *int // set, to see that slots are not mixed up or cleared too early
}

func newModel(t *rapid.T) *model {
	m := &model{
		overflow: rapid.SampledFrom([]Overflow{Reject, DropNewest, DropOldest, Block}).Draw(t, "overflow"),
		capacity: rapid.IntRange(1, 100).Draw(t, "capacity"),
	}
	if m.capacity >= 32 && m.overflow != DropOldest {
		m.slack = m.capacity/16 - 1
	}
	m.box.Init(NewChunks[letter](), Options{Capacity: m.capacity, Overflow: m.overflow})
	return m
}

func (m *model) letter(lane Lane) letter {
	m.sent++
	return letter{lane, m.sent, &m.sent}
}

// depth is how many bounded messages wait.
func (m *model) depth() int { return len(m.lanes[High]) + len(m.lanes[Normal]) + len(m.lanes[Bulk]) }

func drawLane(t *rapid.T) Lane { return Lane(rapid.IntRange(0, int(lanes)-1).Draw(t, "lane")) }

// pushed checks the outcome o of pushing v, which is now now.
func (m *model) pushed(t *rapid.T, v, now letter, o Outcome) {
	if o != Displaced && now != v {
		t.Fatalf("outcome %d changed the message", o)
	}
	full := v.lane != System && m.depth() >= m.capacity
	switch o {
	case Queued, Woken:
		if m.closed || full || m.busy != (o == Queued) {
			t.Fatalf("outcome %d with %d of %d, busy %t, closed %t", o, m.depth(), m.capacity, m.busy, m.closed)
		}
		m.lanes[v.lane] = append(m.lanes[v.lane], v)
		m.busy = true
	case Closed:
		if !m.closed {
			t.Fatal("Closed, but is open")
		}
		m.count.refused++
	case Displaced:
		from := m.victim(v.lane)
		if !full || m.overflow != DropOldest || from < 0 || now != m.lanes[from][0] {
			t.Fatalf("%v displaced %+v for %+v with %d of %d: %v", m.overflow, now, v, m.depth(), m.capacity, m.lanes)
		}
		m.lanes[from] = m.lanes[from][1:]
		m.lanes[v.lane] = append(m.lanes[v.lane], v)
		m.count.displaced++
	case Dropped:
		if m.overflow != DropNewest && (m.overflow != DropOldest || m.victim(v.lane) >= 0) {
			t.Fatalf("%v dropped %+v: %v", m.overflow, v, m.lanes)
		}
		m.refused(t, v)
		m.count.dropped++
	case Full:
		if m.overflow != Reject && m.overflow != Block {
			t.Fatalf("%v refused %+v", m.overflow, v)
		}
		m.refused(t, v)
		m.count.refused++
	}
}

// victim is the least urgent lane with messages, if not more urgent than lane.
func (m *model) victim(lane Lane) int {
	for from := Bulk; from >= lane; from-- {
		if len(m.lanes[from]) > 0 {
			return int(from)
		}
	}
	return -1
}

func (m *model) refused(t *rapid.T, v letter) {
	if m.closed || v.lane == System || m.depth() < m.capacity-m.slack {
		t.Fatalf("%+v is out with %d of %d, closed %t", v, m.depth(), m.capacity, m.closed)
	}
}

func (m *model) push(t *rapid.T) {
	v := m.letter(drawLane(t))
	now := v
	m.pushed(t, v, now, m.box.Push(v.lane, &now))
}

func (m *model) pushWait(t *rapid.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	cancel(gone)
	v := m.letter(drawLane(t))
	now := v
	o, err := m.box.PushWait(ctx, v.lane, &now)
	if (err == gone) != (o == Full && m.overflow == Block) || err != nil && err != gone {
		t.Fatalf("PushWait = %d, %v", o, err)
	}
	m.pushed(t, v, now, o)
}

func (m *model) pushAll(t *rapid.T) {
	lane := drawLane(t)
	vs := make([]letter, rapid.IntRange(0, 40).Draw(t, "n"))
	for i := range vs {
		vs[i] = m.letter(lane)
	}
	n, woken, last := m.box.PushAll(lane, vs)
	if woken != (!m.busy && n > 0) {
		t.Fatalf("PushAll went in %d, woken %t, busy %t", n, woken, m.busy)
	}
	for _, v := range vs[:n] {
		o := Queued
		if !m.busy {
			o = Woken
		}
		m.pushed(t, v, v, o)
	}
	if n == len(vs) {
		return
	}
	m.sent -= len(vs) - n - 1 // the rest was not tried
	if m.overflow == DropOldest && last == Full {
		m.refused(t, vs[n])
		m.count.refused++
		return
	}
	m.pushed(t, vs[n], vs[n], last)
}

func (m *model) next(t *rapid.T) {
	if !m.busy {
		return // Next is the consumer's
	}
	v := m.box.Next()
	if v == nil {
		if m.depth()+len(m.lanes[System]) > 0 {
			t.Fatalf("idle with %v", m.lanes)
		}
		m.busy = false
		return
	}
	if len(m.lanes[System]) > 0 && v.lane != System {
		t.Fatalf("%+v went before %+v", *v, m.lanes[System][0])
	}
	if l := m.lanes[v.lane]; len(l) == 0 || l[0] != *v {
		t.Fatalf("got %+v, want the first of %v", *v, l)
	}
	m.lanes[v.lane] = m.lanes[v.lane][1:]
	m.count.taken++
}

func (m *model) check(t *rapid.T) {
	exact, got := m.depth(), m.box.Depth()
	if got < exact || got > exact+m.slack || !m.busy && got != exact {
		t.Fatalf("Depth = %d, want %d, at most %d", got, exact, exact+m.slack)
	}
	if got > m.capacity {
		t.Fatalf("Depth %d is above the capacity %d", got, m.capacity)
	}
	c := m.count
	if sum := c.taken + c.displaced + c.dropped + c.refused + exact + len(m.lanes[System]); sum != m.sent {
		t.Fatalf("%d sent, but %+v and %d left", m.sent, c, exact+len(m.lanes[System]))
	}
}

func testModel(t *rapid.T) {
	m := newModel(t)
	closing := rapid.IntRange(0, 3).Draw(t, "closing") == 0
	t.Repeat(map[string]func(*rapid.T){
		"push":     m.push,
		"push2":    m.push, // so that it fills up
		"pushAll":  m.pushAll,
		"pushWait": m.pushWait,
		"next":     m.next,
		"next2":    m.next,
		"next10": func(t *rapid.T) {
			for range 10 {
				m.next(t)
			}
		},
		"close": func(t *rapid.T) {
			if closing && m.sent > 50 {
				m.box.Close()
				m.closed = true
			}
		},
		"": m.check,
	})
	for m.busy {
		m.next(t)
		m.check(t)
	}
}

func TestModel(t *testing.T) { rapid.Check(t, testModel) }

func FuzzModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testModel)) }
