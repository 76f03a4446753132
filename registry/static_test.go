package registry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
)

func TestStaticLists(t *testing.T) {
	a, b := posthaste.Endpoint{Network: "tcp", Address: "10.0.0.1:7000"}, posthaste.Endpoint{Network: "unix", Address: "/run/b"}
	given := map[string][]posthaste.Endpoint{"bank": {b, a}}
	s := registry.NewStatic(given)
	given["bank"][0] = posthaste.Endpoint{}
	want := []registry.Instance{
		{Service: "bank", Node: "10.0.0.1:7000", Endpoint: a},
		{Service: "bank", Node: "unix:/run/b", Endpoint: b},
	}
	first := current(t, s, "bank")
	if !slices.EqualFunc(first, want, registry.Instance.Equal) {
		t.Errorf("got %v, want %v", first, want)
	}
	clear(first) // the watcher's own
	if again := current(t, s, "bank"); !slices.EqualFunc(again, want, registry.Instance.Equal) {
		t.Errorf("got %v, want %v", again, want)
	}
	if got := current(t, s, "shop"); len(got) != 0 {
		t.Errorf("an unknown service: %v", got)
	}
	for _, i := range first {
		if err := want[0].Validate(); err != nil {
			t.Errorf("%v: %v", i, err)
		}
	}
}

func TestStaticRefusesToRegister(t *testing.T) {
	s := registry.StaticOf(nil)
	lease, err := s.Register(t.Context(), time.Second, func() registry.Instance { panic("state of a static registry") })
	if lease != nil || posthaste.CodeOf(err) != posthaste.Unimplemented {
		t.Errorf("Register = %v, %v; want code UNIMPLEMENTED", lease, err)
	}
	if err := s.Watch(t.Context(), "", nil); posthaste.CodeOf(err) != posthaste.InvalidArgument {
		t.Errorf("Watch of no name = %v", err)
	}
}
