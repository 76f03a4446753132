package runtime_test

import (
	"context"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestSlowReader asks for far more than it reads: it is cut, what waits for it does
// not grow without bound, and the actor is free again.
func TestSlowReader(t *testing.T) {
	x := newVictim(t, rt.Transport(eventloop.Options{StallTimeout: 300 * time.Millisecond}))
	c := rawPeerOf(t, x.node)
	size := []byte{0xcd, 0x39, 0x80} // 14,720 bytes each
	for slot := uint32(1); slot <= 5000; slot++ {
		c.send(c.ask(c.id(slot, 0), "probe.blob", size))
	}
	ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
	defer cancel()
	to := named(x.caller(), x.node, "probe")
	x.until("the actor is free", func() bool {
		_, err := rt.Ask(ctx, to, x.v.echo, nil)
		return err == nil
	})
	c.wantEnd()
}

// TestStalledServer sends a large ask to a server that does not read. It ends with
// its context, whose handler has surely not run; the server then finds the ask
// given up, and other asks answered.
func TestStalledServer(t *testing.T) {
	f, v := overTCP(t), newVerbs()
	read, found := make(chan struct{}), make(chan struct{})
	to := impostor(f, func(c *rawPeer, id uint32) {
		c.send(replyFrame(id, wire.CodecRaw, &wire.Reply{}, "first"))
		h, _, err := c.read() // the beginning of the large ask
		if err != nil || h.Kind != wire.KindAsk || h.Flags&wire.FlagMore == 0 {
			c.t.Errorf("got %v, %v", h, err)
		}
		<-read
		c.until(wire.KindReset, h.ID)
		c.send(wire.AppendFailure(nil, h.ID, &wire.Failure{Code: posthaste.Canceled}))
		close(found)
		for {
			if h, _, err = c.read(); err != nil {
				return
			}
			if h.Kind == wire.KindAsk {
				c.send(replyFrame(h.ID, wire.CodecRaw, &wire.Reply{}, "next"))
			}
		}
	})
	if b, err := rt.Ask(f.ctx(), to, v.echo, nil); err != nil || string(b) != "first" {
		t.Fatalf("%q, %v", b, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	body := make([]byte, 15<<20)
	_, err := rt.Ask(ctx, to, v.echo, body)
	wantError(t, err, posthaste.DeadlineExceeded, notExecuted)
	_, err = rt.Ask(ctx, to, v.echo, body)
	wantError(t, err, posthaste.DeadlineExceeded, notExecuted)
	close(read)
	receive(f, "the RESET", found)
	if b, err := rt.Ask(f.ctx(), to, v.echo, nil); err != nil || string(b) != "next" {
		t.Errorf("%q, %v", b, err)
	}
}
