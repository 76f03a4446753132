package wire

import (
	"encoding/binary"
	"fmt"
)

const (
	// HeaderLen is the length of a frame's header.
	HeaderLen = 8
	// MaxPayload is the longest payload of a frame, header not counted.
	MaxPayload = 65535
	// DefaultFrame is the longest payload that a side sends in TELL, ASK, OPEN,
	// REPLY, DATA, BATCH and EXT unless HELLO agrees on another.
	DefaultFrame = 16 << 10
	// MinFrame is the least that HELLO may set that limit to.
	MinFrame = 4 << 10
)

// Header is the fixed part of every frame: kind, priority and codec in the first
// byte, flags in the second, payload length in the next two, stream id in the
// last four, little-endian.
type Header struct {
	Kind     Kind
	Priority Priority
	Codec    uint8 // CodecDefault, CodecRaw, CodecProtobuf or CodecMeta
	Flags    Flags
	Len      int    // length of the payload, at most MaxPayload
	ID       uint32 // see [MakeID]; 0 is the connection
}

// Put writes h to dst[:8]. Bits that do not fit a field are dropped; dst must
// have 8 bytes. It costs one store.
func (h Header) Put(dst []byte) {
	binary.LittleEndian.PutUint64(dst, h.pack())
}

// Append appends the 8 bytes of h to dst.
func (h Header) Append(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(dst, h.pack())
}

func (h Header) pack() uint64 {
	return uint64(h.Kind&15)<<4 | uint64(h.Priority&3)<<2 | uint64(h.Codec&3) |
		uint64(h.Flags)<<8 | uint64(uint16(h.Len))<<16 | uint64(h.ID)<<32
}

// ParseHeader reads the header at the start of b, which must have at least
// [HeaderLen] bytes. It costs one load and cannot fail: every 8 bytes are some
// header. [Header.Check] says whether it is a lawful one.
func ParseHeader(b []byte) (h Header) {
	h.unpack(binary.LittleEndian.Uint64(b))
	return h
}

// unpack sets the fields one by one: a Header that is first built and then
// copied costs more than the load.
func (h *Header) unpack(v uint64) {
	h.Kind = Kind(v >> 4 & 15)
	h.Priority = Priority(v >> 2 & 3)
	h.Codec = uint8(v & 3)
	h.Flags = Flags(v >> 8)
	h.Len = int(v >> 16 & 0xFFFF)
	h.ID = uint32(v >> 32)
}

// Cut splits the first frame off b. It reports false, with h set once the header
// is there, while b does not hold the frame whole. payload and rest alias b.
func Cut(b []byte) (h Header, payload, rest []byte, ok bool) {
	if len(b) < HeaderLen {
		return h, nil, b, false
	}
	h.unpack(binary.LittleEndian.Uint64(b))
	if end := HeaderLen + h.Len; end <= len(b) {
		return h, b[HeaderLen:end:end], b[end:], true
	}
	return h, nil, b, false
}

// Check reports whether h obeys the rules that hold whatever the payload: a
// known kind, no flag that the kind does not have, an id where there must be
// one and none where there must be none. The error has code Protocol; the
// answer to it is GOAWAY.
func (h Header) Check() error {
	if h.Kind == 14 || h.Kind > 15 {
		return malformed("frame kind %d is reserved", uint8(h.Kind))
	}
	if err := checkFlags(h.Kind, h.Flags); err != nil {
		return err
	}
	r := &rules[h.Kind]
	switch {
	case h.ID == 0:
		if r.id == idStream {
			return malformed("%v needs a stream id, not 0", h.Kind)
		}
		if h.Kind == KindTell && h.Flags&FlagMore != 0 {
			return malformed("TELL with MORE needs a stream id, not 0")
		}
	case r.id == idConnection:
		return malformed("%v is of the connection: its id is 0, not %d", h.Kind, h.ID)
	case IDSlot(h.ID) == 0:
		return malformed("%v has id %#x with slot 0; slots start from 1", h.Kind, h.ID)
	}
	return nil
}

// checkFlags reports whether the flags f can stand together on a frame of kind k.
func checkFlags(k Kind, f Flags) error {
	if f&^rules[k&15].plain == 0 {
		return nil
	}
	return checkFlagsSlow(k, f)
}

func checkFlagsSlow(k Kind, f Flags) error {
	r := rules[k&15]
	reserved := f &^ (r.plain | r.tied)
	switch {
	case reserved != 0:
		return malformed("%v has flags %08b; of these %08b are reserved", k, uint8(f), uint8(reserved))
	case f&FlagEnd != 0 && f&FlagMore != 0:
		return malformed("%v has END with MORE; END stands on the last fragment", k)
	case k == KindData && f&FlagTotal != 0 && f&FlagMore == 0:
		return malformed("DATA has TOTAL without MORE")
	}
	return nil
}

// String returns the header in one line for logs.
func (h Header) String() string {
	return fmt.Sprintf("%v %v codec=%d flags=%08b len=%d id=%d", h.Kind, h.Priority, h.Codec, uint8(h.Flags), h.Len, h.ID)
}

// finish closes the frame that begins at dst[start] with room for a header and
// will have body bytes more. It writes h there with its length, or takes the
// frame off again if it is too long.
func (h *Header) finish(dst []byte, start, body int) ([]byte, error) {
	prefix := len(dst) - start - HeaderLen
	if body < 0 || body > MaxPayload-prefix {
		return dst[:start], tooLarge("%v needs %d bytes before its body of %d; the limit of a frame is %d", h.Kind, prefix, body, MaxPayload)
	}
	h.Len = prefix + body
	h.Put(dst[start:])
	return dst, nil
}

// begin appends room for a header.
func begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0, 0, 0, 0, 0) }

// checkSend is what a sender is told before it makes a frame with header h that
// says total: flags that cannot stand together, or a first fragment of body
// bytes that is longer than the message.
func (h *Header) checkSend(total uint64, body int) error {
	if err := checkFlags(h.Kind, h.Flags); err != nil {
		return unsendable(err)
	}
	if h.Flags&FlagMore != 0 && total != 0 && body > 0 && total < uint64(body) {
		return invalid("total is %d, but the first fragment has %d bytes", total, body)
	}
	return nil
}

// ---- stream ids ----

// A stream id names one ask, one stream or one fragmented message while it
// lasts. Both sides number their own, so bit 0 tells the two apart:
//
//	 31        20 19              1   0
//	+------------+-----------------+---+
//	| generation |      slot       | c |
//	+------------+-----------------+---+
//
// The slot indexes an array at each end; the generation tells a late frame for
// the slot's previous use from one for the present.

const (
	// MaxSlot is the highest slot, so the most ids that a side can have open.
	MaxSlot = 1<<19 - 1
	// MaxGeneration is the highest generation; after it comes 0.
	MaxGeneration = 1<<12 - 1
)

// MakeID makes a stream id. client says that the side which dialed the
// connection opens it. slot is from 1 to [MaxSlot]; a higher bit of slot or
// generation is dropped, so generation may simply be counted up.
func MakeID(client bool, slot, generation uint32) uint32 {
	id := slot&MaxSlot<<1 | generation<<20
	if client {
		id |= 1
	}
	return id
}

// IDSlot returns the slot of id.
func IDSlot(id uint32) uint32 { return id >> 1 & MaxSlot }

// IDGeneration returns the generation of id.
func IDGeneration(id uint32) uint32 { return id >> 20 }

// IDFromClient reports whether the side that dialed the connection opened id.
func IDFromClient(id uint32) bool { return id&1 != 0 }
