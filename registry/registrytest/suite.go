package registrytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
)

// Lease is what the suite registers with: its heartbeat is due every 100 ms.
const Lease = 300 * time.Millisecond

// Run checks r, one subtest for each promise. fresh makes an empty registry that
// shares nothing with those made before; it may end it by t.Cleanup.
func Run(t *testing.T, fresh func(t *testing.T) registry.Registry) {
	checks := []struct {
		name  string
		check func(*testing.T, registry.Registry)
	}{
		{"FirstSnapshotAtOnce", firstSnapshotAtOnce},
		{"RegisterAndRelease", registerAndRelease},
		{"SnapshotsAreWholeAndOrdered", snapshotsAreWholeAndOrdered},
		{"SnapshotsBelongToTheWatcher", snapshotsBelongToTheWatcher},
		{"ServicesAreApart", servicesAreApart},
		{"EveryFieldArrives", everyFieldArrives},
		{"StateIsReadAgain", stateIsReadAgain},
		{"IdentityIsThatOfTheFirstState", identityIsThatOfTheFirstState},
		{"RegisterAgainReplaces", registerAgainReplaces},
		{"LowerIncarnationIsRefused", lowerIncarnationIsRefused},
		{"ReleaseTwice", releaseTwice},
		{"NoStateAfterRelease", noStateAfterRelease},
		{"OneEmitAtATime", oneEmitAtATime},
		{"SlowWatcherGetsTheLast", slowWatcherGetsTheLast},
		{"WatchEndsWithItsContext", watchEndsWithItsContext},
		{"InvalidArguments", invalidArguments},
		{"Concurrency", concurrency},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.check(t, fresh(t)) })
	}
}

// ── watching ────────────────────────────────────────────────────────────────

func firstSnapshotAtOnce(t *testing.T, r registry.Registry) {
	watch(t, r, "bank").until("an empty snapshot", nodes())
	register(t, r, instance("bank", "a"))
	watch(t, r, "bank").until("node a", nodes("a"))
}

func snapshotsAreWholeAndOrdered(t *testing.T, r registry.Registry) {
	w := watch(t, r, "bank")
	register(t, r, instance("bank", "c"))
	register(t, r, instance("bank", "a"))
	register(t, r, instance("bank", "b"))
	w.until("all nodes in order", nodes("a", "b", "c"))
}

func snapshotsBelongToTheWatcher(t *testing.T, r registry.Registry) {
	register(t, r, instance("bank", "a"))
	first, second := watch(t, r, "bank"), watch(t, r, "bank")
	first.until("node a", nodes("a"))
	first.scribble()
	register(t, r, instance("bank", "b"))
	first.until("both nodes", nodes("a", "b"))
	second.until("both nodes", nodes("a", "b"))
}

func servicesAreApart(t *testing.T, r registry.Registry) {
	bank, shop := watch(t, r, "bank"), watch(t, r, "shop")
	register(t, r, instance("bank", "a"))
	register(t, r, instance("shop", "b"))
	bank.until("only node a", nodes("a"))
	shop.until("only node b", nodes("b"))
}

func oneEmitAtATime(t *testing.T, r registry.Registry) {
	var inside, emits atomic.Int32
	seen := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, "bank", func(now []registry.Instance) {
			if inside.Add(1) != 1 {
				t.Error("emit runs twice at once")
			}
			time.Sleep(time.Millisecond) // gives a second emit the time to show
			inside.Add(-1)
			if emits.Add(1); len(now) == 8 {
				close(seen)
				cancel()
			}
		})
	}()
	for i := range 8 {
		register(t, r, instance("bank", fmt.Sprintf("n%d", i)))
	}
	receive(t, seen, "a snapshot of all nodes")
	finish(t, done)
}

func slowWatcherGetsTheLast(t *testing.T, r registry.Registry) {
	entered, leave := make(chan struct{}), make(chan struct{})
	latest := make(chan []registry.Instance, 64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		first := true
		done <- r.Watch(ctx, "bank", func(now []registry.Instance) {
			if first {
				first = false
				close(entered)
				<-leave
			}
			latest <- now
		})
	}()
	receive(t, entered, "the first snapshot")
	for i := range 8 {
		register(t, r, instance("bank", fmt.Sprintf("n%d", i)))
	}
	close(leave)
	for last := 0; last < 8; {
		last = len(receive(t, latest, "the last snapshot"))
	}
	cancel()
	finish(t, done)
}

func watchEndsWithItsContext(t *testing.T, r registry.Registry) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Watch(ended, "bank", func([]registry.Instance) { t.Error("emit after the context ended") }); err != nil {
		t.Errorf("Watch with an ended context = %v, want nil", err)
	}
	w := watch(t, r, "bank")
	w.until("an empty snapshot", nodes())
	w.cancel()
	finish(t, w.done)
}

// ── registering ─────────────────────────────────────────────────────────────

func registerAndRelease(t *testing.T, r registry.Registry) {
	w := watch(t, r, "bank")
	lease := register(t, r, instance("bank", "a"))
	w.until("node a", nodes("a"))
	release(t, lease)
	w.until("nobody", nodes())
}

func everyFieldArrives(t *testing.T, r registry.Registry) {
	full := instance("bank", "a")
	full.Weight, full.Zone, full.Draining = 7, "eu-1", true
	full.Labels = map[string]string{"version": "1.2", "": "ü\n"}
	register(t, r, full)
	watch(t, r, "bank").until("the instance as registered", func(now []registry.Instance) bool {
		return len(now) == 1 && now[0].Equal(full)
	})
}

