package wire

import (
	"encoding/binary"
	"math"
	"time"
)

// Load is how busy a node is.
type Load struct {
	QueueDelay time.Duration // how long a request waits for its handler; whole microseconds, at most 71 minutes
	CPU        uint8         // processors in use: 0 none, 255 all
	Conns      uint32        // open connections
}

func (l Load) append(dst []byte) []byte {
	us := uint64(0)
	if l.QueueDelay > 0 {
		us = min(uint64(l.QueueDelay/time.Microsecond), math.MaxUint32)
	}
	dst = append(binary.AppendUvarint(dst, us), l.CPU)
	return binary.AppendUvarint(dst, uint64(l.Conns))
}

func (l *Load) parse(c *cursor) {
	l.QueueDelay = time.Duration(c.u32("queue delay")) * time.Microsecond
	l.CPU = c.u8("cpu")
	l.Conns = c.u32("connections")
}

// AppendPing appends a PING frame. opaque is the sender's own: a time, a count.
func AppendPing(dst []byte, opaque uint64) []byte {
	dst = Header{Kind: KindPing, Priority: Control, Len: 8}.Append(dst)
	return binary.LittleEndian.AppendUint64(dst, opaque)
}

// ParsePing reads the payload of a PING frame.
func ParsePing(payload []byte) (opaque uint64, err error) {
	c := cursor{b: payload, kind: KindPing}
	opaque = c.opaque()
	return opaque, c.done()
}

// Pong is the payload of PONG, the answer to PING.
type Pong struct {
	Opaque   uint64 // of the PING
	Load     Load
	Accepted uint64 // ordinal of the last request that the sender took in
}

// AppendPong appends a PONG frame.
func AppendPong(dst []byte, p *Pong) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(begin(dst), p.Opaque)
	dst = binary.AppendUvarint(p.Load.append(dst), p.Accepted)
	return Header{Kind: KindPong, Priority: Control}.close(dst, start)
}

// Parse reads the payload of a PONG frame after resetting p.
func (p *Pong) Parse(payload []byte) error {
	*p = Pong{}
	c := cursor{b: payload, kind: KindPong}
	p.Opaque = c.opaque()
	p.Load.parse(&c)
	p.Accepted = c.u64("accepted ordinal")
	return c.done()
}

func (c *cursor) opaque() uint64 {
	if b := c.fixed("opaque", 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
