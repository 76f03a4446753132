package runtime_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// impostor is a server made by hand: it greets whoever connects and hands the
// connection to the script, which gets the id of the first request.
func impostor(f *fabric, script func(c *rawPeer, id uint32)) rt.Ref[probed] {
	f.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c := newRawPeer(f.T, nc, false)
			go c.play(script)
		}
	}()
	addr := posthaste.Addr{Node: posthaste.Endpoint{Network: "tcp", Address: ln.Addr().String()}, Name: "probe"}
	return rt.At[probed](f.caller(), addr)
}

// play answers the handshake, waits for a request and runs the script.
func (c *rawPeer) play(script func(c *rawPeer, id uint32)) {
	if _, _, err := c.read(); err != nil {
		return
	}
	c.send(must(wire.AppendHello(nil, &wire.Hello{Node: "impostor", Codecs: []uint8{1, 2, 4}})))
	for {
		h, _, err := c.read()
		if err != nil {
			return
		}
		if h.Kind == wire.KindAsk || h.Kind == wire.KindOpen {
			script(c, h.ID)
			return
		}
	}
}

// drain reads until the connection ends.
func (c *rawPeer) drain() {
	for {
		if _, _, err := c.read(); err != nil {
			return
		}
	}
}

func replyFrame(id uint32, codec uint8, r *wire.Reply, body string) []byte {
	return append(must(wire.AppendReply(nil, wire.Header{Codec: codec, ID: id}, r, len(body))), body...)
}

// TestServerLies has a server answer an ask in every wrong way. The ask must end
// with an error that says so, long before its deadline, and nothing may be held.
func TestServerLies(t *testing.T) {
	for name, c := range map[string]struct {
		script func(c *rawPeer, id uint32)
		code   posthaste.Code
		status posthaste.Status
		words  []string
	}{
		"DATA before REPLY": {func(c *rawPeer, id uint32) {
			c.send(dataFrame(wire.Header{ID: id}, &wire.Data{}, []byte("x")))
		}, posthaste.ConnLost, unknown, []string{"before its REPLY"}},
		"reply overruns": {func(c *rawPeer, id uint32) {
			c.send(replyFrame(id, wire.CodecRaw, &wire.Reply{More: true, Total: 5}, "123"), dataFrame(wire.Header{ID: id}, &wire.Data{More: true}, []byte("456")))
		}, posthaste.Protocol, executed, []string{"longer than it declared"}},
		"reply ends early": {func(c *rawPeer, id uint32) {
			c.send(replyFrame(id, wire.CodecRaw, &wire.Reply{More: true, Total: 5}, "123"), dataFrame(wire.Header{ID: id}, &wire.Data{}, []byte("4")))
		}, posthaste.Protocol, executed, []string{"ended before"}},
		"reply too large": {func(c *rawPeer, id uint32) {
			c.send(replyFrame(id, wire.CodecRaw, &wire.Reply{More: true, Total: 1 << 40}, "123"))
		}, posthaste.TooLarge, executed, nil},
		"reply begins twice": {func(c *rawPeer, id uint32) {
			first := replyFrame(id, wire.CodecRaw, &wire.Reply{More: true, Total: 5}, "123")
			c.send(first, first)
		}, posthaste.Protocol, executed, nil},
		"reply in another codec": {func(c *rawPeer, id uint32) {
			c.send(replyFrame(id, wire.CodecProtobuf, &wire.Reply{}, "x"))
		}, posthaste.CodecFailed, executed, []string{"codec 3"}},
		"reply with bad metadata": {func(c *rawPeer, id uint32) {
			c.send(replyFrame(id, wire.CodecMeta, &wire.Reply{Meta: []byte{0xc1}}, "x"))
		}, posthaste.CodecFailed, executed, []string{"metadata"}},
		"RESET": {func(c *rawPeer, id uint32) {
			c.send(wire.AppendReset(nil, id, posthaste.Overloaded))
		}, posthaste.Overloaded, notExecuted, []string{"gave up"}},
		"ERROR that is none": {func(c *rawPeer, id uint32) {
			c.send(rawFrame(wire.Header{Kind: wire.KindError, ID: id}, []byte{0, 0, 0}))
		}, posthaste.ConnLost, unknown, []string{"ERROR"}},
		"ERROR of the connection": {func(c *rawPeer, _ uint32) {
			c.send(wire.AppendFailure(nil, 0, &wire.Failure{Code: posthaste.Unauthenticated, Message: []byte("who are you?")}))
		}, posthaste.ConnLost, unknown, []string{"who are you?"}},
		"GOAWAY": {func(c *rawPeer, _ uint32) {
			c.send(wire.AppendGoAway(nil, &wire.GoAway{Phase: wire.PhaseFinal, Code: posthaste.Protocol, Message: []byte("you broke it")}))
		}, posthaste.ConnLost, unknown, []string{"you broke it", "PROTOCOL"}},
		"noise": {func(c *rawPeer, _ uint32) {
			c.send([]byte(strings.Repeat("\xee", 100)))
		}, posthaste.ConnLost, unknown, nil},
		"nothing": {func(c *rawPeer, _ uint32) { c.Close() }, posthaste.ConnLost, unknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, v := overTCP(t), newVerbs()
			to := impostor(f, func(p *rawPeer, id uint32) {
				c.script(p, id)
				p.drain()
			})
			_, err := rt.Ask(f.ctx(), to, v.echo, []byte("hello"))
			e := wantError(t, err, c.code, c.status, c.words...)
			if e.Peer != to.Addr().Node {
				t.Errorf("the error is about %v, want %v", e.Peer, to.Addr().Node)
			}
		})
	}
}

