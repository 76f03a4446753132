package runtime_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
	"github.com/posthaste-go/posthaste/wire"
)

// fuzzTarget is a node under fire, with an honest node that calls it.
type fuzzTarget struct {
	network      *eventloop.Network
	node, caller *rt.Runtime
	honest       rt.Ref[probed]
	v            *verbs
	heap         uint64 // at the start
	rounds       int
}

func newFuzzTarget() *fuzzTarget {
	x := &fuzzTarget{network: eventloop.NewNetwork(), v: newVerbs()}
	quiet := []rt.Option{rt.Network(x.network), rt.Logger(slog.New(slog.DiscardHandler))}
	x.node = must(rt.New(append(quiet, rt.Node("fuzzed"), rt.Listen("mem:fuzzed"), rt.MaxMessage(1<<20))...))
	x.caller = must(rt.New(append(quiet, rt.Node("honest"))...))
	kind := rt.Define(func() *probe { return &probe{} },
		rt.On(x.v.echo, func(_ *probe, _ *rt.Context, b []byte) ([]byte, error) { return b, nil }),
		rt.On(x.v.order, (*probe).take),
		rt.On(x.v.json, (*probe).take),
		rt.On(x.v.ints, func(_ *probe, _ *rt.Context, n []int64) (int, error) { return len(n), nil }),
		rt.On(x.v.any, func(*probe, *rt.Context, any) (int, error) { return 1, nil }),
		rt.On(x.v.fail, (*probe).fail),
		rt.OnTell(x.v.note, func(*probe, *rt.Context, int) error { return nil }),
		rt.OnServer(x.v.upper, func(_ *probe, _ *rt.Context, b []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) { _ = yield(b, nil) && yield(nil, nil) }
		}))
	for _, name := range []string{"probe", "honest"} {
		ref := must(rt.Spawn(x.node, name, kind, rt.Restart(1<<30, time.Hour)))
		if err := rt.Serve(x.node, name, ref); err != nil {
			panic(err)
		}
	}
	x.honest = named(x.caller, x.node, "honest")
	x.heap = heap().HeapAlloc
	return x
}

// fuzzHeap is how much the heap may grow. The fuzzer itself takes 100 MiB of it.
const fuzzHeap = 192 << 20

// program reads the fuzzer's bytes as frames. Whatever the bytes, some frames are
// lawful: else nothing would get past the first look.
type program struct{ b []byte }

func (p *program) byte() byte {
	if len(p.b) == 0 {
		return 0
	}
	b := p.b[0]
	p.b = p.b[1:]
	return b
}

