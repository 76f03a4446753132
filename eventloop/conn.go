package eventloop

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// Conn is one connection to a peer, over whichever transport. Unless it says
// otherwise, a method may be called from any goroutine, event loops included,
// and never blocks.
//
// Its life, of which the Handler sees Opened, Frame and Closed:
//
//	open --Close, Fail--> draining --all written--> flushed --peer closes--> closed
//	  |                      |                         |                       ^
//	  +----------------------+-------------------------+--lost, or too slow----+
//
// From draining on, Send fails and Frame is called no more; what arrives is
// read and dropped, so that the peer is not reset before it has read our last
// bytes.
type Conn struct {
	// Set once before Opened.
	hub      *hub
	link     link
	id       uint64
	outbound bool
	peer     wire.Hello
	agreed   wire.Agreed
	remote   posthaste.Endpoint
	leave    func() // gives its seat among the connections back
	context  any    // set in Opened by the Handler

	out  outQueue  // synchronizes itself
	in   inbox     // owned by whoever delivers what arrives
	life keepalive // owned by the sweeper, but for its atomics

	deaf atomic.Bool // no Frame is called any more; set by Close, Fail and loss
}

// newConn makes the connection that nc's handshake has led to. The link is set
// before it is opened.
func (h *hub) newConn(s session) *Conn {
	c := &Conn{
		hub: h, id: h.ids.Add(1), outbound: s.outbound,
		peer: s.peer, agreed: s.agreed, remote: s.remote, leave: s.leave,
	}
	q := &c.out
	q.buffers = &h.buffers
	q.checksum = s.agreed.Checksum == wire.ChecksumCRC32C
	q.soft = int64(h.o.SoftLimit)
	q.hard = max(int64(h.o.HardLimit), q.soft+int64(s.agreed.MaxMessage))
	c.in.limit = int(s.agreed.MaxFrame)
	if q.checksum {
		c.in.limit += wire.ChecksumLen
	}
	return c
}

// begin starts the clocks, before anybody looks at them.
func (c *Conn) begin(now int64) {
	c.life.heard.Store(now)
	c.life.framed.Store(now)
	c.out.used = now
}

// ---- writing ----

// Send queues one frame in two pieces, of which body may be empty: head begins
// with the frame's header. Both are copied, in one piece. Send never writes,
// unless it finds the queue at its hard limit with nobody writing: call Flush or
// FlushSoon after it, or leave that to Idle.
//
// It costs a short lock and the copy, and allocates nothing. An error with code
// ConnLost and status NOT_EXECUTED means that the connection is closing or
// closed; the frame was not and will not be sent. That also happens to the frame
// that would exceed the hard limit: the connection is then cut.
func (c *Conn) Send(head, body []byte) error {
	_, err := c.SendOpener(head, body)
	return err
}

// SendOpener is Send for a frame of kind TELL, ASK or OPEN. It returns the
// frame's ordinal: the first such frame of the connection is 1. The peer's
// GOAWAY and PONG say up to which ordinal it has taken frames in.
func (c *Conn) SendOpener(head, body []byte) (ordinal uint64, err error) {
	if err := c.checkFrame(head, body); err != nil {
		return 0, err
	}
	ordinal, err = c.out.add(head, body, c.hub.now())
	if err == errFull {
		// Not the peer's fault if nobody has tried to write to it.
		c.Flush()
		ordinal, err = c.out.add(head, body, c.hub.now())
	}
	switch {
	case err == nil:
		return ordinal, nil
	case err == errFull:
		c.cut(posthaste.Errorf(posthaste.ConnLost,
			"%v reads too slowly: %d bytes wait for it, the limit is %d", c.remote, c.out.size.Load(), c.out.hard))
	}
	return 0, c.unsent(c.out.reason())
}

// checkFrame finds frames that would tear the stream: the header must say the
// length that follows.
func (c *Conn) checkFrame(head, body []byte) error {
	n := len(head) + len(body) - wire.HeaderLen
	if len(head) < wire.HeaderLen || int(head[2])|int(head[3])<<8 != n {
		return posthaste.Errorf(posthaste.Internal, "eventloop: Send needs a header that says the payload's length; got %d and %d bytes", len(head), len(body))
	}
	if c.out.checksum && n+wire.ChecksumLen > wire.MaxPayload {
		return posthaste.Errorf(posthaste.TooLarge, "a frame of %d bytes has no room for its checksum; the limit is %d", n, wire.MaxPayload-wire.ChecksumLen)
	}
	return nil
}

