package wire

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/posthaste-go/posthaste"
)

// MaxBatch is the longest run of frames that a BATCH stands for, in bytes.
const MaxBatch = 256 << 10

// Packed is the form of compressed bytes: the payload of BATCH, and the message
// of a frame with COMPRESSED. This package carries the bytes; who inflates them
// makes room for Raw bytes and stops there.
//
// After a parse Body aliases the input and dies with it.
type Packed struct {
	Compressor uint8  // an agreed one, or CompressorNone
	Raw        uint64 // length of the bytes before compression
	Body       []byte
}

// Append appends the prefix of p to dst; the compressed bytes follow it.
func (p *Packed) Append(dst []byte) []byte {
	return binary.AppendUvarint(append(dst, p.Compressor), p.Raw)
}

// Parse reads the message of a frame with COMPRESSED, all its fragments joined,
// after resetting p. The error has code TooLarge if the message would have more
// than limit bytes, else Protocol.
func (p *Packed) Parse(message []byte, limit uint64) error {
	return p.parse(cursor{b: message, kind: KindData}, limit)
}

func (p *Packed) parse(c cursor, limit uint64) error {
	*p = Packed{}
	p.Compressor = c.u8("compressor")
	p.Raw = c.u64("raw length")
	p.Body = c.rest()
	switch {
	case c.err != nil:
	case p.Raw > limit:
		c.fail(tooLarge("%v raw length is %d; the limit is %d", c.kind, p.Raw, limit))
	case p.Compressor == CompressorNone && p.Raw != uint64(len(p.Body)):
		c.fail(malformed("%v raw length is %d, but %d bytes are stored", c.kind, p.Raw, len(p.Body)))
	}
	return c.err
}

// AppendBatch appends to dst the header and the prefix of a BATCH frame; the
// caller then appends exactly body bytes of compressed frames. A batch holds
// whole frames and no other batch. On an error, code TooLarge if Raw is over
// [MaxBatch] or the frame is too long, InvalidArgument if Raw is not body for
// frames that are stored as they are, dst comes back as it was.
func AppendBatch(dst []byte, p *Packed, body int) ([]byte, error) {
	switch {
	case p.Raw > MaxBatch:
		return dst, tooLarge("BATCH raw length is %d; the limit is %d", p.Raw, MaxBatch)
	case p.Compressor == CompressorNone && p.Raw != uint64(body):
		return dst, invalid("BATCH raw length is %d, but %d bytes are stored", p.Raw, body)
	}
	start := len(dst)
	h := Header{Kind: KindBatch, Priority: Control}
	return h.finish(p.Append(begin(dst)), start, body)
}

// ParseBatch reads the payload of a BATCH frame. Once it is inflated to Raw
// bytes, [Cut] takes the frames off one by one.
func ParseBatch(payload []byte) (p Packed, err error) {
	err = p.parse(cursor{b: payload, kind: KindBatch}, MaxBatch)
	return p, err
}

// ---- checksums ----

// ChecksumLen is the length of the checksum at the end of a payload.
const ChecksumLen = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendChecksum appends the checksum of the frame that begins at dst[start] and
// ends with dst, body included, and counts it in the frame's length. It is for
// connections that agreed on [ChecksumCRC32C]. On an error, code TooLarge if the
// payload has no room for it, dst comes back as it was.
func AppendChecksum(dst []byte, start int) ([]byte, error) {
	n := len(dst) - start - HeaderLen + ChecksumLen
	if n > MaxPayload {
		return dst, tooLarge("frame payload is %d bytes with its checksum; the limit is %d", n, MaxPayload)
	}
	binary.LittleEndian.PutUint16(dst[start+2:], uint16(n))
	sum := crc32.Checksum(dst[start:], castagnoli)
	return binary.LittleEndian.AppendUint32(dst, sum), nil
}

// VerifyChecksum checks the checksum of a whole frame and returns its header and
// its payload without the checksum; Len says the length of that. payload aliases
// frame. The error has code BadChecksum if the sum is wrong, and Protocol if the
// frame is too short for one or not whole.
func VerifyChecksum(frame []byte) (h Header, payload []byte, err error) {
	h, payload, rest, ok := Cut(frame)
	switch {
	case !ok || len(rest) != 0:
		return h, nil, malformed("checksum needs one whole frame, not %d bytes", len(frame))
	case len(payload) < ChecksumLen:
		return h, nil, malformed("%v needs %d bytes for its checksum; %d remain", h.Kind, ChecksumLen, len(payload))
	}
	n := len(payload) - ChecksumLen
	sum := crc32.Checksum(frame[:HeaderLen+n], castagnoli)
	if want := binary.LittleEndian.Uint32(payload[n:]); sum != want {
		return h, nil, posthaste.Errorf(posthaste.BadChecksum, "%v checksum is %08x; its bytes have %08x", h.Kind, want, sum)
	}
	h.Len = n
	return h, payload[:n:n], nil
}
