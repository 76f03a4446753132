package eventloop

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// outQueue holds what one connection has yet to write.
//
// Any goroutine appends. One at a time holds the writer role: it takes all that
// is queued, writes it outside the lock, and repeats until there is nothing
// left, so that what others append meanwhile goes along in the next write. The
// role is taken by begin and given back by next, both under mu, and only given
// back when the queue is empty or closed: bytes never lie in it with nobody
// about to write them once somebody has called Flush after appending them.
//
//	        begin                 next: more
//	idle ---------> writing -----------------> writing
//	  ^                |
//	  +----------------+ next: empty or closed
type outQueue struct {
	writing  atomic.Bool  // the role is taken; changes under mu
	soon     atomic.Bool  // a FlushSoon is between its yield and its Flush
	shared   atomic.Bool  // several callers use the connection at once; changes under mu
	size     atomic.Int64 // bytes appended and not yet taken by the transport
	soft     int64        // set once
	hard     int64        // set once
	buffers  *bufferPool  // set once
	checksum bool         // frames carry CRC32C; set once

	mu      sync.Mutex // guards following
	state   queueState
	why     *posthaste.Error // why it left queueOpen; nil while in it
	buf     *buffer          // appended since the last take; nil when empty
	pong    []byte           // the PONG frame that answers the newest PING, if owed
	owed    bool             // pong is to be written; the next take adds it
	room    chan struct{}    // closed when size falls to soft or the queue closes; nil when nobody waits
	ordinal uint64           // TELL, ASK and OPEN frames appended
	frames  uint64           // frames appended
	taken   uint64           // frames appended before the last take
	crowd   int              // takes of one frame until callers count as alone
	bytes   uint64           // bytes appended
	used    int64            // coarse time of the last append that was no keepalive
}

// crowdMemory is how many takes of a single frame in a row show that the
// connection has one caller at a time.
const crowdMemory = 64

// queueState says what may still happen to a queue. It only grows.
type queueState uint8

const (
	queueOpen     queueState = iota // takes frames
	queueDraining                   // takes no more; what is queued is to be written
	queueFlushed                    // all was written; the writer has said so
	queueClosed                     // the connection is gone, and what was queued with it
)

// errFull is what add answers when the frame would exceed the hard limit. It
// stays within this package.
var errFull = errors.New("the out-queue is at its hard limit")

// add appends one frame in two pieces and returns how many openers there were
// so far. It fails with why the queue closed, or with errFull.
func (q *outQueue) add(head, body []byte, now int64) (ordinal uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != queueOpen {
		return 0, q.why
	}
	if q.size.Load()+int64(len(head)+len(body)) > q.hard {
		return 0, errFull
	}
	q.appendLocked(head, body)
	q.used = now
	if isOpener(wire.Kind(head[0] >> 4)) {
		q.ordinal++
	}
	return q.ordinal, nil
}

// addControl appends a frame of the connection itself, beyond every limit: the
// callers bound how many there can be. It reports false if the queue takes none.
func (q *outQueue) addControl(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != queueOpen {
		return false
	}
	q.appendLocked(frame, nil)
	return true
}

// appendLocked appends a frame, with its checksum if those are agreed on.
func (q *outQueue) appendLocked(head, body []byte) {
	q.buf = q.buffers.grow(q.buf, len(head)+len(body)+wire.ChecksumLen)
	start := len(q.buf.b)
	b := append(append(q.buf.b, head...), body...)
	if q.checksum {
		// It has room: Send has seen to it, and control frames are short.
		b, _ = wire.AppendChecksum(b, start)
	}
	q.buf.b = b
	n := len(b) - start
	q.size.Add(int64(n))
	q.frames++
	q.bytes += uint64(n)
}

// owePong notes the answer to the newest PING. An older one that was not yet
// written never will be: however fast PINGs come, at most one PONG waits.
func (q *outQueue) owePong(p *wire.Pong) {
	q.mu.Lock()
	q.pong, q.owed = wire.AppendPong(q.pong[:0], p), q.state == queueOpen
	q.mu.Unlock()
}

