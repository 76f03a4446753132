package wire_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

func TestHelloRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHello(t)
		frame, err := wire.AppendHello([]byte("x"), &h)
		if err != nil {
			t.Fatal(err)
		}
		header, payload, rest, ok := wire.Cut(frame[1:])
		if !ok || len(rest) != 0 || !wire.IsMagic(frame[1:]) || header.Check() != nil {
			t.Fatalf("% x is not a HELLO frame", frame)
		}
		var back wire.Hello
		if err := back.Parse(payload); err != nil {
			t.Fatal(err)
		}
		clear(payload) // nothing in back may alias it
		if ep, err := back.Endpoint(); err != nil || ep.String() != h.Advertise {
			t.Fatalf("endpoint is %v, %v; want %q", ep, err, h.Advertise)
		}
		if !reflect.DeepEqual(h, back) {
			t.Fatalf("got %v, want %v", strip(back), strip(h))
		}
	})
}

// strip lets %v show the fields of a Hello.
func strip(h wire.Hello) any {
	type fields wire.Hello
	return fields(h)
}

func drawHello(t *rapid.T) wire.Hello {
	text := rapid.StringN(0, 60, wire.MaxName)
	small := rapid.SliceOfN(rapid.Byte(), 0, 20)
	ms := rapid.Uint32()
	h := wire.Hello{
		MinVersion: 1, MaxVersion: rapid.Uint8Min(1).Draw(t, "max version"), Flags: rapid.Uint16().Draw(t, "flags"),
		Node: text.Draw(t, "node"), Incarnation: rapid.Uint64().Draw(t, "incarnation"), Zone: text.Draw(t, "zone"),
		Advertise:    rapid.SampledFrom([]string{"", "10.0.0.7:7001", "unix:/run/bank.sock", "mem:a"}).Draw(t, "advertise"),
		MaxFrame:     rapid.Uint32Range(wire.MinFrame, wire.MaxPayload).Draw(t, "max frame"),
		MaxMessage:   rapid.Uint64().Draw(t, "max message"),
		Codecs:       none(small.Draw(t, "codecs")),
		Compressors:  none(small.Draw(t, "compressors")),
		Checksum:     rapid.Uint8().Draw(t, "checksum"),
		MaxInFlight:  rapid.Uint32Max(wire.MaxSlot).Draw(t, "in flight"),
		MinPing:      time.Duration(ms.Draw(t, "min ping")) * time.Millisecond,
		Idle:         time.Duration(ms.Draw(t, "idle")) * time.Millisecond,
		Features:     rapid.Uint64().Draw(t, "features"),
		SessionToken: none(small.Draw(t, "session")),
		Epoch:        rapid.Uint64().Draw(t, "epoch"),
		Clock:        rapid.Uint64().Draw(t, "clock"),
	}
	if rapid.Bool().Draw(t, "has credit") {
		h.InitialCredit = drawCredit(t)
	}
	if rapid.Bool().Draw(t, "has auth") {
		h.AuthScheme, h.AuthToken = "bearer", none(small.Draw(t, "token"))
	}
	if labels := rapid.MapOfN(rapid.StringN(1, 8, 32), rapid.StringN(0, 8, 32), 0, 5).Draw(t, "labels"); len(labels) > 0 {
		h.Labels = labels
	}
	return h
}

// none returns nil for an empty slice, as a parser does.
func none(b []byte) []byte { return append([]byte(nil), b...) }

func TestHelloUnknownFieldIgnored(t *testing.T) {
	var h wire.Hello
	payload := preface + field(1, "n") + field(20, "later") + field(1<<40, "much later")
	if err := h.Parse([]byte(payload)); err != nil || h.Node != "n" {
		t.Fatalf("%v, %v", strip(h), err)
	}
}

