package protobuf_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/posthaste-go/posthaste/codec/protobuf"
)

// fastString is a message with the methods of vtprotobuf, which count their
// calls. Its type is finite.
type fastString struct {
	wrapperspb.StringValue
	sized, marshalled, unmarshalled int
	extra                           int // how far SizeVT is off
}

func (f *fastString) SizeVT() int {
	f.sized++
	return proto.Size(&f.StringValue) + f.extra
}

func (f *fastString) MarshalToSizedBufferVT(b []byte) (int, error) {
	f.marshalled++
	if f.GetValue() == "fail" {
		return 0, errors.New("told to fail")
	}
	encoded, err := proto.Marshal(&f.StringValue)
	return copy(b[len(b)-len(encoded):], encoded), err
}

// UnmarshalVT merges, as generated code does.
func (f *fastString) UnmarshalVT(b []byte) error {
	f.unmarshalled++
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(b, &f.StringValue)
}

// fastStruct is a message of a type that contains itself, whose UnmarshalVT
// must not be trusted with its depth.
type fastStruct struct{ structpb.Struct }

func (*fastStruct) UnmarshalVT([]byte) error { panic("called for a recursive type") }

func TestVTRoundTrip(t *testing.T) {
	sent := new(fastString)
	sent.Value = "hello"
	b, err := protobuf.Codec{}.Append([]byte("kept"), &sent)
	if err != nil || sent.marshalled != 1 {
		t.Fatalf("MarshalToSizedBufferVT was called %d times, error %v", sent.marshalled, err)
	}
	if want := "kept\x0a\x05hello"; string(b) != want {
		t.Fatalf("got %q, want %q", b, want)
	}
	var got *fastString
	if err := (protobuf.Codec{}).Decode(b[4:], &got); err != nil {
		t.Fatal(err)
	}
	if got.unmarshalled != 1 || got.GetValue() != "hello" {
		t.Errorf("UnmarshalVT was called %d times, value %q", got.unmarshalled, got.GetValue())
	}
	if err := (protobuf.Codec{}).Decode(nil, got); err != nil || got.GetValue() != "" {
		t.Errorf("merged into %q instead of replacing it, error %v", got.GetValue(), err)
	}
}

func TestVTAppendFails(t *testing.T) {
	failing, wrong := new(fastString), &fastString{extra: 3}
	failing.Value = "fail"
	for text, m := range map[string]proto.Message{
		"told to fail": failing,
		"it wrote 0 bytes where SizeVT announced 3": wrong,
	} {
		dst, err := protobuf.Codec{}.Append([]byte("kept"), m)
		wantRefused(t, err, text)
		if string(dst) != "kept" {
			t.Errorf("dst became %q", dst)
		}
	}
}

func TestVTDecodeFails(t *testing.T) {
	wantRefused(t, protobuf.Codec{}.Decode([]byte("\x0a\x05ab"), new(fastString)), "decoding protobuf into *protobuf_test.fastString")
}

func TestVTNotForRecursiveTypes(t *testing.T) {
	src, err := proto.Marshal(&structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewBoolValue(true)}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from memory
		m := new(fastStruct)
		if err := (protobuf.Codec{}).Decode(src, m); err != nil {
			t.Fatal(err)
		}
		if !m.GetFields()["a"].GetBoolValue() {
			t.Errorf("got %v", m)
		}
	}
}
