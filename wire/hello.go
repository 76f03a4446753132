package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/posthaste-go/posthaste"
)

// MaxHello is the longest payload of HELLO.
const MaxHello = 4 << 10

// What a zero field of [Hello] stands for, where it stands for something.
const (
	DefaultMessage        = 16 << 20  // MaxMessage
	DefaultInFlight       = 4096      // MaxInFlight
	DefaultCreditBytes    = 256 << 10 // InitialCredit.Bytes
	DefaultCreditMessages = 64        // InitialCredit.Messages
)

// Hello is what a side says of itself in the first frame that it sends: who it
// is, what it offers and what it bears. The zero Hello is lawful; each zero field
// is left out and means the default, if there is one, or that nothing is said.
//
// [Hello.Parse] copies, so a Hello outlives the frame that it came in. Printing
// one never shows its tokens.
type Hello struct {
	MinVersion, MaxVersion uint8  // protocol versions spoken; 0 is Version
	Flags                  uint16 // reserved: sent as 0, not looked at

	Node        string            // name of the node
	Incarnation uint64            // run of the node
	Advertise   string            // text of the endpoint that reaches the node; "" if none does
	Zone        string            // where the node stands, for balancing
	Labels      map[string]string // at most MaxLabels, keys not empty

	MaxFrame      uint32  // longest payload taken, MinFrame to MaxPayload; 0 is DefaultFrame
	MaxMessage    uint64  // longest message taken; 0 is DefaultMessage
	Codecs        []uint8 // codec ids offered, in no order; none is msgpack
	Compressors   []uint8 // compressor ids understood, in no order
	Checksum      uint8   // ChecksumNone or ChecksumCRC32C
	InitialCredit Credit  // what the peer may send on each stream that it opens; zero is the default
	MaxInFlight   uint32  // most asks and streams that the peer may have open; 0 is DefaultInFlight
	Features      uint64  // feature bits; none is defined

	MinPing time.Duration // shortest interval of pings borne; whole milliseconds
	Idle    time.Duration // the connection is dropped after this long without a frame; 0 is never

	AuthScheme   string // of AuthToken; "" sends no token
	AuthToken    []byte
	SessionToken []byte // session to take up again
	Epoch        uint64 // of the registry's view
	Clock        uint64 // Unix time in milliseconds
}

// AppendHello appends a whole HELLO frame. On an error, code TooLarge for a
// payload over [MaxHello] and InvalidArgument for a field that a peer would
// refuse, dst comes back as it was.
func AppendHello(dst []byte, h *Hello) ([]byte, error) {
	start := len(dst)
	dst = append(begin(dst), magic...)
	dst = append(dst, orVersion(h.MinVersion), orVersion(h.MaxVersion))
	dst = binary.LittleEndian.AppendUint16(dst, h.Flags)
	dst = appendTLVs(dst, h, anyTLV)
	payload := dst[start+HeaderLen:]
	if len(payload) > MaxHello {
		return dst[:start], tooLarge("HELLO has %d bytes; the limit is %d", len(payload), MaxHello)
	}
	var back Hello
	if err := back.Parse(payload); err != nil {
		return dst[:start], unsendable(err)
	}
	return helloHeader.close(dst, start), nil
}

var helloHeader = Header{Kind: KindHello, Priority: Control, Codec: CodecRaw}

// unsendable turns what a peer would say of a frame into the sender's error.
func unsendable(err error) error {
	e, _ := errors.AsType[*posthaste.Error](err)
	if e.Code == posthaste.TooLarge {
		return err
	}
	return invalid("cannot be sent: %s", e.Msg)
}

func anyTLV(*tlv) bool { return true }

func orVersion(v uint8) uint8 {
	if v == 0 {
		return Version
	}
	return v
}

