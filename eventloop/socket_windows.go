package eventloop

import (
	"net"

	"github.com/panjf2000/gnet/v2"
)

// handle is what the system knows a socket by. Here gnet keeps the connection
// that it was given and reads it on a goroutine; it is guarded by socket.mu, and
// only to be used while socket.gc is set.
type handle struct{ nc net.Conn }

func newHandle(nc net.Conn) handle { return handle{nc} }

func (*handle) attach(gnet.Conn) {}
func (*handle) detach()          {} // gnet closes nc next, which ends a blocking write

// write implements link. There is no way to write without blocking, so it always
// says that the connection is full: every flush goes to the goroutine of a slow
// writer, which blocks no event loop.
func (s *socket) write([]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return 0, errClosed
	}
	return 0, nil
}

// closeWrite implements link.
func (s *socket) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return errClosed
	}
	return s.handle.nc.(interface{ CloseWrite() error }).CloseWrite()
}

// slowConn is the connection itself, which is safe to write to at any time.
type slowConn struct{ net.Conn }

var _ stallWriter = slowConn{}

// Close does nothing: gnet closes the connection.
func (slowConn) Close() error { return nil }

// stallWriter implements link.
func (s *socket) stallWriter() (stallWriter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return nil, errClosed
	}
	return slowConn{s.handle.nc}, nil
}
