package registrytest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
)

// instance makes a valid one.
func instance(service, node string) registry.Instance {
	return registry.Instance{
		Service: service, Node: node, Incarnation: 1,
		Endpoint: posthaste.Endpoint{Network: "mem", Address: node},
	}
}

// nodes is the condition that a snapshot has just these nodes, in this order.
func nodes(want ...string) func([]registry.Instance) bool {
	return func(now []registry.Instance) bool {
		return slices.EqualFunc(now, want, func(i registry.Instance, node string) bool { return i.Node == node })
	}
}

func register(t *testing.T, r registry.Registry, i registry.Instance) registry.Lease {
	t.Helper()
	return registerState(t, r, func() registry.Instance { return i })
}

// registerState registers until the end of the test.
func registerState(t *testing.T, r registry.Registry, state func() registry.Instance) registry.Lease {
	t.Helper()
	lease, err := r.Register(t.Context(), Lease, state)
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	t.Cleanup(func() { _ = lease.Release(context.Background()) })
	return lease
}

func release(t *testing.T, lease registry.Lease) {
	t.Helper()
	if err := lease.Release(t.Context()); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

// watcher runs one Watch and keeps the latest snapshot.
type watcher struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error    // what Watch returned
	news   chan struct{} // one token while latest has not been looked at

	mu     sync.Mutex
	latest []registry.Instance // guarded by mu
	seen   bool                // guarded by mu; there was a snapshot
}

// watch starts a watcher that ends with the test.
func watch(t *testing.T, r registry.Registry, service string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{t: t, cancel: cancel, done: make(chan error, 1), news: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.done <- r.Watch(ctx, service, w.emit)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *watcher) emit(now []registry.Instance) {
	w.mu.Lock()
	w.latest, w.seen = now, true
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// until waits for a latest snapshot that meets the condition.
func (w *watcher) until(what string, met func([]registry.Instance) bool) {
	w.t.Helper()
	for !w.check(met) {
		receive(w.t, w.news, "a snapshot with "+what)
	}
}

func (w *watcher) check(met func([]registry.Instance) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen && met(w.latest)
}

// scribble changes the latest snapshot, as its owner may.
func (w *watcher) scribble() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.latest)
}

// receive waits for ch, but not for ever.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come within 10 s", what)
		panic("unreachable")
	}
}

func finish(t *testing.T, done <-chan error) {
	t.Helper()
	if err := receive(t, done, "the end of Watch"); err != nil {
		t.Errorf("Watch = %v after its context ended, want nil", err)
	}
}