// TestErrorTextNotUTF8 wants an error's text to be shown as valid UTF-8, and no
// longer than it may be.
func TestErrorTextNotUTF8(t *testing.T) {
	f, v := overTCP(t), newVerbs()
	to := impostor(f, func(c *rawPeer, id uint32) {
		c.send(wire.AppendFailure(nil, id, &wire.Failure{Code: 99, Status: posthaste.StatusExecuted, Message: []byte("a\xff\xfe\x00b")}))
		c.drain()
	})
	_, err := rt.Ask(f.ctx(), to, v.echo, nil)
	if wantError(t, err, 99, executed, "CODE(99)"); !utf8.ValidString(err.Error()) {
		t.Errorf("the error is %q", err)
	}
}

// TestServerLiesInStream has a server answer a stream in wrong ways.
func TestServerLiesInStream(t *testing.T) {
	item := func(id uint32, d wire.Data, body string) []byte {
		return dataFrame(wire.Header{Codec: wire.CodecRaw, ID: id}, &d, []byte(body))
	}
	for name, c := range map[string]struct {
		script func(c *rawPeer, id uint32)
		items  int
		code   posthaste.Code
		status posthaste.Status
	}{
		"REPLY": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{}, "x"), replyFrame(id, wire.CodecRaw, &wire.Reply{}, "x"))
		}, 1, posthaste.Protocol, executed},
		"codecs change": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{}, "x"), dataFrame(wire.Header{ID: id}, &wire.Data{}, []byte("y")))
		}, 1, posthaste.Protocol, executed},
		"fragment from nowhere": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{}, "x"), item(id, wire.Data{More: true}, "y"))
		}, 1, posthaste.Protocol, executed},
		"overrun": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{First: true, More: true, Total: 3}, "x"), item(id, wire.Data{}, "yyy"))
		}, 0, posthaste.Protocol, executed},
		"too large": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{First: true, More: true, Total: 1 << 40}, "x"))
		}, 0, posthaste.TooLarge, executed},
		"too many": {func(c *rawPeer, id uint32) { // while the reader waits for this script
			c.send([]byte(strings.Repeat(string(item(id, wire.Data{}, "")), rt.MaxStreamItems+2)))
			c.until(wire.KindReset, id)
		}, rt.MaxStreamItems, posthaste.ResourceExhausted, executed},
		"error": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{}, "x"), wire.AppendFailure(nil, id, &wire.Failure{Code: posthaste.DataLoss}))
		}, 1, posthaste.DataLoss, unknown},
		"end": {func(c *rawPeer, id uint32) {
			c.send(item(id, wire.Data{}, "x"))
			c.Close()
		}, 1, posthaste.ConnLost, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			f, v := overTCP(t), newVerbs()
			read := make(chan struct{})
			to := impostor(f, func(p *rawPeer, id uint32) {
				c.script(p, id)
				close(read)
				p.drain()
			})
			n := 0
			var end error
			for _, err := range rt.Recv(f.ctx(), to, v.upper, nil) {
				if end = err; err != nil {
					break
				}
				if n++; n == 1 {
					receive(f, "the whole script", read)
				}
			}
			wantError(t, end, c.code, c.status)
			if n < c.items || n > c.items+1 { // the reader may have taken one before
				t.Errorf("%d values came, want %d", n, c.items)
			}
		})
	}
}

