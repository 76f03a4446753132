package runtime_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// probed is the protocol of the actor that the remote tests call.
type probed struct{}

// order and receipt go over the wire as msgpack or JSON.
type order struct {
	Item  string            `msgpack:"item"`
	Count int               `msgpack:"count"`
	Notes []string          `msgpack:"notes"`
	Tags  map[string]uint64 `msgpack:"tags"`
	Blob  []byte            `msgpack:"blob"`
}

type receipt struct {
	Order order   `msgpack:"order"`
	Total float64 `msgpack:"total"`
}

// verbs are the methods of probed. Each test has its own: what a bubble has made,
// pooled calls among it, must not leave it.
type verbs struct {
	echo     rt.Method[probed, []byte, []byte]
	order    rt.Method[probed, order, receipt]
	json     rt.Method[probed, order, receipt]
	blob     rt.Method[probed, int, []byte]
	fail     rt.Method[probed, int, string]
	deadline rt.Method[probed, string, int64]
	hold     rt.Method[probed, string, string]
	seen     rt.Method[probed, string, []int]
	ints     rt.Method[probed, []int64, int]
	any      rt.Method[probed, any, int]
	note     rt.Event[probed, int]
	large    rt.Event[probed, []byte]
	count    rt.ServerStream[probed, int, int]
	blobs    rt.ServerStream[probed, []int, []byte]
	upper    rt.ServerStream[probed, []byte, []byte]
	who      rt.Method[probed, string, string] // the name of the node
	absent   rt.Method[probed, string, string] // bound by nobody
}

func newVerbs() *verbs {
	return &verbs{
		echo:     rt.NewMethod[probed, []byte, []byte]("probe.echo"),
		order:    rt.NewMethod[probed, order, receipt]("probe.order"),
		json:     rt.NewMethod[probed, order, receipt]("probe.json", rt.Codec(codec.JSON{})),
		blob:     rt.NewMethod[probed, int, []byte]("probe.blob"),
		fail:     rt.NewMethod[probed, int, string]("probe.fail"),
		deadline: rt.NewMethod[probed, string, int64]("probe.deadline"),
		hold:     rt.NewMethod[probed, string, string]("probe.hold"),
		seen:     rt.NewMethod[probed, string, []int]("probe.seen"),
		ints:     rt.NewMethod[probed, []int64, int]("probe.ints"),
		any:      rt.NewMethod[probed, any, int]("probe.any"),
		note:     rt.NewEvent[probed, int]("probe.note"),
		large:    rt.NewEvent[probed, []byte]("probe.large"),
		count:    rt.NewServerStream[probed, int, int]("probe.count"),
		blobs:    rt.NewServerStream[probed, []int, []byte]("probe.blobs"),
		upper:    rt.NewServerStream[probed, []byte, []byte]("probe.upper"),
		who:      rt.NewMethod[probed, string, string]("probe.who"),
		absent:   rt.NewMethod[probed, string, string]("probe.absent"),
	}
}

// probe is the actor's state.
type probe struct {
	t       testing.TB
	name    string
	entered chan string   // hold and count say that they have begun
	held    chan error    // how hold's context ended, nil if it was released
	release chan struct{} // lets hold return, and count go on
	notes   []int         // what was told: numbers, and lengths below zero
}

func newProbe(t testing.TB, name string) *probe {
	return &probe{
		t: t, name: name, entered: make(chan string, 1024), held: make(chan error, 1024), release: make(chan struct{}),
	}
}

