package codec_test

import (
	"errors"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

// maxGrowth is how many times its own size a document may take in memory when
// it is decoded into an any; see TestAmplificationIsBounded.
const maxGrowth = 256

func addDocuments(f *testing.F) {
	for _, doc := range []string{
		fourGiElements, mapCount, fourGiBytes, array16,
		nestedArrays[:100], nestedMaps[:100], nestedArray16[:99],
		"\x81\xa0\xc0", "\x81\x90\x01", "\x81\xc4\x01x\x01", "\xd6\xff1234", "\xd4\x80\x00", "\xc1",
		"\x81\xa2at\xc0", "\x81\xa8Children\x91\x81\xa5Value\x05",
	} {
		f.Add([]byte(doc))
	}
	m, o := codec.NewMsgpack(codec.Limits{}), sampleOrder()
	for _, v := range []any{&o, &point{3}, &tree{1, []*tree{{2, nil}}}, &everything{}, ptr([]int64{1, 2, 3})} {
		doc, err := m.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
}

// What Check accepts, the library decodes into an any without a panic, in
// memory of known proportion; and it needs all of it.
func FuzzCheck(f *testing.F) {
	addDocuments(f)
	m := codec.NewMsgpack(codec.Limits{})
	f.Fuzz(func(t *testing.T, doc []byte) {
		if codec.Check(doc, codec.Limits{}) != nil {
			return
		}
		var err error
		n := allocated(func() { err = m.Decode(doc, new(any)) })
		if limit := 1<<20 + maxGrowth*uint64(len(doc)); n > limit {
			t.Errorf("%d bytes took %d in memory, over %d", len(doc), n, limit)
		}
		wantCoded(t, err)
		for cut := range min(len(doc), 16) {
			if codec.Check(doc[:len(doc)-cut-1], codec.Limits{}) == nil {
				t.Errorf("accepted also without its last %d bytes", cut+1)
			}
		}
	})
}

// Whatever the receiver, Decode returns; and what it accepts is a value that
// can be sent on.
func FuzzMsgpackDecode(f *testing.F) {
	addDocuments(f)
	f.Fuzz(func(t *testing.T, doc []byte) { resend(t, codec.NewMsgpack(codec.Limits{}), doc) })
}

func FuzzJSONDecode(f *testing.F) {
	for _, doc := range []string{
		`null`, `1e309`, `[[[[]]]]`, `{"a":{"b":[1,2,"]"]}}`, `"\"["`, `"\ud800"`, "\"\xff\"", `1 2`, `{"at":"x"}`,
		`{"id":"a","items":[{"sku":"b","count":3}],"at":"2026-11-22T10:32:00Z"}`, `{"Children":[{"Value":1}]}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { resend(t, codec.JSON{}, doc) })
}

// resend decodes doc into receivers of all kinds, encodes what they accept, and
// decodes that.
func resend(t *testing.T, c codec.Codec, doc []byte) {
	for name, receiver := range moreReceivers {
		v := receiver()
		if err := c.Decode(doc, v); err != nil {
			wantCoded(t, err)
			continue
		}
		again, err := c.Append(nil, v)
		if err != nil {
			wantCoded(t, err) // such as a time that JSON cannot write
			continue
		}
		if err := c.Decode(again, receiver()); err != nil {
			t.Errorf("%s: %q was accepted and sent on as %q: %v", name, doc, again, err)
		}
	}
}

var moreReceivers = map[string]func() any{
	"any":        func() any { return new(any) },
	"slice":      func() any { return new([]int64) },
	"bytes":      func() any { return new([]byte) },
	"orders":     func() any { return new([]order) },
	"map of any": func() any { return new(map[any]any) },
	"map":        func() any { return new(map[string]string) },
	"order":      func() any { return new(*order) },
	"tree":       func() any { return new(tree) },
	"everything": func() any { return new(everything) },
	"generated":  func() any { return new(*point) },
}

// wantCoded fails unless err is nil or one of the two codes of a codec.
func wantCoded(t *testing.T, err error) {
	t.Helper()
	var e *posthaste.Error
	if err != nil && (!errors.As(err, &e) || e.Code != posthaste.CodecFailed && e.Code != posthaste.TooLarge) {
		t.Errorf("error %v has no code of a codec", err)
	}
}
