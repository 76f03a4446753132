package eventloop

import (
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/posthaste-go/posthaste"
)

const (
	// flushBudget is about how many bytes one Flush writes before it leaves the
	// rest to a goroutine. Others may append without end: neither an event loop
	// nor a caller who wanted to send one frame is to write for all of them.
	flushBudget = 1 << 20

	// slowChunk is how much a slow writer writes at once: how fine Wait sees
	// progress.
	slowChunk = 64 << 10

	// slowRetry is how often a full connection is tried when the process has no
	// descriptor left for a blocking writer.
	slowRetry = 10 * time.Millisecond
)

// write writes b and then whatever is queued meanwhile, without blocking. The
// caller holds the writer role and loses it: it is given back when the queue is
// empty, or passes to a goroutine when the transport is full or the budget spent.
func (c *Conn) write(b *buffer) {
	for budget := flushBudget; b != nil; {
		n, err := c.link.write(b.b)
		c.out.wrote(n)
		budget -= n
		switch {
		case err != nil:
			c.writeFailed(b, n, err)
			return
		case n < len(b.b), budget <= 0:
			c.handOver(b, n)
			return
		}
		b = c.nextBuffer(b)
	}
}

// handOver passes the writer role, and b from n on, to a goroutine.
func (c *Conn) handOver(b *buffer, n int) {
	if !c.hub.spawn(func() { c.writeSlowly(b, n) }) {
		c.writeFailed(b, n, errClosed)
	}
}

// nextBuffer exchanges a buffer that is written for the next, or for nil when
// the queue is empty and the writer role given back.
func (c *Conn) nextBuffer(written *buffer) *buffer {
	c.hub.buffers.put(written)
	b, done := c.out.next()
	if done {
		c.finish()
	}
	return b
}

// writeFailed cuts the connection and gives the writer role back after b could
// be written up to n only.
func (c *Conn) writeFailed(b *buffer, n int, err error) {
	c.out.wrote(len(b.b) - n)
	c.cut(c.lost(err)) // closes the queue, so that there is no next buffer
	c.nextBuffer(b)
}

// writeSlowly is write from b[n:] on, for a goroutine of its own: it waits for
// the transport to take more. It ends when the queue is empty, or when the
// connection is lost, cut or gone, which closes the link and so ends its Write.
func (c *Conn) writeSlowly(b *buffer, n int) {
	w := slowWriter{conn: c}
	defer w.close()
	for b != nil {
		c.life.stalled.Store(w.blocking != nil)
		for n < len(b.b) {
			k, err := w.push(b.b[n:])
			n += k
			if k > 0 {
				c.out.wrote(k)
				c.out.wake()
				c.life.heard.Store(c.hub.now()) // the peer takes bytes: it lives
			}
			if err != nil {
				c.life.stalled.Store(false)
				c.writeFailed(b, n, err)
				return
			}
		}
		// Cleared before the role is given back, as the next to take it may set
		// it again.
		c.life.stalled.Store(false)
		runtime.Gosched() // let others append: one write of many frames
		b, n = c.nextBuffer(b), 0
	}
}

// slowWriter writes to a connection that may be full: at first without blocking,
// then, once that was to no avail, with a blocking writer of the link.
type slowWriter struct {
	conn     *Conn
	blocking stallWriter // nil until needed
	waited   time.Duration
}

// push writes some of p. It returns 0 bytes without an error if it is to be
// called again.
func (w *slowWriter) push(p []byte) (int, error) {
	if w.blocking != nil {
		return w.block(p[:min(len(p), slowChunk)])
	}
	n, err := w.conn.link.write(p)
	if n > 0 || err != nil {
		w.waited = 0
		return n, err
	}
	w.blocking, err = w.conn.link.stallWriter()
	if err == nil {
		w.conn.life.stalled.Store(true)
		return 0, nil
	}
	if errors.Is(err, errClosed) {
		return 0, err
	}
	// Most likely there is no descriptor left. Poll until there is.
	w.blocking = nil
	if w.waited >= w.conn.hub.o.StallTimeout {
		return 0, w.tooSlow()
	}
	w.waited += slowRetry
	time.Sleep(slowRetry)
	return 0, nil
}

func (w *slowWriter) block(p []byte) (int, error) {
	if err := w.blocking.SetWriteDeadline(time.Now().Add(w.conn.hub.o.StallTimeout)); err != nil {
		return 0, err
	}
	n, err := w.blocking.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if n > 0 {
			return n, nil
		}
		return 0, w.tooSlow()
	}
	return n, err
}

func (w *slowWriter) tooSlow() error {
	c := w.conn
	return posthaste.Errorf(posthaste.ConnLost, "%v reads too slowly: it took nothing for %v while %d bytes waited",
		c.remote, c.hub.o.StallTimeout, c.out.size.Load())
}

func (w *slowWriter) close() {
	if w.blocking == nil {
		return
	}
	if err := w.blocking.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		w.conn.hub.log.Warn("eventloop: closing a stalled writer", "remote", w.conn.remote, "err", err)
	}
}

// lost says why the connection ended as cause has it, which is an error of the
// link or nil.
func (c *Conn) lost(cause error) *posthaste.Error {
	if e, ok := errors.AsType[*posthaste.Error](cause); ok {
		return e
	}
	switch {
	case cause == nil || cause == errClosed || errors.Is(cause, os.ErrClosed):
		return posthaste.Errorf(posthaste.ConnLost, "the connection to %v was closed", c.remote)
	case errors.Is(cause, io.EOF):
		return posthaste.Errorf(posthaste.ConnLost, "%v has closed the connection", c.remote)
	}
	return posthaste.Errorf(posthaste.ConnLost, "the connection to %v was lost: %w", c.remote, cause)
}