// begin takes the writer role and what is queued. It returns nil, and the caller
// has no role, if there is nothing to write or somebody else writes.
func (q *outQueue) begin() *buffer {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.writing.Load() {
		return nil
	}
	b := q.takeLocked()
	if b != nil {
		q.writing.Store(true)
	}
	return b
}

// next is called by the writer when its last buffer is written. It returns the
// next one, or nil after giving the role back; done then tells the one caller
// that wrote the last byte of a draining queue.
func (q *outQueue) next() (b *buffer, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeLocked()
	if b = q.takeLocked(); b != nil {
		return b, false
	}
	q.writing.Store(false)
	return nil, q.flushedLocked()
}

func (q *outQueue) takeLocked() *buffer {
	if q.owed {
		q.owed = false
		q.appendLocked(q.pong, nil)
	}
	b := q.buf
	q.buf = nil
	if b != nil {
		q.senseLocked()
	}
	return b
}

// senseLocked looks at how many frames a take has brought: several mean that
// callers share the connection, and one after another for a while that they do
// not. It is what FlushSoon goes by.
func (q *outQueue) senseLocked() {
	if q.frames-q.taken > 1 {
		q.crowd = crowdMemory
	} else if q.crowd > 0 {
		q.crowd--
	}
	q.taken = q.frames
	if shared := q.crowd > 0; shared != q.shared.Load() {
		q.shared.Store(shared)
	}
}

// flushedLocked moves a draining queue with nothing left to queueFlushed and
// reports whether it did.
func (q *outQueue) flushedLocked() bool {
	if q.state != queueDraining || q.buf != nil || q.writing.Load() {
		return false
	}
	q.state = queueFlushed
	return true
}

// wrote notes that the transport has taken n more bytes.
func (q *outQueue) wrote(n int) { q.size.Add(-int64(n)) }

// wakeLocked lets the waiters go if there is room again.
//
// None is missed: a waiter looks at size under mu before it leaves its channel
// there, so either it saw what wrote has left, or wrote came later, and the
// writer calls wakeLocked after every wrote.
func (q *outQueue) wakeLocked() {
	if q.room != nil && (q.size.Load() <= q.soft || q.state >= queueFlushed) {
		close(q.room)
		q.room = nil
	}
}

// wake is wakeLocked for a writer that has written a part of its buffer.
func (q *outQueue) wake() {
	q.mu.Lock()
	q.wakeLocked()
	q.mu.Unlock()
}

// waitRoom returns nil if there is room, or a channel that is closed when there
// may be. err is set when the queue takes nothing any more.
func (q *outQueue) waitRoom() (room <-chan struct{}, err *posthaste.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.state != queueOpen:
		return nil, q.why
	case q.size.Load() <= q.soft:
		return nil, nil
	case q.room == nil:
		q.room = make(chan struct{})
	}
	return q.room, nil
}

// drain makes the queue refuse frames from now on, after a last one if there is
// any, for the reason why. begun is false if it did so already. done is as for
// next: true when nothing was left to write.
func (q *outQueue) drain(last []byte, why *posthaste.Error) (begun, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != queueOpen {
		return false, false
	}
	if len(last) != 0 {
		q.appendLocked(last, nil)
	}
	q.state, q.why, q.owed = queueDraining, why, false
	if q.room != nil { // Wait ends with an error: nothing can be sent any more
		close(q.room)
		q.room = nil
	}
	return true, q.flushedLocked()
}

// close drops what is queued and makes the queue refuse frames, because of why
// unless it did so before.
func (q *outQueue) close(why *posthaste.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.why == nil {
		q.why = why
	}
	q.state, q.owed = queueClosed, false
	if q.buf != nil {
		q.size.Add(-int64(len(q.buf.b)))
		q.buffers.put(q.buf)
		q.buf = nil
	}
	q.wakeLocked()
}

// reason returns why the queue left queueOpen, nil while it is in it.
func (q *outQueue) reason() *posthaste.Error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.why
}

// isOpener reports whether a frame of this kind opens something, and so has an
// ordinal.
func isOpener(k wire.Kind) bool {
	return k == wire.KindTell || k == wire.KindAsk || k == wire.KindOpen
}
