package wire_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// refusedAppend is something that an appender does not write.
type refusedAppend struct {
	name string
	make func(dst []byte) ([]byte, error)
	code posthaste.Code
	text string // part of the error
}

// TestAppendRefuses goes through what appenders do not write, and checks that
// they give the buffer back as it was.
func TestAppendRefuses(t *testing.T) {
	for _, c := range append(refusedRequests(), refusedOthers()...) {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.make([]byte("kept"))
			if string(got) != "kept" {
				t.Errorf("dst became %q", got)
			}
			if posthaste.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.code, c.text)
			}
		})
	}
}

var big = make([]byte, wire.MaxPayload+1)

func refusedRequests() []refusedAppend {
	ask := wire.Header{Kind: wire.KindAsk, ID: firstID}
	return []refusedAppend{
		{"NotARequest", asRequest(wire.Header{Kind: wire.KindReply}, wire.Request{Route: 1}, 0), posthaste.InvalidArgument, "not REPLY"},
		{"RouteOverLimit", asRequest(ask, wire.Request{Route: wire.MaxRoutes}, 0), posthaste.InvalidArgument, "route is 16384; the limit is 16383"},
		{"RouteZero", asRequest(ask, wire.Request{}, 0), posthaste.InvalidArgument, "route 0 needs a name"},
		{"OversizedName", asRequest(ask, wire.Request{Name: big[:256]}, 0), posthaste.TooLarge, "has 256 bytes; the limit is 255"},
		{"NameWithSpace", asRequest(ask, wire.Request{Name: []byte("a b/c")}, 0), posthaste.InvalidArgument, "has ' ' at byte 1"},
		{"OversizedMeta", asRequest(ask, wire.Request{Route: 1, Meta: big}, 0), posthaste.TooLarge, "metadata has 65536 bytes"},
		{"TargetKeyEmpty", asRequest(ask, wire.Request{Route: 1, Target: wire.Target{Set: true}}, 0), posthaste.InvalidArgument, "key is empty"},
		{"OversizedTargetKey", asRequest(ask, wire.Request{Route: 1, Target: wire.Target{Set: true, Key: big[:256]}}, 0), posthaste.TooLarge, "key has 256"},
		{"TargetPIDZero", asRequest(ask, wire.Request{Route: 1, Target: wire.Target{Set: true, Kind: wire.TargetPID}}, 0), posthaste.InvalidArgument, "pid is 0"},
		{"TargetNameEmpty", asRequest(ask, wire.Request{Route: 1, Target: wire.Target{Set: true, Kind: wire.TargetName}}, 0), posthaste.InvalidArgument, "name is empty"},
		{"TargetKindUnknown", asRequest(ask, wire.Request{Route: 1, Target: wire.Target{Set: true, Kind: 3}}, 0), posthaste.InvalidArgument, "kind is 3"},
		{"FrameTooLong", asRequest(ask, wire.Request{Route: 1}, wire.MaxPayload), posthaste.TooLarge, "needs 1 bytes before its body of 65535"},
		{"BodyNegative", asRequest(ask, wire.Request{Route: 1}, -1), posthaste.TooLarge, "body of -1"},
		{"BodyHuge", asRequest(ask, wire.Request{Route: 1}, math.MaxInt), posthaste.TooLarge, "the limit of a frame"},
		{"TotalBelowBody", asRequest(ask, wire.Request{Route: 1, More: true, Total: 5}, 6), posthaste.InvalidArgument, "total is 5"},
		{"EndOnAsk", asRequest(wire.Header{Kind: wire.KindAsk, Flags: wire.FlagEnd}, wire.Request{Route: 1}, 0), posthaste.InvalidArgument, "ASK has flags 00000010"},
	}
}

