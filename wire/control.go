package wire

import (
	"encoding/binary"
	"strconv"
)

// Sub is the first byte of a CONTROL frame: which notice it is.
type Sub uint8

// The notices.
const (
	SubAck      Sub = 1 // every request up to Ordinal was delivered or answered
	SubAuth     Sub = 2 // a fresh token
	SubUndefine Sub = 3 // the sender forgets a route number
	SubConfig   Sub = 4 // parts of HELLO that changed
	SubLoad     Sub = 5 // a load report
)

// String returns the notice's name in SPEC.md, such as ACK.
func (s Sub) String() string {
	switch s {
	case SubAck:
		return "ACK"
	case SubAuth:
		return "AUTH"
	case SubUndefine:
		return "UNDEFINE"
	case SubConfig:
		return "CONFIG"
	case SubLoad:
		return "LOAD"
	}
	return "SUB(" + strconv.Itoa(int(s)) + ")"
}

// ControlFrame is the payload of CONTROL, which the Append functions of the
// single notices write. Sub says which of the fields count.
//
// After [ControlFrame.Parse] the slices alias the payload and die with it.
type ControlFrame struct {
	Sub     Sub
	Ordinal uint64 // ACK
	Scheme  []byte // AUTH
	Token   []byte // AUTH
	Route   uint32 // UNDEFINE: 1 to MaxRoutes-1
	Config  []byte // CONFIG: for [Hello.Apply], which checks it
	Load    Load   // LOAD
}

var controlHeader = Header{Kind: KindControl, Priority: Control}

// AppendAck appends a CONTROL frame that acknowledges the requests up to
// ordinal: each was delivered or answered.
func AppendAck(dst []byte, ordinal uint64) []byte {
	start := len(dst)
	dst = append(begin(dst), byte(SubAck))
	return controlHeader.close(binary.AppendUvarint(dst, ordinal), start)
}

// AppendAuth appends a CONTROL frame with a fresh token. On an error, code
// InvalidArgument for an empty scheme and TooLarge for a scheme over [MaxName] or
// a token over [MaxHello], dst comes back as it was.
func AppendAuth(dst []byte, scheme string, token []byte) ([]byte, error) {
	switch {
	case scheme == "":
		return dst, invalid("AUTH needs a scheme")
	case len(scheme) > MaxName:
		return dst, tooLarge("AUTH scheme has %d bytes; the limit is %d", len(scheme), MaxName)
	case len(token) > MaxHello:
		return dst, tooLarge("AUTH token has %d bytes; the limit is %d", len(token), MaxHello)
	}
	start := len(dst)
	dst = append(begin(dst), byte(SubAuth))
	dst = binary.AppendUvarint(dst, uint64(len(scheme)))
	dst = append(append(dst, scheme...), token...)
	return controlHeader.close(dst, start), nil
}

// AppendUndefine appends a CONTROL frame that takes back the route number route,
// from 1 to MaxRoutes-1: the sender may define it anew.
func AppendUndefine(dst []byte, route uint32) []byte {
	start := len(dst)
	dst = append(begin(dst), byte(SubUndefine))
	return controlHeader.close(binary.AppendUvarint(dst, uint64(route)), start)
}

// AppendLoad appends a CONTROL frame with a load report.
func AppendLoad(dst []byte, l Load) []byte {
	start := len(dst)
	dst = append(begin(dst), byte(SubLoad))
	return controlHeader.close(l.append(dst), start)
}

// Parse reads the payload of a CONTROL frame after resetting f, on the terms of
// [Request.Parse]. A Sub that this version does not know is no error: the frame
// is to be ignored.
func (f *ControlFrame) Parse(payload []byte) error {
	*f = ControlFrame{}
	c := cursor{b: payload, kind: KindControl}
	f.Sub = Sub(c.u8("sub"))
	switch f.Sub {
	case SubAck:
		f.Ordinal = c.u64("ordinal")
	case SubAuth:
		f.Scheme = c.some("scheme", MaxName)
		f.Token = c.rest()
		if len(f.Token) > MaxHello {
			c.fail(tooLarge("CONTROL token has %d bytes; the limit is %d", len(f.Token), MaxHello))
		}
	case SubUndefine:
		if f.Route = uint32(c.uvarint("route", MaxRoutes-1)); f.Route == 0 && c.err == nil {
			c.fail(malformed("CONTROL takes back route 0, which is never defined"))
		}
	case SubConfig:
		f.Config = c.rest()
		if len(f.Config) > MaxHello {
			c.fail(tooLarge("CONTROL config has %d bytes; the limit is %d", len(f.Config), MaxHello))
		}
	case SubLoad:
		f.Load.parse(&c)
	default:
		c.rest()
	}
	return c.done()
}

// String names the notice and shows no secrets.
func (f ControlFrame) String() string { return "CONTROL " + f.Sub.String() }

// GoString is String, so that %#v shows no secrets either.
func (f ControlFrame) GoString() string { return f.String() }

// ---- extensions ----

// Ext is the payload of EXT: a frame that this version gives no meaning to.
//
// After [Ext.Parse] Body aliases the payload and dies with it.
type Ext struct {
	Kind     uint16 // which extension
	Required bool   // a receiver that does not know it answers GOAWAY; else it ignores the frame
	Body     []byte
}

// AppendExt appends to dst the header and the kind of an EXT frame. The caller
// then appends exactly body bytes of body. h gives priority, codec, id and flags
// 0 to 6, which are the extension's own. On an error, code TooLarge for a frame
// that is too long, dst comes back as it was.
func AppendExt(dst []byte, h Header, e *Ext, body int) ([]byte, error) {
	h.Kind = KindExt
	h.Flags &^= FlagRequired
	if e.Required {
		h.Flags |= FlagRequired
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint16(begin(dst), e.Kind)
	return h.finish(dst, start, body)
}

// Parse reads the payload of an EXT frame with header h after resetting e, on
// the terms of [Request.Parse].
func (e *Ext) Parse(h Header, payload []byte) error {
	*e = Ext{}
	if h.Kind != KindExt {
		return malformed("%v is not an EXT", h.Kind)
	}
	c := cursor{b: payload, kind: KindExt}
	if b := c.fixed("kind", 2); b != nil {
		e.Kind = binary.LittleEndian.Uint16(b)
	}
	e.Required = h.Flags&FlagRequired != 0
	e.Body = c.rest()
	return c.err
}
