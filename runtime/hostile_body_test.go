package runtime_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestUnknownCodec sends bodies in codecs that the node does not have, by header
// and by metadata.
func TestUnknownCodec(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	c.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecProtobuf, ID: c.id(1, 0)}, &wire.Request{Name: []byte("/probe.any")}, []byte{1}))
	c.wantFailure(c.id(1, 0), posthaste.CodecFailed, notExecuted, "codec 3", "rt.Codecs")
	for i, id := range []byte{77, 200, 5} {
		q := wire.Request{Name: []byte("/probe.any"), Meta: []byte{0x81, wire.MetaCodec, 0xcc, id}}
		c.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecMeta, ID: c.id(uint32(i+2), 0)}, &q, []byte{1}))
		c.wantFailure(c.id(uint32(i+2), 0), posthaste.CodecFailed, notExecuted, fmt.Sprint("codec ", id), "rt.Codecs")
	}
	c.wantAlive(9)
}

// TestBadMeta sends metadata that is none, or does not say the codec.
func TestBadMeta(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	slot := uint32(0)
	for name, meta := range map[string][]byte{
		"noise":        {0xc1, 0xff, 0x00},
		"no map":       {0x93, 1, 2, 3},
		"text key":     {0x81, 0xa1, 'x', 1},
		"empty map":    {0x80},
		"text codec":   {0x81, wire.MetaCodec, 0xa1, '1'},
		"huge codec":   {0x81, wire.MetaCodec, 0xcd, 1, 4},
		"negative":     {0x81, wire.MetaCodec, 0xe0},
		"cut off":      {0x82, wire.MetaCodec, 1},
		"bomb":         {0xdf, 0xff, 0xff, 0xff, 0xff},
		"nested":       bytes.Repeat([]byte{0x81}, 2000),
		"list of bomb": {0x81, 5, 0xdd, 0xff, 0xff, 0xff, 0xff},
		"more behind":  {0x81, wire.MetaCodec, 1, 0xc0},
	} {
		slot++
		q := wire.Request{Name: []byte("/probe.echo"), Meta: meta}
		c.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecMeta, ID: c.id(slot, 0)}, &q, []byte("x")))
		t.Run(name, func(t *testing.T) { c.wantFailure(c.id(slot, 0), posthaste.CodecFailed, notExecuted, "metadata") })
	}
	// Every spelling of a codec that msgpack has.
	for _, n := range [][]byte{{1}, {0xcc, 1}, {0xcd, 0, 1}, {0xce, 0, 0, 0, 1}, {0xd0, 1}, {0xd3, 0, 0, 0, 0, 0, 0, 0, 1}} {
		slot++
		q := wire.Request{Name: []byte("/probe.echo"), Meta: append([]byte{0x81, wire.MetaCodec}, n...)}
		c.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecMeta, ID: c.id(slot, 0)}, &q, []byte("x")))
		if got := c.wantReply(c.id(slot, 0)); !bytes.HasSuffix(got, []byte("x")) {
			t.Errorf("with codec % x the reply is % x", n, got)
		}
	}
	c.wantAlive(100)
}

// TestMsgpackBombFourGiElements sends five bytes that say that four Gi elements
// follow.
func TestMsgpackBombFourGiElements(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	slot := uint32(0)
	for _, bomb := range [][]byte{
		{0xdd, 0xff, 0xff, 0xff, 0xff}, // array
		{0xdf, 0xff, 0xff, 0xff, 0xff}, // map
		{0xc6, 0xff, 0xff, 0xff, 0xff}, // bin
		{0xdb, 0xff, 0xff, 0xff, 0xff}, // str
		{0xc9, 0xff, 0xff, 0xff, 0xff, 5},
		{0x92, 1, 0xdd, 0x7f, 0xff, 0xff, 0xff},
	} {
		for _, method := range []string{"probe.ints", "probe.any"} {
			slot++
			c.send(c.ask(c.id(slot, 0), method, bomb))
			c.wantFailure(c.id(slot, 0), posthaste.CodecFailed, notExecuted, "cannot be decoded")
		}
	}
	c.wantAlive(slot + 1)
}

