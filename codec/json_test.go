package codec_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

func TestJSONRoundTrip(t *testing.T) {
	for name, value := range map[string]any{
		"order":    ptr(sampleOrder()),
		"pointer":  ptr(&echo{1, "hi"}),
		"nil":      new(*echo),
		"tree":     ptr(tree{1, []*tree{{2, nil}, nil}}),
		"any":      ptr(any(map[string]any{"a": []any{1.5, "x", nil, true}})),
		"brackets": ptr(strings.Repeat(`[{"\`, 100)),
	} {
		t.Run(name, func(t *testing.T) {
			if got := roundTrip(t, codec.JSON{}, value); !reflect.DeepEqual(got, value) {
				t.Errorf("got %+v, want %+v", got, value)
			}
		})
	}
}

func TestJSONAppend(t *testing.T) {
	b, err := codec.JSON{}.Append([]byte("kept"), ptr("<a & b>"))
	if want := `kept"<a & b>"`; err != nil || string(b) != want {
		t.Errorf("got %q, %v, want %q", b, err, want)
	}
	b, err = codec.JSON{}.Append([]byte("kept"), ptr(struct {
		A string
		F func()
	}{}))
	wantRefused(t, err, posthaste.CodecFailed, "unsupported type: func()")
	if string(b) != "kept" {
		t.Errorf("dst became %q", b)
	}
}

func TestJSONDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		into      any
		code      posthaste.Code
		text      string
	}{
		{"nothing", "", new(any), posthaste.CodecFailed, "unexpected end"},
		{"trailing bytes", "1 2", new(any), posthaste.CodecFailed, "after top-level value"},
		{"half a string", `"abc`, new(any), posthaste.CodecFailed, "unexpected end"},
		{"half an escape", `"abc\`, new(any), posthaste.CodecFailed, "in string escape"},
		{"300 for int8", `300`, new(int8), posthaste.CodecFailed, "cannot unmarshal number 300"},
		{"deep arrays", strings.Repeat("[", 1<<20), new(any), posthaste.TooLarge, "json nests deeper than 64 levels, the limit set by codec.Limits.Depth"},
		{"deep in an unknown field", `{"x":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, new(echo), posthaste.TooLarge, "deeper than 64 levels"},
		{"deep objects", strings.Repeat(`{"":`, 65), new(tree), posthaste.TooLarge, "deeper than 64 levels"},
		{"many elements", "[" + strings.Repeat("0,", 1<<18) + "0]", new([]order), posthaste.TooLarge, "json has more than 262144 elements in all, the limit set by codec.Limits.Elements"},
		{"many empty", "[" + strings.Repeat("{},", 1<<17) + "{}]", new(any), posthaste.TooLarge, "more than 262144 elements"},
		{"panic", `{}`, new(panicking), posthaste.CodecFailed, "panicked: no such thing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if n := allocated(func() { err = codec.JSON{}.Decode([]byte(c.doc), c.into) }); n > 4<<20 {
				t.Errorf("refusing took %d bytes", n)
			}
			wantRefused(t, err, c.code, c.text)
		})
	}
}

func TestJSONLimits(t *testing.T) {
	narrow := codec.JSON{Limits: codec.Limits{Depth: 2, Elements: 4}}
	for doc, text := range map[string]string{
		`[[1,2],[]]`:       "more than 4 elements", // outer 2, inner 2, and 1 for the empty one
		`[[1,2]]`:          "",
		`[[[1]]]`:          "deeper than 2 levels",
		`[]`:               "",
		`"[[["`:            "",
		`"\"[[["`:          "",
		`["\\",["x"],"]"]`: "",
	} {
		err := narrow.Decode([]byte(doc), new(any))
		if text != "" {
			wantRefused(t, err, posthaste.TooLarge, text)
		} else if err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestJSONDecodeKeepsNothing(t *testing.T) {
	src := []byte(`{"raw": 123, "text": "abc"}`)
	var got struct {
		Raw  json.RawMessage
		Text string
	}
	if err := (codec.JSON{}).Decode(src, &got); err != nil {
		t.Fatal(err)
	}
	clear(src)
	if string(got.Raw) != "123" || got.Text != "abc" {
		t.Errorf("got %+v after the input was cleared", got)
	}
}
