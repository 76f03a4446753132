package runtime_test

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestStartedComesFirst has others use a name the moment it appears.
func TestStartedComesFirst(t *testing.T) {
	sys := start(t)
	for i := range 200 {
		name := fmt.Sprint("acc-", i)
		at, found := rt.At[mortal](sys, posthaste.Addr{Name: name}), make(chan error)
		h := hooks{}
		go func() {
			for {
				_, err := rt.Ask(t.Context(), at, live, func(*rt.Context) (int, error) {
					if len(h.calls) != 1 {
						return 0, errors.New("a message came before Started")
					}
					return 1, nil
				})
				if !errors.Is(err, rt.ErrActorNotFound) {
					found <- err
					return
				}
			}
		}()
		spawnOf(t, sys, name, h.kind())
		if err := <-found; err != nil {
			t.Fatal(err)
		}
	}
}

// TestGoexit has handlers of all verbs, and hooks, end the goroutine they run on,
// as a failed assertion in a handler does. There is one worker to lose.
func TestGoexit(t *testing.T) {
	sys := start(t, rt.Workers(1))
	ref := spawn(t, sys, "acc", rt.Restart(1000, 0))
	for range 10 {
		_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { runtime.Goexit(); return 1, nil })
		refused(t, err, posthaste.Internal, unknown, "ask script.run to acc", "the handler called runtime.Goexit")
		tell(t, ref, func(*notes, *rt.Context) error { runtime.Goexit(); return nil })
		items, err := collect(rt.Recv(t.Context(), ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) { yield(1, nil); runtime.Goexit() }
		}))
		refused(t, err, posthaste.Internal, unknown, "the handler called runtime.Goexit")
		if len(items) != 1 {
			t.Errorf("%d items came before the end, want 1", len(items))
		}
		answers(t, ref)
	}
	answers(t, spawn(t, sys, ""))
	if s := sys.Stats(); s.Crashes != 30 || s.Restarts != 30 {
		t.Errorf("stats are %+v, want 30 crashes and 30 restarts", s)
	}

	exit := func(h *hooks, in int) {
		if len(h.calls) == in {
			runtime.Goexit()
		}
	}
	var h hooks
	h.started = func(*rt.Context) error { exit(&h, 1); return nil }
	h.restarted = func(*rt.Context, error) error { exit(&h, 2); exit(&h, 3); return nil }
	h.stopped = func(*rt.Context) { exit(&h, 5) }
	hooked := spawnOf(t, sys, "hooked", h.kind())
	numbers(t, hooked, 2) // the hook that ran while the goroutine ended has no second chance
	refused(t, crash(t, hooked, "once"), posthaste.Internal, unknown)
	numbers(t, hooked, 4)
	stopActor(t, hooked)
	h.ran(t, "started 1", "restarted 2", "restarted 3", "restarted 4", "stopped 4")
	numbers(t, spawnOf(t, sys, "hooked", h.kind()), 1)
}
