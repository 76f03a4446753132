package runtime

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/lb"
	"github.com/posthaste-go/posthaste/registry"
	"github.com/posthaste-go/posthaste/wire"
)

// directory knows who serves what: this node, the nodes it is connected to, and
// those that the registry names. It keeps the balancers' groups up to date.
type directory struct {
	rt *Runtime // set once

	mu       sync.Mutex // guards following
	served   map[string]*served
	services map[string]*service
	nodes    map[*session]*node
	listed   map[string][]registry.Instance // by service, as the registry has it
	leases   map[string]registry.Lease
	expected map[posthaste.Endpoint]bool // joined nodes that have not announced themselves
	changed  chan struct{}               // closed and replaced when any group changes
	closed   bool
}

// leaseTime is how long the registry keeps a node that does not renew.
const leaseTime = 15 * time.Second

// maxServices is how many services a node can serve, and so announce.
const maxServices = 1024

func (d *directory) init(rt *Runtime) {
	d.rt = rt
	d.served = map[string]*served{}
	d.services = map[string]*service{}
	d.nodes = map[*session]*node{}
	d.listed = map[string][]registry.Instance{}
	d.leases = map[string]registry.Lease{}
	d.expected = map[posthaste.Endpoint]bool{}
	d.changed = make(chan struct{})
}

// open spawns the actor that peers announce themselves to.
func (d *directory) open() error {
	_, err := d.rt.spawn(nodeActor, nodeKind.k, []SpawnOption{nodeMailbox})
	return err
}

// serve publishes a local actor.
func (d *directory) serve(name string, a *cell) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return posthaste.Errorf(posthaste.Draining, "serve %q: the runtime is stopping", name)
	}
	v := d.served[name]
	if v == nil && len(d.servedLocked()) >= maxServices {
		d.mu.Unlock()
		return posthaste.Errorf(posthaste.ResourceExhausted, "serve %q: this node serves %d names, which is the limit", name, maxServices)
	}
	if v == nil {
		v = &served{name: name}
		d.served[name] = v
	}
	if !v.cell.CompareAndSwap(nil, a) {
		d.mu.Unlock()
		return posthaste.Errorf(posthaste.AlreadyExists, "this node serves %q already; stop that actor first, or serve under another name", name)
	}
	a.serves.Store(true)
	d.regroupLocked(name)
	d.announceLocked()
	d.mu.Unlock()
	if a.done.Load() { // it stopped meanwhile, and withdraw did not see it
		d.withdraw(a)
		return a.stoppedError()
	}
	err := d.register(v)
	if err != nil && v.cell.CompareAndSwap(a, nil) { // all or nothing
		d.mu.Lock()
		defer d.mu.Unlock()
		d.regroupLocked(name)
		d.announceLocked()
	}
	return err
}

// register publishes a service in the registry, unless that is one which only
// reads: then others know of the service already.
func (d *directory) register(v *served) error {
	if d.rt.o.registry == nil {
		return nil
	}
	lease, err := d.rt.o.registry.Register(d.rt.quit, leaseTime, func() registry.Instance {
		return registry.Instance{
			Service: v.name, Node: d.rt.name, Endpoint: d.rt.Endpoint(), Incarnation: d.rt.incarnation,
			Weight: 1, Draining: d.rt.draining.Load(),
		}
	})
	switch {
	case posthaste.CodeOf(err) == posthaste.Unimplemented:
		return nil
	case err != nil:
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || v.cell.Load() == nil { // meanwhile: nobody else will release it
		d.rt.alive.Go(func() { d.release(context.Background(), []registry.Lease{lease}) })
		return nil
	}
	d.leases[v.name] = lease
	return nil
}

// withdraw takes back what an actor serves.
func (d *directory) withdraw(a *cell) {
	d.mu.Lock()
	var leases []registry.Lease
	for name, v := range d.served {
		if v.cell.CompareAndSwap(a, nil) {
			d.regroupLocked(name)
			if l := d.leases[name]; l != nil {
				leases = append(leases, l)
				delete(d.leases, name)
			}
		}
	}
	if len(leases) > 0 || len(d.nodes) > 0 {
		d.announceLocked()
	}
	d.mu.Unlock()
	if len(leases) > 0 {
		d.rt.alive.Go(func() { d.release(d.rt.quit, leases) }) // the registry may be slow; a turn must not wait
	}
}

func (d *directory) release(ctx context.Context, leases []registry.Lease) {
	for _, l := range leases {
		if err := l.Release(ctx); err != nil {
			d.rt.log.Warn("a service could not be taken from the registry; its lease will run out", "error", err)
		}
	}
}

// servedBy returns what this node serves under a name, or nil.
func (d *directory) servedBy(name string) *served {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.served[name]; v != nil && v.cell.Load() != nil {
		return v
	}
	return nil
}

// service returns the service of a name, which it makes.
func (d *directory) service(name string) *service {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.services[name]
	if s == nil {
		s = &service{name: name, number: uint32(len(d.services) + 1), group: lb.NewGroup(lb.P2C(), lb.WithClock(d.rt.clock.Now)), in: d}
		d.services[name] = s
		d.regroupLocked(name)
		if r := d.rt.o.registry; r != nil && !d.closed {
			d.rt.alive.Go(func() { d.watchLoop(r, name) })
		}
	}
	return s
}

// watchLoop keeps what the registry lists for a service, until the runtime stops.
func (d *directory) watchLoop(r registry.Registry, name string) {
	for d.rt.quit.Err() == nil {
		err := r.Watch(d.rt.quit, name, func(list []registry.Instance) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.listed[name] = slices.Clone(list)
			d.regroupLocked(name)
		})
		if d.rt.quit.Err() != nil {
			return
		}
		d.rt.log.Warn("watching the registry failed; known endpoints stay in use", "service", name, "error", err)
		d.mu.Lock()
		if _, known := d.listed[name]; !known {
			d.listed[name] = nil // nobody waits for it any longer
		}
		d.regroupLocked(name)
		d.mu.Unlock()
		select {
		case <-time.After(time.Second):
		case <-d.rt.quit.Done():
		}
	}
}

