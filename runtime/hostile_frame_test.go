package runtime_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestRandomBytes sends noise before and after the handshake.
func TestRandomBytes(t *testing.T) {
	x := newVictim(t)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		noise := make([]byte, 256<<10)
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		c := strangerTo(t, x.node)
		c.send(noise)
		c.wantEnd()
		c = rawPeerOf(t, x.node)
		c.send(noise)
		_, payload := c.until(wire.KindGoAway, 0)
		var g wire.GoAway
		if err := g.Parse(payload); err != nil || g.Code != posthaste.Protocol && g.Code != posthaste.TooLarge {
			t.Errorf("seed %d: GOAWAY is %+v, %v", seed, g, err)
		}
		c.Close()
	}
}

// TestWrongMagic connects as something else.
func TestWrongMagic(t *testing.T) {
	x := newVictim(t)
	hello := must(wire.AppendHello(nil, &wire.Hello{}))
	magic := bytes.Clone(hello)
	magic[wire.HeaderLen]++
	old := bytes.Clone(hello)
	old[wire.HeaderLen+4], old[wire.HeaderLen+5] = 9, 9 // versions that nobody speaks
	for name, first := range map[string][]byte{
		"magic":   magic,
		"version": old,
		"frame":   newFrame(wire.KindAsk, 3, "x"),
		"TLS":     {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0},
		"SSH":     []byte("SSH-2.0-OpenSSH_9.6\r\n"),
	} {
		c := strangerTo(t, x.node)
		c.send(first)
		h, payload, err := c.read()
		var f wire.Failure
		if err != nil || h.Kind != wire.KindError || h.ID != 0 || f.Parse(payload) != nil || f.Code != posthaste.Protocol {
			t.Errorf("%s: the answer is %v %q, %v", name, h, payload, err)
		}
		c.wantEnd()
	}
	c := strangerTo(t, x.node)
	c.send([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	page, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(page, []byte("HTTP/1.1 400")) {
		t.Errorf("HTTP: the answer is %q, %v", page, err)
	}
}

func newFrame(k wire.Kind, id uint32, payload string) []byte {
	return rawFrame(wire.Header{Kind: k, Priority: wire.Normal, ID: id}, []byte(payload))
}

// TestOversizedFrame announces a frame over the limit. It is refused by its header.
func TestOversizedFrame(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	c.send(wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: c.id(1, 0), Len: wire.MaxPayload}.Append(nil))
	c.wantGoAway(posthaste.TooLarge, "65535", "16384")
}

// TestHalfFrame sends a part of a frame and then nothing, or the end.
func TestHalfFrame(t *testing.T) {
	x := newVictim(t, rt.Transport(eventloop.Options{FrameTimeout: 200 * time.Millisecond}))
	for _, n := range []int{1, 7, 8, 20} {
		c := rawPeerOf(t, x.node)
		c.send(c.ask(c.id(1, 0), "probe.echo", make([]byte, 100))[:n])
		c.wantGoAway(posthaste.FragmentTimeout)
		c = rawPeerOf(t, x.node)
		c.send(c.ask(c.id(1, 0), "probe.echo", make([]byte, 100))[:n])
		c.Close()
	}
}

// TestUndefinedRoute uses a number that no name was given to.
func TestUndefinedRoute(t *testing.T) {
	x := newVictim(t)
	for _, n := range []uint32{1, 100, wire.MaxRoutes - 1} {
		c := rawPeerOf(t, x.node)
		c.send(c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(1, 0)}, &wire.Request{Route: n}, nil))
		c.wantGoAway(posthaste.Protocol, "never defined")
	}
}

