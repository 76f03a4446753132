package eventloop

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

func TestEchoKeepsOrder(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		in := newReplies()
		c := dial(t, f.open(t, in, Options{}), ep)
		const callers, rounds, window = 16, 300, 8
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				got, body, next := in.expect(askID(caller+1)), make([]byte, 8+caller*61), uint64(0)
				for n := range uint64(rounds) {
					binary.LittleEndian.PutUint64(body, n)
					if err := ask(c, askID(caller+1), body); err != nil {
						t.Error(err)
						return
					}
					c.FlushSoon()
					if n < window {
						continue
					}
					if b := await(t, "a reply", got); binary.LittleEndian.Uint64(b) != next || len(b) != len(body) {
						t.Errorf("caller %d got reply %d of %d bytes, want %d of %d", caller, binary.LittleEndian.Uint64(b), len(b), next, len(body))
						return
					}
					next++
				}
			})
		}
		wg.Wait()
		if s := c.Stats(); s.FramesOut != callers*rounds || s.BytesOut < callers*rounds*16 || s.LastRead.IsZero() {
			t.Errorf("Stats() = %+v", s)
		}
	})
}

func TestHandshakeFacts(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened := make(chan *Conn, 1)
		server := Options{Hello: wire.Hello{Node: "server", Incarnation: 7, MaxFrame: 8 << 10}}
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { c.SetContext("mine"); opened <- c }}, server)
		client := Options{Hello: wire.Hello{Node: "client", Advertise: "192.0.2.1:99"}}
		var fromOpened atomic.Pointer[Conn]
		out := dial(t, f.open(t, &funcs{opened: func(c *Conn) { fromOpened.Store(c) }}, client), ep)
		in := await(t, "Opened", opened)

		if fromOpened.Load() != out {
			t.Error("Opened had not returned when Dial did")
		}
		if !out.Outbound() || in.Outbound() {
			t.Errorf("Outbound() = %v at the dialer, %v at the other", out.Outbound(), in.Outbound())
		}
		if out.Remote() != ep || in.Remote() != (posthaste.Endpoint{Network: "tcp", Address: "192.0.2.1:99"}) {
			t.Errorf("Remote() = %v and %v", out.Remote(), in.Remote())
		}
		if out.Peer().Node != "server" || out.Peer().Incarnation != 7 || in.Peer().Node != "client" {
			t.Errorf("Peer() = %v and %v", out.Peer(), in.Peer())
		}
		if out.Agreed().MaxFrame != 8<<10 || in.Agreed().MaxFrame != 8<<10 {
			t.Errorf("Agreed().MaxFrame = %d and %d", out.Agreed().MaxFrame, in.Agreed().MaxFrame)
		}
		if in.Context() != "mine" || out.Context() != nil || out.ID() == 0 {
			t.Errorf("Context() = %v and %v, ID() = %d", in.Context(), out.Context(), out.ID())
		}
	})
}

// TestFramesInPieces sends frames that are cut in all kinds of places, HELLO
// included, and wants them back whole and in order.
func TestFramesInPieces(t *testing.T) {
	pieces := map[string]func(r *rand.Rand) int{
		"byte by byte": func(*rand.Rand) int { return 1 },
		"small":        func(r *rand.Rand) int { return 1 + r.IntN(40) },
		"large":        func(r *rand.Rand) int { return 1 + r.IntN(100_000) },
	}
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{Hello: wire.Hello{MaxFrame: wire.MaxPayload}})
		for name, piece := range pieces {
			t.Run(name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				out := must2(wire.AppendHello(nil, &wire.Hello{MaxFrame: wire.MaxPayload}))(t)
				var want [][]byte
				for n := range 300 {
					size := r.IntN(60)
					if n%50 == 7 && name != "byte by byte" {
						size = r.IntN(wire.MaxPayload + 1)
					}
					body := bytes.Repeat([]byte{byte(n)}, size)
					want = append(want, body)
					out = append(out, frame(wire.KindAsk, askID(n+1), body)...)
				}
				nc := f.raw(t, ep)
				go func() { // ends with out, or when the connection is closed
					for len(out) > 0 {
						k := min(piece(r), len(out))
						if _, err := nc.Write(out[:k]); err != nil {
							return
						}
						out = out[k:]
					}
				}()
				hear(t, nc)
				for n, body := range want {
					h, p := hear(t, nc)
					if h.Kind != wire.KindReply || h.ID != askID(n+1) || !bytes.Equal(p, body) {
						t.Fatalf("frame %d is %v with %d bytes, want a REPLY to it with %d", n, h, len(p), len(body))
					}
				}
			})
		}
	})
}

