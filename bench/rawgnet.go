package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// rawgnet is the practical limit over gnet: a connection is read by an event
// loop on both sides. The client writes on the caller's goroutine, directly to
// the descriptor; the server answers from the loop.
type rawgnet struct {
	mu     sync.Mutex // guards following
	client *gnet.Client
	links  int // open connections; the last one stops the client
}

var (
	_ Remote       = (*rawgnet)(nil)
	_ RemoteTeller = (*rawgnet)(nil)
)

// Serve echoes until stop is called. A net.Listener accepts and gnet's loops
// take over from there.
func (*rawgnet) Serve(_ context.Context, listen string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, err
	}
	loops, err := startLoops(&gnetServer{})
	if err != nil {
		l.Close()
		return "", nil, err
	}
	var accept sync.WaitGroup
	accept.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed by stop
			}
			_, _ = loops.Enroll(c) // closes c itself when it fails
		}
	})
	return l.Addr().String(), func() {
		l.Close()
		accept.Wait()
		_ = loops.Stop()
	}, nil
}

// Dial opens one connection.
func (g *rawgnet) Dial(addr string) (Client, error) { return g.dial(addr) }

// DialTeller opens one connection.
func (g *rawgnet) DialTeller(addr string) (Teller, error) { return g.dial(addr) }

func (g *rawgnet) dial(addr string) (*muxClient, error) {
	loops, err := g.enter()
	if err != nil {
		return nil, err
	}
	link, err := dialLink(loops, addr)
	if err != nil {
		g.leave()
		return nil, err
	}
	return &muxClient{link.mux, func() {
		link.hangUp()
		g.leave()
	}}, nil
}

// enter returns the loops of all connections until as many leave as have entered.
func (g *rawgnet) enter() (*gnet.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.client == nil {
		loops, err := startLoops(&gnetClient{})
		if err != nil {
			return nil, err
		}
		g.client = loops
	}
	g.links++
	return g.client, nil
}

func (g *rawgnet) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.links--; g.links == 0 {
		_ = g.client.Stop()
		g.client = nil
	}
}

// startLoops runs one event loop for each processor.
func startLoops(h gnet.EventHandler) (*gnet.Client, error) {
	loops, err := gnet.NewClient(h,
		gnet.WithMulticore(true),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithReadBufferCap(readBuffer),
		gnet.WithLogger(quiet{}))
	if err != nil {
		return nil, err
	}
	return loops, loops.Start()
}

// A gnetServer echoes. Its methods run on the loops; the state of a connection
// is its context.
type gnetServer struct {
	gnet.BuiltinEventEngine
	told atomic.Uint64
}

func (s *gnetServer) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(&echo{told: &s.told})
	return nil, gnet.None
}

func (s *gnetServer) OnTraffic(c gnet.Conn) gnet.Action {
	b, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	out, err := c.Context().(*echo).feed(b)
	switch {
	case err != nil:
		return gnet.Close
	case len(out) == 1:
		_, err = c.Write(out[0])
	case len(out) > 1:
		_, err = c.Writev(out)
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}

// A gnetClient takes replies to the mux of their connection. Its methods run on
// the loops; a connection's context is its gnetLink.
type gnetClient struct{ gnet.BuiltinEventEngine }

func (gnetClient) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	l := c.Context().(*gnetLink)
	if l.fd, l.err = c.Dup(); l.err != nil {
		return nil, gnet.Close
	}
	return nil, gnet.None
}

func (gnetClient) OnTraffic(c gnet.Conn) gnet.Action {
	b, err := c.Next(-1)
	if err == nil {
		err = c.Context().(*gnetLink).mux.feed(b)
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}

func (gnetClient) OnClose(c gnet.Conn, err error) gnet.Action {
	if err == nil {
		err = net.ErrClosed
	}
	l := c.Context().(*gnetLink)
	l.mux.end(err)
	close(l.closed)
	return gnet.None
}

// A gnetLink is a client's connection. It writes to a duplicate of the loop's
// descriptor, so the loop may close its own at any moment.
type gnetLink struct {
	mux    *mux
	fd     int           // set in OnOpen, closed by hangUp
	err    error         // of OnOpen
	closed chan struct{} // closed by OnClose
}

var _ sink = (*gnetLink)(nil)

func dialLink(loops *gnet.Client, addr string) (*gnetLink, error) {
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	l := &gnetLink{closed: make(chan struct{})}
	l.mux = newMux(l)
	if _, err := loops.EnrollContext(conn, l); err != nil { // it closes conn
		return nil, err
	}
	return l, l.err // OnOpen has run
}

func (l *gnetLink) hangUp() {
	l.abort()
	<-l.closed
	l.mux.waitWriter()
	unix.Close(l.fd)
}

// abort makes the loop see the end of the stream.
func (l *gnetLink) abort() { _ = unix.Shutdown(l.fd, unix.SHUT_RDWR) }

func (l *gnetLink) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(l.fd, b)
		if err := l.waitWritable(err); err != nil {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

func (l *gnetLink) writev(bs [][]byte) error {
	for len(bs) > 0 {
		n, err := unix.Writev(l.fd, bs)
		if err := l.waitWritable(err); err != nil {
			return err
		}
		for n = max(n, 0); len(bs) > 0 && n >= len(bs[0]); bs = bs[1:] {
			n -= len(bs[0])
		}
		if len(bs) > 0 {
			bs[0] = bs[0][n:]
		}
	}
	return nil
}

// waitWritable turns the error of a write into nil when the write may go on,
// after waiting for room in the socket if there was none. It blocks its thread,
// which happens to big messages only: small ones wait for their replies long
// before the socket is full.
func (l *gnetLink) waitWritable(err error) error {
	switch err {
	case nil, unix.EINTR:
		return nil
	case unix.EAGAIN:
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLOUT}}, -1)
		if err == unix.EINTR {
			return nil
		}
		return err
	}
	return err
}

// quiet is a gnet logger: gnet's own writes to stdout, which is the control
// channel of a child.
type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
