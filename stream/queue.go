package stream

// queue is a first-in first-out list of items in a ring that grows by doubling.
// Not safe for concurrent use. The zero queue is empty.
type queue struct {
	ring [][]byte // its length is 0 or a power of two
	head int      // index of the first item
	n    int      // number of items
}

const (
	minRing = 8
	// maxIdleRing is the largest ring that an empty queue keeps: 24 KiB. A burst
	// should not cost its memory for as long as a stream lives.
	maxIdleRing = 1024
)

func (q *queue) len() int { return q.n }

// push appends an item. It allocates when the ring is full.
func (q *queue) push(item []byte) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[q.at(q.n)] = item
	q.n++
}

// pop removes the first item.
func (q *queue) pop() (item []byte, ok bool) {
	if q.n == 0 {
		return nil, false
	}
	item = q.ring[q.head]
	q.ring[q.head] = nil // the item is the reader's now, to keep or to forget
	q.head = q.at(1)
	if q.n--; q.n == 0 && len(q.ring) > maxIdleRing {
		q.clear()
	}
	return item, true
}

// clear forgets all items and the ring.
func (q *queue) clear() { *q = queue{} }

// at returns the index of the i-th item.
func (q *queue) at(i int) int { return (q.head + i) & (len(q.ring) - 1) }

func (q *queue) grow() {
	ring := make([][]byte, max(minRing, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}
