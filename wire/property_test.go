package wire_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// Each property draws a value, appends it behind some other bytes, cuts the
// frame off, parses it and expects the value back.

func TestRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := wire.Header{
			Kind:     rapid.SampledFrom([]wire.Kind{wire.KindTell, wire.KindAsk, wire.KindOpen}).Draw(t, "kind"),
			Priority: wire.Priority(rapid.IntRange(0, 3).Draw(t, "priority")),
			Codec:    rapid.Uint8Max(3).Draw(t, "codec"),
			Flags:    maybe(rapid.Bool().Draw(t, "compressed"), wire.FlagCompressed),
			ID:       rapid.Uint32().Draw(t, "id"),
		}
		body := draw(t, "body", 200)
		r := drawRequest(t, h.Kind, len(body))
		got, payload := cut(t, h.Kind, func(dst []byte) ([]byte, error) { return wire.AppendRequest(dst, h, &r, len(body)) }, body)
		if got.Priority != h.Priority || got.Codec != h.Codec || got.ID != h.ID || got.Flags&wire.FlagCompressed != h.Flags {
			t.Fatalf("header %v came back as %v", h, got)
		}
		if n := r.PrefixLen(h.Kind); n != len(payload)-len(body) {
			t.Fatalf("PrefixLen is %d, but the prefix has %d bytes", n, len(payload)-len(body))
		}
		var back wire.Request
		if err := back.Parse(got, payload); err != nil {
			t.Fatal(err)
		}
		r.Body = body
		same(t, r, back)
	})
}

func drawRequest(t *rapid.T, k wire.Kind, body int) wire.Request {
	r := wire.Request{
		Route:      rapid.Uint32Range(1, wire.MaxRoutes-1).Draw(t, "route"),
		Deadline:   rapid.Uint32().Draw(t, "deadline"),
		Idempotent: rapid.Bool().Draw(t, "idempotent"),
		Meta:       draw(t, "meta", 300),
		Target:     drawTarget(t),
	}
	if rapid.Bool().Draw(t, "define") {
		r.Name = drawName(t, "name")
		r.Route = rapid.Uint32Max(wire.MaxRoutes-1).Draw(t, "route or inline")
	}
	r.More, r.Total = drawTotal(t, body)
	if k == wire.KindOpen {
		r.Credit = drawCredit(t)
	}
	return r
}

func drawTarget(t *rapid.T) wire.Target {
	switch rapid.IntRange(0, 3).Draw(t, "target") {
	case 0:
		return wire.Target{Set: true, Kind: wire.TargetKey, Key: rapid.SliceOfN(rapid.Byte(), 1, wire.MaxName).Draw(t, "key")}
	case 1:
		return wire.Target{Set: true, Kind: wire.TargetPID, ID: rapid.Uint64Min(1).Draw(t, "pid"), Incarnation: rapid.Uint64().Draw(t, "incarnation")}
	case 2:
		return wire.Target{Set: true, Kind: wire.TargetName, Name: drawName(t, "actor")}
	}
	return wire.Target{}
}

func TestReplyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := draw(t, "body", 200)
		r := wire.Reply{HasLoad: rapid.Bool().Draw(t, "has load"), Meta: draw(t, "meta", 300)}
		if r.HasLoad {
			r.Load = rapid.Byte().Draw(t, "load")
		}
		r.More, r.Total = drawTotal(t, len(body))
		h, payload := cut(t, wire.KindReply, func(dst []byte) ([]byte, error) {
			return wire.AppendReply(dst, wire.Header{ID: firstID}, &r, len(body))
		}, body)
		if n := r.PrefixLen(); n != len(payload)-len(body) {
			t.Fatalf("PrefixLen is %d, but the prefix has %d bytes", n, len(payload)-len(body))
		}
		var back wire.Reply
		if err := back.Parse(h, payload); err != nil {
			t.Fatal(err)
		}
		r.Body = body
		same(t, r, back)
	})
}

func TestDataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := draw(t, "body", 200)
		d := wire.Data{HasCredit: rapid.Bool().Draw(t, "has credit"), HasLoad: rapid.Bool().Draw(t, "has load")}
		if d.HasCredit {
			d.Credit = drawCredit(t)
		}
		if d.HasLoad {
			d.Load = rapid.Byte().Draw(t, "load")
		}
		d.More, d.Total = drawTotal(t, len(body))
		if d.First = d.More && rapid.Bool().Draw(t, "first"); !d.First {
			d.Total = 0
		}
		d.End = !d.More && rapid.Bool().Draw(t, "end")
		h, payload := cut(t, wire.KindData, func(dst []byte) ([]byte, error) {
			return wire.AppendData(dst, wire.Header{ID: firstID}, &d, len(body))
		}, body)
		if n := d.PrefixLen(); n != len(payload)-len(body) {
			t.Fatalf("PrefixLen is %d, but the prefix has %d bytes", n, len(payload)-len(body))
		}
		var back wire.Data
		if err := back.Parse(h, payload); err != nil {
			t.Fatal(err)
		}
		d.Body = body
		same(t, d, back)
	})
}

func TestFailureRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := wire.Failure{
			Code:    posthaste.Code(rapid.Uint32Min(1).Draw(t, "code")),
			Status:  posthaste.Status(rapid.Uint8Max(2).Draw(t, "status")),
			Retry:   posthaste.RetryHint(rapid.Uint8Max(3).Draw(t, "retry")),
			Message: draw(t, "message", 500),
			Details: draw(t, "details", 500),
		}
		if f.Retry == posthaste.RetryAfter {
			f.RetryAfter = time.Duration(rapid.Uint32().Draw(t, "ms")) * time.Millisecond
		}
		h, payload := cut(t, wire.KindError, func(dst []byte) ([]byte, error) { return wire.AppendFailure(dst, 7, &f), nil }, nil)
		var back wire.Failure
		if err := back.Parse(payload); err != nil || h.ID != 7 {
			t.Fatal(h, err)
		}
		same(t, f, back)
	})
}

func TestConnectionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := wire.Load{
			QueueDelay: time.Duration(rapid.Uint32().Draw(t, "µs")) * time.Microsecond,
			CPU:        rapid.Byte().Draw(t, "cpu"),
			Conns:      rapid.Uint32().Draw(t, "conns"),
		}
		p := wire.Pong{Opaque: rapid.Uint64().Draw(t, "opaque"), Load: load, Accepted: rapid.Uint64().Draw(t, "accepted")}
		g := wire.GoAway{
			Phase:     rapid.SampledFrom([]wire.Phase{wire.PhaseStop, wire.PhaseFinal}).Draw(t, "phase"),
			Code:      posthaste.Code(rapid.Uint32().Draw(t, "code")),
			Accepted:  rapid.Uint64().Draw(t, "cut"),
			Message:   draw(t, "message", 300),
			Successor: draw(t, "successor", wire.MaxName),
		}
		var backP wire.Pong
		var backG wire.GoAway
		var backF wire.ControlFrame
		errP := backP.Parse(wire.AppendPong(nil, &p)[wire.HeaderLen:])
		errG := backG.Parse(wire.AppendGoAway(nil, &g)[wire.HeaderLen:])
		errF := backF.Parse(wire.AppendLoad(nil, load)[wire.HeaderLen:])
		if errP != nil || errG != nil || errF != nil {
			t.Fatal(errP, errG, errF)
		}
		same(t, p, backP)
		same(t, g, backG)
		same(t, load, backF.Load)
	})
}

// TestFrameNeverPanics feeds random payloads of every kind to the parsers.
func TestFrameNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := wire.ParseHeader(rapid.SliceOfN(rapid.Byte(), wire.HeaderLen, wire.HeaderLen).Draw(t, "header"))
		checkFrame(t, rawFrame(h, string(rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "payload"))))
	})
}

// ---- drawing and comparing ----

func draw(t *rapid.T, label string, most int) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, label)
}

func drawName(t *rapid.T, label string) []byte {
	return []byte(rapid.StringMatching(`[A-Za-z0-9._/$-]{1,255}`).Draw(t, label))
}

func drawCredit(t *rapid.T) wire.Credit {
	return wire.Credit{Bytes: rapid.Uint64().Draw(t, "credit bytes"), Messages: rapid.Uint64().Draw(t, "credit messages")}
}

func drawTotal(t *rapid.T, body int) (more bool, total uint64) {
	if !rapid.Bool().Draw(t, "more") {
		return false, 0
	}
	if rapid.Bool().Draw(t, "total known") {
		total = rapid.Uint64Min(uint64(body)).Draw(t, "total")
	}
	return true, total
}

func maybe(on bool, f wire.Flags) wire.Flags {
	if on {
		return f
	}
	return 0
}

// cut appends a frame behind other bytes and cuts it off again.
func cut(t *rapid.T, k wire.Kind, appendTo func([]byte) ([]byte, error), body []byte) (wire.Header, []byte) {
	front := []byte("before")
	frame, err := appendTo(front)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(frame, front) {
		t.Fatalf("the bytes before the frame became %q", frame[:len(front)])
	}
	frame = append(frame[len(front):], body...)
	h, payload, rest, ok := wire.Cut(frame)
	if !ok || len(rest) != 0 || h.Kind != k {
		t.Fatalf("% x is not one %v frame: %v", frame, k, h)
	}
	return h, payload
}

// same compares two values, with an empty slice equal to nil.
func same(t *rapid.T, want, got any) {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		a, b := w.Field(i), g.Field(i)
		if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			t.Fatalf("%s is %v, want %v", w.Type().Field(i).Name, b, a)
		}
	}
}