func stateIsReadAgain(t *testing.T, r registry.Registry) {
	var draining atomic.Bool
	w := watch(t, r, "bank")
	registerState(t, r, func() registry.Instance {
		i := instance("bank", "a")
		i.Draining = draining.Load()
		return i
	})
	w.until("node a", nodes("a"))
	draining.Store(true)
	w.until("node a draining", func(now []registry.Instance) bool { return len(now) == 1 && now[0].Draining })
}

func identityIsThatOfTheFirstState(t *testing.T, r registry.Registry) {
	var calls atomic.Int32
	w := watch(t, r, "bank")
	registerState(t, r, func() registry.Instance {
		i := instance("bank", "a")
		if calls.Add(1) > 1 {
			i.Service, i.Node, i.Incarnation, i.Weight = "shop", "z", 9, 2
		}
		return i
	})
	w.until("node a of weight 2", func(now []registry.Instance) bool {
		return len(now) == 1 && now[0].Node == "a" && now[0].Service == "bank" && now[0].Incarnation == 1 && now[0].Weight == 2
	})
}

func registerAgainReplaces(t *testing.T, r registry.Registry) {
	w := watch(t, r, "bank")
	old := register(t, r, instance("bank", "a"))
	heavier := instance("bank", "a")
	heavier.Weight = 5
	register(t, r, heavier)
	heavy := func(now []registry.Instance) bool { return len(now) == 1 && now[0].Weight == 5 }
	w.until("the second instance", heavy)
	release(t, old) // must not take the second away
	register(t, r, instance("bank", "b"))
	w.until("both nodes", nodes("a", "b"))
}

func lowerIncarnationIsRefused(t *testing.T, r registry.Registry) {
	second, first := instance("bank", "a"), instance("bank", "a")
	second.Incarnation = 2
	register(t, r, second)
	_, err := r.Register(t.Context(), Lease, func() registry.Instance { return first })
	if posthaste.CodeOf(err) != posthaste.StaleIncarnation {
		t.Errorf("registering run 1 after run 2 = %v, want code STALE_INCARNATION", err)
	}
	watch(t, r, "bank").until("run 2", func(now []registry.Instance) bool {
		return len(now) == 1 && now[0].Incarnation == 2
	})
	third := instance("bank", "a")
	third.Incarnation = 3
	register(t, r, third)
}

func releaseTwice(t *testing.T, r registry.Registry) {
	lease := register(t, r, instance("bank", "a"))
	release(t, lease)
	register(t, r, instance("bank", "a"))
	release(t, lease)
	watch(t, r, "bank").until("the second registration", nodes("a"))
}

func noStateAfterRelease(t *testing.T, r registry.Registry) {
	w := watch(t, r, "bank")
	for i := range 20 {
		var released atomic.Bool
		lease := registerState(t, r, func() registry.Instance {
			if released.Load() {
				t.Error("state was called after Release returned")
			}
			return instance("bank", "a")
		})
		if i%2 == 0 { // else it is released while the watcher may be reading it
			w.until("node a", nodes("a"))
		}
		release(t, lease)
		released.Store(true)
		other := register(t, r, instance("bank", "b")) // makes the registry look around
		w.until("node b only", nodes("b"))
		release(t, other)
		w.until("nobody", nodes())
	}
}

func invalidArguments(t *testing.T, r registry.Registry) {
	tests := []struct {
		name  string
		lease time.Duration
		alter func(*registry.Instance)
	}{
		{"no lease", 0, func(*registry.Instance) {}},
		{"negative lease", -1, func(*registry.Instance) {}},
		{"no service", Lease, func(i *registry.Instance) { i.Service = "" }},
		{"service with a space", Lease, func(i *registry.Instance) { i.Service = "a b" }},
		{"no node", Lease, func(i *registry.Instance) { i.Node = "" }},
		{"node with a newline", Lease, func(i *registry.Instance) { i.Node = "a\nb" }},
		{"long node", Lease, func(i *registry.Instance) { i.Node = strings.Repeat("n", posthaste.MaxNameLen+1) }},
		{"no endpoint", Lease, func(i *registry.Instance) { i.Endpoint = posthaste.Endpoint{} }},
		{"negative weight", Lease, func(i *registry.Instance) { i.Weight = -1 }},
	}
	for _, test := range tests {
		i := instance("bank", "a")
		test.alter(&i)
		_, err := r.Register(t.Context(), test.lease, func() registry.Instance { return i })
		if posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("%s: Register = %v, want code INVALID_ARGUMENT", test.name, err)
		}
	}
	if err := r.Watch(t.Context(), "a b", func([]registry.Instance) {}); posthaste.CodeOf(err) != posthaste.InvalidArgument {
		t.Errorf("Watch of a name with a space = %v, want code INVALID_ARGUMENT", err)
	}
}

func concurrency(t *testing.T, r registry.Registry) {
	w := watch(t, r, "bank")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			node := instance("bank", fmt.Sprintf("n%d", i))
			for range 10 {
				lease, err := r.Register(t.Context(), Lease, func() registry.Instance { return node })
				if err != nil {
					t.Errorf("Register: %v", err)
					return
				}
				if err := lease.Release(t.Context()); err != nil {
					t.Errorf("Release: %v", err)
				}
			}
		})
	}
	all.Wait()
	register(t, r, instance("bank", "last"))
	w.until("the only one left", nodes("last"))
}
