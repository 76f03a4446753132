package eventloop

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// hub is what every transport consists of but for its sockets: the options, the
// live connections, the coarse clock with its sweeper, and the count of its
// goroutines.
type hub struct {
	// Set once in newHub.
	handler    Handler
	o          Options
	log        *slog.Logger
	began      time.Time
	ctx        context.Context // ends when the transport begins to close: accepting, dialing and handshakes stop
	stop       context.CancelFunc
	handshakes chan struct{} // a semaphore: one token for each accepted connection in the handshake

	hello   atomic.Pointer[wire.Hello] // what handshakes to come say; read-only
	buffers bufferPool
	ids     atomic.Uint64 // connections made so far
	clock   atomic.Int64  // coarse time since began, never 0; advanced by the sweeper and by add

	work sync.WaitGroup // every goroutine of the transport but the event loops

	populated chan struct{} // capacity 1; add sends when conns was empty, the sweeper receives
	emptied   chan struct{} // closed when closing is set and conns is empty, which then lasts

	closeOnce sync.Once
	closeErr  error // of the first close; set within closeOnce

	mu      sync.Mutex         // guards following
	conns   map[*Conn]struct{} // opened and not gone
	seats   int                // connections and those that are to become one
	closing bool               // add refuses
	sealed  bool               // enter refuses
}

// session is what a handshake leads to.
type session struct {
	outbound bool
	peer     wire.Hello
	agreed   wire.Agreed
	remote   posthaste.Endpoint
	leave    func() // gives its seat back
}

// medium is what differs between the transports.
type medium interface {
	// connect makes a connection to ep on which nothing has been said.
	connect(ctx context.Context, ep posthaste.Endpoint) (net.Conn, error)

	// start makes a Conn of a connection that has said HELLO, hands it to
	// whoever delivers what arrives, and returns when Opened has. It owns nc. If
	// it fails, Opened was not called, and s.leave is for the caller to call.
	start(nc net.Conn, s session) (*Conn, error)
}

func newHub(h Handler, o Options) (*hub, error) {
	if h == nil {
		return nil, posthaste.Errorf(posthaste.InvalidArgument, "eventloop: a transport needs a Handler")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &hub{
		handler: h, o: o, log: o.Logger, began: time.Now(),
		handshakes: make(chan struct{}, o.MaxHandshakes),
		conns:      make(map[*Conn]struct{}),
		populated:  make(chan struct{}, 1),
		emptied:    make(chan struct{}),
	}
	if err := b.setHello(o.Hello); err != nil {
		return nil, err
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.tick()
	b.spawn(b.sweepLoop)
	return b, nil
}

// setHello is [Transport.SetHello].
func (h *hub) setHello(hello wire.Hello) error {
	if _, err := wire.AppendHello(nil, &hello); err != nil {
		return posthaste.Errorf(posthaste.InvalidArgument, "eventloop: a HELLO that cannot be sent: %w", err)
	}
	h.hello.Store(&hello)
	return nil
}

// ---- connections ----

// add counts c among the live connections and starts its clocks. It reports
// false if the transport is closing.
func (h *hub) add(c *Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	if len(h.conns) == 0 {
		h.tick() // the clock stood still while there was nobody to serve
		select {
		case h.populated <- struct{}{}:
		default:
		}
	}
	c.begin(h.now())
	h.conns[c] = struct{}{}
	return true
}

func (h *hub) remove(c *Conn) {
	c.leave()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	if h.closing && len(h.conns) == 0 {
		close(h.emptied) // once: add refuses, so none can be removed after the last
	}
}

// seat takes one of the MaxConns places, until leave is called, which may be more
// than once. err is set if there is none.
func (h *hub) seat() (leave func(), err *posthaste.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seats >= h.o.MaxConns {
		return nil, posthaste.Errorf(posthaste.LocalLimit, "this node has %d connections, which is its limit", h.seats)
	}
	h.seats++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.seats--
	}), nil
}

// live appends the live connections to conns.
func (h *hub) live(conns []*Conn) []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

// ---- time ----

// now returns the coarse time: nanoseconds since the transport began, late by up
// to a tick of the sweeper.
func (h *hub) now() int64 { return h.clock.Load() }

// after returns the coarse time when d will have passed.
func (h *hub) after(d time.Duration) int64 { return h.now() + int64(d) }

func (h *hub) tick() int64 {
	now := max(1, int64(time.Since(h.began)))
	h.clock.Store(now)
	return now
}

// tickEvery is the sweeper's period: fine enough for the shortest of the
// deadlines that it enforces, and 500 ms for the default ones.
func (h *hub) tickEvery() time.Duration {
	o := &h.o
	shortest := min(o.StallTimeout, o.FrameTimeout, o.PingAfter, o.DeadAfter)
	if o.IdleClose > 0 {
		shortest = min(shortest, o.IdleClose)
	}
	return min(max(shortest/16, time.Millisecond), 500*time.Millisecond)
}

// sweepLoop advances the clock and sweeps the connections at every tick, while
// there are any: an idle transport costs nothing. It ends once the transport is
// closing and the last connection is gone.
func (h *hub) sweepLoop() {
	every := h.tickEvery()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var conns []*Conn
	for {
		now := h.tick()
		conns = h.live(conns[:0])
		for _, c := range conns {
			c.sweep(now)
		}
		wait, idle := ticker.C, len(conns) == 0
		clear(conns)
		if idle {
			ticker.Stop()
			wait = nil
		}
		select {
		case <-wait:
		case <-h.populated:
			ticker.Reset(every)
		case <-h.emptied:
			return
		}
	}
}

// ---- goroutines ----

// spawn runs f on a goroutine that Close waits for. It reports false, and does
// not run f, once Close is waiting.
func (h *hub) spawn(f func()) bool {
	if !h.enter() {
		return false
	}
	go func() {
		defer h.work.Done()
		f()
	}()
	return true
}

// enter counts the caller among those that Close waits for, until it calls
// work.Done. It reports false, and counts nobody, once Close is waiting.
func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sealed {
		return false
	}
	h.work.Add(1)
	return true
}

// close ends the transport: see [Transport]. last runs once there is neither a
// connection nor a goroutine that could make one.
func (h *hub) close(ctx context.Context, last func() error) error {
	h.closeOnce.Do(func() {
		h.stop()
		h.mu.Lock()
		h.closing = true
		if len(h.conns) == 0 {
			close(h.emptied)
		}
		h.mu.Unlock()
		why := posthaste.Errorf(posthaste.ConnLost, "this node has closed the transport")
		for _, c := range h.live(nil) {
			c.Close(why)
		}
		select {
		case <-h.emptied:
		case <-ctx.Done():
			h.closeErr = ctx.Err()
			for _, c := range h.live(nil) {
				c.cut(why)
			}
			<-h.emptied
		}
		h.mu.Lock()
		h.sealed = true
		h.mu.Unlock()
		h.work.Wait()
		h.closeErr = errors.Join(h.closeErr, last())
	})
	return h.closeErr
}

// contain, deferred around an upcall, turns a panic of the Handler into the end
// of its connection.
func (c *Conn) contain(upcall string) {
	v := recover()
	if v == nil {
		return
	}
	c.hub.log.Error("eventloop: the handler panicked; its connection is closed",
		"upcall", upcall, "remote", c.remote, "conn", c.id, "panic", v, "stack", string(debug.Stack()))
	c.Fail(posthaste.Errorf(posthaste.Internal, "the handler of this connection panicked"))
}
