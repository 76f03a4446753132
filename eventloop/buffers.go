package eventloop

import "sync"

// buffer is a byte slice on loan from a [bufferPool]. Exactly one owner at a
// time holds it, and puts it back.
type buffer struct {
	b     []byte
	class int // index into bufferSizes, or unpooled
}

// bufferSizes are the capacities that are pooled. The steps bound what a buffer
// wastes: one grown byte by byte is at most eight times too large, or 4 KiB, so
// that a peer which sends little pins little.
var bufferSizes = [...]int{4 << 10, 32 << 10, 256 << 10, 2 << 20}

// unpooled is the class of buffers larger than all pooled ones.
const unpooled = len(bufferSizes)

// bufferPool lends buffers. The zero value is ready, and safe for concurrent use.
type bufferPool struct{ classes [unpooled]sync.Pool }

// get returns an empty buffer for at least n bytes.
func (p *bufferPool) get(n int) *buffer {
	for class, size := range bufferSizes {
		if n > size {
			continue
		}
		if b, ok := p.classes[class].Get().(*buffer); ok {
			return b
		}
		return &buffer{b: make([]byte, 0, size), class: class}
	}
	return &buffer{b: make([]byte, 0, n), class: unpooled}
}

// put takes b back; nobody may use it any more. nil is allowed.
func (p *bufferPool) put(b *buffer) {
	if b == nil || b.class == unpooled {
		return
	}
	b.b = b.b[:0]
	p.classes[b.class].Put(b)
}

// grow returns b, or in its place a larger buffer with the same content, that
// has room for n more bytes. A nil b counts as empty.
func (p *bufferPool) grow(b *buffer, n int) *buffer {
	if b == nil {
		return p.get(n)
	}
	need := len(b.b) + n
	if need <= cap(b.b) {
		return b
	}
	if b.class >= unpooled-1 { // beyond the pooled sizes: double, so that appending stays linear
		need = max(need, 2*cap(b.b))
	}
	larger := p.get(need)
	larger.b = append(larger.b, b.b...)
	p.put(b)
	return larger
}
