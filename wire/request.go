package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

const (
	// MaxName is the longest name of a route or an actor, and the longest key,
	// in bytes.
	MaxName = 255
	// MaxRoutes bounds route numbers: the highest is one less.
	MaxRoutes = 16384
	// MaxRouteNames bounds the names that a connection remembers, in bytes.
	MaxRouteNames = 1 << 20
	// DeadlineUnit is the unit of deadlines on the wire.
	DeadlineUnit = 100 * time.Microsecond
)

// Request is what precedes the body of TELL, ASK and OPEN. The wire has the
// fields in this order, each only if it is set, except Route, and Credit in
// OPEN, which are always there.
//
// After [Request.Parse] the slices alias the payload and die with it.
type Request struct {
	Route      uint32 // number on this connection and direction, < MaxRoutes; 0 with a Name is not remembered
	Name       []byte // "service/method"; defines Route
	Target     Target
	Deadline   uint32 // remaining time in DeadlineUnit, see [DeadlineUnits]; 0 is none
	Credit     Credit // OPEN: what the peer may send before the first CREDIT frame
	Total      uint64 // length of the whole message if More, 0 if not known
	More       bool   // this is the first fragment; DATA frames of the same id follow
	Idempotent bool
	Meta       []byte // a msgpack map with integer keys, not looked into; empty is none
	Body       []byte // set by Parse, not read by AppendRequest
}

// AppendRequest appends to dst the header and the prefix of a TELL, ASK or OPEN
// frame. The caller then appends exactly body bytes of body: the header already
// counts them.
//
// h gives kind, priority, codec and id, and may set END, COMPRESSED, MORE and
// IDEMPOTENT; the flags that r's fields need are added and those for fields that
// are not set are taken away. h.Len is computed. On an error dst comes back as it
// was: code TooLarge if a name or the frame is over its limit, InvalidArgument if
// r cannot be written. Nothing is allocated while dst has room.
func AppendRequest(dst []byte, h Header, r *Request, body int) ([]byte, error) {
	h.Flags = h.Flags&^(FlagMeta|FlagDeadline|FlagTarget|FlagDefine) | r.flags()
	if err := r.check(&h, body); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = begin(dst)
	dst = binary.AppendUvarint(dst, uint64(r.Route))
	if len(r.Name) > 0 {
		dst = appendBlock(dst, r.Name)
	}
	if r.Target.Set {
		dst = r.Target.append(dst)
	}
	if r.Deadline != 0 {
		dst = binary.AppendUvarint(dst, uint64(r.Deadline))
	}
	if h.Kind == KindOpen {
		dst = r.Credit.append(dst)
	}
	if h.Flags&FlagMore != 0 {
		dst = binary.AppendUvarint(dst, r.Total)
	}
	if len(r.Meta) > 0 {
		dst = appendBlock(dst, r.Meta)
	}
	return h.finish(dst, start, body)
}

// PrefixLen returns how many payload bytes [AppendRequest] writes before the
// body in a frame of kind k, so that a sender knows how much body fits. Total
// counts if More is set.
func (r *Request) PrefixLen(k Kind) int {
	n := uvarintLen(uint64(r.Route))
	if len(r.Name) > 0 {
		n += blockLen(r.Name)
	}
	if r.Target.Set {
		n += r.Target.size()
	}
	if r.Deadline != 0 {
		n += uvarintLen(uint64(r.Deadline))
	}
	if k == KindOpen {
		n += uvarintLen(r.Credit.Bytes) + uvarintLen(r.Credit.Messages)
	}
	if r.More {
		n += uvarintLen(r.Total)
	}
	if len(r.Meta) > 0 {
		n += blockLen(r.Meta)
	}
	return n
}

func (r *Request) flags() Flags {
	var f Flags
	if r.More {
		f |= FlagMore
	}
	if len(r.Meta) > 0 {
		f |= FlagMeta
	}
	if r.Deadline != 0 {
		f |= FlagDeadline
	}
	if r.Target.Set {
		f |= FlagTarget
	}
	if len(r.Name) > 0 {
		f |= FlagDefine
	}
	if r.Idempotent {
		f |= FlagIdempotent
	}
	return f
}

