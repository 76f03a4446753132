package wire_test

import (
	"bytes"
	"flag"
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-go/posthaste/wire"
)

var update = flag.Bool("update", false, "rewrite the vectors in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decode parses one whole frame as a receiver would and appends what it read
// again. It is the one interpreter that vectors, truncation, properties and fuzz
// targets share.
func decode(frame []byte) (value any, again []byte, err error) {
	h, payload, rest, ok := wire.Cut(frame)
	if !ok || len(rest) != 0 {
		return nil, nil, fmt.Errorf("not one whole frame: % x", frame)
	}
	if err := h.Check(); err != nil {
		return nil, nil, err
	}
	switch h.Kind {
	case wire.KindTell, wire.KindAsk, wire.KindOpen:
		return decodeRequest(h, payload)
	case wire.KindReply:
		var r wire.Reply
		if err := r.Parse(h, payload); err != nil {
			return nil, nil, err
		}
		again, err = wire.AppendReply(nil, h, &r, len(r.Body))
		return r, append(again, r.Body...), err
	case wire.KindData:
		var d wire.Data
		if err := d.Parse(h, payload); err != nil {
			return nil, nil, err
		}
		again, err = wire.AppendData(nil, h, &d, len(d.Body))
		return d, append(again, d.Body...), err
	case wire.KindExt:
		var e wire.Ext
		if err := e.Parse(h, payload); err != nil {
			return nil, nil, err
		}
		again, err = wire.AppendExt(nil, h, &e, len(e.Body))
		return e, append(again, e.Body...), err
	}
	value, again, err = decodeFixed(h, payload)
	if err == nil {
		again[0] = frame[0] // these appenders choose priority and codec
	}
	return value, again, err
}

func decodeRequest(h wire.Header, payload []byte) (value any, again []byte, err error) {
	var r wire.Request
	if err := r.Parse(h, payload); err != nil {
		return nil, nil, err
	}
	if again, err = wire.AppendRequest(nil, h, &r, len(r.Body)); err != nil {
		return nil, nil, fmt.Errorf("cannot append what was parsed: %v", err)
	}
	if n := len(again) - wire.HeaderLen; n != r.PrefixLen(h.Kind) {
		return nil, nil, fmt.Errorf("PrefixLen is %d, but the prefix has %d bytes", r.PrefixLen(h.Kind), n)
	}
	return r, append(again, r.Body...), nil
}

// decodeFixed is decode for the kinds whose appenders make whole frames.
func decodeFixed(h wire.Header, payload []byte) (value any, again []byte, err error) {
	switch h.Kind {
	case wire.KindHello:
		return decodeHello(payload)
	case wire.KindError:
		var f wire.Failure
		err = f.Parse(payload)
		return f, wire.AppendFailure(nil, h.ID, &f), err
	case wire.KindReset:
		code, err := wire.ParseReset(payload)
		return code, wire.AppendReset(nil, h.ID, code), err
	case wire.KindCredit:
		if h.ID == 0 {
			open, err := wire.ParseLimit(payload)
			return open, wire.AppendLimit(nil, open), err
		}
		var c wire.Credit
		err = c.Parse(payload)
		return c, wire.AppendCredit(nil, h.ID, c), err
	case wire.KindPing:
		opaque, err := wire.ParsePing(payload)
		return opaque, wire.AppendPing(nil, opaque), err
	case wire.KindPong:
		var p wire.Pong
		err = p.Parse(payload)
		return p, wire.AppendPong(nil, &p), err
	case wire.KindGoAway:
		var g wire.GoAway
		err = g.Parse(payload)
		return g, wire.AppendGoAway(nil, &g), err
	case wire.KindBatch:
		p, err := wire.ParseBatch(payload)
		if err != nil {
			return nil, nil, err
		}
		again, err = wire.AppendBatch(nil, &p, len(p.Body))
		return p, append(again, p.Body...), err
	}
	return decodeControl(payload)
}

func decodeHello(payload []byte) (value any, again []byte, err error) {
	var h, back wire.Hello
	if err := h.Parse(payload); err != nil {
		return nil, nil, err
	}
	if again, err = wire.AppendHello(nil, &h); err != nil {
		return nil, nil, fmt.Errorf("cannot append what was parsed: %v", err)
	}
	if err := back.Parse(again[wire.HeaderLen:]); err != nil || !reflect.DeepEqual(h, back) {
		return nil, nil, fmt.Errorf("second parse: %v, %#v", err, back)
	}
	return h, again, nil
}

func decodeControl(payload []byte) (value any, again []byte, err error) {
	var f wire.ControlFrame
	if err := f.Parse(payload); err != nil {
		return nil, nil, err
	}
	switch f.Sub {
	case wire.SubAck:
		again = wire.AppendAck(nil, f.Ordinal)
	case wire.SubAuth:
		again, err = wire.AppendAuth(nil, string(f.Scheme), f.Token)
	case wire.SubUndefine:
		again = wire.AppendUndefine(nil, f.Route)
	case wire.SubConfig:
		var h wire.Hello
		if err := h.Apply(f.Config); err != nil {
			return nil, nil, err
		}
		again, err = wire.AppendConfig(nil, &h)
	case wire.SubLoad:
		again = wire.AppendLoad(nil, f.Load)
	default:
		again = rawFrame(wire.Header{Kind: wire.KindControl}, string(payload))
	}
	return f, again, err
}

// rawFrame makes a frame of any payload, lawful or not.
func rawFrame(h wire.Header, payload string) []byte {
	h.Len = len(payload)
	return append(h.Append(nil), payload...)
}

// sameBytes fails unless a parsed frame was appended again byte for byte. HELLO
// and CONFIG may lose fields that say nothing.
func sameBytes(t reporter, frame, again []byte) {
	t.Helper()
	h := wire.ParseHeader(frame)
	lossy := h.Kind == wire.KindHello || h.Kind == wire.KindControl && wire.Sub(frame[wire.HeaderLen]) == wire.SubConfig
	if !lossy && !bytes.Equal(frame, again) {
		t.Fatalf("%v was appended again as other bytes\n was % x\n now % x", h, frame, again)
	}
}

// reporter is what *testing.T, *testing.F and *rapid.T have in common here.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}
