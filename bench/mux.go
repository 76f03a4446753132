package main

import (
	"errors"
	"runtime"
	"sync"
)

const (
	bigBody   = 16 << 10  // from here a body is not copied into the out-buffer
	tellBound = 256 << 10 // unsent bytes at which a Tell waits for the writer
)

var errMuxFull = errors.New("65,534 calls are pending on this connection")

// A sink takes bytes to the socket. One goroutine uses it at a time. Both
// methods return when everything is written, and must not retain the slices;
// writev may overwrite its argument. abort makes the reader's next read fail.
type sink interface {
	write(b []byte) error
	writev(bs [][]byte) error
	abort()
}

// A mux is the client half of the raw baselines: it correlates the calls of
// many goroutines over one connection and does nothing else. A call costs one
// lock, one copy each way and no allocation.
//
// Writing is flat combining: whoever appends to an idle out-buffer becomes the
// writer, yields once so that other runnable callers append too, and then writes
// everything at once.
type mux struct {
	sink    sink      // used by the goroutine that set writing
	waiters sync.Pool // of *waiter

	mu      sync.Mutex // guards following
	drained sync.Cond  // signalled when the writer took out, or resigned after err
	slots   []slot
	free    []uint16 // indexes of idle slots
	out     []byte   // frames not yet taken by the writer
	bodies  []bigCut // big bodies that belong into out
	writing bool     // a goroutine is the writer
	err     error    // why the connection ended, nil while it lives

	// Owned by the writer.
	spare     []byte
	spareCuts []bigCut
	pieces    [][]byte

	in inbound // owned by the reader
}

// A slot is one pending call. Its generation is the high half of the call's id,
// so that a late reply to an earlier user of the slot is recognised.
type slot struct {
	gen uint16
	w   *waiter // nil while idle
}

// A waiter is a parked caller. The reader owns reply and err until it sends on
// done; then the caller does.
type waiter struct {
	done  chan struct{} // capacity 1, never closed
	reply []byte
	err   error
}

// A bigCut says that body belongs into the out-buffer before offset at.
type bigCut struct {
	at   int
	body []byte
}

func newMux(s sink) *mux {
	m := &mux{sink: s}
	m.drained.L = &m.mu
	m.waiters.New = func() any { return &waiter{done: make(chan struct{}, 1)} }
	return m
}

// ask sends req and returns the reply appended to buf[:0]. Neither is retained.
// There is no deadline: it returns when the reply is there or the connection
// has ended.
func (m *mux) ask(req, buf []byte) ([]byte, error) {
	w := m.waiters.Get().(*waiter)
	w.reply = buf[:0]
	m.mu.Lock()
	id, err := m.pendLocked(w)
	if err != nil {
		m.mu.Unlock()
		w.reply = nil
		m.waiters.Put(w)
		return nil, err
	}
	m.appendLocked(id, req)
	leader := !m.writing
	m.writing = true
	m.mu.Unlock()
	if leader {
		runtime.Gosched() // the other runnable callers append meanwhile
		m.flush()
	}
	return m.await(w)
}

// await parks until the reader or fail has finished with w.
func (m *mux) await(w *waiter) ([]byte, error) {
	<-w.done
	reply, err := w.reply, w.err
	w.reply, w.err = nil, nil
	m.waiters.Put(w)
	return reply, err
}

// tell sends body and returns when it is in the out-buffer, which is bounded:
// a fast teller waits for the socket. The writer is a goroutine of its own that
// lives as long as there is something to write, so tells pile up during a write.
func (m *mux) tell(body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.err == nil && len(m.out) >= tellBound {
		m.drained.Wait()
	}
	if m.err != nil {
		return m.err
	}
	m.out = append(appendHead(m.out, idTell, len(body)), body...)
	if !m.writing {
		m.writing = true
		go m.flush()
	}
	return nil
}

