//go:build unix

package eventloop

import (
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// handle is what the system knows a socket by. It is guarded by socket.mu, and
// only to be used while socket.gc is set.
type handle struct {
	fd   int
	slow *slowFile // the blocking writer opened last, if it may still write
}

func newHandle(net.Conn) handle { return handle{} } // gnet will poll a duplicate

func (h *handle) attach(gc gnet.Conn) { h.fd = gc.Fd() }

// detach ends a blocking write. The kernel keeps the connection until the
// duplicate is closed too, so this also lets the peer see the end. It waits for a
// Write in progress to notice, which takes a switch to its goroutine.
func (h *handle) detach() {
	if h.slow != nil {
		h.slow.File.Close() // fails only if its writer has closed it already
	}
}

// write implements link with one system call.
func (s *socket) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return 0, errClosed
	}
	for {
		n, err := unix.Write(s.handle.fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
			continue
		}
		return 0, os.NewSyscallError("write", err)
	}
}

// closeWrite implements link.
func (s *socket) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return errClosed
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(s.handle.fd, unix.SHUT_WR))
}

// slowFile is a blocking writer to a socket: a duplicate of its descriptor that
// Go's own poller watches for as long as the stall lasts. gnet's poller could
// only tell that the socket is writable by taking the bytes into a buffer
// without bound.
type slowFile struct {
	*os.File
	s *socket
}

var _ stallWriter = (*slowFile)(nil)

// stallWriter implements link.
func (s *socket) stallWriter() (stallWriter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gc == nil {
		return nil, errClosed
	}
	fd, err := s.gc.Dup()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	// The descriptor is non-blocking, which makes os.File poll it.
	s.handle.slow = &slowFile{File: os.NewFile(uintptr(fd), "stalled "+s.conn.remote.String()), s: s}
	return s.handle.slow, nil
}

// Close gives the duplicate back. The stalled writer calls it.
func (f *slowFile) Close() error {
	f.s.mu.Lock()
	if h := &f.s.handle; h.slow == f {
		h.slow = nil
	}
	f.s.mu.Unlock()
	return f.File.Close()
}