func TestChecksums(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		ended := make(endings, 2)
		o := Options{Hello: wire.Hello{Checksum: wire.ChecksumCRC32C, MaxFrame: wire.MaxPayload}}
		h := echo()
		h.closed = ended.note
		_, ep := f.serve(t, h, o)
		in := newReplies()
		c := dial(t, f.open(t, in, o), ep)
		got := in.expect(askID(1))
		for _, n := range []int{0, 1, 1000, wire.MaxPayload - wire.ChecksumLen} {
			must(t, ask(c, askID(1), make([]byte, n)))
			c.Flush()
			if b := await(t, "a reply", got); len(b) != n {
				t.Errorf("%d bytes came back as %d", n, len(b))
			}
		}
		isCode(t, ask(c, askID(1), make([]byte, wire.MaxPayload)), posthaste.TooLarge)

		nc := f.greeted(t, ep, o.Hello)
		b := must2(wire.AppendChecksum(frame(wire.KindAsk, askID(1), []byte("body")), 0))(t)
		b[wire.HeaderLen]++
		say(t, nc, b)
		if h, _ := hear(t, nc); h.Kind != wire.KindGoAway {
			t.Errorf("got %v, want GOAWAY", h)
		}
		nc.Close()
		isCode(t, await(t, "Closed", ended), posthaste.BadChecksum)
	})
}

// ---- closing ----

// TestCloseDelivers checks that everything sent before Close arrives, more than
// sockets hold, and that both sides hear of the end once.
func TestCloseDelivers(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var received atomic.Int64
		served := make(endings, 2)
		_, ep := f.serve(t, &funcs{
			frame:  func(_ *Conn, _ wire.Header, p []byte) { received.Add(int64(len(p))) },
			closed: served.note,
		}, Options{})
		ended := make(endings, 2)
		c := dial(t, f.open(t, &funcs{closed: ended.note}, Options{}), ep)
		const frames, size = 400, 16 << 10
		for range frames {
			must(t, c.Send(head(wire.KindTell, 0, size), make([]byte, size)))
		}
		reason := posthaste.Errorf(posthaste.Draining, "enough")
		c.Close(reason)
		c.Close(errors.New("too late"))
		if err := await(t, "Closed here", ended); err != error(reason) {
			t.Errorf("Closed with %v", err)
		}
		isCode(t, await(t, "Closed there", served), posthaste.ConnLost)
		if got := received.Load(); got != frames*size {
			t.Errorf("%d of %d bytes arrived", got, frames*size)
		}
		err := ask(c, askID(1), nil)
		isCode(t, err, posthaste.ConnLost)
		if posthaste.StatusOf(err) != posthaste.StatusNotExecuted || !errors.Is(err, reason) {
			t.Errorf("Send after Close: %v", err)
		}
		isCode(t, c.Wait(t.Context()), posthaste.ConnLost)
	})
}

func TestClosedErrorIsAnError(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, &funcs{}, Options{})
		ended := make(endings, 1)
		tr := f.open(t, &funcs{closed: ended.note}, Options{})
		cause := io.ErrNoProgress
		dial(t, tr, ep).Close(cause)
		if err := await(t, "Closed", ended); !errors.Is(err, cause) || posthaste.CodeOf(err) != posthaste.ConnLost {
			t.Errorf("Closed with %v", err)
		}
		dial(t, tr, ep).Close(nil)
		isCode(t, await(t, "Closed", ended), posthaste.ConnLost)
	})
}