// regroupLocked gives a service's balancer its members anew. Nodes that are
// connected are known first hand; the registry adds those that are not.
func (d *directory) regroupLocked(name string) {
	s := d.services[name]
	if s == nil {
		return
	}
	var members []lb.Member
	self := nodeID{name: d.rt.name, incarnation: d.rt.incarnation}
	if v := d.served[name]; v != nil && v.cell.Load() != nil {
		members = append(members, lb.Member{Endpoint: self.endpoint(), Incarnation: self.incarnation, Weight: 1, Value: v})
	}
	known := map[posthaste.Endpoint]bool{}
	serving := map[nodeID]*node{self: nil} // who joins himself knows himself already
	for _, n := range d.nodes {
		was, ok := serving[n.id]
		if slices.Contains(n.services, name) && (!ok || was != nil && n.conn < was.conn) {
			serving[n.id] = n
		}
	}
	for id, n := range serving {
		if n != nil {
			known[n.endpoint] = true
			members = append(members, lb.Member{Endpoint: n.endpoint, Incarnation: id.incarnation, Weight: 1, Value: n})
		}
	}
	for _, i := range d.listed[name] {
		_, connected := serving[nodeID{name: i.Node, incarnation: i.Incarnation}]
		if !i.Draining && !connected && !known[i.Endpoint] && !d.rt.answersAt(i.Endpoint) {
			known[i.Endpoint] = true
			members = append(members, lb.Member{Endpoint: i.Endpoint, Incarnation: i.Incarnation, Weight: i.Weight, Zone: i.Zone, Value: d.rt.pool.Peer(i.Endpoint)})
		}
	}
	s.group.Update(members)
	close(d.changed)
	d.changed = make(chan struct{})
}

