package eventloop

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// virtual runs test in a bubble, over a new in-memory network.
func virtual(t *testing.T, test func(t *testing.T, n *Network, f fabric)) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		test(t, n, memory(n))
	})
}

// within fails the test unless d is between low and high.
func within(t *testing.T, what string, d, low, high time.Duration) {
	t.Helper()
	if d < low || d > high {
		t.Errorf("%s took %v, want %v to %v", what, d, low, high)
	}
}

// TestQuietConnectionLives leaves a connection alone for a day: PINGs keep it.
func TestQuietConnectionLives(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		ended := make(endings, 2)
		load := func() wire.Load { return wire.Load{CPU: 42} }
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{Load: load})
		c := dial(t, f.open(t, &funcs{closed: ended.note}, Options{}), ep)
		time.Sleep(24 * time.Hour)
		if len(ended) != 0 {
			t.Fatalf("it was closed: %v", <-ended)
		}
		if s := c.Stats(); time.Since(s.LastRead) > 16*time.Second || s.FramesIn < 24*60*2 || s.FramesIn > 24*60*10 {
			t.Errorf("after a day Stats() = %+v", s)
		}
		if p := c.LastPong(); p.Opaque == 0 || p.Load.CPU != 42 {
			t.Errorf("LastPong() = %+v", p)
		}
	})
}

// TestSilentPeerIsDropped cuts the link under a connection: both sides find out
// on their own, in time.
func TestSilentPeerIsDropped(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		ended := make(endings, 2)
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{})
		client := f.open(t, &funcs{closed: ended.note}, Options{}).(*Memory)
		dial(t, client, ep)
		n.Cut(client.Endpoint(), ep)
		start := time.Now()
		for range 2 {
			isCode(t, <-ended, posthaste.ConnLost)
			within(t, "giving up", time.Since(start), 24*time.Second, 26*time.Second)
		}
	})
}

// TestSilenceWithDataQueued is the same with bytes on their way: the stall ends
// it, sooner.
func TestSilenceWithDataQueued(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		ended := make(endings, 2)
		_, ep := f.serve(t, &funcs{}, Options{})
		client := f.open(t, &funcs{closed: ended.note}, Options{}).(*Memory)
		c := dial(t, client, ep)
		n.Cut(client.Endpoint(), ep)
		for !c.Congested() {
			must(t, tell(c))
		}
		c.Flush()
		start := time.Now()
		isCode(t, <-ended, posthaste.ConnLost)
		within(t, "giving up", time.Since(start), 10*time.Second, 11*time.Second)
		n.Heal(client.Endpoint(), ep)
	})
}

// TestSlowButSteadyLives has a peer that takes a little at a time, for longer
// than all timeouts: progress is a sign of life.
func TestSlowButSteadyLives(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		opened, ended := make(chan *Conn, 1), make(endings, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }, closed: ended.note}, Options{SoftLimit: 4 << 20})
		nc := f.greeted(t, ep, wire.Hello{})
		c := <-opened
		for !c.Congested() {
			must(t, tell(c))
		}
		c.Flush()
		for range 40 {
			time.Sleep(3 * time.Second)
			for range 3 {
				if h, _ := hear(t, nc); h.Kind != wire.KindTell {
					t.Fatalf("got %v", h)
				}
			}
		}
		if len(ended) != 0 {
			t.Errorf("closed after %v", <-ended)
		}
	})
}

// TestTrickleBuysNoTime sends a frame byte by byte: each byte is a sign of life,
// but the frame has only so long.
func TestTrickleBuysNoTime(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		ended := make(endings, 1)
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{})
		nc := f.greeted(t, ep, wire.Hello{})
		start := time.Now()
		for _, b := range frame(wire.KindAsk, askID(1), make([]byte, 100)) {
			if _, err := nc.Write([]byte{b}); err != nil || len(ended) > 0 {
				break
			}
			time.Sleep(time.Second)
		}
		nc.Close()
		isCode(t, <-ended, posthaste.FragmentTimeout)
		within(t, "giving up", time.Since(start), 9*time.Second, 12*time.Second)
	})
}

