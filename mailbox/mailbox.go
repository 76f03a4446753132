package mailbox

import (
	"context"
	"sync"
	"sync/atomic"
)

// Overflow says what happens to a message for which there is no room.
type Overflow uint8

// The policies.
const (
	Reject     Overflow = iota // Push reports Full: the sender gets an error
	DropNewest                 // Push reports Dropped: the message is gone
	DropOldest                 // Push reports Displaced: the oldest message of the least urgent lane made room
	Block                      // PushWait waits for room; Push reports Full
)

// String returns the policy's name.
func (o Overflow) String() string {
	return [...]string{"Reject", "DropNewest", "DropOldest", "Block"}[o&3]
}

// DefaultCapacity is the bound of a mailbox that sets none.
const DefaultCapacity = 1024

// Unbounded as a Capacity lifts the bound. Memory is then the only limit.
const Unbounded = -1

// maxStride is the most messages the consumer takes before it says so: producers
// and consumer share the counter's cache line only this often.
const maxStride = 16

// Options configure a mailbox. The zero value holds DefaultCapacity messages and
// rejects more.
type Options struct {
	Capacity int // messages; 0 means DefaultCapacity, Unbounded none
	Overflow Overflow
}

// Outcome is what became of a pushed message.
type Outcome uint8

// The outcomes.
const (
	Queued    Outcome = iota // it is in, and a consumer is on it
	Woken                    // it is in, and the caller must schedule the consumer
	Displaced                // it is in; *v now holds the oldest, which is out
	Dropped                  // it is out: DropNewest, or DropOldest and all that waits is more urgent
	Full                     // it is out: Reject, or Block without waiting
	Closed                   // it is out: the mailbox is closed
)

// Mailbox is a bounded queue of messages from many producers to one consumer.
// It is used by value inside an actor's cell, set up with Init.
//
// All methods are safe for concurrent use but Init, Next and Drain. Next and Drain
// belong to the consumer: whoever was told Woken, until Next returns nil.
type Mailbox[T any] struct {
	chunks   *Chunks[T] // set once in Init
	limit    uint64     // capacity, set once in Init
	overflow Overflow   // set once in Init

	mu     sync.Mutex // guards following
	busy   bool       // a consumer runs, or was asked for
	closed bool
	in     [lanes]list[T]
	pushed uint64        // bounded messages that went in, less those displaced or settled at idle
	room   uint64        // pushed may grow to this without looking at taken
	space  chan struct{} // closed when room appears; nil when nobody waits

	fresh   atomic.Uint32 // laneSet of what has messages in in; written under mu
	taken   atomic.Uint64 // bounded messages the consumer has taken
	waiting atomic.Bool   // space is set

	// Owned by the consumer; while there is none, mu guards them. stride is here
	// because the consumer reads it for each message, and producers write above.
	out      [lanes]*chunk[T]
	have     laneSet // lanes with messages in out
	last     Lane    // lane of the message handed out last
	rotation rotation
	since    uint32 // messages taken since the last report
	stride   uint32 // messages between two reports; set once in Init
}

// Init sets the mailbox up before first use. chunks may be shared.
func (m *Mailbox[T]) Init(chunks *Chunks[T], o Options) {
	m.chunks, m.overflow = chunks, o.Overflow
	switch {
	case o.Capacity == 0:
		m.limit = DefaultCapacity
	case o.Capacity < 0:
		m.limit = 1 << 62
	default:
		m.limit = uint64(o.Capacity)
	}
	m.stride = uint32(min(max(m.limit/16, 1), maxStride))
	if m.overflow == DropOldest {
		m.stride = 1 // else it would displace a message though there is room
	}
	m.room = m.limit
	m.rotation = rotation{lane: Normal, left: burst[Normal]}
}

// Capacity returns the bound in messages, or Unbounded.
func (m *Mailbox[T]) Capacity() int {
	if m.limit == 1<<62 {
		return Unbounded
	}
	return int(m.limit)
}

// Push queues *v on the lane and says what became of it. It never blocks and
// does not keep v. Cost: a short lock and a copy; a chunk from the pool every 16
// messages.
func (m *Mailbox[T]) Push(lane Lane, v *T) Outcome {
	m.mu.Lock()
	o := m.pushLocked(lane, v)
	if o == Full {
		o = m.overflowLocked(lane, v)
	}
	m.mu.Unlock()
	return o
}

