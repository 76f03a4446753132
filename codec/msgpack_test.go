package codec_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

func ptr[T any](v T) *T { return &v }

func TestMsgpackRoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 32, 0, 123_456_789, time.UTC)
	for name, value := range map[string]any{ // each a *T
		"nil any":            new(any),
		"bool":               ptr(true),
		"int":                ptr(-7),
		"int64":              ptr(int64(math.MinInt64)),
		"uint64":             ptr(uint64(math.MaxUint64)),
		"int8":               ptr(int8(-128)),
		"uint8":              ptr(uint8(255)),
		"float32":            ptr(float32(1.5)),
		"float64":            ptr(math.Inf(-1)),
		"string":             ptr("héllo"),
		"long string":        ptr(strings.Repeat("x", 70_000)),
		"empty string":       ptr(""),
		"bytes":              ptr([]byte{1, 2, 3}),
		"nil bytes":          new([]byte),
		"byte array":         ptr([4]byte{1, 2, 3, 4}),
		"duration":           ptr(90 * time.Second),
		"empty struct":       ptr(struct{}{}),
		"echo":               ptr(echo{1, "hi"}),
		"order":              ptr(order{ID: "x", At: at.Local(), Items: []item{{"a", 1}, {"b", 2}}}),
		"pointer":            ptr(&echo{1, "hi"}),
		"nil pointer":        new(*echo),
		"tree":               ptr(tree{1, []*tree{{2, nil}, nil, {3, []*tree{{4, nil}}}}}),
		"slice":              ptr([]string{"a", "", "c"}),
		"nil slice":          new([]int64),
		"empty slice":        ptr([]int64{}),
		"slices":             ptr([][]int16{{1}, nil, {-2, 3}}),
		"array":              ptr([3]int{1, 2, 3}),
		"map":                ptr(map[string]int{"a": 1, "b": 300}),
		"nil map":            new(map[string]int),
		"map of ints":        ptr(map[int32][]string{-1: {"x"}, 70_000: nil}),
		"map of arrays":      ptr(map[[2]byte]bool{{1, 2}: true}),
		"map of structs":     ptr(map[string]echo{"a": {1, "b"}}),
		"pointers in fields": ptr(struct{ A, B *int }{A: ptr(5)}),
		"embedded struct":    ptr(struct{ echo }{echo{ID: 3}}),
		"generated":          ptr(point{1 << 40}),
		"generated pointer":  ptr(&point{2}),
		"no generated":       new(*point),
		"generated in slice": ptr([]point{{1}, {2}}),
	} {
		t.Run(name, func(t *testing.T) {
			got := roundTrip(t, codec.NewMsgpack(codec.Limits{}), value)
			if !reflect.DeepEqual(got, value) {
				t.Errorf("got %+v, want %+v", reflect.ValueOf(got).Elem(), reflect.ValueOf(value).Elem())
			}
		})
	}
}

// roundTrip returns a new *T with what became of the one given.
func roundTrip(t *testing.T, c codec.Codec, v any) any {
	t.Helper()
	b, err := c.Append([]byte("kept"), v)
	if err != nil {
		t.Fatal(err)
	}
	b, kept := bytes.CutPrefix(b, []byte("kept"))
	if !kept {
		t.Fatal("Append overwrote what was there")
	}
	got := reflect.New(reflect.TypeOf(v).Elem()).Interface()
	if err := c.Decode(bytes.Clone(b), got); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return got
}

// An any keeps what msgpack can tell apart, and no more.
func TestMsgpackAny(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	for _, c := range []struct{ in, want any }{
		{int64(5), int8(5)},
		{300, uint16(300)},
		{-70_000, int32(-70_000)},
		{float32(1.5), float32(1.5)},
		{2.0, 2.0},
		{"text", "text"},
		{[]byte("bytes"), []byte("bytes")},
		{at, at},
		{[]string{"a"}, []any{"a"}},
		{map[string]int{"a": 1}, map[string]any{"a": int8(1)}},
		{echo{1, "x"}, map[string]any{"ID": int8(1), "Text": "x"}},
		{[]any{nil, true, map[string]any{}}, []any{nil, true, map[string]any{}}},
		{(*echo)(nil), nil},
	} {
		got := *roundTrip(t, codec.NewMsgpack(codec.Limits{}), &c.in).(*any)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%T %v became %T %v, want %T", c.in, c.in, got, got, c.want)
		}
	}
}

