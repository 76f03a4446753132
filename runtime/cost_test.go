package runtime_test

import (
	"context"
	"sync"
	"testing"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// meter is a protocol whose handlers do nothing, so that what remains is the cost
// of a call.
type meter struct{}

var (
	add    = rt.NewMethod[meter, int64, int64]("meter.add")
	label  = rt.NewMethod[meter, string, string]("meter.label")
	move   = rt.NewMethod[meter, point, point]("meter.move")
	amount = rt.NewEvent[meter, int64]("meter.number")
	text   = rt.NewEvent[meter, string]("meter.text")
	data   = rt.NewEvent[meter, []byte]("meter.data")
	fixed  = rt.NewEvent[meter, *point]("meter.fixed")
)

type total struct{ n int64 }

var metered = rt.Define(func() *total { return &total{} },
	rt.On(add, func(s *total, _ *rt.Context, n int64) (int64, error) { s.n += n; return s.n, nil }),
	rt.On(label, func(_ *total, _ *rt.Context, s string) (string, error) { return s, nil }),
	rt.On(move, func(_ *total, _ *rt.Context, p point) (point, error) { return p, nil }),
	rt.OnTell(amount, func(s *total, _ *rt.Context, n int64) error { s.n += n; return nil }),
	rt.OnTell(text, func(s *total, _ *rt.Context, t string) error { s.n += int64(len(t)); return nil }),
	rt.OnTell(data, func(s *total, _ *rt.Context, b []byte) error { s.n += int64(len(b)); return nil }),
	rt.OnTell(fixed, func(s *total, _ *rt.Context, p *point) error { s.n += p.X; return nil }))

// TestLocalCallsDoNotAllocate asks after each tell, so that nothing piles up.
func TestLocalCallsDoNotAllocate(t *testing.T) {
	if poolsLeak() {
		t.Skip("the race detector has sync.Pool lose what it is given now and then")
	}
	ref := spawnOf(t, start(t), "", metered)
	cancelable := t.Context()
	bounded, cancel := context.WithTimeout(t.Context(), rt.DefaultAskTimeout*1000)
	defer cancel()
	bytes, p := []byte("bytes"), &point{1, 2}
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for name, ctx := range map[string]context.Context{"background": context.Background(), "cancelable": cancelable, "bounded": bounded} {
		for call, f := range map[string]func(){
			"ask int64":   func() { _, err := rt.Ask(ctx, ref, add, 1<<40); check(err) },
			"ask string":  func() { _, err := rt.Ask(ctx, ref, label, "label"); check(err) },
			"ask struct":  func() { _, err := rt.Ask(ctx, ref, move, point{1, 2}); check(err) },
			"tell int64":  func() { check(rt.Tell(ctx, ref, amount, 1<<40)); _, err := rt.Ask(ctx, ref, add, 0); check(err) },
			"tell string": func() { check(rt.Tell(ctx, ref, text, "text")); _, err := rt.Ask(ctx, ref, add, 0); check(err) },
			"tell bytes":  func() { check(rt.Tell(ctx, ref, data, bytes)); _, err := rt.Ask(ctx, ref, add, 0); check(err) },
			"tell *T":     func() { check(rt.Tell(ctx, ref, fixed, p)); _, err := rt.Ask(ctx, ref, add, 0); check(err) },
		} {
			if n := testing.AllocsPerRun(500, f); n != 0 {
				t.Errorf("%s with a %s context makes %v allocations, want none", call, name, n)
			}
		}
	}
}

// poolsLeak reports whether sync.Pool loses more than a collection explains.
func poolsLeak() bool {
	var p sync.Pool
	lost := 0
	for range 1000 {
		p.Put(new(int))
		if p.Get() == nil {
			lost++
		}
	}
	return lost > 100
}

func BenchmarkAsk(b *testing.B) {
	ref := spawnOf(b, start(b), "", metered)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rt.Ask(context.Background(), ref, add, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAskParallel(b *testing.B) {
	ref := spawnOf(b, start(b), "", metered, rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := rt.Ask(context.Background(), ref, add, 1); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkTell is one sender and one actor, with an ask at the end, so that
// everything has been handled. Block keeps the sender from running ahead.
func BenchmarkTell(b *testing.B) {
	ref := spawnOf(b, start(b), "", metered, rt.Mailbox(1024, mailbox.Block))
	b.ReportAllocs()
	for b.Loop() {
		if err := rt.Tell(context.Background(), ref, amount, 1); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := rt.Ask(context.Background(), ref, add, 0); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkChain is an ask that passes through ten actors, each of which asks the
// next.
func BenchmarkChain(b *testing.B) {
	sys := start(b)
	next := spawnOf(b, sys, "", metered)
	for range 9 {
		behind := next
		next = spawnOf(b, sys, "", rt.Define(func() *total { return &total{} },
			rt.On(add, func(_ *total, c *rt.Context, n int64) (int64, error) { return rt.Ask(c, behind, add, n) })))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rt.Ask(context.Background(), next, add, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream is a local stream of 1000 items.
func BenchmarkStream(b *testing.B) {
	ref := spawn(b, start(b), "")
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range rt.Recv(context.Background(), ref, emit, emitCount(1000)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkSpawn(b *testing.B) {
	sys := start(b)
	b.ReportAllocs()
	for b.Loop() {
		ref, err := rt.Spawn(sys, "", metered)
		if err == nil {
			err = rt.StopActor(context.Background(), ref)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
