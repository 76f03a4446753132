package eventloop

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// patience is how long a test waits for what should take no time.
const patience = 20 * time.Second

// funcs is a Handler made of functions; nil ones do nothing.
type funcs struct {
	opened func(*Conn)
	frame  func(*Conn, wire.Header, []byte)
	idle   func(*Conn)
	closed func(*Conn, error)
}

func (f *funcs) Opened(c *Conn) {
	if f.opened != nil {
		f.opened(c)
	}
}

func (f *funcs) Frame(c *Conn, h wire.Header, p []byte) {
	if f.frame != nil {
		f.frame(c, h, p)
	}
}

func (f *funcs) Idle(c *Conn) {
	if f.idle != nil {
		f.idle(c)
	}
}

func (f *funcs) Closed(c *Conn, err error) {
	if f.closed != nil {
		f.closed(c, err)
	}
}

// echo answers each ASK with a REPLY of the same id and content.
func echo() *funcs {
	return &funcs{
		frame: func(c *Conn, h wire.Header, p []byte) {
			if h.Kind != wire.KindAsk {
				return
			}
			var b [wire.HeaderLen]byte // stays on the stack
			wire.Header{Kind: wire.KindReply, Priority: wire.Normal, ID: h.ID, Len: len(p)}.Put(b[:])
			_ = c.Send(b[:], p) // a connection that ends needs no answer
		},
		idle: func(c *Conn) { c.Flush() },
	}
}

// head returns the header of a frame with n bytes of payload.
func head(k wire.Kind, id uint32, n int) []byte {
	return wire.Header{Kind: k, Priority: wire.Normal, ID: id, Len: n}.Append(nil)
}

// frame returns a whole frame.
func frame(k wire.Kind, id uint32, payload []byte) []byte {
	return append(head(k, id, len(payload)), payload...)
}

// askID is an id that the side which dialed may open.
func askID(slot int) uint32 { return wire.MakeID(true, uint32(slot), 0) }

func ask(c *Conn, id uint32, body []byte) error {
	return c.Send(head(wire.KindAsk, id, len(body)), body)
}

// ---- transports ----

// fabric is a kind of transport under test.
type fabric struct {
	name     string
	endpoint func(t testing.TB) posthaste.Endpoint // to listen at
	make     func(t testing.TB, h Handler, o Options) Transport
	raw      func(t testing.TB, ep posthaste.Endpoint) net.Conn // connects and says nothing
}

