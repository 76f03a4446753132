package wire_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste/wire"
)

func TestHeaderBits(t *testing.T) {
	for text, h := range map[string]wire.Header{
		"2410430003000000": {Kind: wire.KindAsk, Priority: wire.Normal, Flags: wire.FlagDeadline, Len: 67, ID: 3},
		"3400400003000000": {Kind: wire.KindReply, Priority: wire.Normal, Len: 64, ID: 3},
		"0d00000000000000": {Kind: wire.KindHello, Priority: wire.Control, Codec: wire.CodecRaw},
		"ffffffffffffffff": {Kind: wire.KindExt, Priority: wire.Control, Codec: wire.CodecMeta, Flags: 0xFF, Len: wire.MaxPayload, ID: 1<<32 - 1},
	} {
		want, _ := hex.DecodeString(text)
		if got := h.Append([]byte("x")); !bytes.Equal(got[1:], want) {
			t.Errorf("%v appended as % x, want % x", h, got[1:], want)
		}
		if got := wire.ParseHeader(want); got != h {
			t.Errorf("% x parsed as %v, want %v", want, got, h)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), wire.HeaderLen, 12).Draw(t, "bytes")
		h := wire.ParseHeader(b)
		var put [wire.HeaderLen]byte
		h.Put(put[:])
		if !bytes.Equal(put[:], b[:wire.HeaderLen]) || !bytes.Equal(h.Append(nil), put[:]) {
			t.Fatalf("% x came back as % x", b[:wire.HeaderLen], put)
		}
	})
}

func TestIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		client := rapid.Bool().Draw(t, "client")
		slot := rapid.Uint32Range(0, wire.MaxSlot).Draw(t, "slot")
		generation := rapid.Uint32().Draw(t, "generation")
		id := wire.MakeID(client, slot, generation)
		if wire.IDFromClient(id) != client || wire.IDSlot(id) != slot || wire.IDGeneration(id) != generation&wire.MaxGeneration {
			t.Fatalf("MakeID(%v, %d, %d) = %#x", client, slot, generation, id)
		}
	})
}

func TestIDLayout(t *testing.T) {
	if id := wire.MakeID(true, 1, 0); id != 3 {
		t.Errorf("first id of the client is %d, want 3", id)
	}
	if id := wire.MakeID(false, 1, 0); id != 2 {
		t.Errorf("first id of the server is %d, want 2", id)
	}
	if a, b := wire.MakeID(true, 7, 0), wire.MakeID(true, 7, wire.MaxGeneration+1); a != b {
		t.Errorf("generation does not wrap: %#x and %#x", a, b)
	}
	if a, b := wire.MakeID(true, 7, 1), wire.MakeID(true, 7|1<<20, 1); a != b {
		t.Errorf("a slot bit spills: %#x and %#x", a, b)
	}
}

func TestCut(t *testing.T) {
	first := request(wire.Header{Kind: wire.KindTell}, wire.Request{Route: 1}, []byte("one"))
	second := wire.AppendPing(nil, 7)
	both := append(bytes.Clone(first), second...)
	h, payload, rest, ok := wire.Cut(both)
	if !ok || h.Kind != wire.KindTell || !bytes.Equal(payload, first[wire.HeaderLen:]) || !bytes.Equal(rest, second) {
		t.Fatalf("first cut: %v % x % x %v", h, payload, rest, ok)
	}
	if cap(payload) != len(payload) {
		t.Error("payload has spare capacity: an append to it would overwrite the next frame")
	}
	h, _, rest, ok = wire.Cut(rest)
	if !ok || h.Kind != wire.KindPing || len(rest) != 0 {
		t.Fatalf("second cut: %v % x %v", h, rest, ok)
	}
	if h, _, rest, ok = wire.Cut(first[:9]); ok || h.Kind != wire.KindTell || len(rest) != 9 {
		t.Errorf("part of a frame: %v % x %v; want its header, all of it, false", h, rest, ok)
	}
	if h, _, _, ok = wire.Cut(first[:7]); ok || h != (wire.Header{}) {
		t.Errorf("part of a header: %v %v", h, ok)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		wire.KindAsk.String():       "ASK",
		wire.Kind(14).String():      "KIND(14)",
		wire.Kind(200).String():     "KIND(200)",
		wire.High.String():          "high",
		wire.SubUndefine.String():   "UNDEFINE",
		wire.Sub(9).String():        "SUB(9)",
		wire.PhaseStop.String():     "stop",
		wire.PhaseFinal.String():    "final",
		wire.Header{ID: 3}.String(): "HELLO bulk codec=0 flags=00000000 len=0 id=3",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestKindOutOfRange: a Kind is a uint8, so a caller can make one that no header
// has room for.
func TestKindOutOfRange(t *testing.T) {
	h := wire.Header{Kind: 18, ID: firstID}
	if h.Check() == nil {
		t.Error("Check accepts kind 18")
	}
	if err := new(wire.Request).Parse(h, []byte{5}); err == nil {
		t.Error("Request.Parse accepts kind 18")
	}
	if _, err := wire.AppendRequest(nil, h, &wire.Request{Route: 1}, 0); err == nil {
		t.Error("AppendRequest accepts kind 18")
	}
}
