package runtime_test

import (
	"fmt"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestDuplicateStreamID opens an id that is open.
func TestDuplicateStreamID(t *testing.T) {
	x := newVictim(t)
	defer close(x.probe.release)
	c := rawPeerOf(t, x.node)
	msgpackText := []byte{0xa1, 'x'}
	c.send(c.ask(c.id(1, 0), "probe.hold", msgpackText))
	receive(x.fabric, "hold", x.probe.entered)
	c.send(c.ask(c.id(1, 1), "probe.hold", msgpackText)) // another generation of the same place
	c.wantGoAway(posthaste.Protocol, "opened while")
	if err := receive(x.fabric, "the handler's end", x.probe.held); err == nil {
		t.Error("the handler was not told that its asker is gone")
	}

	c = rawPeerOf(t, x.node)
	tell := c.request(wire.Header{Kind: wire.KindTell, ID: c.id(7, 0)}, &wire.Request{Name: []byte("/probe.note"), More: true, Total: 100}, []byte("x"))
	c.send(tell, tell)
	c.wantGoAway(posthaste.Protocol, "begins again")
}

// TestStreamIDBeyondLimit opens an id over what was agreed on, and every id up to
// that.
func TestStreamIDBeyondLimit(t *testing.T) {
	const limit = 100
	x := newVictim(t, rt.Transport(eventloop.Options{Hello: wire.Hello{MaxInFlight: limit}}))
	c := rawPeerOf(t, x.node)
	for slot := uint32(1); slot <= limit; slot++ {
		c.send(c.ask(c.id(slot, 0), "probe.hold", []byte{0xa0}))
	}
	receive(x.fabric, "hold", x.probe.entered)
	close(x.probe.release)
	for slot := uint32(1); slot <= limit; slot++ {
		c.wantReply(c.id(slot, 0))
	}
	for _, slot := range []uint32{limit + 1, wire.MaxSlot} {
		c := rawPeerOf(t, x.node)
		c.send(c.ask(c.id(slot, 0), "probe.echo", nil))
		c.wantGoAway(posthaste.Protocol, fmt.Sprint(limit), fmt.Sprint(slot))
	}
}

// TestReplyToUnknownID answers what was never asked.
func TestReplyToUnknownID(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	failure := wire.Failure{Code: posthaste.NotFound}
	for slot := range uint32(100) {
		id := wire.MakeID(false, slot+1, slot)
		c.send(newFrame(wire.KindReply, id, "x"), wire.AppendFailure(nil, id, &failure),
			append(must(wire.AppendReply(nil, wire.Header{ID: id}, &wire.Reply{More: true, Total: 10}, 1)), 'x'))
	}
	c.wantAlive(1)
	if n := x.node.Stats().LateReplies; n != 200 {
		t.Errorf("%d late replies were counted, want 200", n)
	}
}

// TestDataForNothing sends fragments and values that belong to nothing.
func TestDataForNothing(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	for slot := range uint32(100) {
		for _, id := range []uint32{c.id(slot+1, slot), wire.MakeID(false, slot+1, slot)} {
			for _, d := range []wire.Data{{}, {More: true}, {End: true}, {First: true, More: true, Total: 1 << 20}} {
				c.send(dataFrame(wire.Header{ID: id}, &d, []byte("x")))
			}
		}
	}
	c.wantAlive(1)
	// To an ask that is whole already, and to a stream that takes no values.
	c.send(c.ask(c.id(2, 0), "probe.hold", []byte{0xa0}))
	receive(x.fabric, "hold", x.probe.entered)
	c.send(dataFrame(wire.Header{ID: c.id(2, 0)}, &wire.Data{}, []byte("x")))
	close(x.probe.release)
	c.wantReply(c.id(2, 0))
	c.wantAlive(3)
}

// TestResetUnknown gives up what was never asked, or is over.
func TestResetUnknown(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	c.wantAlive(1)
	for slot := range uint32(100) {
		c.send(wire.AppendReset(nil, c.id(slot+1, 5), posthaste.Canceled), wire.AppendReset(nil, wire.MakeID(false, slot+1, 0), posthaste.Internal))
	}
	c.send(wire.AppendReset(nil, c.id(wire.MaxSlot, wire.MaxGeneration), 1<<31))
	c.wantAlive(2)
}

// TestResetFlood opens and gives up at once, over and over: each id is answered
// once, and no more handlers run than the mailbox lets.
func TestResetFlood(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	const asks = 20_000
	answers := make(chan map[uint32]int, 1)
	go func() {
		got := map[uint32]int{}
		for len(got) < asks {
			h, _, err := c.read()
			if err != nil {
				break
			}
			if h.Kind == wire.KindError || h.Kind == wire.KindReply {
				got[h.ID]++
			}
		}
		answers <- got
	}()
	for slot := uint32(1); slot <= asks; slot++ {
		c.send(append(c.ask(c.id(slot, 0), "probe.hold", []byte{0xa0}), wire.AppendReset(nil, c.id(slot, 0), posthaste.Canceled)...))
	}
	got := receive(x.fabric, "all answers", answers)
	if len(got) != asks {
		t.Errorf("%d of %d asks were answered", len(got), asks)
	}
	for id, n := range got {
		if n != 1 {
			t.Fatalf("id %#x was answered %d times", id, n)
		}
	}
	c.wantAlive(1)
	for len(x.probe.entered) > 0 {
		<-x.probe.entered
		if err := <-x.probe.held; err == nil {
			t.Error("a handler was released, not canceled")
		}
	}
}
