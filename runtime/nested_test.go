package runtime_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestChainOfAsks has each of 100 actors ask the next, on one worker: as each
// waits for the one behind it, 100 turns are under way at once.
func TestChainOfAsks(t *testing.T) {
	sys := start(t, rt.Workers(1))
	chain := make([]rt.Ref[script], 100)
	for i := range chain {
		chain[i] = spawn(t, sys, "")
	}
	var down func(ctx context.Context, i int) (int, error)
	down = func(ctx context.Context, i int) (int, error) {
		if i == len(chain) {
			return 0, nil
		}
		return ask(ctx, chain[i], func(_ *notes, c *rt.Context) (int, error) {
			n, err := down(c, i+1)
			return n + 1, err
		})
	}
	for range 3 {
		if n, err := down(t.Context(), 0); n != len(chain) || err != nil {
			t.Fatalf("%d actors took part, %v; want %d", n, err, len(chain))
		}
	}
}

// TestRingOfTells sends tells in circles from inside of handlers.
func TestRingOfTells(t *testing.T) {
	const laps = 200
	sys := start(t)
	ring, done := make([]rt.Ref[script], 10), make(chan struct{})
	for i := range ring {
		ring[i] = spawn(t, sys, "")
	}
	var pass func(hop int) func(*notes, *rt.Context) error
	pass = func(hop int) func(*notes, *rt.Context) error {
		return func(_ *notes, c *rt.Context) error {
			if hop == laps*len(ring) {
				close(done)
				return nil
			}
			return rt.Tell(c, ring[(hop+1)%len(ring)], post, pass(hop+1))
		}
	}
	tell(t, ring[0], pass(0))
	<-done
}

// TestBlockedHandlersDelayNobodyElse blocks 500 handlers on a channel, on one
// worker, and only then asks another actor, which lets them go.
func TestBlockedHandlersDelayNobodyElse(t *testing.T) {
	sys := start(t, rt.Workers(1))
	released := make(chan struct{})
	var blocked, ended sync.WaitGroup
	for range 500 {
		blocked.Add(1)
		ended.Add(1)
		tell(t, spawn(t, sys, ""), func(*notes, *rt.Context) error {
			blocked.Done()
			<-released
			ended.Done()
			return nil
		})
	}
	blocked.Wait()
	do(t, spawn(t, sys, "free"), func(*notes, *rt.Context) (int, error) { close(released); return 1, nil })
	ended.Wait()
}

// TestBlockedAskersDelayNobodyElse has 500 handlers ask one held actor.
func TestBlockedAskersDelayNobodyElse(t *testing.T) {
	sys := start(t, rt.Workers(1))
	held := spawn(t, sys, "", rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	release := hold(t, held)
	var asking, ended sync.WaitGroup
	for range 500 {
		asking.Add(1)
		ended.Add(1)
		tell(t, spawn(t, sys, ""), func(_ *notes, c *rt.Context) error {
			defer ended.Done()
			asking.Done()
			_, err := ask(c, held, func(*notes, *rt.Context) (int, error) { return 1, nil })
			if err != nil {
				t.Error(err)
			}
			return err
		})
	}
	asking.Wait()
	answers(t, spawn(t, sys, "free"))
	release()
	ended.Wait()
}

// TestActorIsNeverInTwoTurns has many senders of all verbs, whose handlers touch
// state without a lock; the race detector looks on.
func TestActorIsNeverInTwoTurns(t *testing.T) {
	const senders, each = 16, 100
	sys := start(t)
	ref := spawn(t, sys, "", rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	line := func(n *notes) { n.lines = append(n.lines, fmt.Sprint(len(n.lines))) }
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range each {
				tell(t, ref, func(n *notes, _ *rt.Context) error { line(n); return nil })
				do(t, ref, func(n *notes, _ *rt.Context) (int, error) { line(n); return 1, nil })
				for range rt.Recv(t.Context(), ref, emit, func(n *notes, _ *rt.Context) iter.Seq2[int, error] { line(n); return count(1) }) {
					continue
				}
			}
		})
	}
	all.Wait()
	lines := do(t, ref, func(n *notes, _ *rt.Context) ([]string, error) { return n.lines, nil })
	if want := 3 * senders * each; len(lines) != want || lines[want-1] != fmt.Sprint(want-1) {
		t.Errorf("%d messages were handled, want %d", len(lines), want)
	}
}

// TestHandlersSpawnAndStop has handlers start actors, ask them and stop them.
func TestHandlersSpawnAndStop(t *testing.T) {
	sys := start(t)
	before := sys.Stats().Actors
	parent := spawn(t, sys, "")
	for range 50 {
		n := do(t, parent, func(_ *notes, c *rt.Context) (int, error) {
			child, err := rt.Spawn(c.Runtime(), "child", scripted)
			if err != nil {
				return 0, err
			}
			n, err := ask(c, child, func(*notes, *rt.Context) (int, error) { return 3, nil })
			if err != nil {
				return 0, err
			}
			return n, rt.StopActor(c, child)
		})
		if n != 3 {
			t.Fatalf("the child replied %d, want 3", n)
		}
	}
	if n := sys.Stats().Actors - before; n != 1 {
		t.Errorf("%d actors are there, want the parent only", n)
	}
}