func TestIdleClose(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		ended := make(endings, 1)
		_, ep := f.serve(t, echo(), Options{})
		var away atomic.Bool
		in := newReplies()
		c := dial(t, f.open(t, &funcs{
			frame: func(c *Conn, h wire.Header, p []byte) {
				if h.Kind == wire.KindGoAway {
					away.Store(true)
				}
				in.Frame(c, h, p)
			},
			closed: ended.note,
		}, Options{IdleClose: time.Minute}), ep)
		for n := range 5 {
			time.Sleep(50 * time.Second)
			must(t, ask(c, askID(n+1), nil))
			c.Flush()
		}
		start := time.Now()
		isCode(t, <-ended, posthaste.ConnLost)
		within(t, "closing", time.Since(start), time.Minute-time.Second, time.Minute+time.Second)
	})
}

// TestIdleCloseSaysGoAway listens from the other side.
func TestIdleCloseSaysGoAway(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{IdleClose: 5 * time.Second})
		nc := f.greeted(t, ep, wire.Hello{})
		h, p := hear(t, nc)
		var g wire.GoAway
		if err := g.Parse(p); err != nil || h.Kind != wire.KindGoAway || g.Code != posthaste.Draining {
			t.Errorf("got %v %+v (%v)", h, g, err)
		}
		heardEnd(t, nc)
	})
}

func TestPingIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		nc := f.greeted(t, ep, wire.Hello{})
		say(t, nc, wire.AppendPing(frame(wire.KindAsk, askID(1), nil), 99))
		hear(t, nc) // the reply
		h, b := hear(t, nc)
		var p wire.Pong
		if err := p.Parse(b); err != nil || h.Kind != wire.KindPong || p.Opaque != 99 || p.Accepted != 1 {
			t.Errorf("got %v %+v (%v)", h, p, err)
		}
	})
}

// TestPingsLeaveOnePong sends several PINGs in one read: the newest is answered.
func TestPingsLeaveOnePong(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		nc := f.greeted(t, ep, wire.Hello{})
		say(t, nc, append(wire.AppendPing(wire.AppendPing(nil, 1), 2), frame(wire.KindAsk, askID(1), nil)...))
		hear(t, nc)
		_, b := hear(t, nc)
		var p wire.Pong
		if err := p.Parse(b); err != nil || p.Opaque != 2 {
			t.Errorf("got %+v (%v), want the answer to the second PING", p, err)
		}
	})
}

func TestPingFloodFails(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		ended := make(endings, 1)
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{})
		polite := f.greeted(t, ep, wire.Hello{})
		for n := range 60 {
			say(t, polite, wire.AppendPing(nil, uint64(n)))
			if h, _ := hear(t, polite); h.Kind != wire.KindPong {
				t.Fatalf("PING %d, two a second, got %v", n, h)
			}
			time.Sleep(600 * time.Millisecond)
		}
		polite.Close()
		<-ended

		flood := f.greeted(t, ep, wire.Hello{})
		for n := range 30 {
			if _, err := flood.Write(wire.AppendPing(nil, uint64(n))); err != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		flood.Close()
		isCode(t, <-ended, posthaste.ResourceExhausted)
	})
}

// TestMinPingIsHeeded has a peer that bears fewer PINGs than this side wants to
// send.
func TestMinPingIsHeeded(t *testing.T) {
	virtual(t, func(t *testing.T, _ *Network, f fabric) {
		_, ep := f.serve(t, &funcs{}, Options{})
		nc := f.greeted(t, ep, wire.Hello{MinPing: time.Minute})
		start := time.Now()
		must(t, nc.SetReadDeadline(start.Add(time.Hour)))
		b := make([]byte, 100)
		n := must2(nc.Read(b))(t)
		if h := wire.ParseHeader(b[:n]); h.Kind != wire.KindPing {
			t.Errorf("got %v", h)
		}
		within(t, "the PING", time.Since(start), 59*time.Second, 61*time.Second)
	})
}

// TestIdleTransportSleeps checks that a transport without connections has no
// timer running: in a bubble time then stands still, and this deadlocks if the
// test waits for it. A day must pass in one step.
func TestIdleTransportSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := newHub(&funcs{}, Options{Logger: slog.New(slog.DiscardHandler)})
		must(t, err)
		before := h.now()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if h.now() != before {
			t.Errorf("the clock went on by %v without a connection", time.Duration(h.now()-before))
		}
		must(t, h.close(t.Context(), func() error { return nil }))
	})
}