// TestItemWithEnd takes a stream's last value together with its end.
func TestItemWithEnd(t *testing.T) {
	f, v := overTCP(t), newVerbs()
	to := impostor(f, func(c *rawPeer, id uint32) {
		h := wire.Header{Codec: wire.CodecRaw, ID: id}
		c.send(dataFrame(h, &wire.Data{}, []byte("one")), dataFrame(h, &wire.Data{First: true, More: true, Total: 3}, []byte("t")), dataFrame(h, &wire.Data{End: true}, []byte("wo")))
		c.drain()
	})
	items, err := collect(rt.Recv(f.ctx(), to, v.upper, nil))
	if err != nil || len(items) != 2 || string(items[0])+string(items[1]) != "onetwo" {
		t.Errorf("%q, %v", items, err)
	}
}

// TestAnswerNeverFinished has the answers to an ask and to a stream begin and not
// go on. Both are given up, and the peer is told.
func TestAnswerNeverFinished(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		node := f.caller(rt.Listen("mem:victim"))
		p := f.hostile(node)
		p.send((&rawPeer{client: true}).announcement([]string{"evil"}))
		evil := rt.Service[probed](node, "evil")
		f.until("the announcement is heard", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			_, err := rt.Ask(ctx, evil, v.echo, nil)
			return !errors.Is(err, rt.ErrNoEndpoint)
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		answers := make(chan error, 2)
		go func() {
			_, err := rt.Ask(ctx, evil, v.echo, []byte("ask"))
			answers <- err
		}()
		ask := f.nextRequest(p, wire.KindAsk, "ask")
		p.send(replyFrame(ask, wire.CodecRaw, &wire.Reply{More: true, Total: 10}, "x"))
		wantError(f, receive(f, "the ask's end", answers), posthaste.FragmentTimeout, executed)
		p.until(f, wire.KindReset, ask)
		go func() {
			_, err := collect(rt.Recv(ctx, evil, v.upper, []byte("stream")))
			answers <- err
		}()
		stream := f.nextRequest(p, wire.KindOpen, "stream")
		p.send(dataFrame(wire.Header{Codec: wire.CodecRaw, ID: stream}, &wire.Data{First: true, More: true, Total: 10}, []byte("x")))
		wantError(f, receive(f, "the stream's end", answers), posthaste.FragmentTimeout, executed)
		p.until(f, wire.KindReset, stream)
	})
}

// nextRequest returns the id of the next request of a kind with a body.
func (f *fabric) nextRequest(p *hostilePeer, kind wire.Kind, body string) uint32 {
	f.Helper()
	for {
		h := receive(f, kind.String(), p.frames)
		if h.Kind == kind && strings.HasSuffix(string(h.payload), body) {
			return h.ID
		}
	}
}
