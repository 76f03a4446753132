package wire

import (
	"encoding/binary"

	"github.com/posthaste-go/posthaste"
)

// Credit is how much one direction of a stream may carry, counted from its
// start: both numbers only grow, and a later CREDIT replaces an earlier one, so
// that one of them may be left out or merged.
type Credit struct {
	Bytes    uint64 // of message bodies, fragments included
	Messages uint64 // whole messages
}

func (c Credit) append(dst []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, c.Bytes), c.Messages)
}

func (c *Credit) parse(r *cursor) {
	c.Bytes = r.u64("credit bytes")
	c.Messages = r.u64("credit messages")
}

// AppendCredit appends a CREDIT frame for the stream id, which is not 0.
func AppendCredit(dst []byte, id uint32, c Credit) []byte {
	start := len(dst)
	return Header{Kind: KindCredit, Priority: Control, ID: id}.close(c.append(begin(dst)), start)
}

// Parse reads the payload of a CREDIT frame whose id is not 0.
func (c *Credit) Parse(payload []byte) error {
	r := cursor{b: payload, kind: KindCredit}
	c.parse(&r)
	return r.done()
}

// AppendLimit appends the CREDIT frame of the connection: how many asks and
// streams the peer may have open, at most [MaxSlot], which a greater number
// becomes.
func AppendLimit(dst []byte, open uint32) []byte {
	start := len(dst)
	dst = binary.AppendUvarint(begin(dst), uint64(min(open, MaxSlot)))
	return Header{Kind: KindCredit, Priority: Control}.close(dst, start)
}

// ParseLimit reads the payload of a CREDIT frame whose id is 0.
func ParseLimit(payload []byte) (open uint32, err error) {
	c := cursor{b: payload, kind: KindCredit}
	open = uint32(c.uvarint("limit", MaxSlot))
	return open, c.done()
}

// AppendReset appends a RESET frame: this side gives up what it opened as id,
// for the reason code. The peer answers with a terminal frame.
func AppendReset(dst []byte, id uint32, code posthaste.Code) []byte {
	start := len(dst)
	dst = binary.AppendUvarint(begin(dst), uint64(code))
	return Header{Kind: KindReset, Priority: Control, ID: id}.close(dst, start)
}

// ParseReset reads the payload of a RESET frame.
func ParseReset(payload []byte) (posthaste.Code, error) {
	c := cursor{b: payload, kind: KindReset}
	code := posthaste.Code(c.u32("code"))
	return code, c.done()
}

// close writes h, with its length, at dst[start]. It is for frames whose fields
// are bounded so that they always fit.
func (h Header) close(dst []byte, start int) []byte {
	h.Len = len(dst) - start - HeaderLen
	h.Put(dst[start:])
	return dst
}
