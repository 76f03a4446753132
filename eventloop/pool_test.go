package eventloop

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// pooled makes a transport with a pool that is told of its connections, as the
// runtime does it.
func pooled(t *testing.T, f fabric, o Options) *Pool {
	t.Helper()
	var p atomic.Pointer[Pool]
	tr := f.open(t, &funcs{
		opened: func(c *Conn) { p.Load().Adopt(c) },
		closed: func(c *Conn, _ error) { p.Load().Drop(c) },
	}, o)
	p.Store(NewPool(tr, o.Backoff))
	t.Cleanup(p.Load().Close)
	return p.Load()
}

// steady is a Backoff without chance.
var steady = Backoff{First: 100 * time.Millisecond, Factor: 2, Longest: time.Second, Jitter: 1e-9}

func TestBackoffWait(t *testing.T) {
	b, err := Backoff{}.withDefaults()
	must(t, err)
	for _, c := range []struct {
		failures  int
		u         float64
		want, tol time.Duration
	}{
		{0, 1, 0, 0},
		{1, 0.5, 100 * time.Millisecond, time.Microsecond},
		{1, 0, 80 * time.Millisecond, time.Microsecond},
		{1, 1, 120 * time.Millisecond, time.Microsecond},
		{2, 0.5, 160 * time.Millisecond, time.Microsecond},
		{3, 0.5, 256 * time.Millisecond, time.Microsecond},
		{11, 0.5, 10 * time.Second, time.Microsecond},
		{1 << 30, 1, 12 * time.Second, time.Microsecond},
	} {
		if d := b.wait(c.failures, c.u); d < c.want-c.tol || d > c.want+c.tol {
			t.Errorf("wait(%d, %v) = %v, want %v", c.failures, c.u, d, c.want)
		}
	}
	for _, bad := range []Backoff{{First: -1}, {First: 2, Longest: 1}, {Factor: 0.5}, {Jitter: 1}, {Jitter: -1}} {
		if _, err := bad.withDefaults(); posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestSingleFlight has many callers want a connection at once.
func TestSingleFlight(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var accepted atomic.Int64
		h := echo()
		h.opened = func(*Conn) { accepted.Add(1) }
		_, ep := f.serve(t, h, Options{})
		p := pooled(t, f, Options{})
		var wg sync.WaitGroup
		conns := make([]*Conn, 100)
		for i := range conns {
			wg.Go(func() {
				c, err := p.Get(t.Context(), ep)
				if err != nil {
					t.Error(err)
				}
				conns[i] = c
			})
		}
		wg.Wait()
		for _, c := range conns {
			if c != conns[0] {
				t.Fatalf("Get gave out two connections")
			}
		}
		until(t, "it is accepted", func() bool { return accepted.Load() > 0 })
		if n := accepted.Load(); n != 1 {
			t.Errorf("%d connections were accepted", n)
		}
		if c := p.Peer(ep).Conn(); c != conns[0] || p.Peer(ep).Endpoint() != ep {
			t.Errorf("Peer: %v at %v", c, p.Peer(ep).Endpoint())
		}
	})
}

// TestReconnect loses connections from either side.
func TestReconnect(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		accepted := make(chan *Conn, 8)
		h := echo()
		h.opened = func(c *Conn) { accepted <- c }
		_, ep := f.serve(t, h, Options{})
		p := pooled(t, f, Options{})
		peer := p.Peer(ep)
		for n := range 4 {
			c, err := peer.Dial(t.Context())
			must(t, err)
			if other, err := p.Get(t.Context(), ep); err != nil || other != c {
				t.Errorf("Get: %v", err)
			}
			there := await(t, "Opened", accepted)
			if n%2 == 0 {
				c.Close(nil)
			} else {
				there.Close(nil)
			}
			until(t, "it is dropped", func() bool { return peer.Conn() == nil })
		}
	})
}

