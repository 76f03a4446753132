package eventloop

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// TCP is the transport over TCP and unix sockets. Its event loops poll inbound
// and outbound connections alike: they are accepted, dialed and greeted with
// package net, where there are deadlines and where running out of descriptors is
// survived, and then handed over.
type TCP struct {
	hub   *hub    // set once
	loops []*loop // set once

	mu        sync.Mutex // guards following
	listeners []net.Listener
	closed    bool // Listen refuses
}

var (
	_ Transport = (*TCP)(nil)
	_ medium    = (*TCP)(nil)
)

// NewTCP starts the event loops. The error has code InvalidArgument for Options
// that cannot be used, and Internal if the system refuses an event loop.
func NewTCP(h Handler, o Options) (*TCP, error) {
	b, err := newHub(h, o)
	if err != nil {
		return nil, err
	}
	t := &TCP{hub: b}
	for range b.o.Loops {
		l, err := startLoop(b.log)
		if err != nil {
			err = posthaste.Errorf(posthaste.Internal, "eventloop: starting an event loop: %w", err)
			return nil, errors.Join(err, t.Close(context.Background()))
		}
		t.loops = append(t.loops, l)
	}
	return t, nil
}

// Listen implements [Transport]. A unix socket whose file was left behind by a
// process that is gone is replaced.
func (t *TCP) Listen(ctx context.Context, ep posthaste.Endpoint) (posthaste.Endpoint, error) {
	if err := checkNetwork(ep); err != nil {
		return posthaste.Endpoint{}, err
	}
	lc := net.ListenConfig{KeepAlive: -1} // PING does it
	ln, err := lc.Listen(ctx, ep.Network, ep.Address)
	if err != nil && ep.Network == "unix" && errors.Is(err, syscall.EADDRINUSE) && removeStale(ep.Address) {
		ln, err = lc.Listen(ctx, ep.Network, ep.Address)
	}
	if err != nil {
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.Unavailable, "cannot listen at %v: %w", ep, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || !t.hub.spawn(func() { t.hub.acceptLoop(ln, t) }) {
		return posthaste.Endpoint{}, posthaste.Errorf(posthaste.Unavailable, "cannot listen at %v: %w", ep, errors.Join(errTransportClosed, ln.Close()))
	}
	t.listeners = append(t.listeners, ln)
	return endpointOf(ln.Addr()), nil
}

func checkNetwork(ep posthaste.Endpoint) error {
	if ep.Network != "tcp" && ep.Network != "unix" {
		return posthaste.Errorf(posthaste.InvalidArgument, "this transport has no endpoint %q: it speaks tcp and unix", ep)
	}
	return nil
}

// removeStale removes the socket at path if nobody listens there.
func removeStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false // connecting to a plain file is refused, too
	}
	nc, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		discard(nc) // somebody does
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil
}

// SetHello implements [Transport].
func (t *TCP) SetHello(hello wire.Hello) error { return t.hub.setHello(hello) }

// Dial implements [Transport].
func (t *TCP) Dial(ctx context.Context, ep posthaste.Endpoint) (*Conn, error) {
	if err := checkNetwork(ep); err != nil {
		return nil, err
	}
	return t.hub.dial(ctx, ep, t)
}

// connect implements medium.
func (t *TCP) connect(ctx context.Context, ep posthaste.Endpoint) (net.Conn, error) {
	d := net.Dialer{Timeout: t.hub.o.ConnectTimeout, KeepAlive: -1}
	return d.DialContext(ctx, ep.Network, ep.Address)
}

// start implements medium: it hands nc to the event loop with the fewest
// connections.
func (t *TCP) start(nc net.Conn, s session) (*Conn, error) {
	l := slices.MinFunc(t.loops, func(a, b *loop) int { return cmp.Compare(a.load(), b.load()) })
	sock := newSocket(t.hub.newConn(s), nc, l)
	if err := l.enroll(nc, sock, t.hub.o.HandshakeTimeout); err != nil {
		return nil, err
	}
	return sock.conn, nil
}

// Close implements [Transport].
func (t *TCP) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	for _, ln := range t.listeners {
		if err := ln.Close(); err != nil {
			t.hub.log.Warn("eventloop: closing a listener", "endpoint", ln.Addr(), "err", err)
		}
	}
	t.listeners = nil
	t.mu.Unlock()
	return t.hub.close(ctx, func() error {
		var err error
		for _, l := range t.loops {
			err = errors.Join(err, l.engine.Stop())
		}
		return err
	})
}
