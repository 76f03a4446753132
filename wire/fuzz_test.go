package wire_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/posthaste-go/posthaste/wire"
)

// Each target makes frames of its kinds from what the fuzzer offers. A parser
// must refuse a frame with an error of the right code, or accept it and have it
// appended again byte for byte.

func FuzzRequest(f *testing.F) { fuzzKinds(f, wire.KindTell, wire.KindAsk, wire.KindOpen) }
func FuzzReply(f *testing.F)   { fuzzKinds(f, wire.KindReply) }
func FuzzData(f *testing.F)    { fuzzKinds(f, wire.KindData) }
func FuzzFailure(f *testing.F) { fuzzKinds(f, wire.KindError) }
func FuzzHello(f *testing.F)   { fuzzKinds(f, wire.KindHello) }
func FuzzFlow(f *testing.F)    { fuzzKinds(f, wire.KindCredit, wire.KindReset) }
func FuzzPing(f *testing.F)    { fuzzKinds(f, wire.KindPing, wire.KindPong) }
func FuzzGoAway(f *testing.F)  { fuzzKinds(f, wire.KindGoAway) }
func FuzzBatch(f *testing.F)   { fuzzKinds(f, wire.KindBatch) }
func FuzzControl(f *testing.F) { fuzzKinds(f, wire.KindControl) }
func FuzzExt(f *testing.F)     { fuzzKinds(f, wire.KindExt) }

// fuzzKinds fuzzes the frames of the given kinds, starting from their vectors.
func fuzzKinds(f *testing.F, kinds ...wire.Kind) {
	seed := func(frame []byte) {
		if h := wire.ParseHeader(frame); slices.Contains(kinds, h.Kind) {
			f.Add(uint8(slices.Index(kinds, h.Kind)), uint8(h.Flags), h.ID, frame[wire.HeaderLen:])
		}
	}
	for _, v := range vectors() {
		seed(v.frame)
	}
	for _, r := range refusals() {
		seed(r.frame)
	}
	f.Fuzz(func(t *testing.T, kind, flags uint8, id uint32, payload []byte) {
		if len(payload) > wire.MaxPayload {
			return
		}
		h := wire.Header{Kind: kinds[int(kind)%len(kinds)], Flags: wire.Flags(flags), ID: id}
		checkFrame(t, rawFrame(h, string(payload)))
	})
}

func FuzzHeader(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.frame[:wire.HeaderLen])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < wire.HeaderLen {
			return
		}
		h := wire.ParseHeader(b)
		if again := h.Append(nil); !bytes.Equal(again, b[:wire.HeaderLen]) {
			t.Fatalf("% x became % x", b[:wire.HeaderLen], again)
		}
		_ = h.String()
		_ = h.Check()
	})
}

// FuzzCut takes a run of frames apart: nothing is lost and nothing added.
func FuzzCut(f *testing.F) {
	var run []byte
	for _, v := range vectors() {
		run = append(run, v.frame...)
	}
	f.Add(run)
	f.Fuzz(func(t *testing.T, in []byte) {
		var out []byte
		rest := in
		for {
			h, payload, next, ok := wire.Cut(rest)
			if !ok {
				break
			}
			out = append(h.Append(out), payload...)
			rest = next
		}
		if !bytes.Equal(append(out, rest...), in) {
			t.Fatal("cutting a run apart changed it")
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(field(5, block("k")+block("v")) + field(18, "\x01") + field(19, "\x02")))
	f.Fuzz(func(t *testing.T, config []byte) {
		h := fullHello
		if err := h.Apply(config); err != nil {
			if !reflect.DeepEqual(h, fullHello) {
				t.Fatal("a refused CONFIG changed the HELLO")
			}
			return
		}
		h.Labels, h.Epoch, h.Clock = fullHello.Labels, fullHello.Epoch, fullHello.Clock
		if !reflect.DeepEqual(h, fullHello) {
			t.Fatal("a CONFIG changed what may not change")
		}
	})
}

func FuzzPacked(f *testing.F) {
	f.Add([]byte{wire.CompressorDeflate, 0x04, 0x4B}, uint64(100))
	f.Fuzz(func(t *testing.T, message []byte, limit uint64) {
		var p wire.Packed
		if p.Parse(message, limit) != nil {
			return
		}
		if p.Raw > limit {
			t.Fatalf("raw length %d is over %d", p.Raw, limit)
		}
		if again := append(p.Append(nil), p.Body...); !bytes.Equal(again, message) {
			t.Fatalf("% x became % x", message, again)
		}
	})
}

func FuzzChecksum(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, payload, err := wire.VerifyChecksum(frame)
		if err != nil {
			return
		}
		again, err := wire.AppendChecksum(rawFrame(h, string(payload)), 0)
		if err != nil || !bytes.Equal(again, frame) {
			t.Fatalf("% x became % x, %v", frame, again, err)
		}
	})
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1"))
	f.Add(fullHelloFrame())
	f.Fuzz(func(t *testing.T, first []byte) {
		if wire.IsMagic(first) != (wire.Sniff(first) == "posthaste") {
			t.Fatalf("IsMagic and Sniff disagree about % x", first)
		}
	})
}

func fullHelloFrame() []byte { return must(wire.AppendHello(nil, &fullHello)) }

// FuzzNegotiate has any two HELLOs meet.
func FuzzNegotiate(f *testing.F) {
	f.Add(fullHelloFrame()[wire.HeaderLen:], fullHelloFrame()[wire.HeaderLen:])
	f.Add([]byte(preface), fullHelloFrame()[wire.HeaderLen:])
	f.Fuzz(func(t *testing.T, local, remote []byte) {
		var a, b wire.Hello
		if a.Parse(local) != nil || b.Parse(remote) != nil {
			return
		}
		got, err := wire.Negotiate(&a, &b)
		if err != nil {
			return
		}
		if got.MaxFrame < wire.MinFrame || got.MaxFrame > wire.MaxPayload || got.MaxInFlight > wire.MaxSlot ||
			len(got.Codecs) == 0 || got.Version == 0 || got.Idle < 0 {
			t.Fatalf("agreed on %+v", got)
		}
	})
}
