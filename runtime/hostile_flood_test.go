package runtime_test

import (
	"testing"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestMailboxBomb fills a mailbox with large messages while its actor is busy. The
// node refuses them before its memory is full, and takes others again afterwards.
func TestMailboxBomb(t *testing.T) {
	f, v := overTCP(t), newVerbs()
	node := f.node()
	p, ref := f.spawn(node, v, "probe")
	first := make(chan error, 1)
	go func() {
		_, err := rt.Ask(f.ctx(), ref, v.hold, "")
		first <- err
	}()
	receive(f, "hold", p.entered)
	c := rawPeerOf(t, node)
	const asks, size = 400, 1 << 20
	body := append([]byte{0xc6, 0, 0x10, 0, 0}, make([]byte, size)...)
	answers := make(chan int, 1)
	go func() { // counts refusals until an ask to another actor is answered
		refused := 0
		for {
			h, payload, err := c.read()
			if err != nil {
				t.Error(err)
			}
			var e wire.Failure
			if h.Kind == wire.KindError && e.Parse(payload) == nil && e.Code == posthaste.Overloaded {
				refused++
			}
			if err != nil || h.ID == c.id(asks+1, 0) {
				answers <- refused
				return
			}
		}
	}()
	before := heap().HeapAlloc
	for slot := uint32(1); slot <= asks; slot++ {
		c.send(c.fragments(c.id(slot, 0), "probe.any", body)...)
	}
	c.send(c.ask(c.id(asks+1, 0), "$leave", nil))
	refused := receive(f, "the answers", answers)
	if refused < asks-256 || refused == asks {
		t.Errorf("%d of %d messages of 1 MiB were refused", refused, asks)
	}
	if now := heap().HeapAlloc; now > before+320<<20 {
		t.Errorf("the heap has grown by %d MiB", (now-before)>>20)
	}
	close(p.release)
	if err := receive(f, "the first ask", first); err != nil {
		t.Error(err)
	}
	for range asks - refused {
		if h, _, err := c.read(); err != nil || h.Kind != wire.KindReply {
			t.Fatalf("got %v, %v", h, err)
		}
	}
	if b, err := rt.Ask(f.ctx(), named(f.caller(), node, "probe"), v.echo, make([]byte, size)); err != nil || len(b) != size {
		t.Errorf("afterwards: %d bytes, %v", len(b), err)
	}
}

// TestPartialBomb begins many large messages on many connections and ends none.
func TestPartialBomb(t *testing.T) {
	f, v := overTCP(t), newVerbs()
	node := f.node()
	f.spawn(node, v, "probe")
	var peers []*rawPeer
	const conns, each, size = 12, 40, 1 << 20
	refused := 0
	before := heap().HeapAlloc
	for range conns {
		c := rawPeerOf(t, node)
		peers = append(peers, c)
		body := make([]byte, size)
		for slot := uint32(1); slot <= each; slot++ {
			frames := c.fragments(c.id(slot, 0), "probe.any", body)
			c.send(frames[:len(frames)-1]...)
		}
		c.send(c.ask(c.id(each+1, 0), "probe.absent", nil))
		for {
			h, payload, err := c.read()
			var e wire.Failure
			if err != nil || h.Kind == wire.KindError && e.Parse(payload) != nil {
				t.Fatalf("got %v, %v", h, err)
			}
			if e.Code == posthaste.Unimplemented {
				break
			}
			if e.Code == posthaste.Overloaded {
				refused++
			}
		}
	}
	if refused < conns*each-300 || refused == conns*each {
		t.Errorf("%d of %d messages were refused", refused, conns*each)
	}
	if now := heap().HeapAlloc; now > before+400<<20 {
		t.Errorf("the heap has grown by %d MiB", (now-before)>>20)
	}
	for _, c := range peers {
		c.Close()
	}
	to := named(f.caller(), node, "probe")
	f.until("large messages are taken again", func() bool {
		_, err := rt.Ask(f.ctx(), to, v.echo, make([]byte, size))
		if err != nil && posthaste.CodeOf(err) != posthaste.Overloaded {
			t.Fatal(err)
		}
		return err == nil
	})
}
