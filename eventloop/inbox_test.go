package eventloop

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste/wire"
)

// sink is a link that takes everything and delivers nothing: the test calls the
// Conn in its place.
type sink struct {
	written []byte
	closed  bool
}

func (s *sink) write(p []byte) (int, error)       { s.written = append(s.written, p...); return len(p), nil }
func (s *sink) stallWriter() (stallWriter, error) { return nil, errClosed }
func (s *sink) closeWrite() error                 { return nil }
func (s *sink) close()                            { s.closed = true }

// bare returns an open connection over a sink, as the side that accepted, and
// what ends it.
func bare(t interface{ Fatal(...any) }, h Handler, hello wire.Hello) (*Conn, *sink, func()) {
	b, err := newHub(h, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := wire.Negotiate(&hello, &hello)
	if err != nil {
		t.Fatal(err)
	}
	c := b.newConn(session{agreed: agreed, leave: func() {}})
	s := &sink{}
	c.link = s
	if !c.opened() {
		t.Fatal("not opened")
	}
	return c, s, func() {
		c.doom(nil)
		c.gone()
		if err := b.close(context.Background(), func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// seen is a frame as a Handler got it.
type seen struct {
	h       wire.Header
	payload string
}

// TestInboxModel delivers random frames in random pieces, keeping some, and wants
// the same frames; what was kept must not change afterwards.
func TestInboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hello := wire.Hello{MaxFrame: wire.MaxPayload}
		if rapid.Bool().Draw(t, "checksum") {
			hello.Checksum = wire.ChecksumCRC32C
		}
		var want []seen
		var stream []byte
		for n := range rapid.IntRange(0, 40).Draw(t, "frames") {
			size := rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(0, 300), rapid.IntRange(0, wire.MaxPayload-wire.ChecksumLen)).Draw(t, "size")
			h := wire.Header{Kind: wire.KindAsk, Priority: wire.Bulk, ID: askID(n + 1), Len: size}
			start := len(stream)
			stream = append(h.Append(stream), bytes.Repeat([]byte{byte(n + 1)}, size)...)
			want = append(want, seen{h, string(stream[start+wire.HeaderLen:])})
			if hello.Checksum != 0 {
				stream, _ = wire.AppendChecksum(stream, start) // fits
			}
		}
		keep := rapid.SliceOfN(rapid.IntRange(0, 2), len(want), len(want)).Draw(t, "keep")

		var got []seen
		var kept, copies [][]byte
		idle := 0
		c, _, end := bare(t, &funcs{
			frame: func(c *Conn, h wire.Header, p []byte) {
				if cap(p) != len(p) {
					t.Fatalf("payload has %d bytes and room for %d", len(p), cap(p))
				}
				switch k := p; keep[len(got)] {
				case 2:
					k = p[len(p)/3 : len(p)-len(p)/4]
					fallthrough
				case 1:
					kept, copies = append(kept, c.Keep(k)), append(copies, bytes.Clone(k))
				}
				got = append(got, seen{h, string(p)})
			},
			idle: func(*Conn) { idle = len(got) },
		}, hello)
		defer end()
		for rest := stream; len(rest) > 0; {
			n := rapid.OneOf(rapid.IntRange(1, 12), rapid.IntRange(1, readBuffer)).Draw(t, "piece")
			piece := bytes.Clone(rest[:min(n, len(rest))])
			rest = rest[len(piece):]
			c.receive(piece)
			clear(piece) // the next read overwrites it
			if idle != len(got) {
				t.Fatalf("Idle was called after %d of %d frames", idle, len(got))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %d frames, want %d, or other ones", len(got), len(want))
		}
		for i := range kept {
			if !bytes.Equal(kept[i], copies[i]) {
				t.Fatalf("kept bytes %d have changed", i)
			}
		}
		if c.Accepted() != uint64(len(want)) || c.in.part != nil {
			t.Fatalf("Accepted() = %d, part %v", c.Accepted(), c.in.part)
		}
	})
}

// TestKeepSharesAllocations counts them.
func TestKeepSharesAllocations(t *testing.T) {
	var batch []byte
	for range 400 {
		batch = append(batch, frame(wire.KindTell, 0, make([]byte, 72))...)
	}
	c, _, end := bare(t, &funcs{frame: func(c *Conn, _ wire.Header, p []byte) { c.Keep(p) }}, wire.Hello{})
	defer end()
	if n := testing.AllocsPerRun(100, func() { c.receive(batch) }); n != 1 {
		t.Errorf("keeping 400 frames of one batch of %d bytes took %v allocations", len(batch), n)
	}
	var first []byte
	c.hub.handler.(*funcs).frame = func(c *Conn, _ wire.Header, p []byte) {
		if first == nil {
			first = c.Keep(p)
		}
	}
	if c.receive(batch[:3*80]); cap(first) != 72 {
		t.Errorf("kept bytes have room for %d", cap(first))
	}
}

// TestKeepOfForeignBytes gives Keep what is not of the payload.
func TestKeepOfForeignBytes(t *testing.T) {
	foreign := []byte("foreign")
	calls := 0
	c, _, end := bare(t, &funcs{frame: func(c *Conn, _ wire.Header, p []byte) {
		calls++
		for _, b := range [][]byte{foreign, nil, p[:0], p[2:4:4], p[len(p):]} {
			if k := c.Keep(b); !bytes.Equal(k, b) || len(b) > 0 && &k[0] == &b[0] {
				t.Errorf("Keep(%q) = %q", b, k)
			}
		}
	}}, wire.Hello{})
	defer end()
	c.receive(frame(wire.KindTell, 0, []byte("payload")))
	if k := c.Keep(foreign); calls != 1 || string(k) != "foreign" {
		t.Errorf("Keep outside Frame = %q", k)
	}
}

// TestPartialFrameTakesLittle declares large frames and sends one byte of each.
func TestPartialFrameTakesLittle(t *testing.T) {
	c, _, end := bare(t, &funcs{}, wire.Hello{MaxFrame: wire.MaxPayload})
	defer end()
	c.receive(head(wire.KindTell, 0, wire.MaxPayload))
	for n := range wire.MaxPayload - 1 {
		c.receive([]byte{1})
		if have := cap(c.in.part.b); have > max(bufferSizes[0], 8*(n+1+wire.HeaderLen)) {
			t.Fatalf("after %d bytes the buffer has room for %d", n+1, have)
		}
	}
	c.receive([]byte{1})
	if c.in.part != nil || c.in.frames.Load() != 1 {
		t.Error("the frame was not delivered")
	}
}

// FuzzConn feeds arbitrary bytes, cut into reads at arbitrary places, to a
// connection whose Handler answers and keeps. It must not panic, nor deliver
// after it has failed, nor hold more than a frame.
func FuzzConn(f *testing.F) {
	good := frame(wire.KindAsk, askID(1), []byte("body"))
	for _, seed := range [][]byte{
		good,
		append(bytes.Clone(good), wire.AppendPing(nil, 7)...),
		wire.AppendPong(bytes.Clone(good), &wire.Pong{Opaque: 1}),
		wire.AppendGoAway(nil, &wire.GoAway{Phase: wire.PhaseFinal}),
		frame(wire.KindHello, 0, []byte("\x8aRTM")),
		frame(14, 0, nil),
		frame(wire.KindReply, askID(1), nil),
		head(wire.KindAsk, askID(1), 65535),
	} {
		f.Add(seed, uint32(3))
		f.Add(append(bytes.Clone(good), seed...), uint32(0x01020304))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cuts uint32) {
		var failed bool
		delivered := 0
		c, s, end := bare(t, &funcs{
			frame: func(c *Conn, h wire.Header, p []byte) {
				if delivered++; failed {
					t.Error("a frame was delivered after the connection had failed")
				}
				if h.Len != len(p) || h.Len > wire.MaxPayload {
					t.Errorf("%v with %d bytes", h, len(p))
				}
				if k := c.Keep(p); !bytes.Equal(k, p) {
					t.Error("kept other bytes")
				}
				if err := c.Send(head(wire.KindData, 2, len(p)), p); err != nil {
					t.Error(err)
				}
			},
			idle: func(c *Conn) { c.Flush() },
		}, wire.Hello{MaxFrame: wire.MaxPayload})
		for len(stream) > 0 {
			n := min(int(cuts&15)+1, len(stream))
			if cuts&15 == 15 {
				n = len(stream)
			}
			cuts = cuts>>4 | cuts<<28
			c.receive(bytes.Clone(stream[:n]))
			stream = stream[n:]
			failed = c.deaf.Load()
			if c.in.part != nil && cap(c.in.part.b) > bufferSizes[2] {
				t.Errorf("the partial frame takes %d bytes", cap(c.in.part.b))
			}
		}
		end()
		checkFrames(t, s.written, delivered)
	})
}

// checkFrames checks that b is a run of whole frames with at least n DATA.
func checkFrames(t *testing.T, b []byte, n int) {
	for len(b) > 0 {
		if len(b) < wire.HeaderLen || len(b) < wire.HeaderLen+int(binary.LittleEndian.Uint16(b[2:])) {
			t.Fatalf("a frame was written in part: % x", b)
		}
		h, _, rest, _ := wire.Cut(b)
		if h.Kind == wire.KindData {
			n--
		}
		b = rest
	}
	if n > 0 {
		t.Errorf("%d answers were not written", n)
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{64, 1024, 16 << 10} {
		var batch []byte
		frames := 0
		for len(batch) < readBuffer-size-wire.HeaderLen {
			batch = append(batch, frame(wire.KindTell, 0, make([]byte, size))...)
			frames++
		}
		for name, h := range map[string]*funcs{
			"drop": {},
			"keep": {frame: func(c *Conn, _ wire.Header, p []byte) { c.Keep(p) }},
		} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				c, _, end := bare(b, h, wire.Hello{})
				defer end()
				b.SetBytes(int64(len(batch)))
				b.ReportAllocs()
				for b.Loop() {
					c.receive(batch)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
			})
		}
	}
}
