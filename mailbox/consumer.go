package mailbox

// The consumer's side of a Mailbox: whoever was told Woken calls these, until Next
// returns nil.

// Next returns the next message, or nil when there is none: then the mailbox is
// idle, the consumer's role is over, and nothing of its state may be touched. The
// message is valid until the following call of Next or Drain.
func (m *Mailbox[T]) Next() *T {
	r := &m.rotation
	c := m.out[r.lane]
	if c != nil && c.read < c.fill && r.left > 0 && (m.have|m.fresh.Load())&only(System) == 0 {
		r.left--
		return m.hand(r.lane, c)
	}
	return m.nextSlow()
}

// hand returns the next message of c, which has one and is of the given lane, and
// counts it.
func (m *Mailbox[T]) hand(lane Lane, c *chunk[T]) *T {
	v := &c.slots[c.read]
	c.read++
	m.last = lane
	if lane != System {
		if m.since++; m.since >= m.stride {
			m.report()
		}
	}
	return v
}

// report publishes how many messages the consumer has taken.
func (m *Mailbox[T]) report() {
	m.taken.Store(m.taken.Load() + uint64(m.since))
	m.since = 0
	if m.waiting.Load() {
		m.mu.Lock()
		m.signalLocked()
		m.mu.Unlock()
	}
}

func (m *Mailbox[T]) nextSlow() *T {
	m.recycle()
	for {
		if m.fresh.Load()&^m.have != 0 {
			m.take()
		}
		if m.have != 0 {
			lane := m.rotation.advance(m.have)
			return m.hand(lane, m.out[lane])
		}
		if m.rest() {
			return nil
		}
	}
}

// recycle gives back the chunk that the last message was in, if that was the last
// in it.
func (m *Mailbox[T]) recycle() {
	c := m.out[m.last]
	if c == nil || c.read < c.fill {
		return
	}
	c = m.chunks.put(c)
	if m.out[m.last] = c; c == nil {
		m.have &^= only(m.last)
	}
}

// rest ends the consumer's role if there is no message, and reports whether it
// did.
func (m *Mailbox[T]) rest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fresh.Load() != 0 {
		return false
	}
	m.busy = false
	// As good as a report, and cheaper, as we hold mu anyway: since is often 1,
	// where actors take turns to tell each other.
	m.pushed -= uint64(m.since)
	m.since = 0
	m.signalLocked()
	return true
}

// take moves what producers have added to the consumer's side, for each lane
// that has nothing there: whole lists, or with DropOldest only the message that is
// next, for the others may still be displaced.
func (m *Mailbox[T]) take() {
	m.mu.Lock()
	fresh := m.fresh.Load()
	want := fresh &^ m.have
	if m.overflow == DropOldest {
		want = only(m.rotation.peek(want))
	}
	for lane := range lanes {
		if want&only(lane) == 0 {
			continue
		}
		l := &m.in[lane]
		if m.overflow == DropOldest {
			m.out[lane] = l.split(m.chunks)
		} else {
			m.out[lane] = l.head
			*l = list[T]{}
		}
		if l.head == nil {
			fresh &^= only(lane)
		}
	}
	m.have |= want
	m.fresh.Store(fresh)
	m.mu.Unlock()
}

// Drain hands each message that is still queued to f, System first, and leaves
// the mailbox empty. Only the consumer of a closed mailbox may call it.
func (m *Mailbox[T]) Drain(f func(*T)) {
	for v := m.Next(); v != nil; v = m.Next() {
		f(v)
	}
}
