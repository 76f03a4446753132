package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
	"github.com/posthaste-go/posthaste/registry/registrytest"
)

func TestMemory(t *testing.T) {
	registrytest.Run(t, func(*testing.T) registry.Registry { return registry.NewMemory() })
}

// current returns the snapshot of this moment.
func current(t rapid.TB, r registry.Registry, service string) (now []registry.Instance) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := r.Watch(ctx, service, func(all []registry.Instance) {
		now = all
		cancel()
	})
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return now
}

func TestMemoryShowsANewStateWithinASecond(t *testing.T) {
	tests := []struct{ lease, within time.Duration }{
		{time.Hour, time.Second},
		{300 * time.Millisecond, 100 * time.Millisecond},
		{time.Nanosecond, 10 * time.Millisecond},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			m := registry.NewMemory()
			var weight atomic.Int64
			_, err := m.Register(t.Context(), test.lease, func() registry.Instance {
				i := instance("bank", "a")
				i.Weight = int(weight.Load())
				return i
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var seen atomic.Int64
			go func() {
				_ = m.Watch(ctx, "bank", func(now []registry.Instance) { seen.Store(int64(now[0].Weight)) })
			}()
			synctest.Wait()
			weight.Store(7)
			time.Sleep(test.within)
			synctest.Wait()
			if seen.Load() != 7 {
				t.Errorf("lease %v: weight %d after %v, want 7", test.lease, seen.Load(), test.within)
			}
			cancel()
		})
	}
}

func TestMemoryEmitsNothingWithoutAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := registry.NewMemory()
		if _, err := m.Register(t.Context(), time.Second, func() registry.Instance { return instance("bank", "a") }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		emits := 0
		if err := m.Watch(ctx, "bank", func([]registry.Instance) { emits++ }); err != nil || emits != 1 {
			t.Errorf("%d snapshots in an hour without a change, error %v", emits, err)
		}
	})
}

func TestMemoryRefusesAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := registry.NewMemory().Register(ctx, time.Second, func() registry.Instance { return instance("bank", "a") })
	if posthaste.CodeOf(err) != posthaste.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("Register = %v", err)
	}
}

// TestMemoryReleaseWaitsForState releases while a watcher is inside state.
func TestMemoryReleaseWaitsForState(t *testing.T) {
	m := registry.NewMemory()
	inside, first := make(chan struct{}), true
	var running atomic.Bool
	lease, err := m.Register(t.Context(), time.Second, func() registry.Instance {
		if first {
			first = false
			return instance("bank", "a")
		}
		running.Store(true)
		close(inside)
		for range 1000 { // long enough for a Release that does not wait
			runtime.Gosched()
		}
		running.Store(false)
		return instance("bank", "a")
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		current(t, m, "bank")
	}()
	<-inside
	if err := lease.Release(t.Context()); err != nil || running.Load() {
		t.Errorf("Release = %v while the state was running: %t", err, running.Load())
	}
	<-done
}

// memoryModel compares a Memory with a map. The property test and the fuzz target
// share it.
func memoryModel(t *rapid.T) {
	m := registry.NewMemory()
	type key struct{ service, node string }
	type entry struct {
		instance registry.Instance
		lease    registry.Lease
	}
	model := make(map[key]entry)
	var past []registry.Lease // released or replaced
	t.Repeat(map[string]func(*rapid.T){
		"register": func(t *rapid.T) {
			i := instance(rapid.SampledFrom([]string{"bank", "shop"}).Draw(t, "service"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "node"))
			i.Incarnation = rapid.Uint64Range(0, 3).Draw(t, "incarnation")
			i.Weight = rapid.IntRange(0, 9).Draw(t, "weight")
			k := key{i.Service, i.Node}
			old, known := model[k]
			lease, err := m.Register(t.Context(), time.Second, func() registry.Instance { return i })
			if known && old.instance.Incarnation > i.Incarnation {
				if posthaste.CodeOf(err) != posthaste.StaleIncarnation {
					t.Fatalf("run %d after run %d: %v", i.Incarnation, old.instance.Incarnation, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if known {
				past = append(past, old.lease)
			}
			model[k] = entry{i, lease}
		},
		"release": func(t *rapid.T) {
			for k, e := range model { // any one
				past = append(past, e.lease)
				delete(model, k)
				_ = e.lease.Release(t.Context())
				return
			}
		},
		"release the past": func(t *rapid.T) {
			for _, lease := range past {
				_ = lease.Release(t.Context())
			}
		},
		"": func(t *rapid.T) {
			for _, service := range []string{"bank", "shop"} {
				var want []registry.Instance
				for k := range maps.Keys(model) {
					if k.service == service {
						want = append(want, model[k].instance)
					}
				}
				slices.SortFunc(want, func(a, b registry.Instance) int { return int(a.Node[0]) - int(b.Node[0]) })
				if got := current(t, m, service); !slices.EqualFunc(got, want, registry.Instance.Equal) {
					t.Fatalf("%s: %v, want %v", service, got, want)
				}
			}
		},
	})
}

func TestMemoryModel(t *testing.T) { rapid.Check(t, memoryModel) }

func FuzzMemory(f *testing.F) { f.Fuzz(rapid.MakeFuzz(memoryModel)) }

func BenchmarkMemoryRegister(b *testing.B) {
	m := registry.NewMemory()
	i := instance("bank", "a")
	state := func() registry.Instance { return i }
	b.ReportAllocs()
	for b.Loop() {
		lease, _ := m.Register(b.Context(), time.Second, state)
		_ = lease.Release(b.Context())
	}
}

func BenchmarkMemorySnapshot(b *testing.B) {
	m := registry.NewMemory()
	for n := range 100 {
		i := instance("bank", fmt.Sprintf("n%02d", n))
		if _, err := m.Register(b.Context(), time.Second, func() registry.Instance { return i }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		_ = m.Watch(ctx, "bank", func([]registry.Instance) { cancel() })
	}
}
