package codec

import "encoding/binary"

// The first bytes of msgpack values that the guard tells apart. All others
// begin a value of fixed width; see widths.
const (
	codeFixMap    = 0x80 // to 0x8f
	codeFixArray  = 0x90 // to 0x9f
	codeFixString = 0xa0 // to 0xbf
	codeNil       = 0xc0
	codeReserved  = 0xc1
	codeBin8      = 0xc4
	codeBin16     = 0xc5
	codeBin32     = 0xc6
	codeExt8      = 0xc7
	codeExt16     = 0xc8
	codeExt32     = 0xc9
	codeFixExt1   = 0xd4
	codeFixExt16  = 0xd8
	codeString8   = 0xd9
	codeString16  = 0xda
	codeString32  = 0xdb
	codeArray16   = 0xdc
	codeArray32   = 0xdd
	codeMap16     = 0xde
	codeMap32     = 0xdf
)

// timestampType is the only extension type that the guard lets through.
const timestampType = 0xff // -1

// Check reports whether b is exactly one well-formed msgpack document within l.
// It is what stands between a peer and the decoder, which trusts what it reads:
// it allocates for a declared length before it looks for the elements, and it
// recurses as deep as the document goes.
//
// Every length that b declares fits into the bytes that follow it; map keys are
// not arrays or maps; the only extension is the timestamp, with less than a
// second of nanoseconds; the code 0xc1, which msgpack reserves, does not occur;
// nothing follows the document. Strings are not checked to be UTF-8, and map
// keys not to be distinct.
//
// The error is a [posthaste.Error] with code TooLarge for what is over l and
// CodecFailed for all else. Check reads each header of b once, skips over
// strings, allocates only to return an error, and takes some 4 ns for a value.
func Check(b []byte, l Limits) error {
	l = l.effective()
	s := scan{doc: b, limits: l, depth: l.Depth, elements: l.Elements}
	if err := s.values(1, false); err != nil {
		return err
	}
	if left := s.left(); left > 0 {
		return refuse("msgpack document is followed by %d more bytes", left)
	}
	return nil
}

// scan is one pass over a document. It lives on the stack of Check.
type scan struct {
	doc      []byte
	at       int // the next byte
	depth    int // how many containers may still open inside this one
	elements int // how many elements may still be declared
	limits   Limits
}

func (s *scan) left() int { return len(s.doc) - s.at }

// values passes over n values. In a map, where keyed is set, they are keys and
// their values in turn, and n is even: so keys are met while an even number of
// values is still to come.
func (s *scan) values(n int, keyed bool) error {
	for ; n > 0; n-- {
		if s.at >= len(s.doc) {
			return refuse("msgpack ends after %d bytes where a value should be", len(s.doc))
		}
		width := int(widths[s.doc[s.at]])
		if width == 0 {
			if err := s.variable(keyed && n%2 == 0); err != nil {
				return err
			}
			continue
		}
		if width > s.left() {
			return refuse("msgpack ends inside a value of %d bytes with %d bytes left", width, s.left())
		}
		s.at += width
	}
	return nil
}

// variable passes over one value whose first byte does not say its width.
func (s *scan) variable(key bool) error {
	c := s.doc[s.at]
	s.at++
	switch c {
	case codeString8, codeBin8:
		return s.blob(1)
	case codeString16, codeBin16:
		return s.blob(2)
	case codeString32, codeBin32:
		return s.blob(4)
	case codeArray16:
		return s.declaredContainer(2, false, key)
	case codeArray32:
		return s.declaredContainer(4, false, key)
	case codeMap16:
		return s.declaredContainer(2, true, key)
	case codeMap32:
		return s.declaredContainer(4, true, key)
	case codeExt8:
		return s.declaredExtension(1)
	case codeExt16:
		return s.declaredExtension(2)
	case codeExt32:
		return s.declaredExtension(4)
	case codeReserved:
		return refuse("msgpack contains the reserved code 0xc1")
	}
	if c >= codeFixExt1 {
		return s.extension(1 << (c - codeFixExt1))
	}
	return s.container(uint32(c&0x0f), c < codeFixArray, key)
}

