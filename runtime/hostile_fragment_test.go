package runtime_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// TestFragmentsByHand is the lawful case: what follows breaks it.
func TestFragmentsByHand(t *testing.T) {
	x := newVictim(t)
	c := rawPeerOf(t, x.node)
	body := pattern(200_000)
	document := append([]byte{0xc6, 0, 3, 0x0d, 0x40}, body...) // bin of 200,000
	c.send(c.fragments(c.id(1, 0), "probe.any", document)...)
	if got := c.wantReply(c.id(1, 0)); !bytes.Equal(got, []byte{1}) {
		t.Errorf("the reply is % x", got)
	}
}

// TestFragmentOverrun sends more than was declared, less, more than is allowed, and
// more messages at once than are allowed.
func TestFragmentOverrun(t *testing.T) {
	x := newVictim(t, rt.MaxMessage(1<<20))
	c := rawPeerOf(t, x.node)
	slot := uint32(0)
	open := func(total uint64, first int) uint32 {
		slot++
		c.send(c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(slot, 0)},
			&wire.Request{Name: []byte("/probe.any"), More: true, Total: total}, make([]byte, first)))
		return c.id(slot, 0)
	}
	data := func(id uint32, n int, more bool) {
		c.send(dataFrame(wire.Header{ID: id}, &wire.Data{More: more}, make([]byte, n)))
	}
	id := open(20, 10)
	data(id, 11, true)
	c.wantFailure(id, posthaste.Protocol, notExecuted, "longer than it declared")
	data(id, 11, false) // for nothing now
	id = open(20, 10)
	data(id, 9, false)
	c.wantFailure(id, posthaste.Protocol, notExecuted, "ended before")
	c.wantFailure(open(1<<20+1, 10), posthaste.TooLarge, notExecuted, "1048577", "1048576")
	c.wantFailure(open(1<<63, 10), posthaste.TooLarge, notExecuted)
	id = open(0, 10_000) // of a length that is not known
	for n := 10_000; n <= 1<<20; n += 10_000 {
		data(id, 10_000, true)
	}
	c.wantFailure(id, posthaste.TooLarge, notExecuted)

	var ids []uint32
	for range 300 {
		ids = append(ids, open(1<<20, 10_000))
	}
	// Some are refused: for their number, or for what they declare.
	c.wantFailure(ids[len(ids)-1], posthaste.ResourceExhausted, notExecuted, "limit")
	c.send(wire.AppendReset(nil, ids[0], posthaste.Canceled))
	c.wantFailure(ids[0], posthaste.Canceled, unknown)
	c.wantAlive(1000)
}

// hostilePeer is a peer over the in-memory network that sends what it likes.
type hostilePeer struct {
	frames chan heard
	closed chan error
	tr     *eventloop.Memory
	conn   *eventloop.Conn
}

type heard struct {
	wire.Header
	payload []byte
}

func (p *hostilePeer) Opened(*eventloop.Conn) {}
func (p *hostilePeer) Frame(_ *eventloop.Conn, h wire.Header, payload []byte) {
	select {
	case p.frames <- heard{h, bytes.Clone(payload)}:
	default: // nobody listens
	}
}
func (p *hostilePeer) Idle(*eventloop.Conn)                { /* nothing to flush */ }
func (p *hostilePeer) Closed(_ *eventloop.Conn, err error) { p.closed <- err }

// hostile connects a hostilePeer to a node of f, which is in memory.
func (f *fabric) hostile(node *rt.Runtime) *hostilePeer {
	f.Helper()
	p := &hostilePeer{frames: make(chan heard, 1024), closed: make(chan error, 1)}
	var err error
	p.tr, err = f.network.Transport(p, eventloop.Options{Logger: testLog(f.T), Hello: wire.Hello{Node: "hostile"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = p.tr.Close(f.ctx()) })
	if p.conn, err = p.tr.Dial(f.ctx(), node.Endpoint()); err != nil {
		f.Fatal(err)
	}
	return p
}

func (p *hostilePeer) send(frames ...[]byte) {
	for _, b := range frames {
		_ = p.conn.Send(b, nil)
	}
	p.conn.Flush()
}

// until returns the next frame of a kind and an id.
func (p *hostilePeer) until(f *fabric, kind wire.Kind, id uint32) heard {
	f.Helper()
	for {
		if h := receive(f, kind.String(), p.frames); h.Kind == kind && h.ID == id {
			return h
		}
	}
}

// TestFragmentNeverFinished begins messages and does not go on: they are given up
// after a while, and only they, though the connection carries nothing else.
func TestFragmentNeverFinished(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		letters := make(chan rt.DeadLetter, 10)
		node := f.node(rt.OnDeadLetter(func(d rt.DeadLetter) { letters <- d }))
		f.spawn(node, v, "probe")
		c, p := &rawPeer{t: f.T, client: true}, f.hostile(node)
		ask := c.request(wire.Header{Kind: wire.KindAsk, ID: c.id(1, 0)}, &wire.Request{Name: []byte("/probe.any"), More: true, Total: 1 << 20}, make([]byte, 100))
		tell := c.request(wire.Header{Kind: wire.KindTell, ID: c.id(2, 0)}, &wire.Request{Name: []byte("/probe.note"), More: true, Total: 1 << 20}, make([]byte, 100))
		began := time.Now()
		p.send(ask, tell)
		h := p.until(f, wire.KindError, c.id(1, 0))
		var e wire.Failure
		if err := e.Parse(h.payload); err != nil {
			f.Fatal(err)
		}
		wantError(f, e.Err(), posthaste.FragmentTimeout, notExecuted)
		if took := time.Since(began); took < 10*time.Second || took > 13*time.Second {
			f.Errorf("the message was given up after %v", took)
		}
		if d := receive(f, "the dead letter", letters); posthaste.CodeOf(d.Reason) != posthaste.FragmentTimeout {
			f.Errorf("dead letter: %+v", d)
		}
		p.send(dataFrame(wire.Header{ID: c.id(1, 0)}, &wire.Data{}, []byte("late")))
		p.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecRaw, ID: c.id(1, 1)}, &wire.Request{Name: []byte("/probe.echo")}, []byte("x")))
		p.until(f, wire.KindReply, c.id(1, 1))
	})
}
