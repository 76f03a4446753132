package registry

import (
	"context"
	"maps"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Registry says who serves what. Implementations are safe for concurrent use and
// keep the guarantees of the package comment.
type Registry interface {
	// Register makes known that a node serves a service, until the lease is
	// released or the node stops renewing it for as long as lease says. The
	// registry renews it by itself.
	//
	// state returns the instance as it is now. It is called once before Register
	// returns and again at each heartbeat, so that a new weight or Draining
	// spreads without another call. Its Service, Node and Incarnation are those
	// of the first call; later ones are not looked at. It is not called by two
	// goroutines at once nor after Release returned; it must return quickly and
	// must not call the registry.
	//
	// Registering a service and node that is registered replaces the instance at
	// once; the lease that it was under ends without effect. Registering a lower
	// incarnation than the one known fails with [posthaste.StaleIncarnation]: it
	// is the past of a node that has restarted. An invalid instance or lease
	// fails with [posthaste.InvalidArgument], a registry that only reads with
	// [posthaste.Unimplemented]. ctx bounds Register, not the lease.
	Register(ctx context.Context, lease time.Duration, state func() Instance) (Lease, error)

	// Watch calls emit with all instances of service, at once and after each
	// change, until ctx ends; then it returns nil. Any other return means that it
	// could not watch at all; an outage of the registry is not that: the last
	// snapshot stays true until a better one comes.
	//
	// emit runs on the goroutine that called Watch, so one at a time, and not
	// after ctx ended. The slice is emit's to keep and change; the Labels in it
	// are read-only. Draining instances are included. An empty slice means that
	// nobody serves the service. If emit is slow, snapshots in between are left
	// out.
	Watch(ctx context.Context, service string, emit func([]Instance)) error
}

// Lease is the right to be listed. Safe for concurrent use.
type Lease interface {
	// Release ends the lease and takes the instance out of the registry. Once it
	// returned, state is not called again. Releasing twice, or a lease that a
	// later Register replaced, does nothing. If it fails, the instance goes when
	// its lease expires.
	Release(ctx context.Context) error
}

// Instance is one node's offer to serve one service.
type Instance struct {
	Service     string             // the name served, as [posthaste.CheckName] allows
	Node        string             // the node's name, unique among all nodes
	Endpoint    posthaste.Endpoint // where the node answers
	Incarnation uint64             // run of the node; higher is newer; 0 if not known
	Weight      int                // share of the load relative to the others; 0 counts as 1
	Zone        string             // where it stands, "" if not known
	Labels      map[string]string  // anything else; read-only once registered
	Draining    bool               // about to leave: finishes its work and wants no more
}

// Equal reports whether i and o say the same.
func (i Instance) Equal(o Instance) bool {
	return i.Service == o.Service && i.Node == o.Node && i.Endpoint == o.Endpoint &&
		i.Incarnation == o.Incarnation && i.Weight == o.Weight && i.Zone == o.Zone &&
		i.Draining == o.Draining && maps.Equal(i.Labels, o.Labels)
}

// Validate reports whether i can be registered: Service is a name, Node is 1 to
// [posthaste.MaxNameLen] printable ASCII characters without spaces, Endpoint is
// not zero and Weight not negative. The error has code
// [posthaste.InvalidArgument]. For implementations of [Registry].
func (i Instance) Validate() error {
	if err := posthaste.CheckName(i.Service); err != nil {
		return posthaste.Errorf(posthaste.InvalidArgument, "registry: service: %w", err)
	}
	if err := checkNode(i.Node); err != nil {
		return err
	}
	if i.Endpoint.IsZero() {
		return posthaste.Errorf(posthaste.InvalidArgument,
			"registry: instance of %s on node %s has no endpoint; nobody could reach it", i.Service, i.Node)
	}
	if i.Weight < 0 {
		return posthaste.Errorf(posthaste.InvalidArgument,
			"registry: instance of %s on node %s has weight %d; it must be 0 or more", i.Service, i.Node, i.Weight)
	}
	return nil
}

// checkNode keeps out what could break out of a key or a log line.
func checkNode(node string) error {
	if node == "" || len(node) > posthaste.MaxNameLen {
		return posthaste.Errorf(posthaste.InvalidArgument,
			"registry: node name %.20q has %d bytes; it needs 1 to %d", node, len(node), posthaste.MaxNameLen)
	}
	for k := range len(node) {
		if c := node[k]; c <= ' ' || c > '~' {
			return posthaste.Errorf(posthaste.InvalidArgument,
				"registry: node name %q has %q at byte %d; allowed are printable ASCII characters without spaces", node, c, k)
		}
	}
	return nil
}

// CheckLease reports whether a lease can be asked for: it must be above zero. The
// error has code [posthaste.InvalidArgument]. For implementations of [Registry].
func CheckLease(lease time.Duration) error {
	if lease > 0 {
		return nil
	}
	return posthaste.Errorf(posthaste.InvalidArgument, "registry: lease of %v; it must be above zero", lease)
}
