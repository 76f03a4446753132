package eventloop

import (
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

const (
	// lingerTime is how long a connection whose last byte is written waits for
	// the peer to close its side, which shows that it has read that byte.
	lingerTime = time.Second

	// pingRate is how many PINGs a second any peer may send, over pingWindow.
	pingRate   = 2
	pingWindow = 3 * time.Second
)

// keepalive knows how alive a connection is. Times are coarse: nanoseconds of
// the transport's clock, which the sweeper advances; 0 is never.
type keepalive struct {
	heard   atomic.Int64 // last read, or last progress of a stalled write; by the reader and the stalled writer
	framed  atomic.Int64 // last read with a frame for the Handler; by the reader
	partial atomic.Int64 // when the frame that is incomplete began; by the reader
	endBy   atomic.Int64 // when to stop flushing or lingering; by who ends the connection
	stalled atomic.Bool  // a stalled writer is at work; by itself
	pong    atomic.Pointer[wire.Pong]

	pings      int   // PINGs that came in the window at hand; owned by the reader
	pingsSince int64 // when that window began; owned by the reader

	pinged int64  // when the PING went out that is not answered; owned by the sweeper
	count  uint64 // PINGs sent, their opaque number; owned by the sweeper
}

// sweep looks after the connection's deadlines. The sweeper of the transport
// calls it at every tick.
func (c *Conn) sweep(now int64) {
	l, o := &c.life, &c.hub.o
	if endBy := l.endBy.Load(); endBy != 0 {
		if now >= endBy {
			c.cut(c.out.reason())
		}
		return
	}
	if since := l.partial.Load(); since != 0 && past(now, since, o.FrameTimeout) {
		c.Fail(posthaste.Errorf(posthaste.FragmentTimeout, "a frame was not complete after %v", o.FrameTimeout))
		return
	}
	c.sweepSilence(now)
	if o.IdleClose > 0 {
		c.sweepIdle(now, o.IdleClose)
	}
}

// sweepSilence asks a silent peer for a sign of life, and gives it up if none
// comes. While a write is stalled its own timeout decides: a PING would only
// wait behind what the peer is slow to take.
func (c *Conn) sweepSilence(now int64) {
	l, o := &c.life, &c.hub.o
	heard := l.heard.Load()
	switch {
	case l.stalled.Load():
		l.pinged = 0
	case l.pinged != 0 && heard < l.pinged:
		if past(now, l.pinged, o.DeadAfter) || c.agreed.Idle > 0 && past(now, heard, c.agreed.Idle) {
			c.cut(posthaste.Errorf(posthaste.ConnLost, "%v is silent: nothing came for %v, though it was sent a PING %v ago",
				c.remote, coarse(now-heard), coarse(now-l.pinged)))
		}
	case past(now, heard, c.agreed.PingEvery(o.PingAfter)):
		l.pinged = now
		l.count++
		if c.out.addControl(wire.AppendPing(nil, l.count)) {
			c.Flush()
		}
	default:
		l.pinged = 0
	}
}

// sweepIdle closes a connection that nobody uses.
func (c *Conn) sweepIdle(now int64, limit time.Duration) {
	c.out.mu.Lock()
	used := c.out.used
	c.out.mu.Unlock()
	if past(now, max(used, c.life.framed.Load()), limit) {
		c.end(wire.AppendGoAway(nil, &wire.GoAway{
			Phase: wire.PhaseFinal, Code: posthaste.Draining, Accepted: c.Accepted(), Message: []byte("idle"),
		}), posthaste.Errorf(posthaste.ConnLost, "closed after %v without a frame", limit))
	}
}

// coarse rounds a span of the transport's clock for people.
func coarse(ns int64) time.Duration { return time.Duration(ns).Round(time.Millisecond) }

// past reports whether d has passed since the coarse time t.
func past(now, t int64, d time.Duration) bool { return now-t >= int64(d) }

// takePing notes the answer to a PING, or fails a connection that floods.
func (c *Conn) takePing(payload []byte) bool {
	opaque, err := wire.ParsePing(payload)
	if err != nil {
		c.Fail(c.asError(err))
		return false
	}
	l, now := &c.life, c.hub.now()
	if past(now, l.pingsSince, pingWindow) {
		l.pings, l.pingsSince = 0, now
	}
	l.pings++
	if l.pings > c.pingAllowance() {
		c.Fail(posthaste.Errorf(posthaste.ResourceExhausted, "%d PINGs within %v; the limit is %d", l.pings, pingWindow, c.pingAllowance()))
		return false
	}
	p := wire.Pong{Opaque: opaque, Accepted: c.Accepted()}
	if load := c.hub.o.Load; load != nil {
		p.Load = load()
	}
	c.out.owePong(&p)
	c.in.pinged = true
	return true
}

// pingAllowance is how many PINGs the peer may send in one window: pingRate, or
// twice what the agreed interval comes to if that is more, because the clock is
// coarse and the network may bunch them.
func (c *Conn) pingAllowance() int {
	n := pingRate * int(pingWindow/time.Second)
	if c.agreed.MinPing > 0 {
		n = max(n, 2*int(pingWindow/c.agreed.MinPing))
	}
	return n
}

func (c *Conn) takePong(payload []byte) bool {
	p := new(wire.Pong)
	if err := p.Parse(payload); err != nil {
		c.Fail(c.asError(err))
		return false
	}
	c.life.pong.Store(p)
	return true
}
