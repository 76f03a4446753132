package wire_test

import (
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

var (
	askHeader = wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: firstID}
	plainAsk  = wire.Request{Route: 5, Deadline: 10_000}
	fullAsk   = wire.Request{
		Route: 300, Name: []byte("bank/bank.deposit"), Deadline: 10_000, Meta: meta,
		Target: wire.Target{Set: true, Kind: wire.TargetPID, ID: 31, Incarnation: 1 << 40},
	}
	failure = wire.Failure{Code: posthaste.Overloaded, Status: posthaste.StatusNotExecuted, Retry: posthaste.RetryAfter, RetryAfter: 5 * time.Millisecond, Message: []byte("queue is full")}
)

// TestNoAllocations holds parsers and appenders to guarantee 2.
func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, 4096)
	var p parsed
	for _, v := range vectors() {
		h, payload, _, _ := wire.Cut(v.frame)
		if h.Kind == wire.KindHello || v.name == "checksum" {
			continue
		}
		allocs := testing.AllocsPerRun(100, func() {
			if err := h.Check(); err != nil {
				t.Error(err)
			}
			if err := p.again(buf, h, payload); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s costs %v allocations", v.name, allocs)
		}
	}
}

// parsed has room for what comes out of any frame but HELLO.
type parsed struct {
	request wire.Request
	reply   wire.Reply
	data    wire.Data
	failure wire.Failure
	credit  wire.Credit
	pong    wire.Pong
	goAway  wire.GoAway
	control wire.ControlFrame
	ext     wire.Ext
}

// again parses a payload and appends it to buf.
func (p *parsed) again(buf []byte, h wire.Header, payload []byte) (err error) {
	switch h.Kind {
	case wire.KindTell, wire.KindAsk, wire.KindOpen:
		err = p.request.Parse(h, payload)
		_, _ = wire.AppendRequest(buf, h, &p.request, len(p.request.Body))
	case wire.KindReply:
		err = p.reply.Parse(h, payload)
		_, _ = wire.AppendReply(buf, h, &p.reply, len(p.reply.Body))
	case wire.KindData:
		err = p.data.Parse(h, payload)
		_, _ = wire.AppendData(buf, h, &p.data, len(p.data.Body))
	case wire.KindError:
		err = p.failure.Parse(payload)
		_ = wire.AppendFailure(buf, h.ID, &p.failure)
	case wire.KindGoAway:
		err = p.goAway.Parse(payload)
		_ = wire.AppendGoAway(buf, &p.goAway)
	case wire.KindPong:
		err = p.pong.Parse(payload)
		_ = wire.AppendPong(buf, &p.pong)
	case wire.KindControl:
		err = p.control.Parse(payload)
		_ = wire.AppendLoad(wire.AppendUndefine(wire.AppendAck(buf, p.control.Ordinal), 1), p.control.Load)
	case wire.KindExt:
		err = p.ext.Parse(h, payload)
		_, _ = wire.AppendExt(buf, h, &p.ext, len(p.ext.Body))
	default:
		err = p.againSmall(buf, h, payload)
	}
	return err
}

func (p *parsed) againSmall(buf []byte, h wire.Header, payload []byte) error {
	switch {
	case h.Kind == wire.KindBatch:
		k, err := wire.ParseBatch(payload)
		_, _ = wire.AppendBatch(buf, &k, len(k.Body))
		return err
	case h.Kind == wire.KindPing:
		opaque, err := wire.ParsePing(payload)
		_ = wire.AppendPing(buf, opaque)
		return err
	case h.Kind == wire.KindReset:
		code, err := wire.ParseReset(payload)
		_ = wire.AppendReset(buf, h.ID, code)
		return err
	case h.ID == 0:
		open, err := wire.ParseLimit(payload)
		_ = wire.AppendLimit(buf, open)
		return err
	}
	err := p.credit.Parse(payload)
	_ = wire.AppendCredit(buf, h.ID, p.credit)
	return err
}

func BenchmarkHeader(b *testing.B) {
	buf := askHeader.Append(nil)
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			askHeader.Put(buf)
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			_ = wire.ParseHeader(buf)
		}
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			_ = askHeader.Check()
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name string
		r    wire.Request
	}{{"plain", plainAsk}, {"full", fullAsk}} {
		buf := make([]byte, 0, 4096)
		b.Run("append/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = wire.AppendRequest(buf[:0], askHeader, &c.r, 64)
			}
		})
		frame := request(askHeader, c.r, body64)
		b.Run("parse/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r wire.Request
			for b.Loop() {
				h, payload, _, _ := wire.Cut(frame)
				if err := r.Parse(h, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReply(b *testing.B) {
	buf := make([]byte, 0, 4096)
	r := wire.Reply{HasLoad: true, Load: 3}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = wire.AppendReply(buf[:0], askHeader, &r, 64)
		}
	})
	frame := reply(askHeader, r, body64)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h, payload, _, _ := wire.Cut(frame)
			if err := r.Parse(h, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFailure(b *testing.B) {
	buf := make([]byte, 0, 4096)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = wire.AppendFailure(buf[:0], firstID, &failure)
		}
	})
	frame := wire.AppendFailure(nil, firstID, &failure)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		var f wire.Failure
		for b.Loop() {
			if err := f.Parse(frame[wire.HeaderLen:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHello(b *testing.B) {
	frame := fullHelloFrame()
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(wire.AppendHello(nil, &fullHello))
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		var h wire.Hello
		for b.Loop() {
			if err := h.Parse(frame[wire.HeaderLen:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkChecksum1K(b *testing.B) {
	frame := request(askHeader, plainAsk, make([]byte, 1024))
	frame = must(wire.AppendChecksum(frame, 0))
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if _, _, err := wire.VerifyChecksum(frame); err != nil {
			b.Fatal(err)
		}
	}
}
