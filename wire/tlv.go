package wire

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/posthaste-go/posthaste"
)

// MaxLabels is the most labels that a HELLO carries.
const MaxLabels = 64

// tlv is one numbered field of HELLO, and how it is written and read. An empty
// value is not written, and a field that is not there is zero.
type tlv struct {
	number  uint64
	name    string
	mutable bool // may also stand in CONTROL CONFIG
	put     func(dst []byte, h *Hello) []byte
	get     func(c *cursor, h *Hello)
}

// helloTLVs is the table of SPEC.md, section 5.2, in ascending order.
var helloTLVs = [...]tlv{
	text(1, "node", func(h *Hello) *string { return &h.Node }),
	number(2, "incarnation", func(h *Hello) *uint64 { return &h.Incarnation }),
	{number: 3, name: "advertise", put: putAdvertise, get: getAdvertise},
	text(4, "zone", func(h *Hello) *string { return &h.Zone }),
	{number: 5, name: "labels", mutable: true, put: putLabels, get: getLabels},
	number(6, "max frame", func(h *Hello) *uint32 { return &h.MaxFrame }),
	number(7, "max message", func(h *Hello) *uint64 { return &h.MaxMessage }),
	opaque(8, "codecs", func(h *Hello) *[]byte { return &h.Codecs }),
	opaque(9, "compressors", func(h *Hello) *[]byte { return &h.Compressors }),
	number(10, "checksum", func(h *Hello) *uint8 { return &h.Checksum }),
	{number: 11, name: "initial credit", put: putCredit, get: getCredit},
	number(12, "max in flight", func(h *Hello) *uint32 { return &h.MaxInFlight }),
	interval(13, "min ping", func(h *Hello) *time.Duration { return &h.MinPing }),
	interval(14, "idle", func(h *Hello) *time.Duration { return &h.Idle }),
	number(15, "features", func(h *Hello) *uint64 { return &h.Features }),
	{number: 16, name: "auth", put: putAuth, get: getAuth},
	opaque(17, "session token", func(h *Hello) *[]byte { return &h.SessionToken }),
	mutable(number(18, "epoch", func(h *Hello) *uint64 { return &h.Epoch })),
	mutable(number(19, "clock", func(h *Hello) *uint64 { return &h.Clock })),
}

// appendTLVs appends the fields of h that are not empty and that pick admits.
func appendTLVs(dst []byte, h *Hello, pick func(*tlv) bool) []byte {
	var value []byte
	for i := range helloTLVs {
		t := &helloTLVs[i]
		if !pick(t) {
			continue
		}
		if value = t.put(value[:0], h); len(value) != 0 {
			dst = binary.AppendUvarint(dst, t.number)
			dst = appendBlock(dst, value)
		}
	}
	return dst
}

// parseTLVs reads fields into h until the payload ends. Their numbers must rise,
// which rules out duplicates; numbers that are not known, or that pick does not
// admit, are passed over.
func parseTLVs(c *cursor, h *Hello, pick func(*tlv) bool) error {
	last := uint64(0)
	for c.err == nil && len(c.b) > 0 {
		number := c.u64("field number")
		value := c.block("field", MaxHello)
		switch {
		case c.err != nil:
		case number == 0:
			c.fail(malformed("%v has field 0; they start from 1", c.kind))
		case number == last:
			c.fail(malformed("%v has field %d twice", c.kind, number))
		case number < last:
			c.fail(malformed("%v has field %d after field %d; they must rise", c.kind, number, last))
		}
		last = number
		if c.err != nil || number > uint64(len(helloTLVs)) {
			continue
		}
		if t := &helloTLVs[number-1]; pick(t) {
			c.value(t, h, value)
		}
	}
	return c.err
}

// value reads one field, which must fill its value.
func (c *cursor) value(t *tlv, h *Hello, value []byte) {
	v := cursor{b: value, kind: c.kind}
	t.get(&v, h)
	switch {
	case v.err != nil:
		c.fail(v.err)
	case len(v.b) != 0:
		c.fail(malformed("%v %s has %d bytes too many", c.kind, t.name, len(v.b)))
	}
}

