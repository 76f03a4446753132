//go:build unix

package eventloop

import (
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/panjf2000/gnet/v2"

	"github.com/posthaste-go/posthaste/wire"
)

// callers is a Handler for a client whose callers wait for one reply each.
type callers struct {
	funcs
	done []chan struct{}
}

func newCallers(n int) *callers {
	cs := &callers{done: make([]chan struct{}, n+1)}
	for i := range cs.done {
		cs.done[i] = make(chan struct{}, 1)
	}
	cs.frame = func(_ *Conn, h wire.Header, _ []byte) { cs.done[wire.IDSlot(h.ID)] <- struct{}{} }
	return cs
}

// share has n callers make b.N calls together.
func share(b *testing.B, n int, call func(caller int) error) {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for caller := range n {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(caller + 1); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op") // steadier than ns/op on a shared machine
}

func benchEcho(b *testing.B, f fabric, n, size int) {
	_, ep := f.serve(b, echo(), Options{})
	cs := newCallers(n)
	c := dial(b, f.open(b, cs, Options{}), ep)
	body := make([]byte, size)
	share(b, n, func(caller int) error {
		var head [wire.HeaderLen]byte
		wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, Len: size, ID: wire.MakeID(true, uint32(caller), 0)}.Put(head[:])
		if err := c.Send(head[:], body); err != nil {
			return err
		}
		c.FlushSoon()
		<-cs.done[caller]
		return nil
	})
}

func BenchmarkEcho(b *testing.B) {
	for _, f := range fabrics() {
		b.Run(f.name+"/callers=1", func(b *testing.B) { benchEcho(b, f, 1, 64) })
		b.Run(f.name+"/callers=64", func(b *testing.B) { benchEcho(b, f, 64, 64) })
		b.Run(f.name+"/callers=256", func(b *testing.B) { benchEcho(b, f, 256, 64) })
		b.Run(f.name+"/callers=1024", func(b *testing.B) { benchEcho(b, f, 1024, 64) })
		b.Run(f.name+"/callers=256/1KiB", func(b *testing.B) { benchEcho(b, f, 256, 1024) })
		b.Run(f.name+"/callers=16/16KiB", func(b *testing.B) { benchEcho(b, f, 16, 16384) })
	}
}

// rawGnet is the same echo with nothing between the callers and gnet: the
// practical limit.
type rawGnet struct {
	gnet.BuiltinEventEngine
	traffic func(gnet.Conn, []byte)
}

func (r *rawGnet) OnTraffic(c gnet.Conn) gnet.Action {
	p, _ := c.Next(-1)
	c.Context().(*rawGnet).traffic(c, p)
	return gnet.None
}

func BenchmarkRawGnet(b *testing.B) {
	b.Run("callers=1", func(b *testing.B) { benchRaw(b, 1, 64) })
	b.Run("callers=64", func(b *testing.B) { benchRaw(b, 64, 64) })
	b.Run("callers=256", func(b *testing.B) { benchRaw(b, 256, 64) })
	b.Run("callers=1024", func(b *testing.B) { benchRaw(b, 1024, 64) })
	b.Run("callers=256/1KiB", func(b *testing.B) { benchRaw(b, 256, 1024) })
}

func benchRaw(b *testing.B, n, size int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	done := make([]chan struct{}, n+1)
	for i := range done {
		done[i] = make(chan struct{}, 1)
	}
	// Frames have a fixed length, and a gnet.Conn writes back what it got.
	frame := wire.HeaderLen + size
	server := &rawGnet{traffic: func(c gnet.Conn, p []byte) { _, _ = c.Write(p) }}
	var part []byte
	client := &rawGnet{traffic: func(_ gnet.Conn, p []byte) {
		if len(part) > 0 {
			k := min(frame-len(part), len(p))
			part = append(part, p[:k]...)
			p = p[k:]
			if len(part) < frame {
				return
			}
			done[wire.IDSlot(wire.ParseHeader(part).ID)] <- struct{}{}
			part = part[:0]
		}
		for ; len(p) >= frame; p = p[frame:] {
			done[wire.IDSlot(wire.ParseHeader(p).ID)] <- struct{}{}
		}
		part = append(part, p...)
	}}
	engine, err := gnet.NewClient(server, gnet.WithNumEventLoop(2), gnet.WithLogger(discardLog()))
	if err != nil {
		b.Fatal(err)
	}
	if err := engine.Start(); err != nil {
		b.Fatal(err)
	}
	defer engine.Stop()
	accepted := make(chan net.Conn, 1)
	go func() { nc, _ := ln.Accept(); accepted <- nc }()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := engine.EnrollContext(<-accepted, server); err != nil {
		b.Fatal(err)
	}
	gc, err := engine.EnrollContext(nc, client)
	if err != nil {
		b.Fatal(err)
	}
	out := &rawWriter{write: rawWrite(gc)}
	body := make([]byte, size)
	share(b, n, func(caller int) error {
		var head [wire.HeaderLen]byte
		wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, Len: size, ID: wire.MakeID(true, uint32(caller), 0)}.Put(head[:])
		out.send(head[:], body)
		<-done[caller]
		return nil
	})
}

// rawWriter is flat combining and nothing else.
type rawWriter struct {
	write      func([]byte)
	mu         sync.Mutex
	buf, spare []byte
	writing    bool
}

func (w *rawWriter) send(head, body []byte) {
	w.mu.Lock()
	w.buf = append(append(w.buf, head...), body...)
	if w.writing {
		w.mu.Unlock()
		return
	}
	w.writing = true
	w.mu.Unlock()
	runtime.Gosched()
	for {
		w.mu.Lock()
		b := w.buf
		if len(b) == 0 {
			w.writing = false
			w.mu.Unlock()
			return
		}
		w.buf = w.spare[:0]
		w.mu.Unlock()
		w.write(b)
		w.spare = b
	}
}

// BenchmarkPush sends frames one way as fast as the soft limit lets it.
func BenchmarkPush(b *testing.B) {
	for _, f := range fabrics() {
		for _, size := range []int{64, 1 << 10, 16 << 10, 65_000} {
			b.Run(f.name+"/"+strconv.Itoa(size), func(b *testing.B) { benchPush(b, f, size) })
		}
	}
}

func benchPush(b *testing.B, f fabric, size int) {
	var received atomic.Int64
	arrived := make(chan struct{})
	o := Options{Hello: wire.Hello{MaxFrame: wire.MaxPayload}}
	_, ep := f.serve(b, &funcs{frame: func(*Conn, wire.Header, []byte) {
		if received.Add(-1) == 0 {
			close(arrived)
		}
	}}, o)
	c := dial(b, f.open(b, &funcs{}, o), ep)
	received.Store(int64(b.N))
	h, body := head(wire.KindTell, 0, size), make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for n := range b.N {
		must(b, c.Send(h, body))
		if n%16 == 15 || size > 4096 {
			c.Flush()
		}
		if c.Congested() {
			must(b, c.Wait(b.Context()))
		}
	}
	c.Flush()
	await(b, "the last frame", arrived)
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op")
}
