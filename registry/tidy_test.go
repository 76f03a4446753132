package registry

import (
	"context"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
)

// TestMemoryForgets checks that names that come and go leave nothing behind.
func TestMemoryForgets(t *testing.T) {
	m := NewMemory()
	ctx, cancel := context.WithCancel(t.Context())
	if err := m.Watch(ctx, "watched", func([]Instance) { cancel() }); err != nil {
		t.Fatal(err)
	}
	i := Instance{Service: "served", Node: "a", Endpoint: posthaste.Endpoint{Network: "mem", Address: "a"}, Incarnation: 2}
	lease, err := m.Register(t.Context(), time.Second, func() Instance { return i })
	if err != nil {
		t.Fatal(err)
	}
	i.Incarnation = 1
	if _, err := m.Register(t.Context(), time.Second, func() Instance { return i }); err == nil {
		t.Fatal("a lower incarnation was accepted")
	}
	if len(m.services) != 1 {
		t.Errorf("%d services, want the one with a lease", len(m.services))
	}
	if err := lease.Release(t.Context()); err != nil || len(m.services) != 0 {
		t.Errorf("Release = %v; %d services are left", err, len(m.services))
	}
}
