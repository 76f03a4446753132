package eventloop

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// tell queues one frame of 16 KiB.
func tell(c *Conn) error {
	const size = 16 << 10
	return c.Send(head(wire.KindTell, 0, size), make([]byte, size))
}

// congest sends until c is congested.
func congest(t *testing.T, c *Conn) {
	t.Helper()
	for !c.Congested() {
		must(t, tell(c))
		c.Flush()
	}
}

// block sends until Wait blocks. The system's buffers grow for a while, so it
// takes more than to congest.
func block(t *testing.T, c *Conn) {
	t.Helper()
	until(t, "Wait blocks", func() bool {
		congest(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return errors.Is(c.Wait(ctx), context.DeadlineExceeded)
	})
}

// TestSlowReaderBlocksWait checks the soft limit: Wait blocks while the peer
// reads nothing, ends with its context, and returns once the peer reads.
func TestSlowReaderBlocksWait(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened := make(chan *Conn, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }}, Options{SoftLimit: 64 << 10})
		nc := f.greeted(t, ep, wire.Hello{})
		c := await(t, "Opened", opened)
		must(t, c.Wait(t.Context()))
		block(t, c)
		done := make(chan error, 3)
		for range cap(done) {
			go func() { done <- c.Wait(t.Context()) }()
		}
		go io.Copy(io.Discard, nc)
		for range cap(done) {
			must(t, await(t, "Wait", done))
		}
		if c.Congested() {
			t.Error("congested after Wait")
		}
	})
}

// TestSlowReaderIsCut checks the hard limit: it costs that connection, with a
// reason, and no other.
func TestSlowReaderIsCut(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		slow := make(chan *Conn, 1)
		ended := make(endings, 2)
		h := echo()
		h.opened = func(c *Conn) {
			if c.Peer().Node == "slow" {
				slow <- c
			}
		}
		h.closed = ended.note
		o := Options{Loops: 1, SoftLimit: 64 << 10, HardLimit: 128 << 10, Hello: wire.Hello{MaxMessage: 64 << 10}}
		_, ep := f.serve(t, h, o)
		in := newReplies()
		other := dial(t, f.open(t, in, Options{}), ep)
		f.greeted(t, ep, wire.Hello{Node: "slow"})

		c, waited := await(t, "Opened", slow), make(chan error, 1)
		congest(t, c)
		go func() { waited <- c.Wait(context.Background()) }()
		var err error
		for err == nil {
			err = tell(c)
			c.Flush()
		}
		isCode(t, err, posthaste.ConnLost)
		isCode(t, await(t, "Closed", ended), posthaste.ConnLost)
		isCode(t, await(t, "Wait", waited), posthaste.ConnLost)
		until(t, "the writer has dropped what it held", func() bool { return c.Stats().Queued == 0 })
		got := in.expect(askID(1))
		must(t, ask(other, askID(1), nil))
		other.Flush()
		await(t, "a reply on the other connection", got)
	})
}

// TestUnflushedIsNotSlow fills the queue beyond the hard limit before anything
// was flushed: that is not the reader's fault.
func TestUnflushedIsNotSlow(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		var received atomic.Int64
		_, ep := f.serve(t, &funcs{frame: func(_ *Conn, _ wire.Header, p []byte) { received.Add(int64(len(p))) }}, Options{})
		c := dial(t, f.open(t, &funcs{}, Options{HardLimit: 64 << 10, SoftLimit: 32 << 10, Hello: wire.Hello{MaxMessage: 32 << 10}}), ep)
		for range 6 {
			must(t, tell(c))
		}
		c.Flush()
		until(t, "all has arrived", func() bool { return received.Load() == 6*16<<10 })
	})
}

// TestStallRecovers sends 64 MiB to a reader that pauses, from several goroutines
// that mind the soft limit, and checks every byte.
func TestStallRecovers(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		const senders, total, size = 4, 64 << 20, 16 << 10
		opened := make(chan *Conn, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }}, Options{})
		nc := f.greeted(t, ep, wire.Hello{})
		c := await(t, "Opened", opened)
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				body := make([]byte, size)
				for n := range total / size / senders {
					body[0], body[1], body[2] = byte(s), byte(n), byte(n>>8)
					if err := c.Wait(t.Context()); err != nil {
						t.Error(err)
						return
					}
					if err := c.Send(head(wire.KindTell, 0, size), body); err != nil {
						t.Error(err)
						return
					}
					c.FlushSoon()
				}
			})
		}
		until(t, "the connection is stalled", func() bool { return c.Stats().Stalled })
		var next [senders]int
		for n := range total / size {
			if n%1024 == 1023 {
				until(t, "the connection is stalled again", func() bool { return c.Stats().Stalled || n > total/size-1024 })
			}
			h, p := hear(t, nc)
			if s, seq := p[0], int(p[1])|int(p[2])<<8; h.Len != size || seq != next[s] {
				t.Fatalf("frame %d: %v, number %d of sender %d, want %d", n, h, seq, s, next[s])
			} else {
				next[s]++
			}
		}
		wg.Wait()
		until(t, "the stall is over", func() bool { s := c.Stats(); return !s.Stalled && s.Queued == 0 })
		must(t, tell(c)) // and writes go on as before
		c.Flush()
		hear(t, nc)
	})
}

func TestStallTimeoutCuts(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened, ended := make(chan *Conn, 1), make(endings, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }, closed: ended.note}, Options{StallTimeout: 300 * time.Millisecond, SoftLimit: 64 << 10})
		f.greeted(t, ep, wire.Hello{})
		block(t, await(t, "Opened", opened))
		isCode(t, await(t, "Closed", ended), posthaste.ConnLost)
	})
}

// TestCloseOfStalled closes a connection whose peer reads nothing: it ends all
// the same, after StallTimeout.
func TestCloseOfStalled(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened, ended := make(chan *Conn, 1), make(endings, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }, closed: ended.note}, Options{StallTimeout: 300 * time.Millisecond, SoftLimit: 64 << 10})
		f.greeted(t, ep, wire.Hello{})
		c := await(t, "Opened", opened)
		block(t, c)
		reason := posthaste.Errorf(posthaste.Draining, "bye")
		c.Close(reason)
		if err := await(t, "Closed", ended); err != error(reason) {
			t.Errorf("Closed with %v", err)
		}
	})
}

// TestTransportCloseGivesUp closes a transport with a connection that cannot be
// flushed, with a context that ends.
func TestTransportCloseGivesUp(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened, ended := make(chan *Conn, 1), make(endings, 1)
		tr := f.make(t, &funcs{opened: func(c *Conn) { opened <- c }, closed: ended.note}, Options{})
		ep := must2(tr.Listen(t.Context(), f.endpoint(t)))(t)
		f.greeted(t, ep, wire.Hello{})
		c := await(t, "Opened", opened)
		congest(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := tr.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		isCode(t, await(t, "Closed", ended), posthaste.ConnLost)
	})
}
