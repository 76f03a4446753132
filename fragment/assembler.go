package fragment

import (
	"cmp"
	"slices"
)

// Assembler puts the pieces of the messages on one connection together.
//
// It is owned by the loop of that connection: it has no lock, and no two of its
// methods may run at once. Times are nanoseconds of a clock that does not go
// backwards, from any origin; the loop reads it once per batch.
type Assembler struct {
	limits   Limits // set once in NewAssembler
	partials map[uint32]partial
	buffered uint64 // bytes received of all partials
	taken    uint64 // room set aside for all partials, counted against Limits.Conn
}

// partial is an incomplete message.
type partial struct {
	buffer *buffer // received so far; nil while Begin decides
	total  uint64  // declared size, 0 if not known
	taken  uint64  // room set aside: total if known, else the capacity of the buffer
	since  int64   // when its last byte came
}

// data returns what has been received.
func (p *partial) data() []byte {
	if p.buffer == nil {
		return nil
	}
	return p.buffer.b
}

// NewAssembler makes an assembler without any message. The zero Limits are the
// defaults.
func NewAssembler(l Limits) *Assembler {
	return &Assembler{limits: l.withDefaults(), partials: make(map[uint32]partial)}
}

// Begin opens a message with its first piece, which it copies. More pieces must
// follow: a message in one piece needs no Assembler. total is the declared size,
// 0 if the sender does not know it.
//
// If it fails, the message is not open. The code of the error says why:
// [posthaste.TooLarge] above Limits.Message; [posthaste.ResourceExhausted] above
// Limits.Conn or Limits.Partials, where waiting helps; [posthaste.Protocol] if
// the first piece is larger than total, or if a message of that id is open, which
// is then dropped, since it cannot be told whose the next piece is.
func (a *Assembler) Begin(id uint32, total uint64, first []byte, now int64) error {
	size := uint64(len(first))
	switch {
	case a.Has(id):
		a.Drop(id)
		return broken(id, "it begins while a message of that id is incomplete")
	case max(total, size) > a.limits.Message:
		return a.limits.tooLarge(id, max(total, size))
	case total != 0 && size > total:
		return broken(id, "its first piece is longer than the whole")
	case len(a.partials) >= a.limits.Partials:
		return a.limits.tooMany(id)
	}
	return a.append(id, partial{total: total}, first, now)
}

// Add appends a piece, which it copies, to an open message. With the last piece,
// when more is false, it returns the whole message, which is the caller's and
// never nil, and the message is no longer open. Until then whole is nil.
//
// If it fails, the message is no longer open and its bytes are gone. The code of
// the error says why: [posthaste.Protocol] if the message is not open, is longer
// than it declared, or ended before that; [posthaste.FragmentTimeout] if the
// piece came later than Limits.Gap after the one before; [posthaste.TooLarge] and
// [posthaste.ResourceExhausted], as for Begin, only if the message did not
// declare its size.
//
// It costs one copy, and about one more for the growth of the message as a whole.
func (a *Assembler) Add(id uint32, piece []byte, more bool, now int64) (whole []byte, err error) {
	p, open := a.partials[id]
	if !open {
		return nil, broken(id, "a piece came, but the message is not open: it never began, has ended or was dropped")
	}
	if err := a.check(id, p, piece, more, now); err != nil {
		a.Drop(id)
		return nil, err
	}
	if err := a.append(id, p, piece, now); err != nil || more {
		return nil, err
	}
	return a.finish(id), nil
}

// finish closes a message and hands over its bytes.
func (a *Assembler) finish(id uint32) []byte {
	p := a.remove(id)
	whole := p.buffer.b
	return whole[:len(whole):len(whole)]
}

// check returns why piece cannot continue p.
func (a *Assembler) check(id uint32, p partial, piece []byte, more bool, now int64) error {
	size := uint64(len(p.data())) + uint64(len(piece))
	switch {
	case a.late(p, now):
		return a.limits.late()
	case size > a.limits.Message:
		return a.limits.tooLarge(id, size)
	case p.total != 0 && size > p.total:
		return broken(id, "it is longer than it declared")
	case p.total != 0 && size < p.total && !more:
		return broken(id, "it ended before the size it declared")
	}
	return nil
}

// append adds piece to p and stores it under id, or drops p if there is no room.
// The caller has checked the size.
func (a *Assembler) append(id uint32, p partial, piece []byte, now int64) error {
	data := p.data()
	size, capacity := len(data)+len(piece), cap(data)
	if size > capacity || p.buffer == nil {
		capacity = roomFor(size, cmp.Or(p.total, a.limits.Message))
	}
	need := max(p.total, uint64(capacity))
	if others := a.taken - p.taken; need > p.taken && others+need > a.limits.Conn {
		a.Drop(id)
		return a.limits.noRoom(id, need, others)
	}
	a.taken += need - p.taken
	a.buffered += uint64(len(piece))
	p.taken = need
	if len(piece) > 0 || p.buffer == nil {
		p.since = now // an empty piece is no progress, and buys no time
	}
	p.grow(capacity)
	p.buffer.b = append(p.buffer.b, piece...)
	a.partials[id] = p
	return nil
}

// grow moves p to a buffer of that capacity, unless it has one.
func (p *partial) grow(capacity int) {
	old := p.buffer
	if old != nil && cap(old.b) >= capacity {
		return
	}
	data := p.data()
	p.buffer = borrow(capacity)
	p.buffer.b = append(p.buffer.b, data...)
	old.free()
}

// late reports whether the next piece of p would come too late.
func (a *Assembler) late(p partial, now int64) bool { return now-p.since > int64(a.limits.Gap) }

// Has reports whether a message of that id is open.
func (a *Assembler) Has(id uint32) bool {
	_, open := a.partials[id]
	return open
}

// Drop forgets the message of that id, if one is open: its ask was canceled, its
// stream reset.
func (a *Assembler) Drop(id uint32) {
	p := a.remove(id)
	p.buffer.free()
}

// remove closes a message and leaves its buffer to the caller. Without one of
// that id it returns the zero partial.
func (a *Assembler) remove(id uint32) partial {
	p := a.partials[id]
	delete(a.partials, id)
	a.buffered -= uint64(len(p.data()))
	a.taken -= p.taken
	return p
}

// Sweep drops the messages that have waited for a piece longer than Limits.Gap,
// and then calls each with their ids, in order. each may call any method of the
// Assembler. Call it about once a second: it looks at every open message.
func (a *Assembler) Sweep(now int64, each func(id uint32)) {
	var late []uint32 // nil in all but the rarest calls
	for id, p := range a.partials {
		if a.late(p, now) {
			late = append(late, id)
		}
	}
	slices.Sort(late)
	for _, id := range late {
		a.Drop(id)
	}
	for _, id := range late {
		each(id)
	}
}

// Late returns the error to answer a message with that Sweep dropped. Its code is
// [posthaste.FragmentTimeout].
func (a *Assembler) Late() error { return a.limits.late() }

// Buffered returns how many bytes of incomplete messages are held.
func (a *Assembler) Buffered() uint64 { return a.buffered }

// Open returns how many messages are incomplete.
func (a *Assembler) Open() int { return len(a.partials) }