func (r *Request) check(h *Header, body int) error {
	if !h.Kind.isRequest() {
		return invalid("AppendRequest makes TELL, ASK and OPEN, not %v", h.Kind)
	}
	if err := h.checkSend(r.Total, body); err != nil {
		return err
	}
	switch {
	case r.Route >= MaxRoutes:
		return invalid("route is %d; the limit is %d", r.Route, MaxRoutes-1)
	case r.Route == 0 && len(r.Name) == 0:
		return invalid("route 0 needs a name")
	case len(r.Meta) > MaxPayload:
		return tooLarge("metadata has %d bytes; the limit is %d", len(r.Meta), MaxPayload)
	}
	if len(r.Name) > 0 {
		if err := checkName("route name", r.Name); err != nil {
			return err
		}
	}
	return r.Target.check()
}

func (k Kind) isRequest() bool { return k == KindTell || k == KindAsk || k == KindOpen }

// Parse reads the payload of a frame with header h, of kind TELL, ASK or OPEN,
// after resetting r. The slices of r alias payload. Nothing is allocated unless
// there is an error, which has code Protocol, or TooLarge for a length over its
// limit; r is then not to be used.
func (r *Request) Parse(h Header, payload []byte) error {
	*r = Request{}
	if !h.Kind.isRequest() {
		return malformed("%v is not a request", h.Kind)
	}
	if err := checkFlags(h.Kind, h.Flags); err != nil {
		return err
	}
	c := cursor{b: payload, kind: h.Kind}
	r.Route = uint32(c.uvarint("route", MaxRoutes-1))
	if h.Flags&FlagDefine != 0 {
		r.Name = c.name("route name")
	} else if r.Route == 0 {
		c.fail(malformed("%v has route 0 without a name", h.Kind))
	}
	if h.Flags&FlagTarget != 0 {
		r.Target.parse(&c)
	}
	if h.Flags&FlagDeadline != 0 {
		if r.Deadline = c.u32("deadline"); r.Deadline == 0 {
			c.fail(malformed("%v deadline is 0; a spent deadline is not sent", h.Kind))
		}
	}
	if h.Kind == KindOpen {
		r.Credit.parse(&c)
	}
	if h.Flags&FlagMore != 0 {
		r.More = true
		r.Total = c.u64("total")
	}
	r.Idempotent = h.Flags&FlagIdempotent != 0
	if h.Flags&FlagMeta != 0 {
		r.Meta = c.some("metadata", MaxPayload)
	}
	r.Body = c.rest()
	if r.Total != 0 {
		c.checkTotal(r.Total, r.Body)
	}
	return c.err
}

// checkTotal refuses a first fragment that is longer than the message.
func (c *cursor) checkTotal(total uint64, body []byte) {
	if total < uint64(len(body)) {
		c.fail(malformed("%v total is %d, but the first fragment has %d bytes", c.kind, total, len(body)))
	}
}

func checkName(field string, name []byte) error {
	if len(name) == 0 {
		return invalid("%s is empty", field)
	}
	if len(name) > MaxName {
		return tooLarge("%s %.20q… has %d bytes; the limit is %d", field, name, len(name), MaxName)
	}
	if i := badByte(name); i >= 0 {
		return invalid("%s %q has %q at byte %d; allowed are letters, digits and . _ / - $", field, name, name[i], i)
	}
	return nil
}

// SplitRoute splits a route name at its last slash into service and method,
// which alias it. The service is empty in "/method": then the frame's target
// says who is meant. It reports false if there is no slash or no method.
func SplitRoute(name []byte) (service, method []byte, ok bool) {
	i := bytes.LastIndexByte(name, '/')
	if i < 0 || i == len(name)-1 {
		return nil, nil, false
	}
	return name[:i], name[i+1:], true
}

// DeadlineUnits returns d in [DeadlineUnit], rounded up: at least 1, so that a
// deadline is never lost, and at most what a frame holds, near 5 days.
func DeadlineUnits(d time.Duration) uint32 {
	if d <= 0 {
		return 1
	}
	n := (uint64(d) + uint64(DeadlineUnit) - 1) / uint64(DeadlineUnit)
	return uint32(min(n, math.MaxUint32))
}

// DeadlineDuration returns the time that u units of [DeadlineUnit] last.
func DeadlineDuration(u uint32) time.Duration { return time.Duration(u) * DeadlineUnit }