// unsent is the error of a Send that came after why.
func (c *Conn) unsent(why error) error {
	err := posthaste.Errorf(posthaste.ConnLost, "the connection to %v is closed: %w", c.remote, why)
	err.Status, err.Peer = posthaste.StatusNotExecuted, c.remote
	return err
}

// Flush writes what is queued as far as the transport takes it now, unless
// another goroutine is writing already, which takes it along. It may be called
// freely; with nothing to write it costs an atomic load or a short lock.
func (c *Conn) Flush() {
	// The load is enough to rely on the other writer: it gives the role back
	// under the queue's lock and only when the queue is empty. What this caller
	// has appended came before this load, so either the writer finds it, or the
	// role was given back before it was appended, and then the load says so.
	if c.out.writing.Load() {
		return
	}
	if b := c.out.begin(); b != nil {
		c.write(b)
	}
}

// gatherYields is how often FlushSoon yields while others still append. The second
// time makes writes larger by half and calls cheaper by a tenth at 256 callers; more
// only adds latency.
const gatherYields = 2

// FlushSoon lets other runnable goroutines append first, by yielding, and
// then flushes: when many callers share the connection this makes one write of
// many frames. It does not yield when frames have lately been written one by
// one: a lone caller would gain nothing and wait several times as long for its
// reply, as yielding wakes an idle processor. Not for event loops, which have
// Idle.
func (c *Conn) FlushSoon() {
	q := &c.out
	if q.writing.Load() {
		return // see Flush
	}
	if q.shared.Load() {
		// Who sees soon set may rely on who set it: that one clears it before its
		// Flush, so a frame appended before the Swap is in the queue by then.
		if q.soon.Swap(true) {
			return
		}
		for range gatherYields {
			before := q.size.Load()
			runtime.Gosched()
			if q.size.Load() == before {
				break // nobody had anything to add
			}
		}
		q.soon.Store(false)
	}
	c.Flush()
}

// Congested reports whether more than SoftLimit bytes wait to be written. It
// costs one atomic load. Bulk senders then Wait; the rest may go on until the
// hard limit.
func (c *Conn) Congested() bool { return c.out.size.Load() > c.out.soft }

