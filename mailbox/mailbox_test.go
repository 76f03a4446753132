package mailbox

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"
)

func newMailbox[T any](o Options) *Mailbox[T] {
	m := &Mailbox[T]{}
	m.Init(NewChunks[T](), o)
	return m
}

func TestCapacity(t *testing.T) {
	for _, c := range []struct{ option, capacity int }{
		{0, DefaultCapacity}, {Unbounded, Unbounded}, {1, 1}, {31, 31}, {100_000, 100_000},
	} {
		if got := newMailbox[int](Options{Capacity: c.option}).Capacity(); got != c.capacity {
			t.Errorf("Capacity of Options{Capacity: %d} = %d, want %d", c.option, got, c.capacity)
		}
	}
}

func TestOverflowNames(t *testing.T) {
	for o, name := range []string{"Reject", "DropNewest", "DropOldest", "Block"} {
		if got := Overflow(o).String(); got != name {
			t.Errorf("Overflow(%d).String() = %q, want %q", o, got, name)
		}
	}
}

// Whoever is told Woken is the consumer, alone, until Next returns nil.
func TestWokenOncePerIdlePeriod(t *testing.T) {
	const producers, each = 16, 3000
	type message struct{ producer, n int }
	for _, o := range []Options{{Capacity: Unbounded}, {Capacity: 7, Overflow: Block}, {Capacity: 64, Overflow: Block}} {
		m := newMailbox[message](o)
		var (
			all, consumers sync.WaitGroup
			running        atomic.Int32
			woken, idle    atomic.Int32
			next           [producers]int // not atomic: see actor
		)
		consume := func() {
			for v := m.Next(); v != nil; v = m.Next() {
				if running.Add(1) != 1 {
					t.Error("two consumers run at once")
				}
				if next[v.producer] != v.n {
					t.Errorf("producer %d: got message %d, want %d", v.producer, v.n, next[v.producer])
				}
				next[v.producer] = v.n + 1
				running.Add(-1)
			}
			idle.Add(1)
		}
		for p := range producers {
			all.Go(func() {
				for n := range each {
					switch got, err := m.PushWait(t.Context(), Normal, &message{p, n}); {
					case err != nil || got != Woken && got != Queued:
						t.Errorf("PushWait = %v, %v", got, err)
					case got == Woken:
						woken.Add(1)
						consumers.Go(consume)
					}
					if n%64 == 0 {
						runtime.Gosched() // so that it becomes idle now and then
					}
				}
			})
		}
		all.Wait()
		consumers.Wait()
		for p, n := range next {
			if n != each {
				t.Errorf("%+v: producer %d: %d of %d messages handled", o, p, n, each)
			}
		}
		if woken.Load() != idle.Load() || m.busy || m.Depth() != 0 {
			t.Errorf("%+v: woken %d times, idle %d times, busy %t, depth %d", o, woken.Load(), idle.Load(), m.busy, m.Depth())
		}
	}
}

func TestPushAll(t *testing.T) {
	for _, c := range []struct {
		overflow Overflow
		last     Outcome
	}{{Reject, Full}, {DropNewest, Dropped}, {DropOldest, Full}, {Block, Full}} {
		m := newMailbox[int](Options{Capacity: 3, Overflow: c.overflow})
		vs := []int{1, 2, 3, 4, 5}
		if n, woken, last := m.PushAll(Normal, vs[:2]); n != 2 || !woken || last != Queued {
			t.Errorf("%v: PushAll of 2 = %d, %t, %d", c.overflow, n, woken, last)
		}
		if n, woken, last := m.PushAll(Normal, vs[2:]); n != 1 || woken || last != c.last {
			t.Errorf("%v: PushAll of 3 with room for 1 = %d, %t, %d; want 1, false, %d", c.overflow, n, woken, last, c.last)
		}
		if vs[3] != 4 {
			t.Errorf("%v: PushAll displaced %d", c.overflow, vs[3])
		}
		if n, _, last := m.PushAll(System, vs); n != 5 || last != Queued {
			t.Errorf("%v: PushAll on the System lane = %d, %d", c.overflow, n, last)
		}
		m.Close()
		if n, woken, last := m.PushAll(System, vs); n != 0 || woken || last != Closed {
			t.Errorf("%v: PushAll when closed = %d, %t, %d", c.overflow, n, woken, last)
		}
	}
}

func TestCloseAndDrain(t *testing.T) {
	m := newMailbox[int](Options{})
	for i, lane := range []Lane{Bulk, Normal, High, System, Bulk, System} {
		m.Push(lane, &i)
	}
	if v := m.Next(); *v != 3 {
		t.Fatalf("Next = %d, want the first System message", *v)
	}
	m.Close()
	m.Close()
	for lane := range lanes {
		if o := m.Push(lane, new(int)); o != Closed {
			t.Errorf("Push on lane %d of a closed mailbox = %d, want Closed", lane, o)
		}
	}
	var rest []int
	m.Drain(func(v *int) { rest = append(rest, *v) })
	if len(rest) != 5 || rest[0] != 5 || m.Depth() != 0 || m.busy {
		t.Errorf("drained %v, depth %d, busy %t", rest, m.Depth(), m.busy)
	}
	m.Drain(func(v *int) { t.Errorf("drained %d twice", *v) })
}

// A message is not kept alive by the mailbox, nor by the pool, once it is
// handled or displaced.
func TestNothingRetained(t *testing.T) {
	for _, overflow := range []Overflow{Reject, DropOldest} {
		m := newMailbox[*[64]byte](Options{Capacity: 40, Overflow: overflow})
		var sent []weak.Pointer[[64]byte]
		push := func() {
			v := new([64]byte)
			sent = append(sent, weak.Make(v))
			m.Push(Normal, &v)
		}
		for range 45 {
			push()
		}
		if runtime.GC(); overflow == DropOldest && sent[0].Value() != nil {
			t.Error("a displaced message is retained beside those that wait")
		}
		for range 20 {
			m.Next()
		}
		push()
		for m.Next() != nil {
		}
		runtime.GC()
		for i, w := range sent {
			if w.Value() != nil {
				t.Errorf("%v: message %d is retained", overflow, i)
			}
		}
		if m.in != [lanes]list[*[64]byte]{} || m.out != [lanes]*chunk[*[64]byte]{} {
			t.Errorf("%v: an idle mailbox holds chunks", overflow)
		}
		runtime.KeepAlive(m)
	}
}
