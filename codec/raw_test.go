package codec_test

import (
	"encoding/json"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

type (
	label string
	octet uint8
)

func TestRawRoundTrip(t *testing.T) {
	const want = "any \x00 bytes"
	var (
		b  = []byte(want)
		s  = want
		m  = json.RawMessage(want)
		l  = label(want)
		os = []octet(want)
	)
	for _, v := range []any{&b, &s, &m, &l, &os} {
		doc, err := codec.Raw{}.Append([]byte("kept"), v)
		if err != nil || string(doc) != "kept"+want {
			t.Errorf("%T: got %q, %v", v, doc, err)
		}
	}
	for _, v := range []any{new([]byte), new(string), new(json.RawMessage), new(label), new([]octet)} {
		if err := (codec.Raw{}).Decode([]byte(want), v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
		if back, err := (codec.Raw{}).Append(nil, v); err != nil || string(back) != want {
			t.Errorf("%T holds %q, %v", v, back, err)
		}
	}
}

func TestRawRefuses(t *testing.T) {
	for _, v := range []any{nil, new(int), new(echo), new([]int), new(any), new(*[]byte), echo{}} {
		dst, err := codec.Raw{}.Append([]byte("kept"), v)
		wantRefused(t, err, posthaste.CodecFailed, "declare the method with another codec")
		if string(dst) != "kept" {
			t.Errorf("%T: dst became %q", v, dst)
		}
		wantRefused(t, codec.Raw{}.Decode([]byte("x"), v), posthaste.CodecFailed, "declare the method with another codec")
	}
	wantRefused(t, codec.Raw{}.Decode([]byte("x"), []byte{0}), posthaste.CodecFailed, "not what []uint8 points to")
}

// Decode shares src up to its length: what follows in its buffer stays safe.
func TestRawDecodeShares(t *testing.T) {
	buffer := []byte("payloadnext")
	var body []byte
	if err := (codec.Raw{}).Decode(buffer[:7], &body); err != nil {
		t.Fatal(err)
	}
	if &body[0] != &buffer[0] {
		t.Error("Decode copied")
	}
	_ = append(body, '!')
	if string(buffer) != "payloadnext" {
		t.Errorf("appending wrote behind src: %q", buffer)
	}
	var text string
	if err := (codec.Raw{}).Decode(buffer[:7], &text); err != nil {
		t.Fatal(err)
	}
	clear(buffer)
	if text != "payload" {
		t.Error("a decoded string changed with its source")
	}
}