// TestMsgpackBombNestedArrays sends two million arrays, each in the one before.
func TestMsgpackBombNestedArrays(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	for i, method := range []string{"probe.any", "probe.ints"} {
		c.send(c.fragments(c.id(uint32(i+1), 0), method, bytes.Repeat([]byte{0x91}, 2_000_000))...)
		c.wantFailure(c.id(uint32(i+1), 0), posthaste.CodecFailed, notExecuted, "cannot be decoded")
	}
	c.wantAlive(9)
}

// TestNotUTF8 sends names and texts that are not UTF-8.
func TestNotUTF8(t *testing.T) {
	x := newVictim(t)
	for _, name := range []string{"/probe.\xff\xfe", "/a b", "/\x00", "/é"} {
		c := rawPeerOf(t, x.node)
		good := c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(1, 0)}, &wire.Request{Name: []byte("/" + strings.Repeat("x", len(name)-1))}, nil)
		c.send(bytes.Replace(good, []byte("/"+strings.Repeat("x", len(name)-1)), []byte(name), 1))
		c.wantGoAway(posthaste.Protocol, "route name")
	}
	c := rawPeerOf(t, x.node)
	good := c.ask(c.id(1, 0), "probe.echo", nil)
	c.send(bytes.Replace(good, []byte("\x05probe"), []byte("\x05pr\xffbe"), 1))
	c.wantGoAway(posthaste.Protocol)
	// In a body it is the application's business.
	c = rawPeerOf(t, x.node)
	c.send(c.ask(c.id(1, 0), "probe.seen", []byte("\xa2\xff\xfe")))
	c.wantReply(c.id(1, 0))
}

// announcement makes the frames of a node that says what it serves.
func (c *rawPeer) announcement(names []string) (frames []byte) {
	body := must(codec.NewMsgpack(codec.Limits{}).Append(nil, map[string]any{"services": names}))
	const size = 15 << 10
	q := wire.Request{Name: []byte("/$announce"), Target: wire.Target{Set: true, Kind: wire.TargetName, Name: []byte("$node")}}
	h := wire.Header{Kind: wire.KindTell, Priority: wire.Normal}
	first := body
	if len(body) > size {
		h.ID, q.More, q.Total, first = c.id(1, 0), true, uint64(len(body)), body[:size]
	}
	frames = c.request(h, &q, first)
	for rest := body[len(first):]; len(rest) > 0; {
		n := min(size, len(rest))
		frames = append(frames, dataFrame(wire.Header{ID: h.ID}, &wire.Data{More: n < len(rest)}, rest[:n])...)
		rest = rest[n:]
	}
	return frames
}

// TestHugeAnnouncement announces more services than a node can have, and names
// that are none. Nobody is sent there for it.
func TestHugeAnnouncement(t *testing.T) {
	x := newVictim(t)
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprint("service", i)
	}
	for name, services := range map[string][]string{
		"many":      many,
		"long name": {"service0", strings.Repeat("x", 1<<20)},
		"no name":   {"service0", ""},
		"space":     {"service0", "a b"},
		"not UTF-8": {"service0", "\xff"},
		"own":       {"service0", "$node"},
	} {
		t.Run(name, func(t *testing.T) {
			c := rawPeerOf(t, x.node)
			c.send(c.announcement(services))
			c.wantGoAway(posthaste.Protocol, "announced")
			_, err := rt.Ask(x.ctx(), rt.Service[probed](x.node, "service0"), x.v.echo, nil)
			wantError(t, err, posthaste.NoEndpoint, notExecuted, "service0")
		})
	}
	c := rawPeerOf(t, x.node)
	for range 1000 {
		c.send(c.announcement(many[:1000]), c.announcement(nil))
	}
	c.send(c.announcement([]string{"good"}))
	c.wantAlive(2)
	answer := make(chan []byte, 1)
	go func() {
		b, err := rt.Ask(x.ctx(), rt.Service[probed](x.node, "good"), x.v.echo, nil)
		for posthaste.CodeOf(err) == posthaste.NoEndpoint { // until it is heard
			b, err = rt.Ask(x.ctx(), rt.Service[probed](x.node, "good"), x.v.echo, nil)
		}
		answer <- b
	}()
	for {
		h, _, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if h.Kind == wire.KindAsk {
			c.send(rawFrame(wire.Header{Kind: wire.KindReply, Codec: wire.CodecRaw, ID: h.ID}, []byte("from raw")))
			break
		}
	}
	if b := receive(x.fabric, "the answer", answer); string(b) != "from raw" {
		t.Errorf("the answer is %q", b)
	}
}
