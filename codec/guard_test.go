package codec_test

import (
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

func TestCheckAccepts(t *testing.T) {
	for name, doc := range map[string]string{
		"small integer":           "\x7f",
		"small negative":          "\xe0",
		"nil":                     "\xc0",
		"false":                   "\xc2",
		"true":                    "\xc3",
		"float32":                 "\xca1234",
		"float64":                 "\xcb12345678",
		"uint8":                   "\xcc1",
		"uint16":                  "\xcd12",
		"uint32":                  "\xce1234",
		"uint64":                  "\xcf12345678",
		"int8":                    "\xd01",
		"int16":                   "\xd112",
		"int32":                   "\xd21234",
		"int64":                   "\xd312345678",
		"empty string":            "\xa0",
		"longest small string":    "\xbf" + strings.Repeat("x", 31),
		"string8":                 "\xd9\x01x",
		"string16":                "\xda\x00\x01x",
		"string32":                "\xdb\x00\x00\x00\x01x",
		"bin8":                    "\xc4\x02xy",
		"bin16":                   "\xc5\x00\x02xy",
		"bin32":                   "\xc6\x00\x00\x00\x02xy",
		"empty array":             "\x90",
		"empty map":               "\x80",
		"array":                   "\x93\x01\xa1x\xc0",
		"array16":                 "\xdc\x00\x01\x01",
		"array32":                 "\xdd\x00\x00\x00\x01\x01",
		"map":                     "\x82\xa1a\x01\xa1b\x90",
		"map16":                   "\xde\x00\x01\xa1a\x01",
		"map32":                   "\xdf\x00\x00\x00\x01\xa1a\x01",
		"key nil":                 "\x81\xc0\x01",
		"key bytes":               "\x81\xc4\x01k\x01",
		"key float":               "\x81\xcb12345678\x01",
		"key time":                "\x81\xd6\xff1234\x01",
		"arrays as values":        "\x82\x01\x91\x01\x02\x91\x02",
		"time of 4":               "\xd6\xff1234",
		"time of 8":               "\xd7\xff\xee\x6b\x27\xfc5678", // 999 999 999 ns
		"time of 12":              "\xc7\x0c\xff\x3b\x9a\xc9\xff12345678",
		"time in a wide header":   "\xc9\x00\x00\x00\x04\xff1234",
		"64 levels":               strings.Repeat("\x91", 64) + "\x01",
		"64 levels beside others": "\x92" + strings.Repeat(strings.Repeat("\x91", 63)+"\x01", 2),
	} {
		t.Run(name, func(t *testing.T) {
			if err := codec.Check([]byte(doc), codec.Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct{ name, doc, text string }{
		{"nothing", "", "ends after 0 bytes where a value should be"},
		{"reserved code", "\xc1", "reserved code 0xc1"},
		{"trailing byte", "\x01\x02", "followed by 1 more bytes"},
		{"half a float", "\xcb1234", "ends inside a value of 9 bytes with 5 bytes left"},
		{"half a small string", "\xa5xy", "ends inside a value of 6 bytes with 3 bytes left"},
		{"half a length", "\xdb\x00\x00", "ends inside a length of 4 bytes with 2 bytes left"},
		{"half a length of an array", "\xdd\x00", "ends inside a length of 4 bytes"},
		{"half a length of an extension", "\xc9\x00", "ends inside a length of 4 bytes"},
		{"no length", "\xc4", "ends inside a length of 1 bytes with 0 bytes left"},
		{"half a string", "\xd9\x05xy", "declares a string of 5 bytes with 2 bytes left"},
		{"missing element", "\x92\x01", "declares 2 elements with 1 bytes left"},
		{"element that swallows the next", "\x92\xa1x", "ends after 3 bytes where a value should be"},
		{"missing value", "\x81\x01", "declares 1 map entries with 1 bytes left"},
		{"map for a key", "\x81\x80\x01", "array or a map as a map key"},
		{"array for a key", "\x81\x90\x01", "array or a map as a map key"},
		{"array for a second key", "\x82\x01\x90\x91\x01\x02", "array or a map as a map key"},
		{"array16 for a key", "\x81\xdc\x00\x00\x01", "array or a map as a map key"},
		{"map32 for a key", "\x81\xdf\x00\x00\x00\x00\x01", "array or a map as a map key"},
		{"other extension", "\xd6\x0512345", "extension type 5"},
		{"interned string", "\xd4\x80\x00", "extension type -128"},
		{"extension without a type", "\xd4", "declares an extension of 1 bytes with 0 bytes left"},
		{"half an extension", "\xd6\xff123", "declares an extension of 4 bytes with 3 bytes left"},
		{"time of 1", "\xd4\xff1", "timestamp of 1 bytes"},
		{"time of 16", "\xd8\xff1234567890123456", "timestamp of 16 bytes"},
		{"time of 0", "\xc7\x00\xff", "timestamp of 0 bytes"},
		{"second of nanoseconds in 8", "\xd7\xff\xee\x6b\x28\x005678", "1000000000 nanoseconds"},
		{"second of nanoseconds in 12", "\xc7\x0c\xff\x3b\x9a\xca\x0012345678", "1000000000 nanoseconds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefused(t, codec.Check([]byte(c.doc), codec.Limits{}), posthaste.CodecFailed, c.text)
		})
	}
}

func TestCheckLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		doc    string
		limits codec.Limits
		text   string // of the error, "" if there is none
	}{
		{"depth of one", "\x91\x01", codec.Limits{Depth: 1}, ""},
		{"over a depth of one", "\x91\x90", codec.Limits{Depth: 1}, "deeper than 1 levels"},
		{"over the depth by a map", "\x91\x80", codec.Limits{Depth: 1}, "deeper than 1 levels"},
		{"elements", "\x92\x01\x82\x01\x01\x02\x02", codec.Limits{Elements: 4}, ""},
		{"over the elements", "\x92\x01\x83\x01\x01\x02\x02\x03\x03", codec.Limits{Elements: 4}, "more than 4 elements"},
		{"scalars cost nothing", "\xa1x", codec.Limits{Elements: 1, Depth: 1}, ""},
		{"65 levels", strings.Repeat("\x91", 65) + "\x01", codec.Limits{}, "deeper than 64 levels"},
		{"negative means default", strings.Repeat("\x91", 65) + "\x01", codec.Limits{Depth: -1, Elements: -1}, "deeper than 64 levels"},
		{"deepest of all", strings.Repeat("\x91", 1000) + "\x01", codec.Limits{Depth: 1 << 30}, ""},
		{"deeper than that", strings.Repeat("\x91", 1001) + "\x01", codec.Limits{Depth: 1 << 30}, "deeper than 1000 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := codec.Check([]byte(c.doc), c.limits)
			if c.text != "" {
				wantRefused(t, err, posthaste.TooLarge, c.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// Every prefix of a document is refused, and so is the document with a byte
// more: no boundary is missed.
func TestCheckPrefixes(t *testing.T) {
	o := sampleOrder()
	doc, err := codec.NewMsgpack(codec.Limits{}).Append(nil, &o)
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc {
		if codec.Check(doc[:n], codec.Limits{}) == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(doc))
		}
	}
	if codec.Check(append(doc, 0xc0), codec.Limits{}) == nil {
		t.Error("accepted a byte too many")
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	o := sampleOrder()
	doc, err := codec.NewMsgpack(codec.Limits{}).Append(nil, &o)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		if err := codec.Check(doc, codec.Limits{}); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}
