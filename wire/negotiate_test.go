package wire_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

func TestNegotiateDefaults(t *testing.T) {
	got, err := wire.Negotiate(&wire.Hello{}, &wire.Hello{})
	want := wire.Agreed{
		Version: 1, Codec: wire.CodecIDMsgpack, Codecs: []uint8{wire.CodecIDMsgpack},
		MaxFrame: wire.DefaultFrame, MaxMessage: wire.DefaultMessage, MaxInFlight: wire.DefaultInFlight,
		Credit: wire.Credit{Bytes: wire.DefaultCreditBytes, Messages: wire.DefaultCreditMessages},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestNegotiateIntersects(t *testing.T) {
	local := wire.Hello{
		MinVersion: 1, MaxVersion: 3, Codecs: []uint8{4, 3, 1}, Compressors: []uint8{3, 2, 1, 0}, Checksum: 1,
		MaxFrame: 32 << 10, MaxMessage: 1 << 20, MaxInFlight: 100, MinPing: time.Second, Idle: time.Minute,
		Features: 0b110, InitialCredit: wire.Credit{Bytes: 1, Messages: 1},
	}
	remote := wire.Hello{
		MinVersion: 2, MaxVersion: 2, Codecs: []uint8{1, 4, 4}, Compressors: []uint8{0, 1, 3}, Checksum: 1,
		MaxFrame: 8 << 10, MinPing: 5 * time.Second, Idle: 30 * time.Second,
		Features: 0b011, InitialCredit: wire.Credit{Bytes: 7, Messages: 8},
	}
	got, err := wire.Negotiate(&local, &remote)
	want := wire.Agreed{
		Version: 2, Codec: 1, Codecs: []uint8{1, 4}, Compressors: []uint8{1, 3}, Checksum: 1,
		MaxFrame: 8 << 10, MaxMessage: 1 << 20, MaxInFlight: 100, Credit: wire.Credit{Bytes: 7, Messages: 8},
		MinPing: 5 * time.Second, Idle: 30 * time.Second, Features: 0b010,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestNegotiateNoCommonVersion(t *testing.T) {
	_, err := wire.Negotiate(&wire.Hello{MinVersion: 1, MaxVersion: 1}, &wire.Hello{MinVersion: 2, MaxVersion: 3})
	if posthaste.CodeOf(err) != posthaste.Protocol || !strings.Contains(err.Error(), "this side speaks 1 to 1, the peer 2 to 3") {
		t.Errorf("got %v", err)
	}
}

func TestNegotiateNoCommonCodec(t *testing.T) {
	_, err := wire.Negotiate(&wire.Hello{}, &wire.Hello{Codecs: []uint8{wire.CodecIDProtobuf, 99}})
	if posthaste.CodeOf(err) != posthaste.Protocol || !strings.Contains(err.Error(), "this side has [msgpack], the peer has [protobuf 99]") {
		t.Errorf("got %v", err)
	}
}

func TestNegotiateChecksumDiffers(t *testing.T) {
	got, err := wire.Negotiate(&wire.Hello{Checksum: 1}, &wire.Hello{})
	if err != nil || got.Checksum != wire.ChecksumNone {
		t.Errorf("got checksum %d, %v", got.Checksum, err)
	}
}

// TestNegotiateSymmetric: both sides come to the same agreement, or both to none.
func TestNegotiateSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawHello(t), drawHello(t)
		ab, errAB := wire.Negotiate(&a, &b)
		ba, errBA := wire.Negotiate(&b, &a)
		ab.Credit, ba.Credit = wire.Credit{}, wire.Credit{}
		if (errAB == nil) != (errBA == nil) || !reflect.DeepEqual(ab, ba) {
			t.Fatalf("%+v, %v\n%+v, %v", ab, errAB, ba, errBA)
		}
	})
}

// TestPingEveryKeepsAlive: whatever the two sides set, pings are sent often
// enough not to be taken for dead and seldom enough not to be taken for a flood.
func TestPingEveryKeepsAlive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawHello(t), drawHello(t)
		a.Codecs, b.Codecs = nil, nil
		agreed, err := wire.Negotiate(&a, &b)
		if err != nil {
			t.Fatal(err)
		}
		every := agreed.PingEvery(15 * time.Second)
		if every < a.MinPing || every < b.MinPing {
			t.Fatalf("pings every %v, though the sides bear %v and %v", every, a.MinPing, b.MinPing)
		}
		if agreed.Idle > 0 && every > agreed.Idle/2 {
			t.Fatalf("pings every %v, though the connection ends after %v", every, agreed.Idle)
		}
	})
}

func TestPingEvery(t *testing.T) {
	for _, c := range []struct{ want, minPing, idle, every time.Duration }{
		{15, 0, 0, 15},
		{15, 20, 0, 20},
		{15, 1, 10, 5},
		{3, 1, 10, 3},
	} {
		a := wire.Agreed{MinPing: c.minPing, Idle: c.idle}
		if got := a.PingEvery(c.want); got != c.every {
			t.Errorf("PingEvery(%d) with MinPing %d and Idle %d is %d, want %d", c.want, c.minPing, c.idle, got, c.every)
		}
	}
}

func TestCodecField(t *testing.T) {
	a := wire.Agreed{Codec: wire.CodecIDMsgpack}
	for id, want := range map[uint8]uint8{
		wire.CodecIDMsgpack: wire.CodecDefault, wire.CodecIDRaw: wire.CodecRaw,
		wire.CodecIDProtobuf: wire.CodecProtobuf, wire.CodecIDJSON: wire.CodecMeta, 99: wire.CodecMeta,
	} {
		field, meta := a.CodecField(id)
		if field != want || meta != (want == wire.CodecMeta) {
			t.Errorf("codec %d is field %d, %v; want %d", id, field, meta, want)
		}
		if back, ok := a.CodecID(field); ok == meta || ok && back != id {
			t.Errorf("field %d is codec %d, %v; want %d", field, back, ok, id)
		}
	}
}
