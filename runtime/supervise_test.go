package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// lifetime is the state of an actor whose hooks are those of a test. Its number
// says the how manieth state it is.
type lifetime struct{ number int }

// hooks are what a test does in the life of an actor; those that are nil do
// nothing.
type hooks struct {
	made      func(number int)
	started   func(c *rt.Context) error
	restarted func(c *rt.Context, why error) error
	stopped   func(c *rt.Context)
	calls     []string // the hooks that ran, with the number of the state
}

type mortal struct{}

var (
	number = rt.NewMethod[mortal, struct{}, int]("mortal.number")
	live   = rt.NewMethod[mortal, func(*rt.Context) (int, error), int]("mortal.live")
)

func (h *hooks) kind() rt.Kind[mortal, lifetime] {
	states := 0
	return rt.Define(func() *lifetime {
		states++
		if h.made != nil {
			h.made(states)
		}
		return &lifetime{states}
	},
		rt.On(number, func(l *lifetime, _ *rt.Context, _ struct{}) (int, error) { return l.number, nil }),
		rt.On(live, func(_ *lifetime, c *rt.Context, f func(*rt.Context) (int, error)) (int, error) { return f(c) }),
		rt.Started[mortal](func(l *lifetime, c *rt.Context) error {
			h.calls = append(h.calls, fmt.Sprint("started ", l.number))
			if h.started != nil {
				return h.started(c)
			}
			return nil
		}),
		rt.Restarted[mortal](func(l *lifetime, c *rt.Context, why error) error {
			h.calls = append(h.calls, fmt.Sprint("restarted ", l.number))
			if h.restarted != nil {
				return h.restarted(c, why)
			}
			return nil
		}),
		rt.Stopped[mortal](func(l *lifetime, c *rt.Context) {
			h.calls = append(h.calls, fmt.Sprint("stopped ", l.number))
			if h.stopped != nil {
				h.stopped(c)
			}
		}))
}

// ran wants the hooks to have run in this order. The actor must have stopped, or
// have answered since.
func (h *hooks) ran(t testing.TB, want ...string) {
	t.Helper()
	if !slices.Equal(h.calls, want) {
		t.Errorf("the hooks ran in the order %v, want %v", h.calls, want)
	}
}

// numbers wants the actor to answer from its state of that number.
func numbers(t testing.TB, ref rt.Ref[mortal], want int) {
	t.Helper()
	if n, err := rt.Ask(t.Context(), ref, number, struct{}{}); err != nil || n != want {
		t.Errorf("the state's number is %d, %v; want %d", n, err, want)
	}
}

func crash(t testing.TB, ref rt.Ref[mortal], value any) error {
	t.Helper()
	_, err := rt.Ask(t.Context(), ref, live, func(*rt.Context) (int, error) { panic(value) })
	return err
}

func TestPanicRestartsTheActor(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		why   string
	}{
		"error":     {errNoMoney, "no money"},
		"text":      {"boom", "panic: boom"},
		"number":    {42, "panic: 42"},
		"nil":       {nil, "panic called with nil argument"},
		"nil error": {(*brokenError)(nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			sys := start(t, rt.Logger(slog.New(slog.NewTextHandler(&log, nil))))
			var h hooks
			var why error
			h.restarted = func(_ *rt.Context, w error) error { why = w; return nil }
			ref := spawnOf(t, sys, "acc", h.kind())
			numbers(t, ref, 1)
			err := crash(t, ref, c.value)
			refused(t, err, posthaste.Internal, unknown, "ask mortal.live to acc", "the handler panicked", "see the log of test")
			if c.why != "" && strings.Contains(err.Error(), c.why) {
				t.Errorf("the text of the error shows the panic: %v", err)
			}
			numbers(t, ref, 2)
			if want, ok := c.value.(error); ok && (!errors.Is(err, want) || why != want) {
				t.Errorf("the asker got %v, the hook %v; want both to be %v", err, why, want)
			}
			h.ran(t, "started 1", "restarted 2")
			if c.why != "" && why.Error() != c.why {
				t.Errorf("the Restarted hook was told %q, want %q", why, c.why)
			}
			if got := log.String(); !strings.Contains(got, "actor crashed") || !strings.Contains(got, c.why) || !strings.Contains(got, "supervise_test.go") {
				t.Errorf("the log does not show the crash with its stack:\n%s", got)
			}
			if s := sys.Stats(); s.Crashes != 1 || s.Restarts != 1 {
				t.Errorf("stats are %+v, want one crash and one restart", s)
			}
		})
	}
}

// TestMailboxSurvivesARestart has messages wait behind one that panics.
func TestMailboxSurvivesARestart(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	release, handled := hold(t, ref), 0
	for i := range 50 {
		tell(t, ref, func(*notes, *rt.Context) error {
			if handled++; i == 20 {
				panic("once")
			}
			return nil
		})
	}
	release()
	answers(t, ref)
	if handled != 50 {
		t.Errorf("of 50 messages, one of which crashes the actor, %d were handled", handled)
	}
}

