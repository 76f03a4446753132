package codec_test

import (
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

// named is a codec that has only an id and a name.
type named struct {
	codec.Codec
	id   uint8
	name string
}

func (n named) ID() uint8    { return n.id }
func (n named) Name() string { return n.name }

func TestSet(t *testing.T) {
	msgpack, cbor := codec.NewMsgpack(codec.Limits{}), named{id: 16, name: "cbor"}
	set, err := codec.NewSet(codec.Raw{}, msgpack, codec.JSON{}, cbor)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   uint8
		name string
		want codec.Codec
	}{
		{1, "raw", codec.Raw{}},
		{2, "msgpack", msgpack},
		{4, "json", codec.JSON{}},
		{16, "cbor", cbor},
		{0, "", nil},
		{3, "protobuf", nil},
		{255, "Raw", nil},
	} {
		if got := set.ByID(c.id); got != c.want {
			t.Errorf("ByID(%d) = %v, want %v", c.id, got, c.want)
		}
		if got := set.ByName(c.name); got != c.want {
			t.Errorf("ByName(%q) = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEmptySet(t *testing.T) {
	var zero codec.Set
	if zero.ByID(2) != nil || zero.ByName("msgpack") != nil {
		t.Error("the zero Set holds a codec")
	}
	if _, err := codec.NewSet(); err != nil {
		t.Error(err)
	}
}

func TestNewSetRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		codecs []codec.Codec
		text   string
	}{
		{"nil", []codec.Codec{codec.Raw{}, nil}, "codec 2 of 2 is nil"},
		{"same id", []codec.Codec{named{id: 16, name: "a"}, named{id: 16, name: "b"}}, `"a" and "b" have the same id 16`},
		{"same name", []codec.Codec{named{id: 16, name: "a"}, named{id: 17, name: "a"}}, `16 and 17 have the same name "a"`},
		{"twice", []codec.Codec{codec.Raw{}, codec.Raw{}}, "same id 1"},
		{"no name", []codec.Codec{named{id: 16}}, "has no name"},
		{"no id", []codec.Codec{named{name: "a"}}, "id 0, which is reserved; take one from 16 on"},
		{"reserved id", []codec.Codec{named{id: 5, name: "a"}}, "id 5, which is reserved"},
		{"other msgpack", []codec.Codec{named{id: 2, name: "cbor"}}, `codec "cbor" has id 2, which is reserved`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := codec.NewSet(c.codecs...)
			wantRefused(t, err, posthaste.InvalidArgument, c.text)
		})
	}
}
