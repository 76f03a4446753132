package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Static is a [Registry] that only reads: it always lists what it was made with.
// Safe for concurrent use.
type Static struct {
	services map[string][]Instance // set once when made, each ordered by node; read-only
}

var _ Registry = (*Static)(nil)

// NewStatic makes a registry of services by name and the endpoints that serve
// them. The node of each instance is named after its endpoint. The map is not
// kept.
func NewStatic(services map[string][]posthaste.Endpoint) *Static {
	var instances []Instance
	for name, endpoints := range services {
		for _, e := range endpoints {
			instances = append(instances, Instance{Service: name, Node: e.String(), Endpoint: e})
		}
	}
	return StaticOf(instances)
}

// StaticOf makes a registry of instances, for those that need a weight, a zone or
// labels. The slice is not kept; the labels are, read-only.
func StaticOf(instances []Instance) *Static {
	s := &Static{services: make(map[string][]Instance)}
	for _, i := range instances {
		s.services[i.Service] = append(s.services[i.Service], i)
	}
	for _, list := range s.services {
		slices.SortStableFunc(list, func(a, b Instance) int { return cmp.Compare(a.Node, b.Node) })
	}
	return s
}

// Register fails: its error has code [posthaste.Unimplemented]. state is not
// called.
func (s *Static) Register(context.Context, time.Duration, func() Instance) (Lease, error) {
	return nil, posthaste.Errorf(posthaste.Unimplemented,
		"registry: a static registry lists only what it was made with; list this node's endpoint there, or use another registry to serve")
}

// Watch implements [Registry]: it calls emit once and waits for ctx to end. Its
// error, for a name that cannot be one, has code [posthaste.InvalidArgument].
func (s *Static) Watch(ctx context.Context, service string, emit func([]Instance)) error {
	if err := posthaste.CheckName(service); err != nil {
		return err
	}
	if ctx.Err() == nil {
		emit(slices.Clone(s.services[service]))
	}
	<-ctx.Done()
	return nil
}