// length reads a declared length of the given width, 1, 2 or 4 bytes.
func (s *scan) length(width int) (uint32, error) {
	if width > s.left() {
		return 0, refuse("msgpack ends inside a length of %d bytes with %d bytes left", width, s.left())
	}
	b := s.doc[s.at:]
	s.at += width
	switch width {
	case 1:
		return uint32(b[0]), nil
	case 2:
		return uint32(binary.BigEndian.Uint16(b)), nil
	}
	return binary.BigEndian.Uint32(b), nil
}

// blob passes over a string or bytes.
func (s *scan) blob(width int) error {
	n, err := s.length(width)
	if err != nil {
		return err
	}
	if uint64(n) > uint64(s.left()) {
		return refuse("msgpack declares a string of %d bytes with %d bytes left", n, s.left())
	}
	s.at += int(n)
	return nil
}

func (s *scan) declaredContainer(width int, keyed, key bool) error {
	n, err := s.length(width)
	if err != nil {
		return err
	}
	return s.container(n, keyed, key)
}

// container passes over what an array of n elements or a map of n entries
// holds. The count is compared with the bytes left before anything is charged,
// so n fits an int after, also where that has 32 bits.
func (s *scan) container(n uint32, keyed, key bool) error {
	values, unit := uint64(n), "elements"
	if keyed {
		values, unit = 2*values, "map entries"
	}
	switch {
	case key:
		return refuse("msgpack has an array or a map as a map key; keys are scalars, strings or bytes")
	case values > uint64(s.left()):
		return refuse("msgpack declares %d %s with %d bytes left", n, unit, s.left())
	case s.depth == 0:
		return s.limits.tooDeep("msgpack")
	case int(n) > s.elements:
		return s.limits.tooMany("msgpack")
	}
	s.elements -= int(n)
	s.depth--
	err := s.values(int(values), keyed)
	s.depth++
	return err
}

func (s *scan) declaredExtension(width int) error {
	n, err := s.length(width)
	if err != nil {
		return err
	}
	return s.extension(n)
}

// extension passes over a timestamp whose body has n bytes.
func (s *scan) extension(n uint32) error {
	if uint64(n) >= uint64(s.left()) { // its type takes a byte too
		return refuse("msgpack declares an extension of %d bytes with %d bytes left", n, max(0, s.left()-1))
	}
	if id := s.doc[s.at]; id != timestampType {
		return refuse("msgpack contains extension type %d; only timestamps (type -1) are accepted", int8(id))
	}
	body := s.doc[s.at+1:][:n]
	s.at += 1 + len(body)
	var nanos uint32
	switch n {
	case 4: // seconds only
	case 8: // 30 bits of nanoseconds, 34 of seconds
		nanos = binary.BigEndian.Uint32(body) >> 2
	case 12:
		nanos = binary.BigEndian.Uint32(body)
	default:
		return refuse("msgpack contains a timestamp of %d bytes; it has 4, 8 or 12", n)
	}
	if nanos > 999_999_999 {
		return refuse("msgpack contains a timestamp with %d nanoseconds, more than a second", nanos)
	}
	return nil
}

// widths holds, for each first byte, the whole width of a value that has
// always the same one, and 0 for all others. Most values of most messages are
// of such a kind, so the guard passes over them with one look. Never written.
var widths = func() (w [256]uint8) {
	for c := range w {
		switch {
		case c < codeFixMap || c >= 0xe0: // small integers
			w[c] = 1
		case c >= codeFixString && c < codeNil:
			w[c] = uint8(1 + c - codeFixString)
		}
	}
	w[codeNil], w[0xc2], w[0xc3] = 1, 1, 1          // and the booleans
	w[0xca], w[0xcb] = 5, 9                         // floats
	w[0xcc], w[0xcd], w[0xce], w[0xcf] = 2, 3, 5, 9 // unsigned integers
	w[0xd0], w[0xd1], w[0xd2], w[0xd3] = 2, 3, 5, 9 // signed integers
	return w
}()
