package codec_test

import (
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

// Each bomb is a document that ends a process which gives it to an unguarded
// decoder: by memory it does not have, or by a stack that cannot be recovered.

const (
	fourGiElements = "\xdd\xff\xff\xff\xff"
	mapCount       = "\xdf\x08\x00\x00\x00"
	fourGiBytes    = "\xc6\xff\xff\xff\xff"
	array16        = "\xdc\xff\xff"
)

var (
	nestedArrays  = strings.Repeat("\x91", 2_000_000)
	nestedMaps    = strings.Repeat("\x81\xa0", 1_000_000)
	nestedArray16 = strings.Repeat(array16, 10_000)
	// paddedArray16 keeps the promise of each length taken alone.
	paddedArray16 = strings.Repeat(array16, 60) + strings.Repeat("\xc0", 1<<16)
)

func TestBombFourGiElements(t *testing.T) {
	defuse(t, fourGiElements, posthaste.CodecFailed, "declares 4294967295 elements with 0 bytes left")
}

func TestBombMapCount(t *testing.T) {
	defuse(t, mapCount, posthaste.CodecFailed, "declares 134217728 map entries with 0 bytes left")
}

func TestBombBin(t *testing.T) {
	defuse(t, fourGiBytes, posthaste.CodecFailed, "declares a string of 4294967295 bytes with 0 bytes left")
}

func TestBombString(t *testing.T) {
	defuse(t, "\xdb\xff\xff\xff\xff", posthaste.CodecFailed, "declares a string of 4294967295 bytes with 0 bytes left")
}

func TestBombExtension(t *testing.T) {
	defuse(t, "\xc9\xff\xff\xff\xff\xff", posthaste.CodecFailed, "declares an extension of 4294967295 bytes with 0 bytes left")
}

func TestBombNestedArrays(t *testing.T) {
	defuse(t, nestedArrays, posthaste.TooLarge, "deeper than 64 levels, the limit set by codec.Limits.Depth")
}

func TestBombNestedMaps(t *testing.T) {
	defuse(t, nestedMaps, posthaste.TooLarge, "deeper than 64 levels")
}

func TestBombNestedArray16(t *testing.T) {
	defuse(t, nestedArray16, posthaste.CodecFailed, "declares 65535 elements with")
}

func TestBombPaddedArray16(t *testing.T) {
	defuse(t, paddedArray16, posthaste.TooLarge, "more than 262144 elements in all, the limit set by codec.Limits.Elements")
}

func TestBombRecursiveStruct(t *testing.T) {
	children := strings.Repeat("\x81\xa8Children\x91", 200_000)
	defuse(t, children, posthaste.TooLarge, "deeper than 64 levels")
}

func TestBombManyElements(t *testing.T) {
	defuse(t, "\xdd\x00\x10\x00\x00"+strings.Repeat("\xc0", 1<<20), posthaste.TooLarge, "more than 262144 elements")
}

// receivers make what the bombs are decoded into.
var receivers = map[string]func() any{
	"any":              func() any { return new(any) },
	"slice":            func() any { return new([]int64) },
	"bytes":            func() any { return new([]byte) },
	"structs":          func() any { return new([]order) },
	"map":              func() any { return new(map[string]any) },
	"struct":           func() any { return new(echo) },
	"recursive struct": func() any { return new(tree) },
	"generated":        func() any { return new(point) },
	"generated, by **": func() any { return new(*point) },
}

// defuse decodes a bomb, bare and as a field that the receiver does not know,
// into each receiver. It has to be refused before it costs anything.
func defuse(t *testing.T, bomb string, code posthaste.Code, text string) {
	t.Helper()
	m := codec.NewMsgpack(codec.Limits{})
	for _, doc := range [][]byte{[]byte(bomb), []byte("\x81\xa7unknown" + bomb)} {
		for name, receiver := range receivers {
			var err error
			if n := allocated(func() { err = m.Decode(doc, receiver()) }); n > 1<<20 {
				t.Errorf("%s: refusing %.12x… took %d bytes", name, doc, n)
			}
			wantRefused(t, err, code, text)
		}
	}
}

// Panics are no bombs, but the library does not stop them.
func TestDecodePanics(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	for _, c := range []struct {
		name, doc string
		into      any
	}{
		{"bytes as a key", "\x81\xc4\x01x\x01", new(map[any]any)},
		{"nil for a time in a struct", "\x81\xa2at\xc0", new(order)},
		{"number for an interface", "\x01", new(interface{ Close() error })},
		{"a type's own method", "\x01", new(panicking)},
		{"nil pointer", "\x81\xa1X\xd3\x00\x00\x00\x00\x00\x00\x00\x01", (*point)(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefused(t, m.Decode([]byte(c.doc), c.into), posthaste.CodecFailed, "panicked")
		})
	}
}

type panicking struct{}

func (*panicking) UnmarshalMsg([]byte) ([]byte, error) { panic("no such thing") }
func (*panicking) UnmarshalJSON([]byte) error          { panic("no such thing") }

// What the guard lets through still grows, by a factor that is known. A map with
// one empty key is the dearest of all in memory for its bytes.
func TestAmplificationIsBounded(t *testing.T) {
	const levels, chains = 62, 4161 // as many as the default limits let through
	chain := strings.Repeat("\x81\xa0", levels) + "\xc0"
	doc := []byte("\xdd\x00\x00\x10\x41" + strings.Repeat(chain, chains))
	m := codec.NewMsgpack(codec.Limits{})
	var err error
	n := allocated(func() { err = m.Decode(doc, new(any)) })
	if err != nil {
		t.Fatal(err)
	}
	if n > 100<<20 || n > maxGrowth*uint64(len(doc)) {
		t.Errorf("%d bytes became %d in memory", len(doc), n)
	}
	t.Logf("%d bytes became %d in memory", len(doc), n)
}
