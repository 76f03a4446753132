package runtime_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// rawPeer is a peer made by hand: it speaks package wire over a socket, and may
// say anything.
type rawPeer struct {
	net.Conn
	t      testing.TB
	in     *bufio.Reader
	hello  wire.Hello // the other side's
	client bool       // this side dialed
}

// strangerTo connects to a node and says nothing.
func strangerTo(t testing.TB, node *rt.Runtime) *rawPeer {
	t.Helper()
	nc, err := net.Dial(node.Endpoint().Network, node.Endpoint().Address)
	if err != nil {
		t.Fatal(err)
	}
	return newRawPeer(t, nc, true)
}

func newRawPeer(t testing.TB, nc net.Conn, client bool) *rawPeer {
	if err := nc.SetDeadline(time.Now().Add(linkPatience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &rawPeer{Conn: nc, t: t, in: bufio.NewReaderSize(nc, 64<<10), client: client}
}

// rawPeerOf connects to a node and does the handshake.
func rawPeerOf(t testing.TB, node *rt.Runtime) *rawPeer {
	t.Helper()
	c := strangerTo(t, node)
	c.greet()
	return c
}

// greet sends HELLO and takes the other side's.
func (c *rawPeer) greet() {
	c.t.Helper()
	c.send(must(wire.AppendHello(nil, &wire.Hello{Node: "raw", Codecs: []uint8{1, 2, 3, 4, 77}, MaxInFlight: wire.MaxSlot})))
	h, payload, err := c.read()
	if err != nil || h.Kind != wire.KindHello {
		c.t.Fatalf("handshake: %v, %v", h, err)
	}
	if err := c.hello.Parse(payload); err != nil {
		c.t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// send writes frames. That the other side has gone is not its concern.
func (c *rawPeer) send(frames ...[]byte) {
	for _, b := range frames {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// read returns the next frame.
func (c *rawPeer) read() (h wire.Header, payload []byte, err error) {
	var head [wire.HeaderLen]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return h, nil, err
	}
	h = wire.ParseHeader(head[:])
	payload = make([]byte, h.Len)
	_, err = io.ReadFull(c.in, payload)
	return h, payload, err
}

// until reads frames until one is of the kind and the id.
func (c *rawPeer) until(kind wire.Kind, id uint32) (wire.Header, []byte) {
	c.t.Helper()
	for {
		h, payload, err := c.read()
		if err != nil {
			c.t.Fatalf("waited in vain for %v of id %#x: %v", kind, id, err)
		}
		if h.Kind == kind && h.ID == id {
			return h, payload
		}
	}
}

// id makes an id that this side may open.
func (c *rawPeer) id(slot, generation uint32) uint32 { return wire.MakeID(c.client, slot, generation) }

// ask makes an ASK to the actor "probe" by an inline route.
func (c *rawPeer) ask(id uint32, method string, body []byte) []byte {
	return c.request(wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: id}, &wire.Request{Name: []byte("/" + method)}, body)
}

// request makes a request to the actor "probe", unless q says to whom.
func (c *rawPeer) request(h wire.Header, q *wire.Request, body []byte) []byte {
	if !q.Target.Set && len(q.Name) > 0 && q.Name[0] == '/' {
		q.Target = wire.Target{Set: true, Kind: wire.TargetName, Name: []byte("probe")}
	}
	return append(must(wire.AppendRequest(nil, h, q, len(body))), body...)
}

func dataFrame(h wire.Header, d *wire.Data, body []byte) []byte {
	return append(must(wire.AppendData(nil, h, d, len(body))), body...)
}

// rawFrame makes a frame of anything.
func rawFrame(h wire.Header, payload []byte) []byte {
	h.Len = len(payload)
	return append(h.Append(nil), payload...)
}

// fragments makes the frames of an ASK that does not fit one.
func (c *rawPeer) fragments(id uint32, method string, body []byte) (frames [][]byte) {
	const size = 15 << 10
	h := wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: id}
	frames = append(frames, c.request(h, &wire.Request{Name: []byte("/" + method), More: true, Total: uint64(len(body))}, body[:size]))
	for body = body[size:]; len(body) > 0; {
		n := min(size, len(body))
		frames = append(frames, dataFrame(wire.Header{ID: id}, &wire.Data{More: n < len(body)}, body[:n]))
		body = body[n:]
	}
	return frames
}

// wantReply waits for the reply to an ask.
func (c *rawPeer) wantReply(id uint32) []byte {
	c.t.Helper()
	h, payload := c.until(wire.KindReply, id)
	var r wire.Reply
	if err := r.Parse(h, payload); err != nil {
		c.t.Fatal(err)
	}
	return r.Body
}

// wantFailure waits for the ERROR that answers an ask.
func (c *rawPeer) wantFailure(id uint32, code posthaste.Code, status posthaste.Status, words ...string) {
	c.t.Helper()
	_, payload := c.until(wire.KindError, id)
	var f wire.Failure
	if err := f.Parse(payload); err != nil {
		c.t.Fatal(err)
	}
	wantError(c.t, f.Err(), code, status, words...)
}

// wantGoAway waits for the final GOAWAY, and for the end of the connection.
func (c *rawPeer) wantGoAway(code posthaste.Code, words ...string) {
	c.t.Helper()
	_, payload := c.until(wire.KindGoAway, 0)
	var g wire.GoAway
	if err := g.Parse(payload); err != nil {
		c.t.Fatal(err)
	}
	if g.Phase != wire.PhaseFinal {
		c.t.Errorf("GOAWAY has phase %v", g.Phase)
	}
	wantError(c.t, &posthaste.Error{Code: g.Code, Status: code.Status(), Msg: string(g.Message)}, code, code.Status(), words...)
	c.wantEnd()
}

// wantEnd waits for the other side to close the connection.
func (c *rawPeer) wantEnd() {
	c.t.Helper()
	for {
		if _, _, err := c.read(); err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				c.t.Fatal("the connection was not closed")
			}
			return
		}
	}
}

// wantAlive checks that the connection still answers. It uses the highest slots.
func (c *rawPeer) wantAlive(slot uint32) {
	c.t.Helper()
	body := binary.LittleEndian.AppendUint32(nil, slot)
	id := c.id(slot, 5)
	c.send(c.request(wire.Header{Kind: wire.KindAsk, Codec: wire.CodecRaw, Priority: wire.Normal, ID: id}, &wire.Request{Name: []byte("/probe.echo")}, body))
	if got := c.wantReply(id); string(got) != string(body) {
		c.t.Errorf("echo returned % x, want % x", got, body)
	}
}

// victim is a node with a probe, and an honest node that asks it all the time.
type victim struct {
	*fabric
	v     *verbs
	node  *rt.Runtime
	probe *probe

	asks atomic.Int64
	quit context.CancelFunc
	done chan error
}

func newVictim(t *testing.T, opts ...rt.Option) *victim {
	t.Helper()
	x := &victim{fabric: overTCP(t), v: newVerbs(), done: make(chan error, 1)}
	x.node = x.fabric.node(opts...)
	x.probe, _ = x.spawn(x.node, x.v, "probe")
	// The honest node has an actor of its own: what keeps the probe busy is not
	// what this is about.
	x.spawn(x.node, x.v, "honest")
	honest := named(x.caller(), x.node, "honest")
	ctx, quit := context.WithCancel(context.Background())
	x.quit = quit
	go func() { x.done <- x.askLoop(ctx, honest) }()
	x.bystanderGoesOn()
	before := heap()
	t.Cleanup(func() {
		x.bystanderGoesOn()
		quit()
		if err := <-x.done; err != nil {
			t.Errorf("the honest node: %v", err)
		}
		after := heap()
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 96<<20 {
			t.Errorf("the heap has taken %d MiB from the system", grown>>20)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
			t.Errorf("%d MiB are still held", grown>>20)
		}
	})
	return x
}

func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func (x *victim) askLoop(ctx context.Context, to rt.Ref[probed]) error {
	for ctx.Err() == nil {
		if _, err := rt.Ask(ctx, to, x.v.echo, []byte("honest")); err != nil && ctx.Err() == nil {
			return err
		}
		x.asks.Add(1)
		runtime.Gosched()
	}
	return nil
}

// bystanderGoesOn waits until the honest node has had some more answers.
func (x *victim) bystanderGoesOn() {
	x.Helper()
	from := x.asks.Load()
	x.until("the honest node's answers", func() bool { return x.asks.Load() >= from+5 || len(x.done) > 0 })
}