func TestFailTellsThePeer(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		violation := posthaste.Errorf(posthaste.ResourceExhausted, "too many streams")
		ended := make(endings, 1)
		_, ep := f.serve(t, &funcs{
			frame:  func(c *Conn, _ wire.Header, _ []byte) { c.Fail(violation) },
			closed: ended.note,
		}, Options{})
		away := make(chan wire.GoAway, 1)
		c := dial(t, f.open(t, &funcs{frame: func(c *Conn, h wire.Header, p []byte) {
			var g wire.GoAway
			if err := g.Parse(c.Keep(p)); h.Kind != wire.KindGoAway || err != nil {
				t.Errorf("got %v (%v), want GOAWAY", h, err)
			}
			away <- g
		}}, Options{}), ep)
		for n := range 3 { // the second and third arrive with the first, and are not taken in
			must(t, ask(c, askID(n+1), nil))
		}
		c.Flush()
		g := await(t, "GOAWAY", away)
		if g.Code != violation.Code || string(g.Message) != violation.Msg || g.Accepted != 1 || g.Phase != wire.PhaseFinal {
			t.Errorf("GOAWAY is %+v", g)
		}
		if err := await(t, "Closed", ended); err != error(violation) {
			t.Errorf("Closed with %v", err)
		}
	})
}

// TestSendDuringClose has many goroutines send while the connection is closed
// from either side. What Send took must arrive if this side closes.
func TestSendDuringClose(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var arrived atomic.Int64
		closed := make(endings, 64)
		_, ep := f.serve(t, &funcs{
			frame:  func(*Conn, wire.Header, []byte) { arrived.Add(1) },
			closed: closed.note,
		}, Options{})
		tr := f.open(t, &funcs{}, Options{})
		for round := range 20 {
			arrived.Store(0)
			c := dial(t, tr, ep)
			var sent atomic.Int64
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for n := 0; ; n++ {
						if err := c.Send(head(wire.KindTell, 0, 100), make([]byte, 100)); err != nil {
							isCode(t, err, posthaste.ConnLost)
							return
						}
						if sent.Add(1); n%3 == g%3 {
							c.FlushSoon()
						}
						if n > 50+round {
							c.Close(nil)
						}
						if err := c.Wait(t.Context()); err != nil {
							isCode(t, err, posthaste.ConnLost)
						}
					}
				})
			}
			wg.Wait()
			await(t, "Closed", closed)
			if arrived.Load() != sent.Load() {
				t.Fatalf("%d frames were sent, %d arrived", sent.Load(), arrived.Load())
			}
		}
	})
}

func TestTransportClose(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var received atomic.Int64
		served := make(endings, 8)
		server, ep := f.serve(t, &funcs{
			frame:  func(_ *Conn, _ wire.Header, p []byte) { received.Add(int64(len(p))) },
			closed: served.note,
		}, Options{})
		ended := make(endings, 8)
		client := f.open(t, &funcs{closed: ended.note}, Options{})
		conns := []*Conn{dial(t, client, ep), dial(t, client, ep)}
		for _, c := range conns {
			for range 100 {
				must(t, c.Send(head(wire.KindTell, 0, 10_000), make([]byte, 10_000)))
			}
		}
		must(t, client.Close(t.Context()))
		if len(ended) != len(conns) {
			t.Errorf("%d of %d Closed had returned when Close did", len(ended), len(conns))
		}
		for range conns {
			await(t, "Closed there", served)
		}
		if got := received.Load(); got != int64(len(conns))*100*10_000 {
			t.Errorf("%d bytes arrived", got)
		}
		_, err := client.Dial(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
		_, err = client.Listen(t.Context(), f.endpoint(t))
		if err == nil {
			t.Error("Listen after Close did not fail")
		}
		must(t, client.Close(t.Context())) // again

		must(t, server.Close(t.Context()))
		_, err = f.open(t, &funcs{}, Options{}).Dial(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
		if !strings.Contains(err.Error(), ep.String()) {
			t.Errorf("the error does not name %v: %v", ep, err)
		}
	})
}

