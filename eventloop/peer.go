package eventloop

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Peer is one endpoint that a [Pool] connects to:
//
//	       Dial             handshake done
//	idle --------> dialing -----------------> up
//	  ^             |   ^                      |
//	  |      failed |   | Dial, once the       |
//	  |             v   | wait is over         |
//	  |            backoff                     |
//	  +----------------------------------------+
//	           last connection dropped
//
// A connection that is adopted leads from every state to up.
//
// All methods may be called from any goroutine.
type Peer struct {
	pool *Pool              // set once
	ep   posthaste.Endpoint // set once

	live atomic.Pointer[Conn] // conns[0], or nil; changes under mu

	mu        sync.Mutex // guards following
	conns     []*Conn    // adopted and not dropped, oldest first
	flight    *flight    // the attempt to dial in progress; nil if there is none
	failures  int        // failed attempts since the last connection
	notBefore time.Time  // when the next attempt may start; zero if at once
	lastErr   error      // of the last attempt, if that has failed
	held      bool       // Peer or Get has asked for it: stays in the map
	left      bool       // is not in the map any more
}

// flight is one attempt to dial.
type flight struct {
	done chan struct{} // closed when conn or err is set
	conn *Conn
	err  *posthaste.Error
}

// Endpoint returns where the peer is.
func (p *Peer) Endpoint() posthaste.Endpoint { return p.ep }

// Conn returns a connection to the peer, or nil if there is none. It costs one
// atomic load. The connection may be about to close: then its Send fails with
// status NOT_EXECUTED.
func (p *Peer) Conn() *Conn { return p.live.Load() }

// Dial returns the connection to the peer if there is one, and otherwise waits
// for an attempt to connect: the one in progress, or a new one. An attempt goes
// on for the others when ctx ends for one.
//
// The error is a [*posthaste.Error] that names the endpoint, with status
// NOT_EXECUTED: code ConnectFailed and RetryAfter, at once, while the peer is in
// backoff; ConnectFailed when the attempt fails; that of ctx when it ends. Dial
// must not be called on an event loop.
func (p *Peer) Dial(ctx context.Context) (*Conn, error) {
	c, f, err := p.join()
	if f == nil {
		return c, err
	}
	select {
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return f.conn, nil
	case <-ctx.Done():
		return nil, connectFailed(ctx, p.ep, ctx.Err())
	}
}

// ResetBackoff lets the next Dial try at once: there is reason to believe that
// the peer is back.
func (p *Peer) ResetBackoff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures, p.notBefore = 0, time.Time{}
}

// join returns a connection, or the attempt to wait for, or why there is neither.
func (p *Peer) join() (*Conn, *flight, error) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return p.pool.Peer(p.ep).join()
	}
	defer p.mu.Unlock()
	if len(p.conns) > 0 {
		return p.conns[0], nil, nil
	}
	if p.flight != nil {
		return nil, p.flight, nil
	}
	if wait := time.Until(p.notBefore); wait > 0 {
		err := posthaste.Errorf(posthaste.ConnectFailed, "%w; not tried again for %v", p.lastErr, wait.Round(time.Millisecond))
		err.Status, err.Peer, err.RetryAfter = posthaste.StatusNotExecuted, p.ep, wait
		return nil, nil, err
	}
	f := &flight{done: make(chan struct{})}
	if !p.pool.launch(func() { p.fly(f) }) {
		return nil, nil, connectFailed(context.Background(), p.ep, errPoolClosed)
	}
	p.flight = f
	return nil, f, nil
}

// fly is the attempt f, on a goroutine of its own.
func (p *Peer) fly(f *flight) {
	began := time.Now()
	c, err := p.pool.transport.Dial(p.pool.ctx, p.ep)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(f.done)
	p.flight = nil
	if err == nil {
		f.conn = c
		p.addLocked(c)
		return
	}
	if p.pool.ctx.Err() != nil {
		err = errPoolClosed
	}
	f.err = p.failedLocked(began, err)
	p.leaveLocked()
}

// failedLocked begins the backoff after an attempt that has begun at began.
func (p *Peer) failedLocked(began time.Time, err error) *posthaste.Error {
	p.failures++
	wait := p.pool.backoff.wait(p.failures, rand.Float64())
	failure, ok := errors.AsType[*posthaste.Error](err)
	if !ok {
		failure = connectFailed(context.Background(), p.ep, err)
	}
	p.notBefore = began.Add(max(wait, failure.RetryAfter)) // the peer may have said when
	p.lastErr = failure
	told := *failure // it may be shared
	told.RetryAfter = max(0, time.Until(p.notBefore))
	return &told
}

// addLocked makes c available, unless it is ending.
//
// No connection stays that is gone: its deaf is set before Closed and so before
// drop, which needs mu. If deaf is not set here, drop is still to come.
func (p *Peer) addLocked(c *Conn) {
	if !c.deaf.Load() && !slices.Contains(p.conns, c) {
		p.conns = append(p.conns, c)
		p.live.Store(p.conns[0])
		p.failures, p.notBefore, p.lastErr = 0, time.Time{}, nil
	}
	p.leaveLocked()
}

func (p *Peer) drop(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.conns, c)
	if i < 0 {
		return
	}
	p.conns = slices.Delete(p.conns, i, i+1)
	if len(p.conns) > 0 {
		p.live.Store(p.conns[0])
	} else {
		p.live.Store(nil)
	}
	p.leaveLocked()
}

// leaveLocked takes the peer out of the pool if nothing is known of it that
// somebody may want.
func (p *Peer) leaveLocked() {
	if p.held || p.left || len(p.conns) > 0 || p.flight != nil {
		return
	}
	p.left = true
	p.pool.peers.CompareAndDelete(p.ep, p)
}
