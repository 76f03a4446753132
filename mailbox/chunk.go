package mailbox

import "sync"

// chunkLen is the number of messages in a chunk: large enough that the pool is
// touched once per 16 messages, small enough that one waiting message is cheap.
const chunkLen = 16

// chunk is a piece of a lane's queue: slots[read:fill] hold messages. It is
// owned by whoever owns the list it is in.
type chunk[T any] struct {
	next       *chunk[T]
	read, fill int32
	slots      [chunkLen]T
}

// Chunks is a pool of queue chunks shared by all mailboxes of one message type.
// It is safe for concurrent use.
type Chunks[T any] struct{ pool sync.Pool }

// NewChunks returns an empty pool.
func NewChunks[T any]() *Chunks[T] {
	p := &Chunks[T]{}
	p.pool.New = func() any { return new(chunk[T]) }
	return p
}

func (p *Chunks[T]) get() *chunk[T] { return p.pool.Get().(*chunk[T]) }

// put recycles c and returns its successor.
func (p *Chunks[T]) put(c *chunk[T]) *chunk[T] {
	next := c.next
	clear(c.slots[:c.fill]) // drop what the messages refer to
	c.next, c.read, c.fill = nil, 0, 0
	p.pool.Put(c)
	return next
}

// list is a queue of messages.
type list[T any] struct{ head, tail *chunk[T] }

func (l *list[T]) push(p *Chunks[T], v *T) {
	t := l.tail
	if t == nil || t.fill == chunkLen {
		c := p.get()
		if t == nil {
			l.head = c
		} else {
			t.next = c
		}
		l.tail, t = c, c
	}
	t.slots[t.fill] = *v
	t.fill++
}

// pop moves the oldest message to v; the list must not be empty.
func (l *list[T]) pop(p *Chunks[T], v *T) {
	var zero T
	c := l.head
	*v, c.slots[c.read] = c.slots[c.read], zero
	c.read++
	if c.read == c.fill {
		if l.head = p.put(c); l.head == nil {
			l.tail = nil
		}
	}
}

// split moves the oldest message to a chunk of its own; the list must not be
// empty.
func (l *list[T]) split(p *Chunks[T]) *chunk[T] {
	c := p.get()
	l.pop(p, &c.slots[0])
	c.fill = 1
	return c
}