// TestRedefinedRoute defines a number again: with the same name, with another, and
// with another after it was taken back.
func TestRedefinedRoute(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	define := func(slot uint32, method string) []byte {
		h := wire.Header{Kind: wire.KindAsk, Codec: wire.CodecRaw, ID: c.id(slot, 0)}
		return c.request(h, &wire.Request{Route: 9, Name: []byte("/" + method)}, []byte("x"))
	}
	for slot := range uint32(3) {
		c.send(define(slot+1, "probe.echo"))
		c.wantReply(c.id(slot+1, 0))
	}
	c.send(wire.AppendUndefine(nil, 9), define(4, "probe.absent"))
	c.wantFailure(c.id(4, 0), posthaste.Unimplemented, notExecuted, "probe.absent")
	c.send(define(5, "probe.echo"))
	c.wantGoAway(posthaste.Protocol, "probe.absent", "probe.echo")

	c = rawPeerOf(t, x.node)
	c.send(wire.AppendUndefine(nil, 9), define(1, "probe.echo"), wire.AppendUndefine(nil, 9))
	c.wantReply(c.id(1, 0))
	c.send(c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(2, 0)}, &wire.Request{Route: 9}, nil))
	c.wantGoAway(posthaste.Protocol, "never defined")
}

// TestTooManyRouteNames has a node remember more names than it must.
func TestTooManyRouteNames(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	name := bytes.Repeat([]byte("x"), 240)
	for n := uint32(1); n < 5000; n++ {
		name[0], name[1], name[2] = '/', 'a'+byte(n%26), 'a'+byte(n/26%26)
		c.send(c.request(wire.Header{Kind: wire.KindTell}, &wire.Request{Route: n, Name: name}, nil))
	}
	c.wantGoAway(posthaste.Protocol, "names")
}

// TestServerInitiatedFramesFromClient uses ids that are the other side's to open.
func TestServerInitiatedFramesFromClient(t *testing.T) {
	x := newVictim(t)
	theirs := wire.MakeID(false, 1, 0)
	for _, kind := range []wire.Kind{wire.KindAsk, wire.KindOpen, wire.KindTell} {
		c := rawPeerOf(t, x.node)
		c.send(c.request(wire.Header{Kind: kind, ID: theirs}, &wire.Request{Name: []byte("/probe.echo"), More: kind == wire.KindTell, Total: 5}, nil))
		c.wantGoAway(posthaste.Protocol)
	}
	for _, kind := range []wire.Kind{wire.KindReply, wire.KindError} {
		c := rawPeerOf(t, x.node)
		c.send(newFrame(kind, c.id(1, 0), "\x02\x02\x00"))
		c.wantGoAway(posthaste.Protocol)
	}
}

// TestReservedFrames sends what this version has no use for.
func TestReservedFrames(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	c.send(must(wire.AppendExt(nil, wire.Header{}, &wire.Ext{Kind: 7}, 0)), rawFrame(wire.Header{Kind: wire.KindControl}, []byte{99, 1, 2}),
		wire.AppendLimit(nil, 5), wire.AppendCredit(nil, c.id(1, 0), wire.Credit{Bytes: 1, Messages: 1}), wire.AppendAck(nil, 7))
	c.wantAlive(1)
	for name, frame := range map[string][]byte{
		"required EXT": must(wire.AppendExt(nil, wire.Header{}, &wire.Ext{Kind: 7, Required: true}, 0)),
		"short EXT":    rawFrame(wire.Header{Kind: wire.KindExt}, []byte{1}),
		"CONTROL":      rawFrame(wire.Header{Kind: wire.KindControl}, nil),
		"CREDIT":       rawFrame(wire.Header{Kind: wire.KindCredit, ID: c.id(1, 0)}, []byte{1}),
		"LIMIT":        rawFrame(wire.Header{Kind: wire.KindCredit}, nil),
		"RESET":        rawFrame(wire.Header{Kind: wire.KindReset, ID: c.id(1, 0)}, nil),
		"GOAWAY":       rawFrame(wire.Header{Kind: wire.KindGoAway}, []byte{1}),
		"kind 14":      rawFrame(wire.Header{Kind: 14}, nil),
		"second HELLO": must(wire.AppendHello(nil, &wire.Hello{})),
		"BATCH":        rawFrame(wire.Header{Kind: wire.KindBatch}, []byte{0, 0}),
		"compressed":   c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(1, 0), Flags: wire.FlagCompressed}, &wire.Request{Name: []byte("/probe.echo")}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			c := rawPeerOf(t, x.node)
			c.send(frame)
			c.wantGoAway(posthaste.Protocol)
		})
	}
}
