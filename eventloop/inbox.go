package eventloop

import (
	"bytes"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// keepChunk is about how much one Keep copies at most, unless the frame itself
// is longer. Up to 32 KiB the allocator needs no lock, and a small message that
// is kept for long pins no more than this.
const keepChunk = 32 << 10

// inbox cuts what arrives into frames. Frames that a read brought whole are
// delivered where they lie; one that it brought in part is completed in a buffer
// of its own, which never holds more than eight times what has arrived of it.
//
// It is owned by whoever delivers what arrives, one goroutine at a time; only
// the atomics are read by others.
type inbox struct {
	limit    int           // longest payload of a frame that carries a message; set once
	accepted atomic.Uint64 // openers delivered; written by the owner only
	frames   atomic.Uint64 // frames that arrived whole; written by the owner only
	bytes    atomic.Uint64 // bytes that arrived; written by the owner only

	head    [wire.HeaderLen]byte // start of the partial frame, if there is one
	headLen int                  // how much of head is there; 0 means no partial frame
	part    *buffer              // the partial frame, header included; nil until that is whole
	partLen int                  // what part will hold once whole

	delivered bool // this batch has led to a Frame upcall
	pinged    bool // this batch has left a PONG to write

	// The Frame upcall at hand, for Keep.
	batch    []byte // where the frame lies, and perhaps others behind it
	at, end  int    // its payload in batch; at is 0 outside an upcall
	next     int    // where the frame behind it begins in batch
	kept     []byte // copy of a part of batch that begins at keptFrom
	keptFrom int
}

// receive takes what one read brought. p dies with the call. The link calls it.
func (c *Conn) receive(p []byte) {
	defer c.contain("Frame or Idle")
	r := &c.in
	c.life.heard.Store(c.hub.now())
	r.bytes.Store(r.bytes.Load() + uint64(len(p)))
	if c.deaf.Load() {
		return // read on, so that the peer is not reset, and drop it
	}
	r.delivered, r.pinged = false, false
	if r.headLen > 0 {
		p = c.resumePartial(p)
	}
	c.deliverWhole(p)
	if r.delivered {
		c.life.framed.Store(c.hub.now())
		c.hub.handler.Idle(c)
	}
	if r.pinged {
		c.Flush()
	}
}

// deliverWhole delivers the frames at the start of p that are whole, where they
// lie, and begins the partial frame with what is left.
func (c *Conn) deliverWhole(p []byte) {
	r := &c.in
	at, frames := 0, uint64(0)
	r.kept = nil
	for len(p)-at >= wire.HeaderLen {
		h := wire.ParseHeader(p[at:])
		if !c.admit(h) {
			return
		}
		next := at + wire.HeaderLen + h.Len
		if next > len(p) {
			break
		}
		frames++
		if !c.deliver(h, p, at, next) {
			return
		}
		at = next
	}
	r.frames.Store(r.frames.Load() + frames)
	r.kept = nil
	if at < len(p) {
		c.beginPartial(p[at:])
	}
}

// beginPartial keeps p, the beginning of a frame. If the header is whole it was
// admitted.
func (c *Conn) beginPartial(p []byte) {
	r := &c.in
	c.life.partial.Store(c.hub.now())
	r.headLen = copy(r.head[:], p)
	if r.headLen == wire.HeaderLen {
		r.partLen = wire.HeaderLen + wire.ParseHeader(p).Len
		r.part = c.hub.buffers.get(len(p))
		r.part.b = append(r.part.b, p...)
	}
}

// resumePartial adds p to the partial frame, delivers it if that completes it,
// and returns what is left of p.
func (c *Conn) resumePartial(p []byte) (rest []byte) {
	r := &c.in
	if r.part == nil {
		n := copy(r.head[r.headLen:], p)
		r.headLen += n
		p = p[n:]
		if r.headLen < wire.HeaderLen {
			return nil
		}
		h := wire.ParseHeader(r.head[:])
		if !c.admit(h) {
			return nil
		}
		r.partLen = wire.HeaderLen + h.Len
		r.part = c.hub.buffers.get(min(r.partLen, wire.HeaderLen+len(p)))
		r.part.b = append(r.part.b, r.head[:]...)
	}
	n := min(r.partLen-len(r.part.b), len(p))
	r.part = c.hub.buffers.grow(r.part, n)
	r.part.b = append(r.part.b, p[:n]...)
	if len(r.part.b) < r.partLen {
		return nil
	}
	whole := r.part
	r.part, r.headLen = nil, 0
	c.life.partial.Store(0)
	r.frames.Store(r.frames.Load() + 1)
	ok := c.deliver(wire.ParseHeader(whole.b), whole.b, 0, len(whole.b))
	r.kept = nil
	c.hub.buffers.put(whole)
	if !ok {
		return nil
	}
	return p[n:]
}

// admit judges a header before its payload is there, so that no memory is spent
// on a frame that must not come. If it reports false the connection has failed.
func (c *Conn) admit(h wire.Header) bool {
	err := h.Check()
	switch {
	case err != nil:
	case h.Len > c.in.limit && carriesMessage(h.Kind):
		err = posthaste.Errorf(posthaste.TooLarge, "%v has a payload of %d bytes; the limit agreed on is %d", h.Kind, h.Len, c.in.limit)
	case h.ID == 0:
	case isOpener(h.Kind) && wire.IDFromClient(h.ID) == c.outbound:
		err = posthaste.Errorf(posthaste.Protocol, "%v opens id %#x, which is for this side to open", h.Kind, h.ID)
	case (h.Kind == wire.KindReply || h.Kind == wire.KindError) && wire.IDFromClient(h.ID) != c.outbound:
		err = posthaste.Errorf(posthaste.Protocol, "%v ends id %#x, which its sender has opened", h.Kind, h.ID)
	}
	if err != nil {
		c.Fail(c.asError(err))
		return false
	}
	return true
}

// carriesMessage reports whether the agreed limit of frames holds for k. The
// others are short by their own rules.
func carriesMessage(k wire.Kind) bool {
	switch k {
	case wire.KindTell, wire.KindAsk, wire.KindOpen, wire.KindReply, wire.KindData, wire.KindBatch, wire.KindExt:
		return true
	}
	return false
}

// deliver acts on the frame batch[at:next]. It reports false when no more are to
// be delivered.
func (c *Conn) deliver(h wire.Header, batch []byte, at, next int) bool {
	r := &c.in
	payload := batch[at+wire.HeaderLen : next : next]
	if c.out.checksum {
		var err error
		if h, payload, err = wire.VerifyChecksum(batch[at:next]); err != nil {
			c.Fail(c.asError(err))
			return false
		}
	}
	switch h.Kind {
	case wire.KindPing:
		return c.takePing(payload)
	case wire.KindPong:
		return c.takePong(payload)
	case wire.KindHello:
		c.Fail(posthaste.Errorf(posthaste.Protocol, "a second HELLO"))
		return false
	}
	if isOpener(h.Kind) {
		r.accepted.Store(r.accepted.Load() + 1)
	}
	// Fail, on another goroutine, sets deaf and then reads accepted for its
	// GOAWAY; here accepted is written and then deaf is read. So either this
	// frame is not delivered, or the GOAWAY says that it was accepted: it never
	// runs at a peer's that was told it would not.
	if c.deaf.Load() {
		return false
	}
	r.delivered = true
	r.batch, r.at, r.end, r.next = batch, at+wire.HeaderLen, at+wire.HeaderLen+len(payload), next
	c.hub.handler.Frame(c, h, payload)
	r.batch, r.at = nil, 0
	return true
}

// Keep returns bytes with the content of p that outlast the Frame upcall at
// hand. p is the payload that Frame was given, or a part of it; anything else is
// simply copied. The result has no spare capacity, and must not be changed if
// another part of the same batch was kept too.
//
// It may be called in Frame only. The first call copies a run of frames of the
// same read, up to about 32 KiB, into one allocation, which the later ones
// share: keeping many small frames costs one allocation, and keeping one pins up
// to that much.
func (c *Conn) Keep(p []byte) []byte {
	r := &c.in
	if r.at == 0 {
		return bytes.Clone(p)
	}
	payload := r.batch[r.at:r.end:r.end]
	off := cap(payload) - cap(p) // where p begins, if it is a part of payload
	if len(p) == 0 || off < 0 || off+len(p) > len(payload) || &payload[off] != &p[0] {
		return bytes.Clone(p)
	}
	off += r.at
	if r.kept == nil || off < r.keptFrom || off+len(p) > r.keptFrom+len(r.kept) {
		r.keptFrom = r.at
		r.kept = make([]byte, r.keepEnd()-r.at)
		copy(r.kept, r.batch[r.at:])
	}
	from := off - r.keptFrom
	return r.kept[from : from+len(p) : from+len(p)]
}

// keepEnd returns where the run of whole frames ends that Keep copies.
func (r *inbox) keepEnd() int {
	end := r.next
	for len(r.batch)-end >= wire.HeaderLen {
		next := end + wire.HeaderLen + wire.ParseHeader(r.batch[end:]).Len
		if next > len(r.batch) || next-r.at > keepChunk {
			break
		}
		end = next
	}
	return end
}

// release gives back what the inbox holds.
func (r *inbox) release(p *bufferPool) {
	p.put(r.part)
	r.part, r.headLen, r.kept = nil, 0, nil
}
