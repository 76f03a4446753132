package protobuf_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/codec/protobuf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRegisters(t *testing.T) {
	set, err := codec.NewSet(codec.NewMsgpack(codec.Limits{}), protobuf.Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if set.ByID(codec.IDProtobuf) != (protobuf.Codec{}) || set.ByName("protobuf") != (protobuf.Codec{}) {
		t.Error("protobuf is not in the set")
	}
}

func wantRefused(t *testing.T, err error, text string) {
	t.Helper()
	if posthaste.CodeOf(err) != posthaste.CodecFailed || !strings.Contains(err.Error(), text) {
		t.Fatalf("got error %v; want CODEC_FAILED with %q", err, text)
	}
}

// The value is a message or a pointer to one, on both sides; a nil message is
// made.
func TestRoundTrip(t *testing.T) {
	want := durationpb.New(1_500_000_000)
	for name, v := range map[string]any{"message": want, "pointer to message": &want} {
		b, err := protobuf.Codec{}.Append([]byte("kept"), v)
		if err != nil || !strings.HasPrefix(string(b), "kept") {
			t.Fatalf("%s: got %q, %v", name, b, err)
		}
		b = b[len("kept"):]
		full, empty := durationpb.New(77), (*durationpb.Duration)(nil)
		for name, into := range map[string]any{"message": full, "pointer to message": &full, "pointer to nil": &empty} {
			if err := (protobuf.Codec{}).Decode(b, into); err != nil {
				t.Errorf("into %s: %v", name, err)
			}
		}
		if !proto.Equal(full, want) || !proto.Equal(empty, want) {
			t.Errorf("%s: got %v and %v, want %v", name, full, empty, want)
		}
	}
}

func TestNilMessage(t *testing.T) {
	var none *wrapperspb.StringValue
	b, err := protobuf.Codec{}.Append(nil, &none)
	if err != nil || len(b) != 0 {
		t.Errorf("got %x, %v", b, err)
	}
	if err := (protobuf.Codec{}).Decode(b, &none); err != nil || none == nil {
		t.Errorf("got %v, %v, want an empty message", none, err)
	}
}

func TestRefusesOtherTypes(t *testing.T) {
	for _, v := range []any{nil, new(int), new(*int), new(any), new(proto.Message), 7, (**int)(nil)} {
		dst, err := protobuf.Codec{}.Append([]byte("kept"), v)
		wantRefused(t, err, "carries generated messages")
		if string(dst) != "kept" {
			t.Errorf("%T: dst became %q", v, dst)
		}
		wantRefused(t, protobuf.Codec{}.Decode(nil, v), "carries generated messages")
	}
}

func TestAppendFails(t *testing.T) {
	dst, err := protobuf.Codec{}.Append([]byte("kept"), wrapperspb.String("\xff"))
	wantRefused(t, err, "encoding *wrapperspb.StringValue as protobuf")
	if string(dst) != "kept" {
		t.Errorf("dst became %q", dst)
	}
}

func TestDecodeFails(t *testing.T) {
	for name, src := range map[string]string{
		"half a tag":     "\x80",
		"half a string":  "\x0a\x05ab",
		"no UTF-8":       "\x0a\x01\xff",
		"huge length":    "\x0a\xff\xff\xff\xff\x0f",
		"field zero":     "\x02\x00",
		"endless varint": "\x08" + strings.Repeat("\xff", 11),
	} {
		t.Run(name, func(t *testing.T) {
			var m *wrapperspb.StringValue
			wantRefused(t, protobuf.Codec{}.Decode([]byte(src), &m), "decoding protobuf into *wrapperspb.StringValue")
			if m != nil {
				t.Errorf("left behind %v", m)
			}
		})
	}
	wantRefused(t, protobuf.Codec{}.Decode([]byte("\x0a\x00"), (*wrapperspb.StringValue)(nil)), "panicked")
}

// nested encodes lists in one another.
func nested(t *testing.T, depth int) []byte {
	t.Helper()
	v := structpb.NewNullValue()
	for range depth {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	b, err := proto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDepth(t *testing.T) {
	var v *structpb.Value
	if err := (protobuf.Codec{}).Decode(nested(t, 49), &v); err != nil { // two messages a level
		t.Error(err)
	}
	wantRefused(t, protobuf.Codec{}.Decode(nested(t, 1000), &v), "recursion")
}

func TestDecodeKeepsNothing(t *testing.T) {
	src, err := proto.Marshal(wrapperspb.Bytes([]byte("body")))
	if err != nil {
		t.Fatal(err)
	}
	var m *wrapperspb.BytesValue
	if err := (protobuf.Codec{}).Decode(src, &m); err != nil {
		t.Fatal(err)
	}
	clear(src)
	if string(m.GetValue()) != "body" {
		t.Errorf("got %q after the input was cleared", m.GetValue())
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	m := wrapperspb.String("hello")
	dst := make([]byte, 0, 64)
	n := testing.AllocsPerRun(100, func() {
		if _, err := (protobuf.Codec{}).Append(dst, &m); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
}

// Whatever the bytes, Decode returns; and what it accepts can be sent on and
// arrives as the same.
func FuzzDecode(f *testing.F) {
	for _, m := range []proto.Message{wrapperspb.String("hello"), structpb.NewNumberValue(3), durationpb.New(5)} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, m := range []proto.Message{new(structpb.Value), new(wrapperspb.StringValue), new(fastString), new(fastStruct)} {
			err := protobuf.Codec{}.Decode(src, m)
			var coded *posthaste.Error
			if err != nil {
				if !errors.As(err, &coded) || coded.Code != posthaste.CodecFailed {
					t.Errorf("%T: error %v is not CODEC_FAILED", m, err)
				}
				continue
			}
			b, err := protobuf.Codec{}.Append(nil, m)
			if err != nil {
				t.Errorf("%T: accepted but not sent on: %v", m, err)
			}
			again := m.ProtoReflect().New().Interface()
			if err := (protobuf.Codec{}).Decode(b, again); err != nil {
				t.Errorf("%T: sent on but not accepted: %v", m, err)
			}
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	m := wrapperspb.String("hello")
	src, err := protobuf.Codec{}.Append(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Append", func(b *testing.B) {
		dst := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (protobuf.Codec{}).Append(dst, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var got *wrapperspb.StringValue
			if err := (protobuf.Codec{}).Decode(src, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