// each runs test over every fabric.
func each(t *testing.T, test func(t *testing.T, f fabric)) {
	for _, f := range fabrics() {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}

// fabrics returns one of every kind. The Memory transports of one call share a
// network.
func fabrics() []fabric {
	return []fabric{
		sockets("tcp", func(testing.TB) string { return "127.0.0.1:0" }),
		sockets("unix", func(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }),
		memory(NewNetwork()),
	}
}

func sockets(network string, address func(testing.TB) string) fabric {
	return fabric{
		name: network,
		endpoint: func(t testing.TB) posthaste.Endpoint {
			return posthaste.Endpoint{Network: network, Address: address(t)}
		},
		make: func(t testing.TB, h Handler, o Options) Transport {
			tr, err := NewTCP(h, o)
			must(t, err)
			return tr
		},
		raw: func(t testing.TB, ep posthaste.Endpoint) net.Conn {
			nc, err := net.Dial(ep.Network, ep.Address)
			must(t, err)
			t.Cleanup(func() { nc.Close() })
			return nc
		},
	}
}

func memory(n *Network) fabric {
	node := func(t testing.TB, h Handler, o Options) Transport {
		tr, err := n.Transport(h, o)
		must(t, err)
		return tr
	}
	var names atomic.Int64
	return fabric{
		name:     "mem",
		endpoint: func(testing.TB) posthaste.Endpoint { return mem(fmt.Sprint("name-", names.Add(1))) },
		make:     node,
		raw: func(t testing.TB, ep posthaste.Endpoint) net.Conn {
			m := node(t, &funcs{}, Options{})
			nc, err := m.(*Memory).connect(t.Context(), ep)
			must(t, err)
			t.Cleanup(func() {
				nc.Close()
				must(t, m.Close(context.Background()))
			})
			return nc
		},
	}
}

// open makes a transport and closes it when the test ends.
func (f fabric) open(t testing.TB, h Handler, o Options) Transport {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	tr := f.make(t, h, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := tr.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return tr
}

// serve is open and Listen.
func (f fabric) serve(t testing.TB, h Handler, o Options) (Transport, posthaste.Endpoint) {
	t.Helper()
	tr := f.open(t, h, o)
	ep, err := tr.Listen(context.Background(), f.endpoint(t))
	must(t, err)
	return tr, ep
}

func dial(t testing.TB, tr Transport, ep posthaste.Endpoint) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := tr.Dial(ctx, ep)
	must(t, err)
	return c
}

// ---- raw peers ----

// greeted is raw after an exchange of HELLO.
func (f fabric) greeted(t testing.TB, ep posthaste.Endpoint, hello wire.Hello) net.Conn {
	t.Helper()
	nc := f.raw(t, ep)
	say(t, nc, must2(wire.AppendHello(nil, &hello))(t))
	if h, _ := hear(t, nc); h.Kind != wire.KindHello {
		t.Fatalf("the answer to HELLO is %v", h)
	}
	return nc
}

func say(t testing.TB, nc net.Conn, b []byte) {
	t.Helper()
	must(t, nc.SetWriteDeadline(time.Now().Add(patience)))
	_, err := nc.Write(b)
	must(t, err)
}

// hear reads one frame.
func hear(t testing.TB, nc net.Conn) (wire.Header, []byte) {
	t.Helper()
	h, p, err := tryHear(nc)
	must(t, err)
	return h, p
}

func tryHear(nc net.Conn) (wire.Header, []byte, error) {
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return wire.Header{}, nil, err
	}
	b := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(nc, b); err != nil {
		return wire.Header{}, nil, err
	}
	h := wire.ParseHeader(b)
	p := make([]byte, h.Len)
	_, err := io.ReadFull(nc, p)
	return h, p, err
}

// ---- waiting ----

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must2[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T { t.Helper(); must(t, err); return v }
}

// await receives from ch, or fails the test after a while.
func await[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited in vain for %s", what)
	}
	panic("unreachable")
}

// until waits for something that no channel tells.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	look, limit := time.NewTicker(time.Millisecond), time.NewTimer(patience)
	defer look.Stop()
	defer limit.Stop()
	for !cond() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// isCode fails the test unless err is a *posthaste.Error of this code.
func isCode(t testing.TB, err error, want posthaste.Code) {
	t.Helper()
	if e, ok := err.(*posthaste.Error); !ok || e.Code != want {
		t.Errorf("error is %v (%T), want code %v", err, err, want)
	}
}

// replies is a client's Handler that hands out REPLY frames by id.
type replies struct {
	funcs
	mu      sync.Mutex // guards waiting
	waiting map[uint32]chan []byte
}

func newReplies() *replies {
	r := &replies{waiting: make(map[uint32]chan []byte)}
	r.frame = func(c *Conn, h wire.Header, p []byte) {
		r.mu.Lock()
		ch := r.waiting[h.ID]
		r.mu.Unlock()
		if ch != nil {
			ch <- c.Keep(p)
		}
	}
	return r
}

func (r *replies) expect(id uint32) <-chan []byte {
	ch := make(chan []byte, 1024)
	r.mu.Lock()
	r.waiting[id] = ch
	r.mu.Unlock()
	return ch
}

// endings collects why connections were closed.
type endings chan error

func (e endings) note(_ *Conn, err error) { e <- err }
