package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

func TestSpawnRefuses(t *testing.T) {
	sys := start(t)
	spawn(t, sys, "acc")
	for _, c := range []struct {
		name, says string
		code       posthaste.Code
		status     posthaste.Status
	}{
		{"acc", `an actor named "acc" lives here already`, posthaste.AlreadyExists, executed},
		{"two words", `has ' '`, posthaste.InvalidArgument, executed},
		{"$node", `has '$'`, posthaste.InvalidArgument, executed},
		{strings.Repeat("x", 256), "the limit is 255", posthaste.InvalidArgument, executed},
	} {
		ref, err := rt.Spawn(sys, c.name, scripted)
		refused(t, err, c.code, c.status, c.says)
		if !ref.IsZero() {
			t.Errorf("spawn %q failed with %v and returned %v", c.name, err, ref)
		}
	}
	_, err := rt.Spawn(sys, "zero", rt.Kind[script, notes]{})
	refused(t, err, posthaste.InvalidArgument, executed, `spawn "zero"`, "make it with Define")
}

func TestSpawnWithPanickingState(t *testing.T) {
	sys := start(t)
	for _, c := range []struct {
		value any
		says  string
	}{
		{"no disk", "panic: no disk"},
		{errNoMoney, "no money"},
		{nil, "panic called with nil argument"},
	} {
		_, err := rt.Spawn(sys, "acc", rt.Define(func() *notes { panic(c.value) }, scriptHandlers()...))
		refused(t, err, posthaste.Internal, unknown, `spawn "acc"`, c.says)
		if c.value == errNoMoney && !errors.Is(err, errNoMoney) {
			t.Errorf("%v does not wrap the panic's error", err)
		}
	}
	answers(t, spawn(t, sys, "acc")) // the name is free
}

// TestNamesAreTakenOnce has many goroutines spawn, use and stop actors under few
// names: never two at once, and each is free again as soon as StopActor returns.
func TestNamesAreTakenOnce(t *testing.T) {
	sys := start(t)
	before := sys.Stats().Actors
	var living [4]atomic.Int32
	var spawned atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range 200 {
				name := i % len(living)
				ref, err := rt.Spawn(sys, fmt.Sprint("acc-", name), scripted)
				if err != nil {
					refused(t, err, posthaste.AlreadyExists, executed)
					continue
				}
				spawned.Add(1)
				if n := living[name].Add(1); n != 1 {
					t.Errorf("%d actors are named %v", n, ref)
				}
				answers(t, ref)
				living[name].Add(-1)
				stopActor(t, ref)
			}
		})
	}
	all.Wait()
	if n := sys.Stats().Actors - before; n != 0 {
		t.Errorf("%d actors are left of %d that were stopped", n, spawned.Load())
	}
}

func TestAt(t *testing.T) {
	ctx, sys := t.Context(), start(t)
	ref := spawn(t, sys, "acc")
	anonymous := spawn(t, sys, "")
	self := do(t, ref, func(_ *notes, c *rt.Context) (posthaste.Addr, error) { return c.Self(), nil })
	if self != ref.Addr() || self.Name != "acc" || self.ID == 0 || ref.String() != self.String() {
		t.Errorf("Self is %v, Addr is %v", self, ref.Addr())
	}
	for _, addr := range []posthaste.Addr{{Name: "acc"}, self, {ID: self.ID, Incarnation: self.Incarnation}, anonymous.Addr()} {
		at := rt.At[script](sys, addr)
		answers(t, at)
		if at != rt.At[script](sys, addr) {
			t.Errorf("two Refs for %v differ", addr)
		}
	}

	early := rt.At[script](sys, posthaste.Addr{Name: "late"})
	_, err := ask(ctx, early, func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.ActorNotFound, notExecuted, "ask script.run to late", "test has no actor late")
	err = rt.Tell(ctx, early, post, func(*notes, *rt.Context) error { return nil })
	refused(t, err, posthaste.ActorNotFound, notExecuted, "tell script.post to late")
	_, err = collect(rt.Recv(ctx, early, emit, nil))
	refused(t, err, posthaste.ActorNotFound, notExecuted, "open script.emit to late")
	late := spawn(t, sys, "late")
	answers(t, early) // which goes by name, and finds it now
	tell(t, early, func(*notes, *rt.Context) error { return nil })
	if items, err := collect(rt.Recv(ctx, early, emit, emitCount(3))); err != nil || len(items) != 3 {
		t.Errorf("a stream by name: %v, %v", items, err)
	}

	stopActor(t, late)
	_, err = ask(ctx, rt.At[script](sys, late.Addr()), func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.ActorNotFound, notExecuted)
	spawn(t, sys, "late") // another actor in the same place, under the same name
	_, err = ask(ctx, rt.At[script](sys, late.Addr()), func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.ActorNotFound, notExecuted)
	answers(t, early)
}

func TestAddressOfAnEarlierRun(t *testing.T) {
	sys := start(t)
	addr := spawn(t, sys, "acc").Addr()
	addr.Incarnation--
	_, err := ask(t.Context(), rt.At[script](sys, addr), func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.StaleIncarnation, notExecuted, "another run of test")
}

func TestIncarnationsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for range 50 {
		sys := start(t)
		addr := spawn(t, sys, "acc").Addr()
		if seen[addr.Incarnation] {
			t.Fatalf("two runtimes have the incarnation %x", addr.Incarnation)
		}
		seen[addr.Incarnation] = true
	}
}

func TestStopActorHandlesWhatIsQueued(t *testing.T) {
	sys := start(t)
	ref := spawn(t, sys, "acc")
	release := hold(t, ref)
	handled := 0
	for range 100 {
		tell(t, ref, func(*notes, *rt.Context) error { handled++; return nil })
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errNoMoney)
	err := rt.StopActor(ended, ref) // begins, but does not wait
	refused(t, err, posthaste.Canceled, unknown, "stop acc", "101 messages left", "no money")
	release()
	stopActor(t, ref)
	if handled != 100 {
		t.Errorf("of 100 queued messages %d were handled", handled)
	}
	stopActor(t, ref) // again: no harm
	_, err = ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.ActorStopped, notExecuted, "acc has stopped")
	answers(t, spawn(t, sys, "acc"))
}

// TestContextStop has an actor stop itself: what was queued before is handled,
// what is sent after is refused.
func TestContextStop(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	release := hold(t, ref)
	var replies sync.WaitGroup
	tell(t, ref, func(_ *notes, c *rt.Context) error { c.Stop(); c.Stop(); return nil })
	for range 20 {
		tell(t, ref, func(*notes, *rt.Context) error { replies.Done(); return nil })
		replies.Add(1)
	}
	release()
	replies.Wait()
	stopActor(t, ref)
	err := rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { return nil })
	refused(t, err, posthaste.ActorStopped, notExecuted)
}
