package eventloop

import (
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"
)

// socket is the link over a connection that gnet polls. The event loop delivers
// what arrives; writes go straight to the descriptor from whichever goroutine
// has the writer role, since a trip through the loop's task queue costs several
// times the write.
//
// That is sound because gnet calls OnClose before it closes the descriptor: down
// takes mu, which every use of the descriptor holds, and leaves gc nil. After it
// nobody uses the number, which the next connection may get. It also keeps us
// from waking a loop that has ended, whose own descriptors are closed by then:
// gnet closes every connection before.
type socket struct {
	conn *Conn // set once
	loop *loop // set once

	open bool // the Conn takes upcalls; owned by the event loop

	mu      sync.Mutex // guards following; held across each system call
	gc      gnet.Conn  // nil before up and after down
	handle  handle     // what the system knows gc by
	polled  bool       // up was called
	closing bool       // close was called: up refuses, or gnet has been asked
}

var _ link = (*socket)(nil)

// newSocket returns the link of c over nc, which gnet does not poll yet.
func newSocket(c *Conn, nc net.Conn, l *loop) *socket {
	s := &socket{conn: c, loop: l, handle: newHandle(nc)}
	c.link = s
	return s
}

// up is called by the loop once gnet polls the connection. It reports whether
// the connection is wanted.
func (s *socket) up(gc gnet.Conn) bool {
	s.mu.Lock()
	s.gc, s.polled = gc, true
	s.handle.attach(gc)
	s.loop.broken.Store(false)
	wanted := !s.closing
	s.mu.Unlock()
	s.open = wanted && s.conn.opened()
	return s.open
}

// down is called by the loop before gnet closes the descriptor.
func (s *socket) down(cause error) {
	s.conn.doom(cause)
	s.mu.Lock()
	s.gc = nil
	s.handle.detach()
	s.mu.Unlock()
	s.loop.conns.Add(-1)
	if s.open {
		s.conn.gone()
	}
}

// taken reports whether the loop has polled the connection, and whether it was
// wanted. enroll asks once gnet has let go, which is after up.
func (s *socket) taken() (polled, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polled, s.open
}

// giveUp makes up refuse, or closes the connection if up came first. Before up,
// the loop is in trouble and should get no more connections until up comes after
// all: both sides of that happen under mu, so that the last word is up's.
func (s *socket) giveUp() {
	s.mu.Lock()
	if !s.polled {
		s.loop.broken.Store(true)
	}
	s.mu.Unlock()
	s.close()
}

// close asks gnet to close the connection, once: the request is a task of the
// loop, and tasks are served before other connections are.
func (s *socket) close() {
	if err := s.askClose(); err != nil {
		s.conn.hub.log.Error("eventloop: gnet cannot close a connection", "remote", s.conn.remote, "err", err)
	}
}

func (s *socket) askClose() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	s.closing = true
	if s.gc == nil {
		return nil
	}
	return s.gc.Close()
}