// TestDialDuringClose dials from and to transports that are being closed. Each
// attempt succeeds or fails in time, and each Opened has its Closed.
func TestDialDuringClose(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var open atomic.Int64
		h := &funcs{
			opened: func(*Conn) { open.Add(1) },
			closed: func(*Conn, error) { open.Add(-1) },
		}
		for round := range 10 {
			server := f.make(t, h, Options{Logger: slog.New(slog.DiscardHandler)})
			client := f.make(t, h, Options{Logger: slog.New(slog.DiscardHandler)})
			ep := must2(server.Listen(t.Context(), f.endpoint(t)))(t)
			var wg sync.WaitGroup
			dialed := make(chan struct{}, 1)
			for range 4 {
				wg.Go(func() {
					for {
						c, err := client.Dial(t.Context(), ep)
						if err != nil {
							isCode(t, err, posthaste.ConnectFailed)
							return
						}
						c.Close(nil)
						select {
						case dialed <- struct{}{}:
						default:
						}
					}
				})
			}
			await(t, "a connection", dialed)
			first, second := server, client
			if round%2 == 0 {
				first, second = client, server
			}
			must(t, first.Close(t.Context()))
			wg.Wait()
			must(t, second.Close(t.Context()))
			if n := open.Load(); n != 0 {
				t.Fatalf("%d connections were opened and not closed", n)
			}
		}
	})
}

func TestDialErrors(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		tr, ep := f.serve(t, &funcs{}, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tr.Dial(ctx, ep)
		isCode(t, err, posthaste.Canceled)
		if posthaste.StatusOf(err) != posthaste.StatusNotExecuted {
			t.Errorf("status of %v is %v", err, posthaste.StatusOf(err))
		}
		_, err = tr.Dial(t.Context(), posthaste.Endpoint{Network: "udp", Address: "127.0.0.1:1"})
		isCode(t, err, posthaste.InvalidArgument)
		_, err = tr.Listen(t.Context(), posthaste.Endpoint{Network: "udp", Address: "127.0.0.1:1"})
		isCode(t, err, posthaste.InvalidArgument)
		_, err = tr.Listen(t.Context(), ep)
		isCode(t, err, posthaste.Unavailable)
	})
}

// ---- panics ----

func TestPanicClosesOneConnection(t *testing.T) {
	for _, where := range []string{"Opened", "Frame", "Idle", "Closed"} {
		t.Run(where, func(t *testing.T) {
			each(t, func(t *testing.T, f fabric) { testPanic(t, f, where) })
		})
	}
}

func testPanic(t *testing.T, f fabric, where string) {
	ended := make(endings, 8)
	boom := func(c *Conn, here string) {
		if here == where && c.Peer().Node == "victim" {
			panic("boom")
		}
	}
	h := echo()
	inner := h.frame
	h.opened = func(c *Conn) { boom(c, "Opened") }
	h.frame = func(c *Conn, hd wire.Header, p []byte) { boom(c, "Frame"); inner(c, hd, p) }
	h.idle = func(c *Conn) { boom(c, "Idle"); c.Flush() }
	h.closed = func(c *Conn, err error) { ended <- err; boom(c, "Closed") }
	_, ep := f.serve(t, h, Options{Loops: 1})

	in := newReplies()
	bystander := dial(t, f.open(t, in, Options{}), ep)
	victimEnded := make(endings, 8)
	victim := dial(t, f.open(t, &funcs{closed: victimEnded.note}, Options{Hello: wire.Hello{Node: "victim"}}), ep)
	if where != "Opened" {
		must(t, ask(victim, askID(1), nil))
		victim.Flush()
	}
	want := posthaste.Internal
	if where == "Closed" {
		victim.Close(nil)
		want = posthaste.ConnLost
	}
	isCode(t, await(t, "Closed", ended), want)
	await(t, "Closed at the victim", victimEnded)

	got := in.expect(askID(1))
	must(t, ask(bystander, askID(1), []byte("still there?")))
	bystander.Flush()
	await(t, "a reply to the bystander", got)
	if len(ended) != 0 {
		t.Errorf("Closed again, with %v", <-ended)
	}
}
