package main

// An inbound is the reader's state of a mux: what the last read left unfinished
// and the replies of this one.
type inbound struct {
	told *waiter // of a told call; guarded by mux.mu

	// Owned by the reader.
	head    [frameHead]byte // the part of a head that has arrived
	headLen int
	partial *waiter // whose reply is arriving; nil with need > 0: skip it
	need    int     // body bytes still to come
	ready   []arrival
}

// An arrival is a body, or the beginning of one, and who waits for it.
type arrival struct {
	w    *waiter
	body []byte
	part bool // more of the body is to come
}

// feed takes what a read brought. It fills the replies of all frames in b, then
// wakes their callers: one lock for the batch and one copy per reply. It does
// not keep b. An error means that the peer does not speak the protocol.
func (m *mux) feed(b []byte) error {
	b = m.feedPartial(b)
	m.mu.Lock()
	b, err := m.matchLocked(b)
	m.mu.Unlock()
	m.in.headLen += copy(m.in.head[m.in.headLen:], b)
	for _, a := range m.in.ready {
		if a.w != nil {
			a.w.reply = append(a.w.reply, a.body...)
		}
	}
	for _, a := range m.in.ready {
		if a.w != nil && !a.part {
			a.w.done <- struct{}{}
		}
	}
	m.in.ready = m.in.ready[:0]
	return err
}

// feedPartial continues the body, or the head, that the last read left open.
func (m *mux) feedPartial(b []byte) []byte {
	in := &m.in
	if in.need > 0 {
		n := min(in.need, len(b))
		in.need -= n
		in.ready = append(in.ready, arrival{in.partial, b[:n], in.need > 0})
		if in.need == 0 {
			in.partial = nil
		}
		return b[n:]
	}
	return b
}

// matchLocked finds the waiter of every frame in b and returns what remains: the
// beginning of a head.
func (m *mux) matchLocked(b []byte) (rest []byte, err error) {
	in := &m.in
	for {
		head := b
		if in.headLen > 0 { // the head began in the last read
			n := copy(in.head[in.headLen:], b)
			head = in.head[:in.headLen+n]
		}
		if len(head) < frameHead {
			return b, nil
		}
		id, size, err := parseHead(head)
		if err != nil {
			return nil, err
		}
		b = b[frameHead-in.headLen:]
		in.headLen = 0
		n := min(size, len(b))
		w := m.ownerLocked(id)
		in.ready = append(in.ready, arrival{w, b[:n], n < size})
		if n < size {
			in.partial, in.need = w, size-n
			if w != nil && cap(w.reply) < size {
				w.reply = make([]byte, 0, size)
			}
			return nil, nil
		}
		b = b[n:]
	}
}

func (m *mux) ownerLocked(id uint32) *waiter {
	if id != idTold {
		return m.takeLocked(id)
	}
	w := m.in.told
	m.in.told = nil
	return w
}