// kind binds the verbs to p. Its actors share the state p.
func (v *verbs) kind(p *probe) rt.Kind[probed, probe] {
	return rt.Define(func() *probe { return p },
		rt.On(v.echo, func(_ *probe, _ *rt.Context, b []byte) ([]byte, error) { return b, nil }),
		rt.On(v.order, (*probe).take),
		rt.On(v.json, (*probe).take),
		rt.On(v.blob, func(_ *probe, _ *rt.Context, n int) ([]byte, error) { return pattern(n), nil }),
		rt.On(v.fail, (*probe).fail),
		rt.On(v.deadline, (*probe).deadline),
		rt.On(v.hold, (*probe).hold),
		rt.On(v.seen, func(p *probe, _ *rt.Context, _ string) ([]int, error) { return p.notes, nil }),
		rt.On(v.who, func(_ *probe, c *rt.Context, _ string) (string, error) { return c.Runtime().Name(), nil }),
		rt.On(v.ints, func(_ *probe, _ *rt.Context, n []int64) (int, error) { return len(n), nil }),
		rt.On(v.any, func(*probe, *rt.Context, any) (int, error) { return 1, nil }),
		rt.OnTell(v.note, func(p *probe, _ *rt.Context, n int) error { p.notes = append(p.notes, n); return nil }),
		rt.OnTell(v.large, func(p *probe, _ *rt.Context, b []byte) error {
			checkPattern(p.t, b)
			p.notes = append(p.notes, -len(b))
			return nil
		}),
		rt.OnServer(v.count, (*probe).count),
		rt.OnServer(v.blobs, func(_ *probe, _ *rt.Context, sizes []int) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for _, n := range sizes {
					if !yield(pattern(n), nil) {
						return
					}
				}
			}
		}),
		rt.OnServer(v.upper, func(_ *probe, _ *rt.Context, b []byte) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) { _ = yield(b, nil) && yield(nil, nil) && yield(b[:1], nil) }
		}),
	)
}

func (p *probe) take(_ *rt.Context, o order) (receipt, error) {
	return receipt{Order: o, Total: float64(o.Count) * 1.5}, nil
}

func (p *probe) deadline(c *rt.Context, _ string) (int64, error) {
	at, ok := c.Deadline()
	if !ok {
		return 0, errors.New("no deadline")
	}
	return int64(time.Until(at)), nil
}

// hold returns when it is released or its context ends.
func (p *probe) hold(c *rt.Context, s string) (string, error) {
	done := c.Done()
	p.entered <- s
	select {
	case <-p.release:
		p.held <- nil
		return p.name + " " + s, nil
	case <-done:
		p.held <- context.Cause(c)
		return "", c.Err()
	}
}

// count yields 0 to n-1. A negative n fails after -n values.
func (p *probe) count(_ *rt.Context, n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range max(n, -n) {
			if !yield(i, nil) {
				return
			}
		}
		if n < 0 {
			yield(0, posthaste.Errorf(posthaste.OutOfRange, "past the end"))
		}
	}
}

// appCode is a code that an application would define.
const appCode = posthaste.FirstApplication + 7

// The ways of fail.
const (
	failPlain = iota
	failCoded
	failApplication
	failLater
	failWrapped
	failPanic
	failLong
)

func (p *probe) fail(_ *rt.Context, how int) (string, error) {
	switch how {
	case failCoded:
		return "", posthaste.Errorf(posthaste.NotFound, "no account %q", "ada")
	case failApplication:
		return "", posthaste.Errorf(appCode, "insufficient funds")
	case failLater:
		e := posthaste.Errorf(posthaste.RateLimited, "come back")
		e.RetryAfter = 1500 * time.Millisecond
		return "", e
	case failWrapped:
		return "", errors.Join(errors.New("outer"), posthaste.Errorf(posthaste.FailedPrecondition, "inner"))
	case failPanic:
		panic("secret of the handler")
	case failLong:
		return "", errors.New(string(make([]byte, 10<<10)))
	}
	return "", errors.New("plain")
}

// pattern returns n bytes that tell where they belong.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func checkPattern(t testing.TB, b []byte) {
	t.Helper()
	for i := range b {
		if b[i] != byte(i^i>>8^i>>16) {
			t.Errorf("byte %d of %d is %#x, want %#x", i, len(b), b[i], byte(i^i>>8^i>>16))
			return
		}
	}
}

// spawn starts a probe on a node.
func (f *fabric) spawn(node *rt.Runtime, v *verbs, name string, opts ...rt.SpawnOption) (*probe, rt.Ref[probed]) {
	f.Helper()
	p := newProbe(f.T, name)
	ref, err := rt.Spawn(node, name, v.kind(p), opts...)
	if err != nil {
		f.Fatal(err)
	}
	return p, ref
}

// serve is spawn and Serve under the same name.
func (f *fabric) serve(node *rt.Runtime, v *verbs, name string, opts ...rt.SpawnOption) *probe {
	f.Helper()
	p, ref := f.spawn(node, v, name, opts...)
	if err := rt.Serve(node, name, ref); err != nil {
		f.Fatal(err)
	}
	return p
}

// named returns a reference to the actor of a name on another node.
func named(from, on *rt.Runtime, name string) rt.Ref[probed] {
	return rt.At[probed](from, posthaste.Addr{Node: on.Endpoint(), Name: name})
}