// told asks how many tells the server has handled. It follows the tells that
// this client sent before. One goroutine may ask it at a time.
func (m *mux) told() ([]byte, error) {
	w := m.waiters.Get().(*waiter)
	m.mu.Lock()
	if m.err != nil {
		defer m.mu.Unlock()
		return nil, m.err
	}
	m.in.told = w
	m.out = appendHead(m.out, idTold, 0)
	leader := !m.writing
	m.writing = true
	m.mu.Unlock()
	if leader {
		m.flush()
	}
	return m.await(w)
}

// pendLocked gives w a slot and returns the id that leads back to it.
func (m *mux) pendLocked(w *waiter) (id uint32, err error) {
	if m.err != nil {
		return 0, m.err
	}
	if len(m.free) == 0 {
		i := len(m.slots)
		if i > 0xfffd {
			return 0, errMuxFull
		}
		m.slots = append(m.slots, slot{})
		m.free = append(m.free, uint16(i))
	}
	last := len(m.free) - 1
	i := m.free[last]
	m.free = m.free[:last]
	m.slots[i].w = w
	return uint32(m.slots[i].gen)<<16 | uint32(i) + idCall, nil
}

// takeLocked ends the call named id and returns its waiter, nil if there is no
// such call any more.
func (m *mux) takeLocked(id uint32) *waiter {
	i := int(id&0xffff) - int(idCall)
	if i < 0 || i >= len(m.slots) {
		return nil
	}
	s := &m.slots[i]
	if s.w == nil || s.gen != uint16(id>>16) {
		return nil
	}
	w := s.w
	s.w = nil
	s.gen++
	m.free = append(m.free, uint16(i))
	return w
}

func (m *mux) appendLocked(id uint32, body []byte) {
	m.out = appendHead(m.out, id, len(body))
	if len(body) < bigBody {
		m.out = append(m.out, body...)
		return
	}
	m.bodies = append(m.bodies, bigCut{len(m.out), body})
}

// flush writes until the out-buffer is empty and then resigns. The caller has
// set writing.
func (m *mux) flush() {
	m.mu.Lock()
	for len(m.out) > 0 && m.err == nil {
		out, cuts := m.out, m.bodies
		m.out, m.bodies = m.spare[:0], m.spareCuts[:0]
		m.drained.Broadcast()
		m.mu.Unlock()
		err := m.send(out, cuts)
		clear(cuts) // the bodies are the callers' again
		m.mu.Lock()
		m.spare, m.spareCuts = out, cuts
		if err != nil {
			m.failLocked(err)
			m.sink.abort()
		}
	}
	m.writing = false
	if m.err != nil {
		m.drained.Broadcast()
	}
	m.mu.Unlock()
}

// waitWriter returns when the connection has ended and the sink is idle for ever.
func (m *mux) waitWriter() {
	m.mu.Lock()
	for m.err == nil || m.writing {
		m.drained.Wait()
	}
	m.mu.Unlock()
}

// send writes out with the big bodies in their places.
func (m *mux) send(out []byte, cuts []bigCut) error {
	if len(cuts) == 0 {
		return m.sink.write(out)
	}
	p, at := m.pieces[:0], 0
	for _, c := range cuts {
		p = append(p, out[at:c.at], c.body)
		at = c.at
	}
	if at < len(out) {
		p = append(p, out[at:])
	}
	m.pieces = p
	err := m.sink.writev(p)
	clear(m.pieces)
	return err
}

// end is the reader's last word: every present and future caller gets err.
func (m *mux) end(err error) {
	m.mu.Lock()
	m.failLocked(err)
	err = m.err
	m.mu.Unlock()
	if w := m.in.partial; w != nil {
		m.in.partial = nil
		w.err = err
		w.done <- struct{}{}
	}
}

// failLocked ends all calls but the one whose reply is arriving: that is the
// reader's.
func (m *mux) failLocked(err error) {
	if m.err != nil {
		return
	}
	m.err = err
	for i := range m.slots {
		if w := m.slots[i].w; w != nil {
			m.slots[i].w = nil
			w.err = err
			w.done <- struct{}{}
		}
	}
	if w := m.in.told; w != nil {
		m.in.told = nil
		w.err = err
		w.done <- struct{}{}
	}
	m.drained.Broadcast()
}
