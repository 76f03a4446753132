package codec_test

import (
	"testing"

	"github.com/posthaste-go/posthaste/codec"
)

// Run with: go test -run '^$' -bench . -cpu 1 ./codec

func BenchmarkCheck(b *testing.B) {
	body := make([]byte, 1024)
	for _, c := range []struct {
		name  string
		value any
	}{
		{"echo", &echo{7, "hello"}},
		{"order", ptr(sampleOrder())},
		{"bytes-1KiB", &body},
	} {
		b.Run(c.name, func(b *testing.B) {
			doc, err := codec.NewMsgpack(codec.Limits{}).Append(nil, c.value)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := codec.Check(doc, codec.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var benchmarked = []struct {
	name     string
	codec    codec.Codec
	value    any
	receiver func() any
}{
	{"msgpack/echo", codec.NewMsgpack(codec.Limits{}), &echo{7, "hello"}, func() any { return new(echo) }},
	{"msgpack/order", codec.NewMsgpack(codec.Limits{}), ptr(sampleOrder()), func() any { return new(order) }},
	{"msgpack/generated", codec.NewMsgpack(codec.Limits{}), &point{7}, func() any { return new(point) }},
	{"json/echo", codec.JSON{}, &echo{7, "hello"}, func() any { return new(echo) }},
	{"json/order", codec.JSON{}, ptr(sampleOrder()), func() any { return new(order) }},
	{"raw/bytes-1KiB", codec.Raw{}, ptr(make([]byte, 1024)), func() any { return new([]byte) }},
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.codec.Append(dst, c.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			doc, err := c.codec.Append(nil, c.value)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.codec.Decode(doc, c.receiver()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