// Wait blocks until the connection is not congested. It returns ctx's error, or
// one with code ConnLost and status NOT_EXECUTED once the connection is closing.
// It must not be called on an event loop. It flushes first.
func (c *Conn) Wait(ctx context.Context) error {
	for {
		c.Flush()
		room, err := c.out.waitRoom()
		if err != nil {
			return c.unsent(err)
		}
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ---- ending ----

// Close ends the connection in order: frames are neither sent nor delivered any
// more, what is queued is written, the peer reads the end, and then the Handler
// gets Closed with err, or with ConnLost around err if that is no
// [*posthaste.Error]. A peer that does not take the rest within StallTimeout is
// cut. Only the first Close or Fail counts.
func (c *Conn) Close(err error) { c.end(nil, c.asError(err)) }

// Fail ends the connection because the peer broke the protocol or a limit: it is
// told so with a final GOAWAY that bears err's code and text, then all is as for
// Close.
func (c *Conn) Fail(err *posthaste.Error) {
	c.deaf.Store(true) // before Accepted is read, see inbox.deliver
	c.end(wire.AppendGoAway(nil, &wire.GoAway{
		Phase: wire.PhaseFinal, Code: err.Code, Accepted: c.Accepted(), Message: []byte(err.Msg),
	}), err)
}

func (c *Conn) end(last []byte, why *posthaste.Error) {
	c.deaf.Store(true)
	begun, done := c.out.drain(last, why)
	if !begun {
		return
	}
	c.life.endBy.CompareAndSwap(0, c.hub.after(c.hub.o.StallTimeout)) // unless a writer has finished already
	if done {
		c.finish()
		return
	}
	c.Flush()
}

// finish is called once all of a draining queue is written.
func (c *Conn) finish() {
	c.life.endBy.Store(c.hub.after(min(lingerTime, c.hub.o.StallTimeout)))
	if err := c.link.closeWrite(); err != nil {
		c.link.close()
	}
}

// cut drops the connection and what is queued, at once.
func (c *Conn) cut(why *posthaste.Error) {
	c.deaf.Store(true)
	c.out.close(why)
	c.link.close()
}

func (c *Conn) asError(err error) *posthaste.Error {
	if err == nil {
		return posthaste.Errorf(posthaste.ConnLost, "closed by this node")
	}
	if e, ok := err.(*posthaste.Error); ok {
		return e
	}
	return posthaste.Errorf(posthaste.ConnLost, "closed by this node: %w", err)
}

// ---- what the link calls ----

// opened starts the upcalls. It reports false, and there will be none, if the
// transport is closing.
func (c *Conn) opened() (ok bool) {
	if !c.hub.add(c) {
		c.cut(posthaste.Errorf(posthaste.ConnLost, "the transport is closing"))
		return false
	}
	ok = true // also if the Handler panics: Closed follows Opened
	defer c.contain("Opened")
	c.hub.handler.Opened(c)
	return ok
}

// doom notes that the link is lost, before the link lets go of what it holds, so
// that a writer who then finds it closed does not name that as the reason. cause
// is what the link knows; it counts unless something ended the connection before.
func (c *Conn) doom(cause error) {
	c.deaf.Store(true)
	c.out.close(c.lost(cause))
}

// gone ends the upcalls, after doom.
func (c *Conn) gone() {
	c.in.release(&c.hub.buffers)
	defer c.hub.remove(c)
	defer c.contain("Closed")
	c.hub.handler.Closed(c, c.out.reason())
}

// ---- facts ----

// SetContext attaches v to the connection. It may be called in Opened only: what
// learns of the Conn later may call Context from any goroutine.
func (c *Conn) SetContext(v any) { c.context = v }

// Context returns what SetContext has attached.
func (c *Conn) Context() any { return c.context }

// Peer returns what the peer said of itself. It must not be changed.
func (c *Conn) Peer() *wire.Hello { return &c.peer }

// Agreed returns what both sides hold to. It must not be changed.
func (c *Conn) Agreed() *wire.Agreed { return &c.agreed }

// Outbound reports whether this node dialed.
func (c *Conn) Outbound() bool { return c.outbound }

// Remote returns where the peer is: the dialed endpoint of an outbound
// connection; for an inbound one the endpoint that the peer advertises, or, if it
// advertises none, the address of its socket, which cannot be dialed.
func (c *Conn) Remote() posthaste.Endpoint { return c.remote }

// ID returns a number that no other connection of the transport has or had.
func (c *Conn) ID() uint64 { return c.id }

// Accepted returns how many TELL, ASK and OPEN frames were delivered, which is
// the ordinal of the last. In Frame it counts the frame at hand.
func (c *Conn) Accepted() uint64 { return c.in.accepted.Load() }

// LastPong returns the peer's newest answer to a keepalive: its load and what it
// had accepted. It is zero before the first.
func (c *Conn) LastPong() wire.Pong {
	if p := c.life.pong.Load(); p != nil {
		return *p
	}
	return wire.Pong{}
}

// ConnStats counts what a connection has done.
type ConnStats struct {
	BytesIn, BytesOut   uint64 // headers and checksums included; out counts what was queued
	FramesIn, FramesOut uint64
	Queued              int       // bytes that wait to be written
	Stalled             bool      // the peer takes bytes slower than they come
	LastRead            time.Time // to about a second
}

// Stats returns the counts so far.
func (c *Conn) Stats() ConnStats {
	c.out.mu.Lock()
	s := ConnStats{BytesOut: c.out.bytes, FramesOut: c.out.frames}
	c.out.mu.Unlock()
	s.BytesIn, s.FramesIn = c.in.bytes.Load(), c.in.frames.Load()
	s.Queued = int(c.out.size.Load())
	s.Stalled = c.life.stalled.Load()
	s.LastRead = c.hub.began.Add(time.Duration(c.life.heard.Load()))
	return s
}
