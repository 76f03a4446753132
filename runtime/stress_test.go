package runtime_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// storm is what random operations of many goroutines have done to few actors.
type storm struct {
	*testing.T
	sys    *rt.Runtime
	slots  [8]atomic.Pointer[rt.Ref[script]]
	spawns atomic.Int64

	asked, ran, panics, fails atomic.Int64 // asks sent; handlers that ran, that panicked, that called Fail
	told, handled             atomic.Int64 // tells accepted, and of those handled
	read                      atomic.Int64 // streams read to their ends
}

// TestStorm has 64 goroutines ask, tell, read, spawn and stop at random, with
// handlers that panic and mailboxes that overflow. Every ask ends exactly once and
// says truly whether its handler ran, and the counters of Stats are exact.
func TestStorm(t *testing.T) {
	const goroutines, each = 64, 300
	var dead atomic.Int64
	s := &storm{T: t}
	s.sys = start(t, rt.OnDeadLetter(func(d rt.DeadLetter) {
		if d.Method != post.Name() || d.To.IsZero() || d.Reason == nil {
			t.Errorf("the dead letter is %+v", d)
		}
		dead.Add(1)
	}))
	before := s.sys.Stats()
	for i := range s.slots {
		s.replace(i)
	}
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				s.act()
			}
		})
	}
	all.Wait()
	for i := range s.slots {
		stopActor(t, *s.slots[i].Load())
	}
	stats := s.sys.Stats()
	if crashes := s.panics.Load() + s.fails.Load(); stats.Crashes != crashes || stats.Restarts != crashes {
		t.Errorf("%d handlers panicked and %d failed; stats are %+v", s.panics.Load(), s.fails.Load(), stats)
	}
	if stats.DeadLetters != dead.Load() || s.handled.Load()+dead.Load() != s.told.Load() {
		t.Errorf("%d tells were accepted, %d handled, %d dead; stats are %+v", s.told.Load(), s.handled.Load(), dead.Load(), stats)
	}
	if stats.Actors != before.Actors || stats.LateReplies != 0 {
		t.Errorf("%d actors were spawned and stopped; stats are %+v, before they were %+v", s.spawns.Load(), stats, before)
	}
	for what, n := range map[string]int64{
		"asks": s.asked.Load(), "handlers": s.ran.Load(), "panics": s.panics.Load(), "failures": s.fails.Load(),
		"tells": s.told.Load(), "dead letters": dead.Load(), "streams": s.read.Load(), "actors": s.spawns.Load(),
	} {
		if t.Logf("%d %s", n, what); n < 10 {
			t.Errorf("a storm of %d %s is none", n, what)
		}
	}
}

func (s *storm) act() {
	i := rand.IntN(len(s.slots))
	ref := *s.slots[i].Load()
	switch n := rand.IntN(100); {
	case n < 2:
		s.replace(i)
	case n < 45:
		s.ask(ref, n)
	case n < 90:
		s.tell(ref, n)
	default:
		s.recv(ref)
	}
}

// replace stops the actor of a slot, if there is one, and spawns another.
func (s *storm) replace(i int) {
	overflow := mailbox.Overflow(rand.IntN(4))
	ref, err := rt.Spawn(s.sys, "", scripted, rt.Mailbox(1+rand.IntN(40), overflow), rt.Restart(1<<30, 0))
	if err != nil {
		s.Error(err)
		return
	}
	s.spawns.Add(1)
	if old := s.slots[i].Swap(&ref); old != nil {
		stopActor(s.T, *old)
	}
}

func (s *storm) ask(ref rt.Ref[script], n int) {
	s.asked.Add(1)
	var runs atomic.Int32
	reply, err := ask(s.Context(), ref, func(_ *notes, c *rt.Context) (int, error) {
		s.ran.Add(1)
		runs.Add(1)
		switch n {
		case 2:
			s.panics.Add(1)
			panic("storm")
		case 3:
			s.fails.Add(1)
			c.Fail(errNoMoney)
		case 4:
			return 0, errNoMoney
		case 5:
			child, err := rt.Spawn(c.Runtime(), fmt.Sprintf("child-%x", rand.Uint64()), scripted)
			if err == nil {
				_, err = ask(c, child, func(*notes, *rt.Context) (int, error) { return 1, nil })
			}
			return n, errors.Join(err, rt.StopActor(c, child))
		}
		return n, nil
	})
	switch {
	case err == nil:
		if reply != n || runs.Load() != 1 {
			s.Errorf("the reply is %d after %d runs, want %d", reply, runs.Load(), n)
		}
	case errors.Is(err, errNoMoney) && n == 4, posthaste.CodeOf(err) == posthaste.Internal && n == 2:
		if runs.Load() != 1 {
			s.Errorf("%v, but the handler ran %d times", err, runs.Load())
		}
	case errors.Is(err, rt.ErrMailboxFull), errors.Is(err, rt.ErrActorStopped):
		if runs.Load() != 0 || posthaste.StatusOf(err) != notExecuted {
			s.Errorf("%v, but the handler ran %d times", err, runs.Load())
		}
	default:
		s.Errorf("an ask ended with %v", err)
	}
}

func (s *storm) tell(ref rt.Ref[script], n int) {
	err := rt.Tell(s.Context(), ref, post, func(*notes, *rt.Context) error {
		s.handled.Add(1)
		if n == 45 {
			s.panics.Add(1)
			panic("storm")
		}
		return nil
	})
	switch {
	case err == nil:
		s.told.Add(1)
	case !errors.Is(err, rt.ErrMailboxFull) && !errors.Is(err, rt.ErrActorStopped):
		s.Errorf("a tell ended with %v", err)
	}
}

func (s *storm) recv(ref rt.Ref[script]) {
	n := rand.IntN(50)
	items, err := collect(rt.Recv(s.Context(), ref, emit, emitCount(n)))
	switch {
	case err == nil:
		s.read.Add(1)
		if len(items) != n {
			s.Errorf("of %d items %d came", n, len(items))
		}
	case !errors.Is(err, rt.ErrMailboxFull) && !errors.Is(err, rt.ErrActorStopped):
		s.Errorf("a stream ended with %v", err)
	}
}