func TestBackoffFailsAtOnce(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		p := pooled(t, f, Options{Backoff: steady})
		ep := mem("nobody")
		for attempt, wait := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
			wait *= time.Millisecond
			_, err := p.Get(t.Context(), ep) // makes an attempt
			checkBackoff(t, err, ep, wait)
			time.Sleep(wait / 2)
			_, err = p.Get(t.Context(), ep)
			checkBackoff(t, err, ep, wait/2)
			if attempt == 2 {
				p.Peer(ep).ResetBackoff()
				_, err = p.Get(t.Context(), ep)
				checkBackoff(t, err, ep, 100*time.Millisecond)
				break
			}
			time.Sleep(wait/2 + time.Millisecond)
		}

		// It comes up: the next attempt after the backoff succeeds, and a later
		// failure starts from the shortest wait again.
		server := f.open(t, echo(), Options{})
		must2(server.Listen(t.Context(), ep))(t)
		_, err := p.Get(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
		time.Sleep(101 * time.Millisecond)
		must2(p.Get(t.Context(), ep))(t)
		must(t, server.Close(t.Context()))
		synctest.Wait()
		_, err = p.Get(t.Context(), ep)
		checkBackoff(t, err, ep, 100*time.Millisecond)
	})
}

func checkBackoff(t *testing.T, err error, ep posthaste.Endpoint, wait time.Duration) {
	t.Helper()
	isCode(t, err, posthaste.ConnectFailed)
	e, ok := errors.AsType[*posthaste.Error](err)
	if !ok || e.RetryAfter.Round(time.Millisecond) != wait || e.Peer != ep || e.Status != posthaste.StatusNotExecuted {
		t.Errorf("error is %+v, want RetryAfter %v", e, wait)
	}
}

// TestBackoffCountsFromTheStart has an attempt that takes long to fail: the next
// may follow at once.
func TestBackoffCountsFromTheStart(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		p := pooled(t, f, Options{Backoff: steady})
		me := p.transport.(*Memory).Endpoint()
		n.Cut(me, ep)
		start := time.Now()
		_, err := p.Get(t.Context(), ep)
		checkBackoff(t, err, ep, 0)
		within(t, "the attempt", time.Since(start), 3*time.Second, 3*time.Second)
		n.Heal(me, ep)
		must2(p.Get(t.Context(), ep))(t)
	})
}

// TestCallerGoesFlightGoesOn ends the context of one of two waiting callers.
func TestCallerGoesFlightGoesOn(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		p := pooled(t, f, Options{})
		me := p.transport.(*Memory).Endpoint()
		n.Cut(me, ep)
		done := make(chan error, 1)
		go func() {
			_, err := p.Get(t.Context(), ep)
			done <- err
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Get(ctx, ep)
		isCode(t, err, posthaste.DeadlineExceeded)
		n.Heal(me, ep)
		must(t, <-done)
	})
}

// TestInboundIsAdopted has the peer connect first: no dial is needed then.
func TestInboundIsAdopted(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		// Each side listens, and advertises where.
		var a, b *Pool
		adopt := func(p **Pool) *funcs {
			h := echo()
			h.opened = func(c *Conn) { (*p).Adopt(c) }
			h.closed = func(c *Conn, _ error) { (*p).Drop(c) }
			return h
		}
		epA, epB := f.endpoint(t), f.endpoint(t)
		if f.name == "tcp" {
			epA.Address, epB.Address = "127.0.0.1:1", "127.0.0.1:2" // nobody dials them
		}
		trA := f.open(t, adopt(&a), Options{Hello: wire.Hello{Advertise: epA.String()}})
		trB := f.open(t, adopt(&b), Options{Hello: wire.Hello{Advertise: epB.String()}})
		a, b = NewPool(trA, Backoff{}), NewPool(trB, Backoff{})
		t.Cleanup(a.Close)
		t.Cleanup(b.Close)
		listen := f.endpoint(t)
		listen = must2(trB.Listen(t.Context(), listen))(t)

		out := must2(a.Get(t.Context(), listen))(t)
		peer := b.Peer(epA)
		until(t, "it is adopted", func() bool { return peer.Conn() != nil })
		if c := must2(b.Get(t.Context(), epA))(t); c.Outbound() || c.Remote() != epA {
			t.Errorf("Get gave a connection to %v, outbound %v", c.Remote(), c.Outbound())
		}
		out.Close(nil)
		until(t, "it is dropped", func() bool { return peer.Conn() == nil })
	})
}

