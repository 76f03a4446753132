package eventloop

import (
	"context"
	"errors"
	"sync"

	"github.com/posthaste-go/posthaste"
)

// Pool keeps track of the connections to each peer, whoever dialed them, and
// dials when there is none: one attempt at a time for all callers together, with
// a [Backoff] between failures.
//
// It learns of connections from the Handler: call Adopt in Opened and Drop in
// Closed, for all connections of the transport. It closes none.
type Pool struct {
	transport Transport // set once
	backoff   Backoff   // set once

	ctx    context.Context // ends with Close; for the attempts to dial
	cancel context.CancelFunc

	peers sync.Map // posthaste.Endpoint to *Peer

	mu     sync.Mutex // guards closed, and with it the adding to flights
	closed bool
	// flights are the attempts to dial. Each ends when the transport's Dial does.
	flights sync.WaitGroup
}

// NewPool makes a pool over t. It panics if b is malformed, which the constructor
// of a transport finds in [Options].
func NewPool(t Transport, b Backoff) *Pool {
	b, err := b.withDefaults()
	if err != nil {
		panic(err)
	}
	p := &Pool{transport: t, backoff: b}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Get returns a live connection to ep, dialing if there is none. It must not be
// called on an event loop. The error is as for [Peer.Dial]. With a live
// connection it takes no lock; who calls often saves the look-up with [Pool.Peer].
func (p *Pool) Get(ctx context.Context, ep posthaste.Endpoint) (*Conn, error) {
	if v, ok := p.peers.Load(ep); ok {
		if c := v.(*Peer).Conn(); c != nil {
			return c, nil
		}
	}
	return p.Peer(ep).Dial(ctx)
}

// Peer returns the peer at ep, with or without a connection. It may be kept; it
// stays valid, and the same, until Forget.
func (p *Pool) Peer(ep posthaste.Endpoint) *Peer {
	peer := p.lock(ep)
	defer peer.mu.Unlock()
	peer.held = true
	return peer
}

// Forget ends what Peer and Get have begun: the pool drops what it knows of ep as
// soon as there is no connection to it. A Peer that is still kept goes on
// working, at the price of a look-up.
func (p *Pool) Forget(ep posthaste.Endpoint) {
	v, ok := p.peers.Load(ep)
	if !ok {
		return
	}
	peer := v.(*Peer)
	peer.mu.Lock()
	defer peer.mu.Unlock()
	peer.held = false
	peer.leaveLocked()
}

// Adopt makes an open connection available for its peer, the one at
// [Conn.Remote]. An inbound one whose peer advertises no endpoint is not
// anybody's, and passed over. The first connection adopted is the one handed
// out until it is dropped, so that frames keep their order. Adopt never blocks.
func (p *Pool) Adopt(c *Conn) {
	if !c.Outbound() && c.Peer().Advertise == "" {
		return
	}
	peer := p.lock(c.Remote())
	defer peer.mu.Unlock()
	peer.addLocked(c)
}

// Drop ends what Adopt has begun. It may be called early, when the connection is
// not to be handed out any more, and more than once. Drop never blocks.
func (p *Pool) Drop(c *Conn) {
	if v, ok := p.peers.Load(c.Remote()); ok {
		v.(*Peer).drop(c)
	}
}

// Close ends the attempts to dial and waits for them. After it only live
// connections are handed out.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.flights.Wait()
}

// lock returns the peer at ep with its mu held, a new one if there is none.
func (p *Pool) lock(ep posthaste.Endpoint) *Peer {
	for {
		v, ok := p.peers.Load(ep)
		if !ok {
			v, _ = p.peers.LoadOrStore(ep, &Peer{pool: p, ep: ep})
		}
		peer := v.(*Peer)
		peer.mu.Lock()
		if !peer.left {
			return peer
		}
		// It left the map between our Load and our Lock, for good.
		peer.mu.Unlock()
	}
}

// launch runs f on a goroutine, unless the pool is closed.
func (p *Pool) launch(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.flights.Go(f)
	return true
}

var errPoolClosed = errors.New("this node has stopped dialing")