// PushAll queues vs in order on one lane under a single lock and returns how many
// went in and whether the caller must schedule the consumer. It stops at the
// first that does not fit, with that outcome. It never displaces: with DropOldest
// that outcome is Full, and the rest may be pushed one by one.
func (m *Mailbox[T]) PushAll(lane Lane, vs []T) (n int, woken bool, last Outcome) {
	m.mu.Lock()
	for n < len(vs) {
		last = m.pushLocked(lane, &vs[n])
		if last == Woken {
			woken = true
		} else if last != Queued {
			break
		}
		n++
	}
	if last == Full && m.overflow == DropNewest {
		last = Dropped
	}
	m.mu.Unlock()
	return n, woken, last
}

// pushLocked queues *v if there is room, and otherwise reports Full, whatever the
// policy.
func (m *Mailbox[T]) pushLocked(lane Lane, v *T) Outcome {
	if m.closed {
		return Closed
	}
	if lane != System {
		if m.pushed == m.room && !m.roomLocked() {
			return Full
		}
		m.pushed++
	}
	if !m.busy {
		m.startLocked(lane, v)
		return Woken
	}
	m.appendLocked(lane, v)
	return Queued
}

// startLocked makes the mailbox busy with its first message. There is no consumer
// before the caller has it scheduled, so the message goes to its side at once and
// spares it a take; but not if it may still be displaced.
func (m *Mailbox[T]) startLocked(lane Lane, v *T) {
	m.busy = true
	if m.overflow == DropOldest {
		m.appendLocked(lane, v)
		return
	}
	c := m.chunks.get()
	c.slots[0], c.fill = *v, 1
	m.out[lane], m.have = c, only(lane)
}

func (m *Mailbox[T]) appendLocked(lane Lane, v *T) {
	l := &m.in[lane]
	if l.head == nil {
		m.fresh.Store(m.fresh.Load() | only(lane))
	}
	l.push(m.chunks, v)
}

// roomLocked looks at how far the consumer is and reports whether there is room.
func (m *Mailbox[T]) roomLocked() bool {
	m.room = m.taken.Load() + m.limit
	return m.pushed < m.room
}

// overflowLocked applies the policy to *v, for which there is no room.
func (m *Mailbox[T]) overflowLocked(lane Lane, v *T) Outcome {
	switch m.overflow {
	case DropNewest:
		return Dropped
	case DropOldest:
		for from := Bulk; from >= lane; from-- {
			if m.in[from].head != nil {
				m.displaceLocked(from, lane, v)
				return Displaced
			}
		}
		return Dropped
	}
	return Full
}

// displaceLocked puts *v in the place of the oldest message of lane from, which
// it moves to *v. The consumer of such a mailbox takes one message at a time, so
// what it has not begun is still in in.
func (m *Mailbox[T]) displaceLocked(from, lane Lane, v *T) {
	var oldest T
	m.in[from].pop(m.chunks, &oldest)
	if m.in[from].head == nil {
		m.fresh.Store(m.fresh.Load() &^ only(from))
	}
	m.appendLocked(lane, v)
	*v = oldest
}

// PushWait is Push that waits for room while the mailbox is full and its policy
// is Block; with any other policy it is Push. It returns Full with ctx's cause
// when ctx ends first. It must not be called from an actor's turn or an event
// loop: it would wait for others there.
func (m *Mailbox[T]) PushWait(ctx context.Context, lane Lane, v *T) (Outcome, error) {
	for {
		m.mu.Lock()
		o := m.pushLocked(lane, v)
		if o == Full {
			o = m.overflowLocked(lane, v)
		}
		if o != Full || m.overflow != Block {
			m.mu.Unlock()
			return o, nil
		}
		if m.space == nil {
			m.space = make(chan struct{})
			m.waiting.Store(true)
			// The consumer stores taken, then loads waiting; we store waiting,
			// then load taken: one of the two sees the other, so that room that
			// appears right now is not missed.
			if m.roomLocked() {
				m.signalLocked()
				m.mu.Unlock()
				continue
			}
		}
		space := m.space
		m.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return Full, context.Cause(ctx)
		}
	}
}

// signalLocked wakes all who wait for room, if any.
func (m *Mailbox[T]) signalLocked() {
	if m.space == nil {
		return
	}
	close(m.space)
	m.space = nil
	m.waiting.Store(false)
}

// Close refuses all further messages. What is queued stays for Next or Drain.
// Producers that wait for room are told Closed. It may be called from anywhere,
// any number of times.
func (m *Mailbox[T]) Close() {
	m.mu.Lock()
	m.closed = true
	m.signalLocked()
	m.mu.Unlock()
}

// Depth returns how many messages wait on the bounded lanes. It is exact while
// the mailbox is idle, and may otherwise be high by those taken since the last
// report (see Limits).
func (m *Mailbox[T]) Depth() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(m.pushed - m.taken.Load())
}
