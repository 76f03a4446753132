package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestRemoteVerbs calls an actor of another node by name, by number and by
// service.
func TestRemoteVerbs(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		_, ref := f.spawn(server, v, "probe")
		_, anonymous := f.spawn(server, v, "")
		if err := rt.Serve(server, "probes", ref); err != nil {
			f.Fatal(err)
		}
		joined := f.caller(rt.Join(server.Endpoint().String()))
		for name, to := range map[string]rt.Ref[probed]{
			"name":      named(client, server, "probe"),
			"number":    rt.At[probed](client, ref.Addr()),
			"anonymous": rt.At[probed](client, anonymous.Addr()),
			"service":   rt.Service[probed](joined, "probes"),
		} {
			checkVerbs(f, v, name, to)
		}
	})
}

func checkVerbs(f *fabric, v *verbs, name string, to rt.Ref[probed]) {
	f.Helper()
	ctx := f.ctx()
	body := []byte("hello")
	if b, err := rt.Ask(ctx, to, v.echo, body); err != nil || !bytes.Equal(b, body) {
		f.Errorf("%s: echo: %q, %v", name, b, err)
	}
	if b, err := rt.Ask(ctx, to, v.echo, nil); err != nil || len(b) != 0 {
		f.Errorf("%s: echo of nothing: %q, %v", name, b, err)
	}
	o := order{Item: "nail", Count: 4, Notes: []string{"é", ""}, Tags: map[string]uint64{"max": 1<<64 - 1}, Blob: []byte{0, 255}}
	want := receipt{Order: o, Total: 6}
	if got, err := rt.Ask(ctx, to, v.order, o); err != nil || !reflect.DeepEqual(got, want) {
		f.Errorf("%s: order: %+v, %v", name, got, err)
	}
	if got, err := rt.Ask(ctx, to, v.json, o); err != nil || !reflect.DeepEqual(got, want) {
		f.Errorf("%s: order in JSON: %+v, %v", name, got, err)
	}
	for n := range 3 {
		if err := rt.Tell(ctx, to, v.note, n); err != nil {
			f.Errorf("%s: tell: %v", name, err)
		}
	}
	if seen, err := rt.Ask(ctx, to, v.seen, ""); err != nil || len(seen) < 3 || !slices.Equal(seen[len(seen)-3:], []int{0, 1, 2}) {
		f.Errorf("%s: the tells have come as %v, %v", name, seen, err)
	}
	if items, err := collect(rt.Recv(ctx, to, v.count, 100)); err != nil || len(items) != 100 || items[99] != 99 {
		f.Errorf("%s: stream: %v, %v", name, items, err)
	}
	items, err := collect(rt.Recv(ctx, to, v.upper, body))
	if err != nil || len(items) != 3 || !bytes.Equal(items[0], body) || len(items[1]) != 0 || string(items[2]) != "h" {
		f.Errorf("%s: raw stream: %q, %v", name, items, err)
	}
}

// TestBothDirections has the node that listens ask the one that joined, which
// does not listen, so it can only be over the same connection.
func TestBothDirections(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		f.serve(server, v, "south")
		client := f.caller(rt.Join(server.Endpoint().String()))
		f.serve(client, v, "north")
		if !client.Endpoint().IsZero() {
			f.Fatalf("the client listens at %v", client.Endpoint())
		}
		north, south := rt.Service[probed](server, "north"), rt.Service[probed](client, "south")
		f.until("the server knows north", func() bool {
			_, err := rt.Ask(f.ctx(), north, v.echo, nil)
			return err == nil
		})
		checkVerbs(f, v, "from the dialer", south)
		checkVerbs(f, v, "from the listener", north)
	})
}

// TestManyMethods calls more methods than a route number of one byte tells apart,
// each by name and then by number.
func TestManyMethods(t *testing.T) {
	overAll(t, func(f *fabric) {
		type many struct{}
		methods := make([]rt.Method[probed, int, int], 500)
		handlers := make([]rt.Handler[probed, many], len(methods))
		for i := range methods {
			methods[i] = rt.NewMethod[probed, int, int](fmt.Sprintf("many.m%d", i))
			handlers[i] = rt.On(methods[i], func(_ *many, _ *rt.Context, n int) (int, error) { return n*1000 + i, nil })
		}
		server, client := f.node(), f.caller()
		if _, err := rt.Spawn(server, "many", rt.Define(func() *many { return &many{} }, handlers...)); err != nil {
			f.Fatal(err)
		}
		to := named(client, server, "many")
		for n := range 3 {
			for i, m := range methods {
				if r, err := rt.Ask(f.ctx(), to, m, n); err != nil || r != n*1000+i {
					f.Fatalf("method %d answered %d, %v", i, r, err)
				}
			}
		}
	})
}