// ---- fields of one value ----

func mutable(t tlv) tlv { t.mutable = true; return t }

func text(n uint64, name string, at func(*Hello) *string) tlv {
	return tlv{
		number: n, name: name,
		put: func(dst []byte, h *Hello) []byte { return append(dst, *at(h)...) },
		get: func(c *cursor, h *Hello) { *at(h) = c.text(name, c.rest()) },
	}
}

func opaque(n uint64, name string, at func(*Hello) *[]byte) tlv {
	return tlv{
		number: n, name: name,
		put: func(dst []byte, h *Hello) []byte { return append(dst, *at(h)...) },
		get: func(c *cursor, h *Hello) { *at(h) = append([]byte(nil), c.rest()...) },
	}
}

func number[T ~uint8 | ~uint32 | ~uint64](n uint64, name string, at func(*Hello) *T) tlv {
	return tlv{
		number: n, name: name,
		put: func(dst []byte, h *Hello) []byte {
			if *at(h) == 0 {
				return dst
			}
			return binary.AppendUvarint(dst, uint64(*at(h)))
		},
		get: func(c *cursor, h *Hello) { *at(h) = T(c.uvarint(name, uint64(^T(0)))) },
	}
}

// interval is a duration in milliseconds, rounded up.
func interval(n uint64, name string, at func(*Hello) *time.Duration) tlv {
	return tlv{
		number: n, name: name,
		put: func(dst []byte, h *Hello) []byte {
			if *at(h) <= 0 {
				return dst
			}
			return binary.AppendUvarint(dst, millis(*at(h)))
		},
		get: func(c *cursor, h *Hello) { *at(h) = time.Duration(c.u32(name)) * time.Millisecond },
	}
}

// ---- fields of several values ----

func putAdvertise(dst []byte, h *Hello) []byte { return append(dst, h.Advertise...) }

func getAdvertise(c *cursor, h *Hello) {
	h.Advertise = c.text("advertise", c.rest())
	if _, err := posthaste.ParseEndpoint(h.Advertise); err != nil {
		c.fail(malformed("%v advertise is %q, which is no endpoint", c.kind, h.Advertise))
	}
}

func putLabels(dst []byte, h *Hello) []byte {
	for _, key := range slices.Sorted(maps.Keys(h.Labels)) {
		dst = appendBlock(dst, []byte(key))
		dst = appendBlock(dst, []byte(h.Labels[key]))
	}
	return dst
}

func getLabels(c *cursor, h *Hello) {
	labels, last := map[string]string(nil), ""
	for c.err == nil && len(c.b) > 0 {
		key := c.text("label key", c.some("label key", MaxName))
		value := c.text("label value", c.block("label value", MaxName))
		switch {
		case c.err != nil:
			return
		case key <= last:
			c.fail(malformed("%v label key %q does not come after %q; they must rise", c.kind, key, last))
			return
		case len(labels) == MaxLabels:
			c.fail(tooLarge("%v labels are over %d; that is the limit", c.kind, MaxLabels))
			return
		case labels == nil:
			labels = make(map[string]string)
		}
		labels[key], last = value, key
	}
	h.Labels = labels
}

func putCredit(dst []byte, h *Hello) []byte {
	if h.InitialCredit == (Credit{}) {
		return dst
	}
	return h.InitialCredit.append(dst)
}

func getCredit(c *cursor, h *Hello) { h.InitialCredit.parse(c) }

func putAuth(dst []byte, h *Hello) []byte {
	if h.AuthScheme == "" {
		return dst
	}
	return append(appendBlock(dst, []byte(h.AuthScheme)), h.AuthToken...)
}

func getAuth(c *cursor, h *Hello) {
	h.AuthScheme = c.text("auth scheme", c.some("auth scheme", MaxName))
	h.AuthToken = append([]byte(nil), c.rest()...)
}
