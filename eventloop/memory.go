package eventloop

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"syscall"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// Network is an in-memory network for tests: its transports connect to each
// other at endpoints "mem:name", and to nothing else. They run the same code as
// TCP does but for the sockets, and wait on channels and timers only, so that a
// program over them runs inside a testing/synctest bubble. Make the Network, its
// transports and what uses them in the same bubble.
//
// A Network needs no closing. All methods may be called from any goroutine.
type Network struct {
	mu        sync.Mutex // guards following
	nodes     int        // transports made so far
	listeners map[posthaste.Endpoint]*Memory
	pairs     map[*pair]struct{} // connections of which an end is open
	cuts      map[cutKey]struct{}
	healed    chan struct{} // closed and replaced by Heal
}

// cutKey is a cut link: its two ends in either order.
type cutKey struct{ a, b posthaste.Endpoint }

// pair is one connection.
type pair struct {
	dialer, acceptor *Memory
	dialed, accepted *pipeEnd
	open             int // ends not closed; guarded by Network.mu
}

// change applies f to both directions.
func (p *pair) change(f func(*pipe)) {
	p.dialed.out.change(f)
	p.accepted.out.change(f)
}

// Memory is the transport over a [Network]. Each connection has a goroutine that
// calls the Handler, in place of an event loop.
type Memory struct {
	hub     *hub               // set once
	network *Network           // set once
	node    posthaste.Endpoint // set once

	names []posthaste.Endpoint // node and all it listens at; guarded by network.mu
}

var (
	_ Transport = (*Memory)(nil)
	_ medium    = (*Memory)(nil)
)

// NewNetwork returns a network without nodes.
func NewNetwork() *Network {
	return &Network{
		listeners: make(map[posthaste.Endpoint]*Memory),
		pairs:     make(map[*pair]struct{}),
		cuts:      make(map[cutKey]struct{}),
		healed:    make(chan struct{}),
	}
}

// Transport adds a node. The error has code InvalidArgument for Options that
// cannot be used; Loops does not count.
func (n *Network) Transport(h Handler, o Options) (*Memory, error) {
	b, err := newHub(h, o)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes++
	m := &Memory{hub: b, network: n, node: mem(fmt.Sprintf("node-%d", n.nodes))}
	m.names = []posthaste.Endpoint{m.node}
	return m, nil
}

func mem(name string) posthaste.Endpoint { return posthaste.Endpoint{Network: "mem", Address: name} }

// ---- faults ----

// Cut parts the nodes that have the endpoints a and b, now or later, as a
// network does that loses every packet: what is on its way stays there, writes
// stall once the buffers are full, ends go unnoticed, dials hang. Connections
// live on until one of their own timeouts ends them.
func (n *Network) Cut(a, b posthaste.Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[cutKey{a, b}] = struct{}{}
	n.severLocked()
}

// Heal joins what Cut has parted. What stayed on its way arrives.
func (n *Network) Heal(a, b posthaste.Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cuts, cutKey{a, b})
	delete(n.cuts, cutKey{b, a})
	n.severLocked()
	close(n.healed)
	n.healed = make(chan struct{})
}

// Reset breaks every connection between the nodes that have the endpoints a and
// b, as a crash of either would. What was on its way is lost. New ones can be
// made at once.
func (n *Network) Reset(a, b posthaste.Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	only := map[cutKey]struct{}{{a, b}: {}}
	for p := range n.pairs {
		if p.dialer.parted(p.acceptor, only) {
			p.change(func(q *pipe) { q.reset, q.buf = true, nil })
		}
	}
}

func (n *Network) severLocked() {
	for p := range n.pairs {
		severed := p.dialer.parted(p.acceptor, n.cuts)
		p.change(func(q *pipe) { q.severed = severed })
	}
}

// parted reports whether cuts has a link between m and o. network.mu is held.
func (m *Memory) parted(o *Memory, cuts map[cutKey]struct{}) bool {
	for _, a := range m.names {
		for _, b := range o.names {
			_, cut := cuts[cutKey{a, b}]
			_, tuc := cuts[cutKey{b, a}]
			if cut || tuc {
				return true
			}
		}
	}
	return false
}

// ---- transport ----

// Endpoint returns the name that the network has given to this node, for Cut and
// the like; it cannot be dialed. A node may also be meant by any endpoint that
// it listens at.
func (m *Memory) Endpoint() posthaste.Endpoint { return m.node }