func refusedOthers() []refusedAppend {
	return []refusedAppend{
		{"ReplyMeta", asReply(wire.Header{}, wire.Reply{Meta: big}, 0), posthaste.TooLarge, "metadata has 65536"},
		{"ReplyEnd", asReply(wire.Header{Flags: wire.FlagEnd}, wire.Reply{}, 0), posthaste.InvalidArgument, "REPLY has flags"},
		{"ReplyTooLong", asReply(wire.Header{}, wire.Reply{HasLoad: true}, wire.MaxPayload), posthaste.TooLarge, "REPLY needs 1 bytes"},
		{"DataEndWithMore", asData(wire.Header{}, wire.Data{End: true, More: true}, 0), posthaste.InvalidArgument, "END with MORE"},
		{"DataTooLong", asData(wire.Header{}, wire.Data{}, wire.MaxPayload+1), posthaste.TooLarge, "DATA needs 0 bytes"},
		{"BatchRaw", func(dst []byte) ([]byte, error) {
			return wire.AppendBatch(dst, &wire.Packed{Compressor: 1, Raw: wire.MaxBatch + 1}, 1)
		}, posthaste.TooLarge, "raw length is 262145"},
		{"BatchStored", func(dst []byte) ([]byte, error) { return wire.AppendBatch(dst, &wire.Packed{Raw: 2}, 1) }, posthaste.InvalidArgument, "1 bytes are stored"},
		{"AuthScheme", func(dst []byte) ([]byte, error) { return wire.AppendAuth(dst, "", nil) }, posthaste.InvalidArgument, "needs a scheme"},
		{"AuthLongScheme", func(dst []byte) ([]byte, error) { return wire.AppendAuth(dst, strings.Repeat("s", 256), nil) }, posthaste.TooLarge, "scheme has 256"},
		{"AuthToken", func(dst []byte) ([]byte, error) { return wire.AppendAuth(dst, "b", big) }, posthaste.TooLarge, "token has 65536"},
		{"ConfigLabel", func(dst []byte) ([]byte, error) {
			return wire.AppendConfig(dst, &wire.Hello{Labels: map[string]string{"": ""}})
		}, posthaste.InvalidArgument, "label key is empty"},
		{"ConfigTooLong", func(dst []byte) ([]byte, error) {
			return wire.AppendConfig(dst, &wire.Hello{Labels: map[string]string{"k": strings.Repeat("v", 5000)}})
		}, posthaste.TooLarge, "CONFIG has"},
		{"ExtTooLong", func(dst []byte) ([]byte, error) {
			return wire.AppendExt(dst, wire.Header{}, &wire.Ext{}, wire.MaxPayload)
		}, posthaste.TooLarge, "EXT needs 2 bytes"},
		{"ChecksumTooLong", func(dst []byte) ([]byte, error) {
			frame := append(dst, rawFrame(wire.Header{}, string(big[:wire.MaxPayload-3]))...)
			got, err := wire.AppendChecksum(frame, len(dst))
			return got[:len(got)-(len(frame)-len(dst))], err
		}, posthaste.TooLarge, "65536 bytes with its checksum"},
	}
}

func asRequest(h wire.Header, r wire.Request, body int) func([]byte) ([]byte, error) {
	return func(dst []byte) ([]byte, error) { return wire.AppendRequest(dst, h, &r, body) }
}

func asReply(h wire.Header, r wire.Reply, body int) func([]byte) ([]byte, error) {
	return func(dst []byte) ([]byte, error) { return wire.AppendReply(dst, h, &r, body) }
}

func asData(h wire.Header, d wire.Data, body int) func([]byte) ([]byte, error) {
	return func(dst []byte) ([]byte, error) { return wire.AppendData(dst, h, &d, body) }
}

// TestAppendFlags: the caller's END, COMPRESSED, MORE and IDEMPOTENT stay, and
// flags for fields that are not set go, so that the frame always parses.
func TestAppendFlags(t *testing.T) {
	h := wire.Header{Kind: wire.KindAsk, ID: firstID, Flags: 0xFF &^ wire.FlagEnd}
	frame := request(h, wire.Request{Route: 1}, nil)
	if got, want := wire.ParseHeader(frame).Flags, wire.FlagMore|wire.FlagCompressed|wire.FlagIdempotent; got != want {
		t.Errorf("flags %08b, want %08b", got, want)
	}
	checkFrame(t, frame)
}

func TestLimitClamped(t *testing.T) {
	open, err := wire.ParseLimit(wire.AppendLimit(nil, math.MaxUint32)[wire.HeaderLen:])
	if err != nil || open != wire.MaxSlot {
		t.Errorf("got %d, %v", open, err)
	}
}

