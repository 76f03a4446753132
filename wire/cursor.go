package wire

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/posthaste-go/posthaste"
)

// ErrMalformed matches, by [errors.Is], every error about bytes that break the
// protocol: code [posthaste.Protocol]. The connection cannot go on.
var ErrMalformed error = &posthaste.Error{
	Code: posthaste.Protocol, Status: posthaste.StatusNotExecuted, Msg: "the frame breaks the protocol",
}

// ErrTooLarge matches, by [errors.Is], every error about a size over its limit:
// code [posthaste.TooLarge].
var ErrTooLarge error = &posthaste.Error{
	Code: posthaste.TooLarge, Status: posthaste.StatusNotExecuted, Msg: "the frame is over a size limit",
}

func malformed(format string, args ...any) error {
	return posthaste.Errorf(posthaste.Protocol, format, args...)
}

func tooLarge(format string, args ...any) error {
	return posthaste.Errorf(posthaste.TooLarge, format, args...)
}

func invalid(format string, args ...any) error {
	return posthaste.Errorf(posthaste.InvalidArgument, format, args...)
}

// cursor reads the fields of one payload, front to back. The first error stays:
// after it every read returns zero, so a parser reads all its fields in a
// straight line and looks at err once. No length is believed before it is
// compared with what is there, and nothing is copied.
type cursor struct {
	b    []byte
	kind Kind
	err  error
}

// fail keeps the first error and ends the reading.
func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// uvarint reads an unsigned integer of at most limit. Integers of one byte are
// the usual ones.
func (c *cursor) uvarint(field string, limit uint64) uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 && uint64(c.b[0]) <= limit {
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	return c.uvarintSlow(field, limit)
}

func (c *cursor) uvarintSlow(field string, limit uint64) uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.b)
	switch {
	case n == 0:
		c.fail(malformed("%v %s is cut off after %d bytes", c.kind, field, len(c.b)))
	case n < 0:
		c.fail(malformed("%v %s is over 64 bits", c.kind, field))
	case n > 1 && c.b[n-1] == 0:
		c.fail(malformed("%v %s is %d in %d bytes, which is not the shortest form", c.kind, field, v, n))
	case v > limit:
		c.fail(malformed("%v %s is %d; the limit is %d", c.kind, field, v, limit))
	default:
		c.b = c.b[n:]
		return v
	}
	return 0
}

// u32 reads an unsigned integer of at most 32 bits.
func (c *cursor) u32(field string) uint32 { return uint32(c.uvarint(field, math.MaxUint32)) }

// u64 reads an unsigned integer.
func (c *cursor) u64(field string) uint64 { return c.uvarint(field, math.MaxUint64) }

// u8 reads one byte.
func (c *cursor) u8(field string) uint8 {
	b := c.fixed(field, 1)
	if b == nil {
		return 0
	}
	return b[0]
}

// fixed reads n bytes, n > 0, or returns nil.
func (c *cursor) fixed(field string, n int) []byte {
	if len(c.b) < n {
		if c.err == nil {
			c.fail(malformed("%v %s needs %d bytes; %d remain", c.kind, field, n, len(c.b)))
		}
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// block reads a length of at most limit and as many bytes.
func (c *cursor) block(field string, limit int) []byte {
	n := c.u64(field)
	if c.err != nil {
		return nil
	}
	if n > uint64(limit) {
		c.fail(tooLarge("%v %s has %d bytes; the limit is %d", c.kind, field, n, limit))
		return nil
	}
	if n == 0 {
		return nil
	}
	return c.fixed(field, int(n))
}

// some reads a block that must not be empty.
func (c *cursor) some(field string, limit int) []byte {
	b := c.block(field, limit)
	if len(b) == 0 && c.err == nil {
		c.fail(malformed("%v %s is empty", c.kind, field))
	}
	return b
}

// name reads a block that is a name, see [CheckName].
func (c *cursor) name(field string) []byte {
	b := c.some(field, MaxName)
	if i := badByte(b); i >= 0 {
		c.fail(malformed("%v %s %q has %q at byte %d", c.kind, field, b, b[i], i))
		return nil
	}
	return b
}

// rest reads all that remains.
func (c *cursor) rest() []byte {
	b := c.b
	c.b = nil
	return b
}

// done returns the first error, or one about bytes left over.
func (c *cursor) done() error {
	if c.err == nil && len(c.b) != 0 {
		return malformed("%v has %d bytes too many", c.kind, len(c.b))
	}
	return c.err
}

// badByte returns the index of the first byte that a name may not have, or -1.
func badByte(name []byte) int {
	for i, b := range name {
		if !nameBytes[b] {
			return i
		}
	}
	return -1
}

// nameBytes marks the bytes of names: what posthaste.CheckName allows, and the
// dollar sign of the runtime's own names.
var nameBytes = func() (t [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-$") {
		t[b] = true
	}
	return t
}()

// ---- appending ----

func appendBlock(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func blockLen(b []byte) int { return uvarintLen(uint64(len(b))) + len(b) }