func TestFail(t *testing.T) {
	sys := start(t)
	var h hooks
	var why error
	h.restarted = func(_ *rt.Context, w error) error { why = w; return nil }
	ref := spawnOf(t, sys, "acc", h.kind())
	n, err := rt.Ask(t.Context(), ref, live, func(c *rt.Context) (int, error) { c.Fail(errNoMoney); return 5, nil })
	if n != 5 || err != nil {
		t.Errorf("the reply of a handler that called Fail is %d, %v; want 5", n, err)
	}
	numbers(t, ref, 2)
	_, err = rt.Ask(t.Context(), ref, live, func(c *rt.Context) (int, error) { c.Fail(errNoMoney); return 0, errors.New("both") })
	refused(t, err, posthaste.Unknown, executed, "both")
	numbers(t, ref, 3)
	if why != errNoMoney {
		t.Errorf("the Restarted hook was told %v, want %v", why, errNoMoney)
	}
	if _, err = rt.Ask(t.Context(), ref, live, func(c *rt.Context) (int, error) { c.Fail(nil); return 1, nil }); err != nil {
		t.Error(err)
	}
	numbers(t, ref, 3)
	if s := sys.Stats(); s.Crashes != 2 || s.Restarts != 2 {
		t.Errorf("stats are %+v, want two crashes and two restarts", s)
	}
}

// TestFailIsForOneActor has Fail called where it could be taken for a later
// message's: before a panic, and in each hook. On one worker, so that a Context
// serves all.
func TestFailIsForOneActor(t *testing.T) {
	sys := start(t, rt.Workers(1))
	bystander := spawn(t, sys, "")
	fail := func(c *rt.Context) { c.Fail(errNoMoney) }
	count := func(crashes, restarts int64) {
		t.Helper()
		answers(t, bystander)
		answers(t, bystander)
		if s := sys.Stats(); s.Crashes != crashes || s.Restarts != restarts {
			t.Errorf("stats are %+v, want %d crashes and %d restarts", s, crashes, restarts)
		}
	}

	var h hooks
	h.stopped = fail
	ref := spawnOf(t, sys, "", h.kind())
	_, err := rt.Ask(t.Context(), ref, live, func(c *rt.Context) (int, error) { c.Fail(errNoMoney); panic("and more") })
	refused(t, err, posthaste.Internal, unknown)
	numbers(t, ref, 2)
	count(1, 1)
	stopActor(t, ref)
	count(1, 1)

	h = hooks{started: func(c *rt.Context) error { fail(c); return nil }}
	ref = spawnOf(t, sys, "", h.kind())
	numbers(t, ref, 2)
	count(2, 2)

	restarts := 0
	h = hooks{restarted: func(c *rt.Context, _ error) error {
		if restarts++; restarts == 1 {
			fail(c)
		}
		return nil
	}}
	ref = spawnOf(t, sys, "", h.kind())
	refused(t, crash(t, ref, "first"), posthaste.Internal, unknown)
	numbers(t, ref, 3)
	count(4, 4)
}

// TestCrashesOutsideOfHandlers has every function of a kind but its handlers
// panic once.
func TestCrashesOutsideOfHandlers(t *testing.T) {
	sys := start(t)
	t.Run("Started panics", func(t *testing.T) {
		h := hooks{started: func(*rt.Context) error { panic("no disk") }}
		ref := spawnOf(t, sys, "", h.kind())
		numbers(t, ref, 2)
		h.ran(t, "started 1", "restarted 2")
	})
	t.Run("Started returns an error", func(t *testing.T) {
		h := hooks{started: func(*rt.Context) error { return errNoMoney }}
		ref := spawnOf(t, sys, "acc", h.kind())
		_, err := rt.Ask(t.Context(), ref, number, struct{}{})
		refused(t, err, posthaste.ActorStopped, notExecuted, "Started hook failed", "no money")
		if !errors.Is(err, errNoMoney) {
			t.Errorf("%v does not wrap what the hook returned", err)
		}
		stopActor(t, ref)
		h.ran(t, "started 1", "stopped 1")
	})
	t.Run("Restarted panics", func(t *testing.T) {
		var h hooks
		h.restarted = func(*rt.Context, error) error {
			if len(h.calls) == 2 {
				panic("once more")
			}
			return nil
		}
		ref := spawnOf(t, sys, "", h.kind())
		refused(t, crash(t, ref, "first"), posthaste.Internal, unknown)
		numbers(t, ref, 3)
		h.ran(t, "started 1", "restarted 2", "restarted 3")
	})
	t.Run("Restarted returns an error", func(t *testing.T) {
		var h hooks
		h.restarted = func(*rt.Context, error) error {
			if len(h.calls) == 2 {
				return errNoMoney
			}
			return nil
		}
		ref := spawnOf(t, sys, "", h.kind())
		refused(t, crash(t, ref, "first"), posthaste.Internal, unknown)
		numbers(t, ref, 3)
	})
	t.Run("the state's function panics", func(t *testing.T) {
		h := hooks{made: func(number int) {
			if number == 2 {
				panic("no memory")
			}
		}}
		ref := spawnOf(t, sys, "", h.kind())
		refused(t, crash(t, ref, "first"), posthaste.Internal, unknown)
		numbers(t, ref, 3)
		h.ran(t, "started 1", "restarted 3")
	})
	t.Run("Stopped panics", func(t *testing.T) {
		h := hooks{stopped: func(*rt.Context) { panic("on the way out") }}
		ref := spawnOf(t, sys, "acc", h.kind())
		stopActor(t, ref)
		stopActor(t, spawnOf(t, sys, "acc", h.kind())) // the name is free all the same
	})
}