func TestDeadlineUnits(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-time.Second: 1, 0: 1, 1: 1, 100 * time.Microsecond: 1, 100*time.Microsecond + 1: 2,
		time.Second: 10_000, math.MaxInt64: math.MaxUint32,
	} {
		if got := wire.DeadlineUnits(d); got != want {
			t.Errorf("DeadlineUnits(%v) = %d, want %d", d, got, want)
		}
	}
	if d := wire.DeadlineDuration(10_000); d != time.Second {
		t.Errorf("10000 units are %v", d)
	}
	if d := wire.DeadlineDuration(math.MaxUint32); d < 4*24*time.Hour {
		t.Errorf("the longest deadline is %v", d)
	}
}

func TestSplitRoute(t *testing.T) {
	for name, want := range map[string][2]string{
		"bank/bank.deposit": {"bank", "bank.deposit"},
		"/bank.deposit":     {"", "bank.deposit"},
		"eu/bank/deposit":   {"eu/bank", "deposit"},
	} {
		service, method, ok := wire.SplitRoute([]byte(name))
		if !ok || string(service) != want[0] || string(method) != want[1] {
			t.Errorf("%q split into %q and %q, %v", name, service, method, ok)
		}
	}
	for _, name := range []string{"", "/", "bank", "bank/"} {
		if _, _, ok := wire.SplitRoute([]byte(name)); ok {
			t.Errorf("%q was split", name)
		}
	}
}

// TestParseAliases: parsed slices are the payload's own bytes, without spare
// capacity.
func TestParseAliases(t *testing.T) {
	frame := request(wire.Header{Kind: wire.KindAsk, ID: firstID},
		wire.Request{Route: 1, Name: []byte("a/b"), Meta: []byte{0x80}}, []byte("body"))
	h, payload, _, _ := wire.Cut(frame)
	var r wire.Request
	if err := r.Parse(h, payload); err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{r.Name, r.Meta, r.Body} {
		if cap(s) != len(s) {
			t.Errorf("%q has capacity %d", s, cap(s))
		}
	}
	clear(frame)
	if !bytes.Equal(r.Body, make([]byte, 4)) || !bytes.Equal(r.Name, make([]byte, 3)) {
		t.Error("the request has a copy; it should alias the payload")
	}
}

// TestPackedInflates: a vector's compressed bytes are what SPEC.md says they are.
func TestPackedInflates(t *testing.T) {
	for _, v := range vectors() {
		if v.name != "data-compressed" {
			continue
		}
		var p wire.Packed
		if err := p.Parse(v.frame[wire.HeaderLen:], 4); err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(p.Body)), int64(p.Raw)+1))
		if err != nil || string(raw) != "abcd" || uint64(len(raw)) != p.Raw {
			t.Errorf("inflated to %q, %v", raw, err)
		}
		if err := p.Parse(v.frame[wire.HeaderLen:], 3); posthaste.CodeOf(err) != posthaste.TooLarge {
			t.Errorf("a message over the limit: %v", err)
		}
	}
}

func TestChecksum(t *testing.T) {
	start := []byte("before")
	frame := must(wire.AppendChecksum(append(start, wire.AppendPing(nil, 7)...), len(start)))[len(start):]
	h, payload, err := wire.VerifyChecksum(frame)
	if err != nil || h.Len != 8 || len(payload) != 8 || cap(payload) != 8 {
		t.Fatalf("%v, %d bytes, %v", h, len(payload), err)
	}
	for i := range frame {
		damaged := bytes.Clone(frame)
		damaged[i] ^= 0x10
		_, _, err := wire.VerifyChecksum(damaged)
		want := posthaste.BadChecksum
		if i == 2 || i == 3 { // the length: the frame is not whole any more
			want = posthaste.Protocol
		}
		if posthaste.CodeOf(err) != want {
			t.Errorf("byte %d damaged: %v", i, err)
		}
	}
	if _, _, err := wire.VerifyChecksum(rawFrame(wire.Header{}, "abc")); posthaste.CodeOf(err) != posthaste.Protocol {
		t.Errorf("a frame of 3 bytes: %v", err)
	}
}