// bytes returns a short run of bytes, which may be all that is left.
func (p *program) bytes() []byte {
	n := min(int(p.byte())*(1+int(p.byte()&31)), len(p.b), 8000)
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

// id is one of few, so that frames meet: of either side, and of two generations.
func (p *program) id() uint32 {
	b := p.byte()
	return wire.MakeID(b&1 == 0, uint32(b>>2&7)+1, uint32(b>>1&1))
}

var fuzzMethods = []string{
	"/probe.echo", "/probe.order", "/probe.json", "/probe.ints", "/probe.any", "/probe.note",
	"/probe.upper", "/probe.fail", "/probe.absent", "/$announce", "/$leave", "probe/probe.echo", "nobody/x",
}

// frame makes the next frame, or nil.
func (p *program) frame() []byte {
	switch op := p.byte(); op % 8 {
	case 0: // anything that has the form of a frame
		h := wire.Header{Kind: wire.Kind(p.byte() & 15), Flags: wire.Flags(p.byte()), Codec: op >> 3 & 3, Priority: wire.Priority(op >> 5 & 3), ID: p.id()}
		if op&0x80 != 0 {
			h.ID = 0
		}
		return rawFrame(h, p.bytes())
	case 1, 2:
		return p.request(op >> 3)
	case 3:
		d := wire.Data{More: op&8 != 0, First: op&24 == 24, End: op&40 == 32, Total: uint64(op >> 6)}
		body := p.bytes()
		if head, err := wire.AppendData(nil, wire.Header{ID: p.id(), Codec: op >> 4 & 3}, &d, len(body)); err == nil {
			return append(head, body...)
		}
	case 4:
		return wire.AppendReset(nil, p.id(), posthaste.Code(op>>3))
	case 5:
		r := wire.Reply{More: op&8 != 0, Total: uint64(p.byte()) << (op >> 4), Meta: p.bytes()}
		body := p.bytes()
		if head, err := wire.AppendReply(nil, wire.Header{ID: p.id(), Codec: op >> 5 & 3}, &r, len(body)); err == nil {
			return append(head, body...)
		}
	case 6:
		return wire.AppendFailure(nil, p.id(), &wire.Failure{Code: posthaste.Code(op), Message: p.bytes(), Details: p.bytes()})
	case 7:
		return wire.AppendUndefine(nil, uint32(op>>3)+1)
	}
	return nil
}

// request makes a request that is lawful but for its body, its metadata and its id.
func (p *program) request(how byte) []byte {
	h := wire.Header{Kind: []wire.Kind{wire.KindAsk, wire.KindTell, wire.KindOpen}[how%3], Codec: p.byte() & 3, ID: p.id()}
	q := wire.Request{Route: uint32(p.byte() & 7), Deadline: uint32(p.byte()), More: how&8 != 0}
	if q.Route == 0 || how&16 != 0 {
		q.Name = []byte(fuzzMethods[int(p.byte())%len(fuzzMethods)])
		if q.Name[0] == '/' {
			q.Target = wire.Target{Set: true, Kind: wire.TargetName, Name: []byte([]string{"probe", "$node"}[p.byte()&1])}
		}
	}
	if h.Codec == wire.CodecMeta {
		q.Meta = p.bytes()
	}
	body := p.bytes()
	if q.More {
		q.Total = uint64(len(body) + int(p.byte()))
	}
	head, err := wire.AppendRequest(nil, h, &q, len(body))
	if err != nil {
		return nil
	}
	return append(head, body...)
}

// FuzzSession sends any sequence of frames to a node, which must answer an honest
// one afterwards and hold nothing for the other.
func FuzzSession(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 1, 0, 0, 8, 1, 'a', 'b'}, 20))
	f.Add([]byte("\x01\x01\x04\x01\x10\x00\x00\x05\x01hello\x04\x04\x03\x04\x05\x01world\x02"))
	f.Add(binary.BigEndian.AppendUint64([]byte{2, 18, 7, 3, 9, 5, 1}, 0xddffffffffdfffff))
	f.Add(bytes.Repeat([]byte{0x43, 0x0b, 1, 1, 7, 0x1d, 0xff, 0xff, 0x2e}, 50))
	x := newFuzzTarget()
	f.Cleanup(func() {
		for _, n := range []*rt.Runtime{x.caller, x.node} {
			if err := halt(n); err != nil {
				f.Error(err)
			}
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		peer := &hostilePeer{frames: make(chan heard), closed: make(chan error, 1)}
		tr, err := x.network.Transport(peer, eventloop.Options{Logger: slog.New(slog.DiscardHandler), Hello: wire.Hello{Node: "hostile", Codecs: []uint8{1, 2, 3, 4}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
		defer cancel()
		defer tr.Close(ctx) //nolint:errcheck // the connection is closed below
		conn, err := tr.Dial(ctx, x.node.Endpoint())
		if err != nil {
			t.Fatal(err)
		}
		for p := (program{b}); len(p.b) > 0; {
			if frame := p.frame(); frame != nil && conn.Send(frame, nil) != nil {
				break // the node has had enough
			}
		}
		conn.Close(nil)
		select {
		case <-peer.closed:
		case <-ctx.Done():
			t.Fatal("the connection does not end")
		}
		if got, err := rt.Ask(ctx, x.honest, x.v.echo, b); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("the honest node got %d bytes for %d, %v", len(got), len(b), err)
		}
		if x.rounds++; x.rounds%500 == 0 {
			if now := heap().HeapAlloc; now > x.heap+fuzzHeap {
				t.Fatalf("after %d rounds the heap has grown by %d MiB, with %d goroutines", x.rounds, (now-x.heap)>>20, runtime.NumGoroutine())
			}
		}
	})
}