// Parse reads the payload of a HELLO frame after resetting h. The error has code
// Protocol, or TooLarge for a payload over [MaxHello]; h is then not to be used.
// Everything is copied.
func (h *Hello) Parse(payload []byte) error {
	*h = Hello{}
	if len(payload) > MaxHello {
		return tooLarge("HELLO has %d bytes; the limit is %d", len(payload), MaxHello)
	}
	c := cursor{b: payload, kind: KindHello}
	if m := c.fixed("magic", len(magic)); m != nil && string(m) != magic {
		return malformed("HELLO magic is % x, not % x", m, magic)
	}
	h.MinVersion = c.u8("lowest version")
	h.MaxVersion = c.u8("highest version")
	if c.err == nil && (h.MinVersion == 0 || h.MinVersion > h.MaxVersion) {
		return malformed("HELLO versions are %d to %d, which is no range", h.MinVersion, h.MaxVersion)
	}
	if b := c.fixed("flags", 2); b != nil {
		h.Flags = binary.LittleEndian.Uint16(b)
	}
	if err := parseTLVs(&c, h, anyTLV); err != nil {
		return err
	}
	return h.checkSizes()
}

func (h *Hello) checkSizes() error {
	switch {
	case h.MaxFrame != 0 && (h.MaxFrame < MinFrame || h.MaxFrame > MaxPayload):
		return malformed("HELLO max frame is %d; the limits are %d and %d", h.MaxFrame, MinFrame, MaxPayload)
	case h.MaxInFlight > MaxSlot:
		return malformed("HELLO max in flight is %d; the limit is %d", h.MaxInFlight, MaxSlot)
	}
	return nil
}

// AppendConfig appends a CONTROL frame that tells the peer the labels, the epoch
// and the clock of h anew; those that are zero stay as they were. On an error,
// which is as for [AppendHello], dst comes back as it was.
func AppendConfig(dst []byte, h *Hello) ([]byte, error) {
	start := len(dst)
	dst = append(begin(dst), byte(SubConfig))
	dst = appendTLVs(dst, h, isMutable)
	config := dst[start+HeaderLen+1:]
	if len(config) > MaxHello {
		return dst[:start], tooLarge("CONFIG has %d bytes; the limit is %d", len(config), MaxHello)
	}
	var back Hello
	if err := back.Apply(config); err != nil {
		return dst[:start], unsendable(err)
	}
	return controlHeader.close(dst, start), nil
}

func isMutable(t *tlv) bool { return t.mutable }

// Apply changes h as the Config of a [ControlFrame] says. Fields that may not
// change are passed over. On an error h is as it was.
func (h *Hello) Apply(config []byte) error {
	next := *h
	c := cursor{b: config, kind: KindControl}
	if err := parseTLVs(&c, &next, isMutable); err != nil {
		return err
	}
	*h = next
	return nil
}

// Endpoint returns Advertise as an endpoint: the zero one if there is none, an
// error with code InvalidArgument if it is not the text of one, which cannot be
// after [Hello.Parse].
func (h *Hello) Endpoint() (posthaste.Endpoint, error) { return posthaste.ParseEndpoint(h.Advertise) }

// String returns who says hello and its versions, and no secrets.
func (h Hello) String() string {
	return fmt.Sprintf("HELLO %q incarnation %x at %q, versions %d to %d", h.Node, h.Incarnation, h.Advertise, orVersion(h.MinVersion), orVersion(h.MaxVersion))
}

// GoString is String, so that %#v shows no secrets either.
func (h Hello) GoString() string { return h.String() }

// LogValue implements [slog.LogValuer] without secrets.
func (h Hello) LogValue() slog.Value { return slog.StringValue(h.String()) }

// text returns b as a string of at most MaxName bytes in valid UTF-8.
func (c *cursor) text(field string, b []byte) string {
	switch {
	case len(b) > MaxName:
		c.fail(tooLarge("%v %s has %d bytes; the limit is %d", c.kind, field, len(b), MaxName))
	case !utf8.Valid(b):
		c.fail(malformed("%v %s %q is not UTF-8", c.kind, field, b))
	default:
		return string(b)
	}
	return ""
}