// TestMoreRoutesThanNumbers calls more service-method pairs than a connection can
// number: the rest go by name. Their names are together longer than what a
// connection remembers.
func TestMoreRoutesThanNumbers(t *testing.T) {
	f := overTCP(t)
	const services, methods = 132, 128 // 16,896 routes
	type many struct{}
	declared := make([]rt.Method[probed, int, int], methods)
	handlers := make([]rt.Handler[probed, many], methods)
	for i := range declared {
		declared[i] = rt.NewMethod[probed, int, int](fmt.Sprintf("many.m%d", i))
		handlers[i] = rt.On(declared[i], func(_ *many, _ *rt.Context, n int) (int, error) { return n*1000 + i, nil })
	}
	server := f.node()
	ref, err := rt.Spawn(server, "many", rt.Define(func() *many { return &many{} }, handlers...))
	if err != nil {
		t.Fatal(err)
	}
	name := func(i int) string {
		return fmt.Sprintf("a.service.with.a.long.name.so.that.the.names.use.up.their.mebibyte.%d", i)
	}
	for i := range services {
		if err := rt.Serve(server, name(i), ref); err != nil {
			t.Fatal(err)
		}
	}
	client := f.caller(rt.Join(server.Endpoint().String()))
	ctx := f.ctx()
	for i := range services {
		to := rt.Service[probed](client, name(i))
		for m := range methods {
			if r, err := rt.Ask(ctx, to, declared[m], i); err != nil || r != i*1000+m {
				t.Fatalf("route %d: %d, %v", i*methods+m, r, err)
			}
		}
	}
}

// TestRemoteOrder checks that the messages of one sender are handled in the order
// they were sent, large ones among them, with other senders on the same connection.
func TestRemoteOrder(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		_, ref := f.spawn(server, v, "probe", rt.Mailbox(1<<16, 0))
		to := rt.At[probed](client, ref.Addr())
		const senders, each, large = 8, 100, 30_000
		body := pattern(large + senders*each)
		done := make(chan error, senders)
		for s := range senders {
			go func() {
				for n := s * each; n < (s+1)*each; n++ {
					err := rt.Tell(f.ctx(), to, v.note, n)
					if n%10 == 0 && err == nil {
						err = rt.Tell(f.ctx(), to, v.large, body[:large+n])
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range senders {
			if err := receive(f, "a sender", done); err != nil {
				f.Fatal(err)
			}
		}
		seen, err := rt.Ask(f.ctx(), to, v.seen, "")
		if err != nil || len(seen) != senders*each*11/10 {
			f.Fatalf("%d tells have come, %v", len(seen), err)
		}
		var got, want [senders][]int
		for _, x := range seen {
			n := max(x, -x-large)
			got[n/each] = append(got[n/each], x)
		}
		for s := range senders {
			for n := s * each; n < (s+1)*each; n++ {
				want[s] = append(want[s], n)
				if n%10 == 0 {
					want[s] = append(want[s], -large-n)
				}
			}
			if !slices.Equal(got[s], want[s]) {
				f.Errorf("sender %d: the tells have come in the order %v", s, got[s])
			}
		}
	})
}

// TestRemoteDeadline checks that the deadline travels, by context or by default.
func TestRemoteDeadline(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller(rt.AskTimeout(20*time.Second))
		f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
		defer cancel()
		for _, c := range []struct {
			ctx         context.Context
			least, most time.Duration
		}{{ctx, 15 * time.Second, 50 * time.Second}, {context.Background(), time.Second, 20 * time.Second}} {
			left, err := rt.Ask(c.ctx, to, v.deadline, "")
			if d := time.Duration(left); err != nil || d < c.least || d > c.most+time.Millisecond {
				f.Errorf("the handler has %v left, %v; want %v to %v", d, err, c.least, c.most)
			}
		}
	})
}

// TestExpiredWhileQueued checks that a request whose time has run out in the
// mailbox is not started.
func TestExpiredWhileQueued(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		p, ref := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		go rt.Ask(f.ctx(), ref, v.hold, "first") //nolint:errcheck // its answer does not matter
		receive(f, "hold", p.entered)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := rt.Ask(ctx, to, v.hold, "second")
		wantError(f, err, posthaste.DeadlineExceeded, unknown)
		close(p.release)
		if _, err := rt.Ask(f.ctx(), to, v.seen, ""); err != nil {
			f.Fatal(err)
		}
		if len(p.entered) != 0 {
			f.Error("the handler was started after the deadline")
		}
	})
}
