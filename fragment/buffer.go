package fragment

import (
	"math/bits"
	"sync"
)

// What a message grows in. A message of a declared size ends in a buffer of just
// that size, which becomes the caller's; the smaller ones that it outgrew on the
// way are pooled, or a message of n bytes would cost garbage of another 2n. Making
// and clearing memory is what assembling costs most.

// buffer is memory for a message, with one owner: a partial, or the pool.
type buffer struct{ b []byte }

const (
	minClass = 12 // 4 KiB: what a message gets at least, sparing the first few copies of one in small pieces
	maxClass = 23 // 8 MiB: above it a buffer is rarely needed again before the collector empties the pool
)

// pools holds buffers of each power of two. It is shared by all assemblers of the
// process and safe for concurrent use.
var pools [maxClass - minClass + 1]sync.Pool

// borrow returns an empty buffer of that capacity.
func borrow(capacity int) *buffer {
	if p := poolOf(capacity); p != nil {
		if b, ok := p.Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{make([]byte, 0, capacity)}
}

// free gives b back. Nobody may use its bytes any more. nil is allowed.
func (b *buffer) free() {
	if b == nil {
		return
	}
	if p := poolOf(cap(b.b)); p != nil {
		b.b = b.b[:0]
		p.Put(b)
	}
}

// poolOf returns the pool for buffers of that capacity, or nil.
func poolOf(capacity int) *sync.Pool {
	if capacity < 1<<minClass || capacity > 1<<maxClass || capacity&(capacity-1) != 0 {
		return nil
	}
	return &pools[bits.TrailingZeros(uint(capacity))-minClass]
}

// roomFor returns the capacity for a message that has size bytes so far and at
// most bound: the next power of two, so less than twice the size.
func roomFor(size int, bound uint64) int {
	capacity := uint64(1) << max(bits.Len(uint(max(size, 1)-1)), minClass)
	return int(min(capacity, bound))
}
