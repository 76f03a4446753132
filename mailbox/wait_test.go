package mailbox

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sender pushes one message and waits for room.
type sender struct {
	o    Outcome
	err  error
	done bool
}

func sendWait(ctx context.Context, m *Mailbox[int], n int) []*sender {
	ss := make([]*sender, n)
	for i := range ss {
		ss[i] = &sender{}
		go func() {
			ss[i].o, ss[i].err = m.PushWait(ctx, Normal, new(int))
			ss[i].done = true
		}()
	}
	synctest.Wait()
	return ss
}

func finished(ss []*sender) (n int) {
	for _, s := range ss {
		if s.done {
			n++
		}
	}
	return n
}

func TestPushWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox[int](Options{Capacity: 2, Overflow: Block})
		if o, err := m.PushWait(t.Context(), Normal, new(int)); o != Woken || err != nil {
			t.Fatalf("PushWait with room = %d, %v", o, err)
		}
		m.Push(Normal, new(int))
		if o := m.Push(Normal, new(int)); o != Full {
			t.Fatalf("Push without room = %d", o)
		}
		ss := sendWait(t.Context(), m, 5)
		for taken := range 5 {
			if n := finished(ss); n != taken {
				t.Fatalf("%d messages went in after %d were taken", n, taken)
			}
			if d := m.Depth(); d != 2 {
				t.Fatalf("Depth = %d", d)
			}
			m.Next()
			synctest.Wait()
		}
		for i, s := range ss {
			if s.o != Queued || s.err != nil || !s.done {
				t.Errorf("sender %d: %+v", i, *s)
			}
		}
	})
}

// The consumer of a larger mailbox reports its progress in strides; who waits is
// woken by the first report.
func TestPushWaitInStrides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox[int](Options{Capacity: 70, Overflow: Block})
		for range 70 {
			m.Push(Normal, new(int))
		}
		ss := sendWait(t.Context(), m, 3)
		for taken := range 4 {
			if n := finished(ss); n != 0 {
				t.Fatalf("%d went in after %d were taken", n, taken)
			}
			m.Next()
			synctest.Wait()
		}
		if n := finished(ss); n != 3 {
			t.Errorf("%d of 3 went in after 4 were taken", n)
		}
		for range 69 {
			m.Next()
		}
		if m.Next() != nil || m.Depth() != 0 {
			t.Error("not idle")
		}
	})
}

func TestPushWaitHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox[int](Options{Capacity: 1, Overflow: Block})
		m.Push(Normal, new(int))
		patient := sendWait(t.Context(), m, 1)
		late := errors.New("late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		ss := sendWait(ctx, m, 4)
		time.Sleep(time.Second)
		synctest.Wait()
		for i, s := range ss {
			if !s.done || s.o != Full || s.err != late {
				t.Errorf("sender %d: %+v, want Full and the cause", i, *s)
			}
		}
		if finished(patient) != 0 {
			t.Error("one sender's context ended another's wait")
		}
		m.Next()
		synctest.Wait()
		if !patient[0].done || patient[0].o != Queued {
			t.Errorf("the sender that is left: %+v", *patient[0])
		}
	})
}

func TestPushWaitWokenByClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox[int](Options{Capacity: 1, Overflow: Block})
		m.Push(Normal, new(int))
		ss := sendWait(t.Context(), m, 4)
		m.Close()
		synctest.Wait()
		for i, s := range ss {
			if !s.done || s.o != Closed || s.err != nil {
				t.Errorf("sender %d: %+v, want Closed", i, *s)
			}
		}
	})
}

// With another policy nothing waits.
func TestPushWaitElsewhere(t *testing.T) {
	for overflow, want := range map[Overflow]Outcome{Reject: Full, DropNewest: Dropped, DropOldest: Displaced} {
		m := newMailbox[int](Options{Capacity: 1, Overflow: overflow})
		m.Push(Normal, new(int))
		if o, err := m.PushWait(t.Context(), Normal, new(int)); o != want || err != nil {
			t.Errorf("%v: PushWait = %d, %v; want %d", overflow, o, err, want)
		}
		if o, err := m.PushWait(t.Context(), System, new(int)); o != Queued || err != nil {
			t.Errorf("%v: PushWait on System = %d, %v", overflow, o, err)
		}
	}
}

// Real producers against a real executor: a signal that is missed shows as a
// hang.
func TestPushWaitMissesNothing(t *testing.T) {
	const producers, each = 8, 2000
	for _, capacity := range []int{1, 2, 31, 32, 100, 256} {
		e := NewExecutor(ExecutorOptions{})
		var all, handled sync.WaitGroup
		handled.Add(producers * each)
		most := 0
		var a *actor[int]
		a = spawn(e, Options{Capacity: capacity, Overflow: Block}, func(*Worker, *int) {
			most = max(most, a.box.Depth())
			handled.Done()
		})
		for range producers {
			all.Go(func() {
				for i := range each {
					if o, err := a.tellWait(t.Context(), i); err != nil || o > Woken {
						t.Errorf("PushWait = %d, %v", o, err)
					}
				}
			})
		}
		all.Wait()
		handled.Wait()
		stop(t, e)
		if most > capacity {
			t.Errorf("capacity %d: depth %d", capacity, most)
		}
	}
}