// join takes in a new connection.
func (d *directory) join(s *session) {
	n := newNode(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes[s] = n
	if d.closed {
		d.leaveLocked(s)
		return
	}
	d.tellLocked(s, d.servedLocked())
}

// part forgets a connection that is lost or drains.
func (d *directory) part(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.nodes[s]
	if n == nil {
		return
	}
	n.live.Store(nil)
	delete(d.nodes, s)
	if ep := s.conn.Remote(); slices.Contains(d.rt.o.join, ep) {
		d.expectLocked(ep) // joinLoop will connect again: let calls wait for it
	}
	for _, name := range n.services {
		d.regroupLocked(name)
	}
}

// announced takes in what a peer serves.
func (d *directory) announced(s *session, services []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.nodes[s]
	if n == nil {
		return // lost meanwhile
	}
	before := n.services
	n.services, n.heard = services, true
	delete(d.expected, s.conn.Remote())
	for _, name := range before {
		d.regroupLocked(name)
	}
	for _, name := range services {
		d.regroupLocked(name)
	}
	close(d.changed) // for those who wait for an expected node
	d.changed = make(chan struct{})
}

func (d *directory) servedLocked() []string {
	names := []string{}
	for name, v := range d.served {
		if v.cell.Load() != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// announceLocked tells all connected nodes what this one serves.
func (d *directory) announceLocked() {
	names := d.servedLocked()
	for s := range d.nodes {
		d.tellLocked(s, names)
	}
}

// tellLocked tells one peer. It is called under the lock so that announcements
// arrive in order; it never blocks.
func (d *directory) tellLocked(s *session, names []string) {
	body, err := d.rt.msgpack.Append(nil, &announcement{Services: names})
	if err == nil {
		err = s.sendTell(&outgoing{
			kind: wire.KindTell, method: announce.m.base(), codec: d.rt.msgpack.ID(), body: body, unordered: true,
			far: d.nodeOf(),
		})
	}
	if err != nil { // the connection is lost, or full to its limit; Closed follows
		d.rt.log.Debug("a peer could not be told what is served here", "peer", s.conn.Remote().String(), "error", err)
		return
	}
	s.conn.Flush()
}

// nodeOf is the way to the actor that peers announce themselves to.
func (d *directory) nodeOf() *remote {
	return &remote{rt: d.rt, target: wire.Target{Set: true, Kind: wire.TargetName, Name: []byte(nodeActor)}}
}

// expect says that a node at ep is being joined: calls wait for what it serves.
func (d *directory) expect(ep posthaste.Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expectLocked(ep)
}

func (d *directory) expectLocked(ep posthaste.Endpoint) {
	for s, n := range d.nodes {
		if n.heard && s.conn.Remote() == ep {
			return // there is another connection, perhaps made by that node
		}
	}
	d.expected[ep] = true
}

// awaitEndpoint waits until somebody serves s, as long as a joined node has not
// said what it serves, and no longer than deadline.
func (d *directory) awaitEndpoint(ctx context.Context, s *service, deadline int64) error {
	bound, cancel := d.rt.within(ctx, deadline)
	defer cancel()
	for {
		d.mu.Lock()
		changed, waiting := d.changed, d.waitingLocked(s.name)
		d.mu.Unlock()
		if s.group.Len() > 0 {
			return nil
		}
		if waiting == "" {
			return posthaste.Errorf(posthaste.NoEndpoint, "nobody serves %q: neither this node nor any that it knows; publish it with rt.Serve, or join a node that does", s.name)
		}
		yieldTurn(ctx)
		select {
		case <-changed:
		case <-d.rt.quit.Done():
			return posthaste.Errorf(posthaste.Draining, "the runtime stopped while the call waited for %s", waiting)
		case <-bound.Done():
			e := posthaste.Errorf(posthaste.NoEndpoint, "nobody serves %q so far, and %s could not be reached in time", s.name, waiting)
			e.Err = context.Cause(bound)
			return e
		}
	}
}

// waitingLocked names what may yet say who serves a name: nodes that are being
// joined, and the registry before its first word. It is "" if there is nothing.
func (d *directory) waitingLocked(service string) string {
	var names []string
	for ep := range d.expected {
		names = append(names, ep.String())
	}
	if _, heard := d.listed[service]; !heard && d.rt.o.registry != nil {
		names = append(names, "the registry")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// joinLoop keeps a connection to ep until the runtime stops.
func (rt *Runtime) joinLoop(ep posthaste.Endpoint) {
	logged := false
	for rt.quit.Err() == nil {
		conn, err := rt.pool.Get(rt.quit, ep)
		pause := 100 * time.Millisecond
		if err == nil {
			logged = false
			s := sessionOf(conn)
			select {
			case <-s.gone:
			case <-rt.quit.Done():
				return
			}
			rt.log.Info("connection to a joined node lost; connecting again", "endpoint", ep.String())
		} else {
			var e *posthaste.Error
			if e, _ = err.(*posthaste.Error); e != nil && e.RetryAfter > 0 {
				pause = e.RetryAfter
			}
			if !logged && rt.quit.Err() == nil {
				logged = true
				rt.log.Warn("cannot join; trying again", "endpoint", ep.String(), "error", err)
			}
		}
		select {
		case <-time.After(pause):
		case <-rt.quit.Done():
		}
	}
}

// close takes everything back: leases first, so that nobody new is sent here,
// then the peers are told. When it returns they have sent their last requests.
func (d *directory) close(ctx context.Context) {
	d.mu.Lock()
	d.closed = true
	var leases []registry.Lease
	for name, l := range d.leases {
		leases = append(leases, l)
		delete(d.leases, name)
	}
	d.mu.Unlock()
	d.release(ctx, leases)
	peers := farewell{new(sync.WaitGroup)}
	d.mu.Lock()
	for s := range d.nodes {
		d.leaveLocked(s)
		s.askFarewell(peers)
	}
	d.mu.Unlock()
	done := make(chan struct{})
	d.rt.alive.Go(func() { peers.Wait(); close(done) }) // ends with the connections, if not before
	select {
	case <-done:
	case <-time.After(farewellTime):
	case <-ctx.Done():
	}
}

// farewellTime is how long a node that stops waits for its peers to have heard of
// it. It still takes requests until then.
const farewellTime = time.Second

// leaveLocked tells a peer to make its calls elsewhere.
func (d *directory) leaveLocked(s *session) {
	d.tellLocked(s, nil)
	s.control(wire.AppendGoAway(nil, &wire.GoAway{Phase: wire.PhaseStop, Code: posthaste.Draining, Message: []byte("shutting down")}))
	s.conn.Flush()
}
