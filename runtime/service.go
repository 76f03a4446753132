package runtime

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/lb"
	"github.com/posthaste-go/posthaste/mailbox"
)

// Serve publishes an actor of this node under a service name, here, at all
// connected nodes and in the registry, until the actor stops or the runtime does.
// Several nodes may serve one name; calls are spread over them. The error is
// AlreadyExists if this node serves the name already, or InvalidArgument.
func Serve[P any](rt *Runtime, name string, actor Ref[P]) error {
	if err := posthaste.CheckName(name); err != nil {
		return err
	}
	if actor.t.cell == nil || actor.t.cell.rt != rt {
		return posthaste.Errorf(posthaste.InvalidArgument, "serve %q: %v is no actor of this node; spawn one, then serve it", name, actor)
	}
	return rt.services.serve(name, actor.t.cell)
}

// Service refers to a service by name, wherever it is served. A call picks a node
// and connects to it; while nobody serves the name, calls fail with NoEndpoint,
// except that they wait for nodes that are being joined.
func Service[P any](rt *Runtime, name string, opts ...CallOption) Ref[P] {
	var o callOptions
	for _, opt := range opts {
		opt.applyCall(&o)
	}
	return Ref[P]{target{far: &remote{
		rt: rt, addr: posthaste.Addr{Name: name}, service: rt.services.service(name), timeout: o.timeout,
	}}}
}

// served is a service that this node serves.
type served struct {
	name string
	cell atomic.Pointer[cell] // nil once it is withdrawn
}

// actor returns who serves.
func (v *served) actor() (*cell, error) {
	if a := v.cell.Load(); a != nil {
		return a, nil
	}
	return nil, posthaste.Errorf(posthaste.NoEndpoint, "%q is not served here any more", v.name)
}

// service is a service that this node calls. It is made on first reference and
// kept.
type service struct {
	name   string
	number uint32 // in this process, for the routes of connections; not 0
	group  *lb.Group
	in     *directory
}

// maxPicks is how many nodes a call tries to connect to.
const maxPicks = 3

// pick chooses a node for a call and connects to it. Nothing has been sent when
// it fails.
func (s *service) pick(ctx context.Context, deadline int64) (way, error) {
	var last error
	for tried := 0; tried < maxPicks; {
		n, err := s.group.Pick(0) // the policy needs no key
		if err != nil {
			if err := s.in.awaitEndpoint(ctx, s, deadline); err != nil {
				return way{}, err
			}
			continue
		}
		tried++
		w := way{node: n}
		if s.group.Len() > 1 {
			w.began = time.Now()
		}
		if last = s.reach(ctx, n, deadline, &w); last == nil {
			return w, nil
		}
		n.Done(0, true)
	}
	// The policy has had its chances: anybody who can be reached will do.
	for _, n := range s.group.Nodes() {
		var w way
		if last = s.reach(ctx, n, deadline, &w); last == nil {
			return w, nil
		}
	}
	return way{}, last
}

// reach finds the way to a node.
func (s *service) reach(ctx context.Context, n *lb.Node, deadline int64, w *way) (err error) {
	switch at := n.Value.(type) {
	case *served:
		w.cell, err = at.actor()
	case *node:
		w.session, err = at.connect()
	case *eventloop.Peer:
		w.session, err = s.in.rt.connect(ctx, at, deadline)
	}
	return err
}

// node is a peer as one connection shows it.
type node struct {
	id       nodeID
	endpoint posthaste.Endpoint      // for the balancer: a made-up one if it is not known
	conn     uint64                  // number of the connection: of several the oldest is used
	live     atomic.Pointer[session] // nil once it is lost or drains
	heard    bool                    // it has announced itself; guarded by directory.mu
	services []string                // as announced; guarded by directory.mu
}

// nodeID tells a run of a node from all others, by whichever connection it is seen.
type nodeID struct {
	name        string
	incarnation uint64
	conn        uint64 // of a peer that does not say who it is
}

func newNode(s *session) *node {
	hello := s.conn.Peer()
	n := &node{id: nodeID{name: hello.Node, incarnation: hello.Incarnation}, conn: s.conn.ID()}
	if hello.Node == "" || hello.Incarnation == 0 {
		n.id.conn = n.conn
	}
	n.endpoint, _ = hello.Endpoint() // of HELLO, which was parsed
	switch {
	case !n.endpoint.IsZero():
	case s.conn.Outbound():
		n.endpoint = s.conn.Remote()
	default:
		n.endpoint = n.id.endpoint()
	}
	n.live.Store(s)
	return n
}

// endpoint stands for a node that others cannot dial.
func (id nodeID) endpoint() posthaste.Endpoint {
	return posthaste.Endpoint{Network: "node", Address: fmt.Sprintf("%s-%x-%d", id.name, id.incarnation, id.conn)}
}

// connect returns a session with the node, which is known while it has one.
func (n *node) connect() (*session, error) {
	if s := n.live.Load(); s != nil {
		return s, nil
	}
	e := posthaste.Errorf(posthaste.ConnLost, "the connection to %s is lost", n.id.name)
	e.Status = posthaste.StatusNotExecuted
	return nil, e
}

// announcement is what nodes tell each other of themselves.
type announcement struct {
	Services []string `msgpack:"services"` // all that the node serves
}

// announce is sent to the actor named nodeActor on each side of a new connection,
// and again when something changes.
var announce = Event[nodeProtocol, announcement]{&tellMethod[announcement]{
	method: makeMethod("$announce", posthaste.VerbTell, nil),
}}

const nodeActor = "$node"

type nodeProtocol struct{}

// nodeState is the state of the actor through which peers talk to the directory.
type nodeState struct{}

var nodeKind = Define(func() *nodeState { return &nodeState{} },
	OnTell(announce, func(_ *nodeState, c *Context, a announcement) error {
		if c.in == nil {
			return posthaste.Errorf(posthaste.InvalidArgument, "only other nodes announce themselves")
		}
		s := c.in.session
		if err := checkServices(a.Services); err != nil {
			s.conn.Fail(err)
			return nil
		}
		c.rt.services.announced(s, a.Services)
		return nil
	}))

// checkServices judges what a peer has announced.
func checkServices(names []string) *posthaste.Error {
	if len(names) > maxServices {
		return posthaste.Errorf(posthaste.Protocol, "the node announced %d services; the limit is %d", len(names), maxServices)
	}
	for _, name := range names {
		if err := posthaste.CheckName(name); err != nil {
			return posthaste.Errorf(posthaste.Protocol, "the node announced a service with a bad name: %w", err)
		}
	}
	return nil
}

var nodeMailbox = Mailbox(4096, mailbox.DropOldest)