func TestMsgpackNames(t *testing.T) {
	v := struct {
		A int `msgpack:"a" json:"x"`
		B int `json:"b,omitempty"`
		C int
		D int `json:"-"`
		E int `msgpack:"e,omitempty"`
	}{A: 1, C: 3, D: 4}
	b, err := codec.NewMsgpack(codec.Limits{}).Append(nil, &v)
	if want := "\x82\xa1a\x01\xa1C\x03"; err != nil || string(b) != want {
		t.Errorf("got %q, %v, want %q", b, err, want)
	}
}

// Fields come and go: old and new nodes read one another.
func TestMsgpackEvolution(t *testing.T) {
	type before struct {
		ID  int
		Old []echo
	}
	type after struct {
		ID  int
		New map[string]int
	}
	m := codec.NewMsgpack(codec.Limits{})
	b, err := m.Append(nil, &before{1, []echo{{1, "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	got := after{New: map[string]int{"kept": 1}}
	if err := m.Decode(b, &got); err != nil || !reflect.DeepEqual(got, after{1, map[string]int{"kept": 1}}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What Append failed on does not show in dst, whichever way v is encoded.
func TestMsgpackAppendFails(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	for _, c := range []struct {
		v    any
		text string
	}{
		{ptr(struct {
			A string
			F func()
		}{A: "already written"}), "unsupported func()"},
		{&point{-1}, "points are positive"},
		{new(chan int), "unsupported chan int"},
	} {
		dst := append(make([]byte, 0, 64), "kept"...)
		got, err := m.Append(dst, c.v)
		wantRefused(t, err, posthaste.CodecFailed, c.text)
		if string(got) != "kept" || &got[0] != &dst[0] {
			t.Errorf("dst became %q", got)
		}
	}
	if b, err := m.Append(nil, ptr(1)); err != nil || string(b) != "\x01" {
		t.Errorf("after failures: got %q, %v", b, err)
	}
}

func TestMsgpackDecodeFails(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	for _, c := range []struct {
		name, doc string
		into      any
		text      string
	}{
		{"string for int", "\xa1x", new(int), "decoding msgpack into *int"},
		{"too long for an array", "\x93\x01\x02\x03", new([2]int), "len is 2, but msgpack has 3 elements"},
		{"int for a key of any", "\x81\x01\x01", new(any), "decoding msgpack into *interface {}"},
		{"unsettable", "\x01", echo{}, "non-pointer"},
		{"nothing to decode into", "\x01", nil, "Decode(nil)"},
		{"generated refuses", "\x81\xa1X\xc0", new(point), "not a point"},
		{"method stops early", "\x92\x01\x02", new(impatient), "left 2 of 3 bytes"},
		{"generated stops early", "\x92\x01\x02", new(idle), "UnmarshalMsg left 3 of 3 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefused(t, m.Decode([]byte(c.doc), c.into), posthaste.CodecFailed, c.text)
		})
	}
	if err := m.Decode([]byte("\x81\xa1X\xc0"), new(point)); !errors.Is(err, errNotPoint) {
		t.Errorf("%v does not wrap the cause", err)
	}
}

// impatient and idle read less than there is.
type (
	impatient struct{}
	idle      struct{}
)

func (*impatient) DecodeMsgpack(d *msgpack.Decoder) error {
	_, err := d.DecodeArrayLen()
	return err
}

func (*idle) UnmarshalMsg(b []byte) ([]byte, error) { return b, nil }

// Nothing of one message shows in the next one through a pooled coder: neither
// the flags that a type's own method set, nor the dictionary of intern tags,
// nor the recording of a decoder that failed.
func TestMsgpackCodersForget(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	want, err := m.Append(nil, &echo{1, "text"})
	if err != nil {
		t.Fatal(err)
	}
	type interned struct {
		A, B string `msgpack:",intern"`
	}
	for _, disturbing := range []any{new(meddler), &interned{"text", "other"}, new(chan int)} {
		_, _ = m.Append(nil, disturbing)
		if got, err := m.Append(nil, &echo{1, "text"}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after %T: got %x, %v, want %x", disturbing, got, err, want)
		}
		_ = m.Decode(want, disturbing)
		var got echo
		if err := m.Decode(want, &got); err != nil || got != (echo{1, "text"}) {
			t.Errorf("after %T: got %+v, %v", disturbing, got, err)
		}
	}
}

// meddler leaves its coders in another mode.
type meddler struct{}

func (*meddler) EncodeMsgpack(e *msgpack.Encoder) error {
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(false)
	e.SetCustomStructTag("")
	return e.EncodeNil()
}

func (*meddler) DecodeMsgpack(d *msgpack.Decoder) error {
	d.DisallowUnknownFields(true)
	d.UseLooseInterfaceDecoding(true)
	return d.Skip()
}

// Decode may be given a buffer that is used again at once.
func TestMsgpackDecodeKeepsNothing(t *testing.T) {
	type blob struct {
		Body []byte
		Text string
		Any  any
	}
	m := codec.NewMsgpack(codec.Limits{})
	want := blob{[]byte("body"), "text", []byte("any")}
	b, err := m.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	var got blob
	if err := m.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v after the input was cleared", got)
	}
}

// The library wraps integers in silence, and the package documentation says so.
// When this fails the library has learned better: strike the line.
func TestMsgpackNarrowIntegersWrap(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	var narrow struct{ N int8 }
	if err := m.Decode([]byte("\x81\xa1N\xcd\x01\x2c"), &narrow); err != nil || narrow.N != 44 {
		t.Errorf("300 became %d, %v", narrow.N, err)
	}
	var unsigned uint64
	if err := m.Decode([]byte("\xff"), &unsigned); err != nil || unsigned != math.MaxUint64 {
		t.Errorf("-1 became %d, %v", unsigned, err)
	}
}

// The zero Msgpack is usable, and its limits are those of NewMsgpack(Limits{}).
func TestMsgpackZero(t *testing.T) {
	var m codec.Msgpack
	if got := roundTrip(t, &m, &echo{1, "x"}); *got.(*echo) != (echo{1, "x"}) {
		t.Errorf("got %+v", got)
	}
	wantRefused(t, m.Decode([]byte(nestedArrays), new(any)), posthaste.TooLarge, "64 levels")
}

func TestMsgpackLimits(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{Elements: 2})
	wantRefused(t, m.Decode([]byte("\x93\x01\x02\x03"), new([]int)), posthaste.TooLarge, "more than 2 elements")
}

// Large documents leave no large decoder behind.
func TestMsgpackDropsLargeDecoders(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	large, err := m.Append(nil, ptr(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	const times = 8
	n := allocated(func() {
		for range times {
			if err := m.Decode(large, new(string)); err != nil {
				t.Error(err)
			}
		}
	})
	// Each time the string, and the buffer that a kept decoder would have had.
	if n < 2*times*uint64(len(large)) {
		t.Errorf("decoding %d bytes %d times took only %d: a decoder kept its buffer", len(large), times, n)
	}
}

func TestMsgpackAllocations(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	e, o, p := &echo{7, "hello"}, ptr(sampleOrder()), &point{7}
	o.Labels = nil // the library makes a copy of each key and value
	dst := make([]byte, 0, 1024)
	for name, v := range map[string]any{"echo": e, "order": o, "generated": p} {
		n := testing.AllocsPerRun(200, func() {
			if _, err := m.Append(dst, v); err != nil {
				t.Error(err)
			}
		})
		// One for when the collector emptied the pool in between, as the race
		// detector does by chance.
		if n > 1 {
			t.Errorf("Append of %s allocates %v times", name, n)
		}
	}
}