// TestFirstConnectionStays has two connections to one peer: the first is handed
// out until it is dropped, then the second.
func TestFirstConnectionStays(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		p := pooled(t, f, Options{})
		first := must2(p.Get(t.Context(), ep))(t)
		second := dial(t, p.transport, ep)
		peer := p.Peer(ep)
		if peer.Conn() != first {
			t.Error("the second connection took the place of the first")
		}
		p.Drop(first)
		p.Drop(first)
		if peer.Conn() != second {
			t.Error("the second connection did not follow")
		}
		p.Adopt(first)
		second.Close(nil)
		until(t, "the first is back", func() bool { return peer.Conn() == first })
	})
}

// TestPoolForgets checks that peers nobody wants leave the pool: whoever connects
// and advertises must not fill it.
func TestPoolForgets(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		size := func(p *Pool) (n int) {
			p.peers.Range(func(any, any) bool { n++; return true })
			return n
		}
		p := pooled(t, f, Options{})
		at := must2(p.transport.Listen(t.Context(), mem("here")))(t)
		for range 10 {
			nc := f.greeted(t, at, wire.Hello{Advertise: "mem:made-up"})
			synctest.Wait()
			if size(p) != 1 {
				t.Errorf("the pool has %d peers", size(p))
			}
			nc.Close()
			synctest.Wait()
		}
		f.greeted(t, at, wire.Hello{}) // advertises nothing
		synctest.Wait()
		if size(p) != 0 {
			t.Errorf("the pool has %d peers", size(p))
		}
		_, ep := f.serve(t, echo(), Options{})
		kept := p.Peer(ep)
		c := must2(kept.Dial(t.Context()))(t)
		p.Forget(ep)
		p.Forget(mem("unknown"))
		if size(p) != 1 || kept.Conn() != c {
			t.Errorf("forgotten with a connection: %d peers", size(p))
		}
		c.Close(nil)
		synctest.Wait()
		if size(p) != 0 {
			t.Errorf("the pool has %d peers", size(p))
		}
		again := must2(kept.Dial(t.Context()))(t) // a kept Peer goes on
		if other := must2(p.Get(t.Context(), ep))(t); other != again {
			t.Error("a forgotten Peer and the pool disagree")
		}
	})
}

func TestPoolClose(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		p := pooled(t, f, Options{})
		n.Cut(p.transport.(*Memory).Endpoint(), ep)
		done := make(chan error, 1)
		go func() {
			_, err := p.Get(context.Background(), ep)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		p.Close()
		isCode(t, <-done, posthaste.ConnectFailed)
		within(t, "closing", time.Since(start), 0, 0)
		_, err := p.Get(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
	})
}

func BenchmarkPoolGet(b *testing.B) {
	f := fabrics()[2]
	_, ep := f.serve(b, echo(), Options{})
	var p *Pool
	tr := f.open(b, &funcs{opened: func(c *Conn) { p.Adopt(c) }}, Options{})
	p = NewPool(tr, Backoff{})
	defer p.Close()
	must2(p.Get(context.Background(), ep))(b)
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Get(context.Background(), ep); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Peer", func(b *testing.B) {
		peer := p.Peer(ep)
		for b.Loop() {
			if peer.Conn() == nil {
				b.Fatal("no connection")
			}
		}
	})
}