// TestRestartBudget has an actor crash until it is over its budget, with asks
// waiting in its mailbox.
func TestRestartBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := start(t)
		var h hooks
		ref := spawnOf(t, sys, "acc", h.kind(), rt.Restart(3, time.Minute))
		for range 3 { // within the budget
			refused(t, crash(t, ref, "again"), posthaste.Internal, unknown)
		}
		numbers(t, ref, 4)
		time.Sleep(time.Minute + time.Second) // and those are forgotten
		for range 3 {
			refused(t, crash(t, ref, "again"), posthaste.Internal, unknown)
		}
		numbers(t, ref, 7)

		holding, released := make(chan struct{}), make(chan struct{})
		crashed, queued := make(chan error, 1), make(chan error, 10)
		go func() {
			_, err := rt.Ask(t.Context(), ref, live, func(*rt.Context) (int, error) {
				close(holding)
				<-released
				panic("for good")
			})
			crashed <- err
		}()
		<-holding
		for range cap(queued) {
			go func() { _, err := rt.Ask(t.Context(), ref, number, struct{}{}); queued <- err }()
		}
		synctest.Wait()
		close(released)
		refused(t, <-crashed, posthaste.Internal, unknown)
		says := []string{"ask mortal.number to acc", "acc has stopped", "rt.Restart(3, 1m0s)", "panic: for good"}
		for range cap(queued) {
			refused(t, <-queued, posthaste.ActorStopped, notExecuted, says...)
		}
		_, err := rt.Ask(t.Context(), ref, number, struct{}{})
		refused(t, err, posthaste.ActorStopped, notExecuted, says...)
		if s := sys.Stats(); s.Crashes != 7 || s.Restarts != 6 {
			t.Errorf("stats are %+v, want 7 crashes and 6 restarts", s)
		}
		stopActor(t, ref)
		if last := h.calls[len(h.calls)-1]; last != "stopped 7" {
			t.Errorf("the last hook was %s, want that of the last state", last)
		}
		numbers(t, spawnOf(t, sys, "acc", h.kind()), 1) // the name is free
	})
}

// TestRestartsWithoutAWindow counts all crashes of an actor's life, so that one
// whose restart always fails does not restart for ever.
func TestRestartsWithoutAWindow(t *testing.T) {
	sys := start(t)
	h := hooks{restarted: func(*rt.Context, error) error { panic("each time") }}
	ref := spawnOf(t, sys, "acc", h.kind(), rt.Restart(4, 0))
	refused(t, crash(t, ref, "first"), posthaste.Internal, unknown)
	_, err := rt.Ask(t.Context(), ref, number, struct{}{})
	refused(t, err, posthaste.ActorStopped, notExecuted, "panic: each time")
	if s := sys.Stats(); s.Crashes != 5 || s.Restarts != 4 {
		t.Errorf("stats are %+v, want 5 crashes and 4 restarts", s)
	}
}

// TestHooks follows an actor through its life; the hooks are part of its turns.
func TestHooks(t *testing.T) {
	sys := start(t)
	other := spawn(t, sys, "")
	var h hooks
	self := make(chan posthaste.Addr, 3)
	h.started = func(c *rt.Context) error { self <- c.Self(); answers(t, other); return nil }
	h.restarted = func(c *rt.Context, _ error) error { self <- c.Self(); return nil }
	h.stopped = func(c *rt.Context) { self <- c.Self() }
	ref := spawnOf(t, sys, "acc", h.kind())
	refused(t, crash(t, ref, "once"), posthaste.Internal, unknown)
	stopActor(t, ref)
	h.ran(t, "started 1", "restarted 2", "stopped 2")
	for range 3 {
		if got := <-self; got != ref.Addr() {
			t.Errorf("Self in a hook is %v, want %v", got, ref)
		}
	}
}
