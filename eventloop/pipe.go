package eventloop

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/posthaste-go/posthaste"
)

// pipeSize is how many bytes one direction of an in-memory connection holds,
// like a socket's buffers: with that many unread, writes block.
const pipeSize = 256 << 10

// pipeRead is how much is read at once.
const pipeRead = 32 << 10

// pipe is one direction of an in-memory connection: bytes in order, one reader,
// one writer at a time. It blocks on channels only, so that testing/synctest
// knows it idle.
type pipe struct {
	readable chan struct{} // capacity 1; a hint that the reader should look again
	writable chan struct{} // capacity 1; the same for the writer

	mu         sync.Mutex // guards following
	buf        []byte     // written and not read
	ended      bool       // the writer writes no more
	readerGone bool       // the reader reads no more
	severed    bool       // nothing passes to either side, the end included
	reset      bool       // broken for both
}

func newPipe() *pipe {
	return &pipe{readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
}

func hint(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// read moves bytes to p; 0 without an error means that there are none now.
func (q *pipe) read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.readerGone:
		return 0, errClosed
	case q.reset:
		return 0, syscall.ECONNRESET
	case q.severed:
		return 0, nil
	case len(q.buf) == 0 && q.ended:
		return 0, io.EOF
	}
	n := copy(p, q.buf)
	if q.buf = q.buf[n:]; len(q.buf) == 0 {
		q.buf = nil
	}
	if n > 0 {
		hint(q.writable)
	}
	return n, nil
}

// write moves bytes from p as far as there is room.
func (q *pipe) write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended:
		return 0, errClosed
	case q.reset:
		return 0, syscall.ECONNRESET
	case q.readerGone && !q.severed:
		return 0, io.ErrClosedPipe
	}
	n := min(len(p), pipeSize-len(q.buf))
	q.buf = append(q.buf, p[:n]...)
	if n > 0 {
		hint(q.readable)
	}
	return n, nil
}

// change applies f and has both sides look again.
func (q *pipe) change(f func(*pipe)) {
	q.mu.Lock()
	f(q)
	q.mu.Unlock()
	hint(q.readable)
	hint(q.writable)
}

// pipeEnd is one end of an in-memory connection: a net.Conn that can also write
// without blocking. One goroutine reads and one at a time writes.
type pipeEnd struct {
	in, out       *pipe
	local, remote memAddr
	readBy        deadline
	writeBy       deadline
	onClose       func() // called once
	once          sync.Once
}

var _ net.Conn = (*pipeEnd)(nil)

// memAddr is a [net.Addr] of the in-memory network.
type memAddr struct{ ep posthaste.Endpoint }

// Network implements [net.Addr].
func (a memAddr) Network() string { return a.ep.Network }

// String implements [net.Addr].
func (a memAddr) String() string { return a.ep.Address }

// Read implements [net.Conn].
func (e *pipeEnd) Read(p []byte) (int, error) {
	for {
		over, changed := e.readBy.state()
		if over {
			return 0, os.ErrDeadlineExceeded
		}
		if n, err := e.in.read(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		select {
		case <-e.in.readable:
		case <-changed:
		}
	}
}

// Write implements [net.Conn].
func (e *pipeEnd) Write(p []byte) (written int, err error) {
	for {
		over, changed := e.writeBy.state()
		if over {
			return written, os.ErrDeadlineExceeded
		}
		n, err := e.out.write(p[written:])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
		select {
		case <-e.out.writable:
		case <-changed:
		}
	}
}

// CloseWrite ends the outbound direction; what was written is still read.
func (e *pipeEnd) CloseWrite() error {
	e.out.change(func(q *pipe) { q.ended = true })
	return nil
}

// Close implements [net.Conn]: what was written is still read.
func (e *pipeEnd) Close() error {
	e.out.change(func(q *pipe) { q.ended = true })
	e.in.change(func(q *pipe) { q.readerGone, q.buf = true, nil })
	e.once.Do(e.onClose)
	return nil
}

// LocalAddr implements [net.Conn].
func (e *pipeEnd) LocalAddr() net.Addr { return e.local }

// RemoteAddr implements [net.Conn].
func (e *pipeEnd) RemoteAddr() net.Addr { return e.remote }

// SetDeadline implements [net.Conn].
func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.readBy.set(t)
	e.writeBy.set(t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (e *pipeEnd) SetReadDeadline(t time.Time) error { e.readBy.set(t); return nil }

// SetWriteDeadline implements [net.Conn].
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { e.writeBy.set(t); return nil }

// deadline is a time that can be moved while somebody waits for it.
type deadline struct {
	mu      sync.Mutex // guards following
	over    bool
	changed chan struct{} // closed and replaced when over may have changed; nil when nobody has asked
	timer   *time.Timer   // sets over; nil if there is none
	moves   int           // calls of set, so that a timer that fires late knows
}

// state reports whether the time is over, and when to ask again.
func (d *deadline) state() (over bool, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.over, d.changed
}

// set moves the deadline; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	left := time.Until(t)
	d.turnLocked(!t.IsZero() && left <= 0)
	if t.IsZero() || d.over {
		return
	}
	moves := d.moves
	d.timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.moves == moves {
			d.turnLocked(true)
		}
	})
}

func (d *deadline) turnLocked(over bool) {
	d.over = over
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}
