package runtime_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestMemoryRegistry has nodes that were never told of each other share a registry.
func TestMemoryRegistry(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		shared := rt.Registry(registry.NewMemory())
		first, second, client := f.node(shared), f.node(shared), f.caller(shared)
		to := rt.Service[probed](client, "svc")
		f.forgets(v, to)
		f.serve(first, v, "svc", rt.Mailbox(1000, 0))
		f.knows(v, to)
		f.serve(second, v, "svc", rt.Mailbox(1000, 0))
		f.until("both nodes answer", func() bool { return len(f.census(v, to, 320)) == 2 })
		f.until("both nodes answer the second", func() bool {
			return len(f.census(v, rt.Service[probed](second, "svc"), 320)) == 2
		})
		if err := halt(first); err != nil {
			f.Fatal(err)
		}
		if got := f.census(v, to, 160); got[second.Name()] != 160 {
			f.Errorf("after the first node has stopped: %v", got)
		}
		if err := rt.StopActor(f.ctx(), rt.At[probed](second, posthaste.Addr{Name: "svc"})); err != nil {
			f.Fatal(err)
		}
		f.forgets(v, to)
		f.serve(second, v, "svc")
		f.knows(v, to)
	})
}

// TestStaticRegistry reads the endpoints from a list. Who serves may have the same
// list.
func TestStaticRegistry(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		at, there := f.fixedAddress(), f.fixedAddress()
		list := rt.Registry(registry.NewStatic(map[string][]posthaste.Endpoint{
			"svc": {must(posthaste.ParseEndpoint(at)), must(posthaste.ParseEndpoint(there))},
		}))
		first, client := f.caller(rt.Listen(at), list), f.caller(list)
		f.serve(first, v, "svc", rt.Mailbox(1000, 0))
		to := rt.Service[probed](client, "svc")
		f.knows(v, to)
		// The other is on the list but not there: calls go to the one that is.
		if got := f.census(v, to, 160); got[first.Name()] != 160 {
			f.Errorf("with one node down: %v", got)
		}
		second := f.caller(rt.Listen(there), list)
		f.serve(second, v, "svc", rt.Mailbox(1000, 0))
		// The balancer shuns for a while who did not answer before; not that of others.
		for _, n := range []*rt.Runtime{second, f.caller(list)} {
			f.until("both nodes answer "+n.Name(), func() bool {
				return len(f.census(v, rt.Service[probed](n, "svc"), 320)) == 2
			})
		}
	})
}

// brokenRegistry fails.
type brokenRegistry struct{ registry.Registry }

var errBrokenRegistry = errors.New("the registry is down")

func (brokenRegistry) Register(context.Context, time.Duration, func() registry.Instance) (registry.Lease, error) {
	return nil, errBrokenRegistry
}

func (brokenRegistry) Watch(ctx context.Context, _ string, _ func([]registry.Instance)) error {
	return errBrokenRegistry
}

// TestBrokenRegistry wants Serve to publish a service everywhere or nowhere, and
// what is known otherwise to stay in use.
func TestBrokenRegistry(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, sound := f.node(rt.Registry(brokenRegistry{})), f.node()
		_, ref := f.spawn(server, v, "probe")
		if err := rt.Serve(server, "svc", ref); !errors.Is(err, errBrokenRegistry) {
			f.Errorf("Serve: %v", err)
		}
		_, err := rt.Ask(f.ctx(), rt.Service[probed](server, "svc"), v.echo, nil)
		wantError(f, err, posthaste.NoEndpoint, notExecuted)
		f.serve(sound, v, "svc")
		client := f.caller(rt.Registry(brokenRegistry{}), joinTo(sound, server))
		f.knows(v, rt.Service[probed](client, "svc"))
	})
}
