package wire

import "encoding/binary"

// Reply is what precedes the body of REPLY.
//
// After [Reply.Parse] the slices alias the payload and die with it.
type Reply struct {
	Load    uint8 // how busy the sender is: 0 idle, 255 full
	HasLoad bool
	More    bool   // this is the first fragment; DATA frames of the same id follow
	Total   uint64 // length of the whole message if More, 0 if not known
	Meta    []byte // as in [Request]
	Body    []byte // set by Parse, not read by AppendReply
}

// AppendReply appends to dst the header and the prefix of a REPLY frame, whose
// kind it sets. The caller then appends exactly body bytes of body.
//
// h gives priority, codec and id, and may set COMPRESSED and MORE; the other
// flags come from r's fields and h.Len is computed. On an error, which is as for
// [AppendRequest], dst comes back as it was. Nothing is allocated while dst has
// room.
func AppendReply(dst []byte, h Header, r *Reply, body int) ([]byte, error) {
	h.Kind = KindReply
	h.Flags = h.Flags&^(FlagMeta|FlagLoad) | r.flags()
	if err := h.checkSend(r.Total, body); err != nil {
		return dst, err
	}
	if len(r.Meta) > MaxPayload {
		return dst, tooLarge("metadata has %d bytes; the limit is %d", len(r.Meta), MaxPayload)
	}
	start := len(dst)
	dst = begin(dst)
	if r.HasLoad {
		dst = append(dst, r.Load)
	}
	if h.Flags&FlagMore != 0 {
		dst = binary.AppendUvarint(dst, r.Total)
	}
	if len(r.Meta) > 0 {
		dst = appendBlock(dst, r.Meta)
	}
	return h.finish(dst, start, body)
}

// PrefixLen returns how many payload bytes [AppendReply] writes before the body.
func (r *Reply) PrefixLen() int {
	n := 0
	if r.HasLoad {
		n++
	}
	if r.More {
		n += uvarintLen(r.Total)
	}
	if len(r.Meta) > 0 {
		n += blockLen(r.Meta)
	}
	return n
}

func (r *Reply) flags() Flags {
	var f Flags
	if r.More {
		f |= FlagMore
	}
	if len(r.Meta) > 0 {
		f |= FlagMeta
	}
	if r.HasLoad {
		f |= FlagLoad
	}
	return f
}

// Parse reads the payload of a REPLY with header h after resetting r, on the
// terms of [Request.Parse].
func (r *Reply) Parse(h Header, payload []byte) error {
	*r = Reply{}
	if h.Kind != KindReply {
		return malformed("%v is not a REPLY", h.Kind)
	}
	if err := checkFlags(h.Kind, h.Flags); err != nil {
		return err
	}
	c := cursor{b: payload, kind: KindReply}
	if h.Flags&FlagLoad != 0 {
		r.HasLoad = true
		r.Load = c.u8("load")
	}
	if h.Flags&FlagMore != 0 {
		r.More = true
		r.Total = c.u64("total")
	}
	if h.Flags&FlagMeta != 0 {
		r.Meta = c.some("metadata", MaxPayload)
	}
	r.Body = c.rest()
	if r.Total != 0 {
		c.checkTotal(r.Total, r.Body)
	}
	return c.err
}