func TestHelloZeroMeansVersion(t *testing.T) {
	var h wire.Hello
	if err := h.Parse(must(wire.AppendHello(nil, &wire.Hello{}))[wire.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	if h.MinVersion != wire.Version || h.MaxVersion != wire.Version {
		t.Errorf("versions %d to %d, want %d", h.MinVersion, h.MaxVersion, wire.Version)
	}
}

func TestHelloRefusedBySender(t *testing.T) {
	for name, h := range map[string]wire.Hello{
		"max frame is 1;":               {MaxFrame: 1},
		"HELLO versions are 3 to 1":     {MinVersion: 3},
		"which is no endpoint":          {Advertise: "nowhere"},
		"label key is empty":            {Labels: map[string]string{"": "x"}},
		"zone has 300 bytes":            {Zone: strings.Repeat("z", 300)},
		"the limit is 4096":             {AuthScheme: "bearer", AuthToken: make([]byte, 4096)},
		"node \"\\xff\" is not UTF-8":   {Node: "\xff"},
		"max in flight is 600000; the ": {MaxInFlight: 600_000},
	} {
		out, err := wire.AppendHello([]byte("kept"), &h)
		if string(out) != "kept" {
			t.Errorf("%s: dst became %q", name, out)
		}
		code := posthaste.CodeOf(err)
		if code != posthaste.InvalidArgument && code != posthaste.TooLarge || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHelloHidesTokens(t *testing.T) {
	h := fullHello
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("hello", "value", h, "pointer", &h)
	f := wire.ControlFrame{Sub: wire.SubAuth, Token: []byte("s3cret")}
	seen := log.String() + fmt.Sprintf("%v %+v %#v %s %v %v %+v %#v", h, h, h, h, &h, f, f, f)
	for _, secret := range []string{"s3cret", fmt.Sprint([]byte("s3cret")), "czNjcmV0", "0x73, 0x33"} {
		if strings.Contains(seen, secret) {
			t.Errorf("a token shows in %s", seen)
		}
	}
	if !strings.Contains(seen, "bank-7") {
		t.Errorf("the node does not show in %s", seen)
	}
}

func TestConfigApply(t *testing.T) {
	h := wire.Hello{Node: "n", Labels: map[string]string{"a": "1"}, Epoch: 1, Clock: 5}
	var f wire.ControlFrame
	frame := must(wire.AppendConfig(nil, &wire.Hello{Node: "other", Labels: map[string]string{"b": "2"}, Epoch: 2}))
	if err := f.Parse(frame[wire.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(f.Config); err != nil {
		t.Fatal(err)
	}
	want := wire.Hello{Node: "n", Labels: map[string]string{"b": "2"}, Epoch: 2, Clock: 5}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", strip(h), strip(want))
	}
	if err := h.Apply([]byte(field(1, "thief"))); err != nil || h.Node != "n" {
		t.Errorf("a field that may not change did: %q, %v", h.Node, err)
	}
	if err := h.Apply([]byte(field(18, "\x09") + field(18, "\x0a"))); err == nil || h.Epoch != 2 {
		t.Errorf("a refused CONFIG changed the epoch to %d, %v", h.Epoch, err)
	}
}

func TestIsMagic(t *testing.T) {
	frame := must(wire.AppendHello(nil, &fullHello))
	for n := 1; n <= len(frame); n++ {
		if !wire.IsMagic(frame[:n]) {
			t.Fatalf("the first %d bytes of HELLO are not magic", n)
		}
	}
	for i := range wire.MagicLen {
		wrong := bytes.Clone(frame)
		wrong[i] ^= 1
		if length := i == 2 || i == 3; wire.IsMagic(wrong) != length {
			t.Errorf("byte %d wrong: IsMagic is %v", i, !length)
		}
	}
	if wire.IsMagic(nil) {
		t.Error("nothing is magic")
	}
}

func TestSniff(t *testing.T) {
	for first, want := range map[string]string{
		"":                                 "unknown",
		"\x0d":                             "posthaste",
		"\x16":                             "TLS",
		"\x16\x03\x01\x02\x00":             "TLS",
		"\x16\x04":                         "unknown",
		"G":                                "HTTP",
		"GET / HTTP/1.1\r\n":               "HTTP",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "HTTP",
		"HTTP/1.1 400 Bad Request\r\n":     "HTTP",
		"SSH-2.0-OpenSSH_9.6":              "unknown",
		"*1\r\n$4\r\nPING\r\n":             "unknown",
		"\x0d\x00\x08\x00\x00\x00\x00\x00\x8aRTX": "unknown",
	} {
		if got := wire.Sniff([]byte(first)); got != want {
			t.Errorf("Sniff(%q) = %q, want %q", first, got, want)
		}
	}
}
