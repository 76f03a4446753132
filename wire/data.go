package wire

import "encoding/binary"

// Data is what precedes the body of DATA: a stream message, or the next fragment
// of a message that TELL, ASK, OPEN, REPLY or an earlier DATA began. A DATA
// frame that needs none of First, HasCredit and HasLoad is a header and a body,
// nothing else. One with End and an empty body, unless it is the last fragment of
// a message, closes the sender's half of the stream and carries no message.
//
// After [Data.Parse] Body aliases the payload and dies with it.
type Data struct {
	First     bool   // the first of several fragments of a stream message; implies More
	Total     uint64 // length of the whole message if First, 0 if not known
	More      bool   // DATA frames of the same id continue this message
	End       bool   // the sender sends no more on this stream
	HasCredit bool
	Credit    Credit // for the other direction, as in a CREDIT frame
	HasLoad   bool
	Load      uint8  // as in [Reply]
	Body      []byte // set by Parse, not read by AppendData
}

// AppendData appends to dst the header and the prefix of a DATA frame, whose
// kind it sets. The caller then appends exactly body bytes of body.
//
// h gives priority, codec and id, and may set MORE, END and COMPRESSED; the other
// flags come from d's fields and h.Len is computed. On an error, which is as for
// [AppendRequest], dst comes back as it was. Nothing is allocated while dst has
// room.
func AppendData(dst []byte, h Header, d *Data, body int) ([]byte, error) {
	h.Kind = KindData
	h.Flags = h.Flags&^(FlagCredit|FlagLoad|FlagTotal) | d.flags()
	if err := h.checkSend(d.Total, body); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = begin(dst)
	if d.HasCredit {
		dst = d.Credit.append(dst)
	}
	if d.HasLoad {
		dst = append(dst, d.Load)
	}
	if d.First {
		dst = binary.AppendUvarint(dst, d.Total)
	}
	return h.finish(dst, start, body)
}

// PrefixLen returns how many payload bytes [AppendData] writes before the body.
func (d *Data) PrefixLen() int {
	n := 0
	if d.HasCredit {
		n += uvarintLen(d.Credit.Bytes) + uvarintLen(d.Credit.Messages)
	}
	if d.HasLoad {
		n++
	}
	if d.First {
		n += uvarintLen(d.Total)
	}
	return n
}

func (d *Data) flags() Flags {
	var f Flags
	if d.First {
		f |= FlagTotal | FlagMore
	}
	if d.More {
		f |= FlagMore
	}
	if d.End {
		f |= FlagEnd
	}
	if d.HasCredit {
		f |= FlagCredit
	}
	if d.HasLoad {
		f |= FlagLoad
	}
	return f
}

// Parse reads the payload of a DATA frame with header h after resetting d, on
// the terms of [Request.Parse].
func (d *Data) Parse(h Header, payload []byte) error {
	*d = Data{More: h.Flags&FlagMore != 0, End: h.Flags&FlagEnd != 0}
	if h.Kind != KindData {
		return malformed("%v is not a DATA", h.Kind)
	}
	if err := checkFlags(h.Kind, h.Flags); err != nil {
		return err
	}
	c := cursor{b: payload, kind: KindData}
	if h.Flags&FlagCredit != 0 {
		d.HasCredit = true
		d.Credit.parse(&c)
	}
	if h.Flags&FlagLoad != 0 {
		d.HasLoad = true
		d.Load = c.u8("load")
	}
	if h.Flags&FlagTotal != 0 {
		d.First = true
		d.Total = c.u64("total")
	}
	d.Body = c.rest()
	if d.Total != 0 {
		c.checkTotal(d.Total, d.Body)
	}
	return c.err
}
