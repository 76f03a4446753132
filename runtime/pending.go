package runtime

import (
	"sync"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// pending is what this side has asked over one connection and not had answered.
// The place of an entry is in the stream id, so finding it is an index and a
// comparison; a generation in the id tells it from those that had the place
// before.
//
//	free --add--> open --take--> free              the peer's terminal frame
//	              open --abandon--> quarantined --take--> free
//
// A place that was abandoned stays in quarantine until the peer's terminal frame,
// so an id is never reused while frames for it may be on their way.
type pending struct {
	client bool // this side opened the connection; set once
	limit  int  // most entries at once; set once

	mu    sync.Mutex // guards following
	slots []pendingSlot
	free  []uint32 // places, 0 for the first; empty once why is set
	why   error    // set when the connection is lost: nothing can be added
}

type pendingSlot struct {
	generation uint32
	open       bool
	waiter     waiter // nil in quarantine
}

// waiter is what waits for the peer's answer: a call or a stream.
type waiter interface {
	// fail ends the waiter. It is called at most once, not under any lock.
	fail(err error)
	// sentAfter reports whether the request is known to have been sent after the
	// connection's first n.
	sentAfter(n uint64) bool
}

const generationMask = 1<<12 - 1

// add reserves an id for w. The error is LocalLimit when too many are open, or
// why the connection was lost.
func (p *pending) add(w waiter) (id uint32, err error) {
	p.mu.Lock()
	if len(p.free) == 0 {
		if err := p.growLocked(); err != nil {
			p.mu.Unlock()
			return 0, err
		}
	}
	n := len(p.free) - 1
	slot := p.free[n]
	p.free = p.free[:n]
	s := &p.slots[slot]
	s.open, s.waiter = true, w
	id = wire.MakeID(p.client, slot+1, s.generation)
	p.mu.Unlock()
	return id, nil
}

// growLocked adds a free place.
func (p *pending) growLocked() error {
	if p.why != nil {
		return notSent(p.why)
	}
	if len(p.slots) >= p.limit {
		return posthaste.Errorf(posthaste.LocalLimit, "%d calls are open on this connection, which is what both sides agreed on; make fewer at once", p.limit)
	}
	p.free = append(p.free, uint32(len(p.slots)))
	p.slots = append(p.slots, pendingSlot{})
	return nil
}

// slotLocked returns the entry of an id, or nil if the id is not open.
func (p *pending) slotLocked(id uint32) *pendingSlot {
	slot := int(wire.IDSlot(id)) - 1
	if slot < 0 || slot >= len(p.slots) {
		return nil
	}
	s := &p.slots[slot]
	if !s.open || s.generation != wire.IDGeneration(id) {
		return nil
	}
	return s
}

// get returns who waits for an id, and whether the id is open at all.
func (p *pending) get(id uint32) (w waiter, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.slotLocked(id); s != nil {
		return s.waiter, true
	}
	return nil, false
}

// take ends an id, for the peer's terminal frame, and returns who waited for it:
// nil if he gave up, or if the id was not open.
func (p *pending) take(id uint32) (w waiter, open bool) {
	p.mu.Lock()
	if s := p.slotLocked(id); s != nil {
		w, open = s.waiter, true
		s.open, s.waiter = false, nil
		s.generation = (s.generation + 1) & generationMask
		p.free = append(p.free, wire.IDSlot(id)-1)
	}
	p.mu.Unlock()
	return w, open
}

// abandon puts an id in quarantine and reports whether w still waited: then the
// peer must be told with RESET.
func (p *pending) abandon(id uint32, w waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slotLocked(id)
	if s == nil || s.waiter != w {
		return false
	}
	s.waiter = nil
	return true
}

// sweep expires the calls that are due and returns how many entries are open.
func (p *pending) sweep(now int64) (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open = len(p.slots) - len(p.free)
	if open == 0 {
		return 0
	}
	for i := range p.slots {
		if a, ok := p.slots[i].waiter.(*call); ok {
			a.expire(now)
		}
	}
	return open
}

// cut ends what was sent after the connection's first n requests.
func (p *pending) cut(n uint64, why error) {
	var refused []waiter
	p.mu.Lock()
	for i := range p.slots {
		if w := p.slots[i].waiter; w != nil && w.sentAfter(n) {
			refused = append(refused, w)
			p.slots[i].waiter = nil // in quarantine until the connection ends
		}
	}
	p.mu.Unlock()
	for _, w := range refused {
		w.fail(why)
	}
}

// failAll ends everything with an error and refuses what comes later.
func (p *pending) failAll(why error) {
	p.mu.Lock()
	p.why = why
	slots := p.slots
	p.slots, p.free = nil, nil
	p.mu.Unlock()
	for i := range slots {
		if w := slots[i].waiter; w != nil {
			w.fail(why)
		}
	}
}

// notSent returns err for a request that has not left this node.
func notSent(err error) error {
	if e, ok := err.(*posthaste.Error); ok {
		unsent := *e
		unsent.Status = posthaste.StatusNotExecuted
		return &unsent
	}
	return err
}
