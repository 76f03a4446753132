package runtime

import (
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste/mailbox"
)

// desk is what a worker has at hand for all its turns.
type desk struct {
	context *Context // of the message being handled, or for the next one

	// mu guards touched, which the watchdog reads while a turn blocks.
	mu      sync.Mutex
	touched []*session              // connections with replies that are not flushed
	last    atomic.Pointer[session] // the one touched last: no need to look
}

// newDesk makes the desk of a worker.
func (rt *Runtime) newDesk(w *mailbox.Worker) any {
	d := &desk{}
	d.context = &Context{rt: rt, worker: w, desk: d}
	return d
}

// touch notes that s has something to flush: with everything else, when the
// worker has nothing left to do, or at once if no such moment is near.
func (c *Context) touch(s *session) {
	if c.worker == nil || c.worker.Detached() {
		s.conn.Flush()
		return
	}
	c.desk.touch(s)
}

func (d *desk) touch(s *session) {
	if d.last.Load() == s {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last.Store(s)
	for _, t := range d.touched {
		if t == s {
			return
		}
	}
	d.touched = append(d.touched, s)
}

// flush writes what the worker's turns have caused. It runs on the worker, or on
// a goroutine that its turn waits for.
func (d *desk) flush() {
	if d.last.Load() == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last.Store(nil)
	for i, s := range d.touched {
		s.conn.Flush() // never blocks
		d.touched[i] = nil
	}
	d.touched = d.touched[:0]
}

// flushStalled is flush for the watchdog, beside a turn that does not end. It
// forgets nothing: the turn may send more.
func (d *desk) flushStalled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.touched {
		s.conn.Flush()
	}
}