// Listen implements [Transport].
func (m *Memory) Listen(ctx context.Context, ep posthaste.Endpoint) (posthaste.Endpoint, error) {
	n := m.network
	n.mu.Lock()
	defer n.mu.Unlock()
	_, taken := n.listeners[ep]
	switch {
	case ep.Network != "mem" || ep.Address == "":
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.InvalidArgument, "this transport has no endpoint %q: it speaks mem", ep)
	case ctx.Err() != nil:
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.CodeOf(ctx.Err()), "cannot listen at %v: %w", ep, ctx.Err())
	case taken:
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.Unavailable, "cannot listen at %v: %w", ep, syscall.EADDRINUSE)
	case m.hub.ctx.Err() != nil:
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.Unavailable, "cannot listen at %v: %w", ep, errTransportClosed)
	}
	n.listeners[ep] = m
	m.names = append(m.names, ep)
	return ep, nil
}

// SetHello implements [Transport].
func (m *Memory) SetHello(hello wire.Hello) error { return m.hub.setHello(hello) }

// Dial implements [Transport].
func (m *Memory) Dial(ctx context.Context, ep posthaste.Endpoint) (*Conn, error) {
	if ep.Network != "mem" {
		return nil, posthaste.Errorf(posthaste.InvalidArgument, "this transport has no endpoint %q: it speaks mem", ep)
	}
	return m.hub.dial(ctx, ep, m)
}

// connect implements medium. While the link is cut it waits.
func (m *Memory) connect(ctx context.Context, ep posthaste.Endpoint) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, m.hub.o.ConnectTimeout)
	defer cancel()
	for {
		p, healed, err := m.network.connect(m, ep)
		if err != nil {
			return nil, err
		}
		if p != nil {
			p.acceptor.hub.greetLater(p.accepted, p.acceptor)
			return p.dialed, nil
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer within %v: %w", m.hub.o.ConnectTimeout, ctx.Err())
		}
	}
}

// connect makes a connection from m to who listens at ep. While the link is cut
// it returns none, but a channel that is closed when a link is healed.
func (n *Network) connect(m *Memory, ep posthaste.Endpoint) (*pair, <-chan struct{}, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.listeners[ep]
	switch {
	case to == nil:
		return nil, nil, syscall.ECONNREFUSED
	case m.parted(to, n.cuts):
		return nil, n.healed, nil
	}
	p := &pair{dialer: m, acceptor: to, open: 2}
	closed := func() { n.closed(p) }
	there, back := newPipe(), newPipe()
	p.dialed = &pipeEnd{in: back, out: there, local: memAddr{m.node}, remote: memAddr{ep}, onClose: closed}
	p.accepted = &pipeEnd{in: there, out: back, local: memAddr{ep}, remote: memAddr{m.node}, onClose: closed}
	n.pairs[p] = struct{}{}
	return p, nil, nil
}

// closed notes that an end of p was closed.
func (n *Network) closed(p *pair) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.open--; p.open == 0 {
		delete(n.pairs, p)
	}
}

// start implements medium: nc gets a goroutine.
func (m *Memory) start(nc net.Conn, s session) (*Conn, error) {
	l := &pipeLink{conn: m.hub.newConn(s), end: nc.(*pipeEnd)}
	l.conn.link = l
	opened := make(chan bool, 1)
	if !m.hub.spawn(func() { l.run(opened) }) || !<-opened {
		discard(nc)
		return nil, errTransportClosed
	}
	return l.conn, nil
}

// Close implements [Transport].
func (m *Memory) Close(ctx context.Context) error {
	n := m.network
	n.mu.Lock()
	maps.DeleteFunc(n.listeners, func(_ posthaste.Endpoint, at *Memory) bool { return at == m })
	m.hub.stop() // under the lock, so that Listen adds no more
	n.mu.Unlock()
	return m.hub.close(ctx, func() error { return nil })
}

// pipeLink is the link over an in-memory connection.
type pipeLink struct {
	conn *Conn    // set once
	end  *pipeEnd // set once
}

var _ link = (*pipeLink)(nil)

// run delivers what arrives until the connection is closed. It sends on opened
// whether the Conn takes upcalls.
func (l *pipeLink) run(opened chan<- bool) {
	open := l.conn.opened()
	opened <- open
	if !open {
		return
	}
	b := make([]byte, pipeRead)
	for {
		n, err := l.end.Read(b)
		if err != nil {
			l.conn.doom(err)
			break
		}
		l.conn.receive(b[:n])
	}
	l.close()
	l.conn.gone()
}

func (l *pipeLink) write(p []byte) (int, error)       { return l.end.out.write(p) }
func (l *pipeLink) closeWrite() error                 { return l.end.CloseWrite() }
func (l *pipeLink) close()                            { discard(l.end) }
func (l *pipeLink) stallWriter() (stallWriter, error) { return slowPipe{l.end}, nil }

// slowPipe is the blocking writer of a pipeLink. It is not closed: the
// connection is.
type slowPipe struct{ *pipeEnd }

func (slowPipe) Close() error { return nil }
