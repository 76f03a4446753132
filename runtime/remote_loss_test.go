package runtime_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestConnectionLost breaks a connection under asks and streams: each ends with an
// error that says it may have run, the handlers are told, and the next call makes
// a new connection.
func TestConnectionLost(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.node()
		way := f.breakable(func() *rt.Runtime { return client }, server)
		at, err := posthaste.ParseEndpoint(way.at)
		if err != nil {
			f.Fatal(err)
		}
		const asks = 10
		for round := range 3 {
			answers := make(chan error, asks)
			var probes []*probe
			for range asks {
				p, ref := f.spawn(server, v, "")
				probes = append(probes, p)
				addr := ref.Addr()
				addr.Node = at
				go func() {
					_, err := rt.Ask(f.ctx(), rt.At[probed](client, addr), v.hold, "")
					answers <- err
				}()
			}
			for _, p := range probes {
				receive(f, "hold", p.entered)
			}
			way.cut()
			for range asks {
				if e := wantError(f, receive(f, "an ask's end", answers), posthaste.ConnLost, unknown, "connection"); e.Peer != at {
					f.Errorf("round %d: the error is about %v, want %v", round, e.Peer, at)
				}
			}
			for _, p := range probes {
				if err := receive(f, "a handler's end", p.held); err == nil {
					f.Error("a handler was not told")
				}
			}
			// At once, though the connection may still be in the pool.
			f.spawn(server, v, "next")
			next := rt.At[probed](client, posthaste.Addr{Node: at, Name: "next"})
			if _, err := rt.Ask(f.ctx(), next, v.echo, nil); err != nil {
				f.Fatalf("round %d: the ask after the loss: %v", round, err)
			}
			if err := rt.StopActor(f.ctx(), rt.At[probed](server, posthaste.Addr{Name: "next"})); err != nil {
				f.Error(err)
			}
		}
	})
}

// TestStreamLost breaks a connection under a stream.
func TestStreamLost(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.node()
		way := f.breakable(func() *rt.Runtime { return client }, server)
		at, _ := posthaste.ParseEndpoint(way.at)
		more := make(chan struct{}, 1)
		slow := rt.NewServerStream[probed, int, int]("probe.slow")
		_, err := rt.Spawn(server, "slow", rt.Define(func() *probe { return newProbe(f.T, "") },
			rt.OnServer(slow, func(_ *probe, c *rt.Context, _ int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					if yield(1, nil) {
						<-c.Done()
						more <- struct{}{}
					}
				}
			})))
		if err != nil {
			f.Fatal(err)
		}
		var got []int
		var end error
		for i, err := range rt.Recv(f.ctx(), rt.At[probed](client, posthaste.Addr{Node: at, Name: "slow"}), slow, 0) {
			if err != nil {
				end = err
				break
			}
			got = append(got, i)
			way.cut() // the first value has come while the handler is still running
		}
		wantError(f, end, posthaste.ConnLost, unknown)
		if len(got) != 1 {
			f.Errorf("got %v", got)
		}
		receive(f, "the handler's end", more)
		_ = v
	})
}

// TestNodeComesBack stops a node and starts another at the same endpoint.
func TestNodeComesBack(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		first, client := f.node(), f.caller()
		f.spawn(first, v, "probe")
		to := named(client, first, "probe")
		if _, err := rt.Ask(f.ctx(), to, v.echo, nil); err != nil {
			f.Fatal(err)
		}
		stale := first.Endpoint()
		if err := halt(first); err != nil {
			f.Fatal(err)
		}
		_, err := rt.Ask(f.ctx(), to, v.echo, nil)
		if e := wantError(f, err, posthaste.ConnectFailed, notExecuted, stale.String()); e.Peer != stale {
			f.Errorf("the error is about %v, want %v", e.Peer, stale)
		}
		_, err = rt.Ask(f.ctx(), to, v.echo, nil)
		if e := wantError(f, err, posthaste.ConnectFailed, notExecuted, "not tried again"); e.RetryAfter <= 0 {
			f.Errorf("an ask during the backoff does not say when to come back: %v", err)
		}
		second := f.caller(rt.Listen(stale.String()))
		f.spawn(second, v, "probe")
		f.until("the node is called again", func() bool {
			_, err := rt.Ask(f.ctx(), to, v.echo, nil)
			return err == nil
		})
		if err := rt.Tell(f.ctx(), to, v.note, 1); err != nil {
			f.Error(err)
		}
		checkVerbs(f, v, "the second node", to)
	})
}

// TestJoinComesBack breaks the connection of a join, which is made anew without
// anybody calling.
func TestJoinComesBack(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		f.serve(server, v, "south")
		var client *rt.Runtime
		way := f.breakable(func() *rt.Runtime { return client }, server)
		client = f.node(rt.Join(way.at))
		f.serve(client, v, "north")
		south, north := rt.Service[probed](client, "south"), rt.Service[probed](server, "north")
		for range 3 {
			f.until("the one who joined has connected again", func() bool {
				_, err := rt.Ask(f.ctx(), south, v.echo, nil)
				if err != nil && !errors.Is(err, rt.ErrConnLost) { // it may not have noticed yet
					f.Fatalf("from the one who joined: %v", err)
				}
				return err == nil
			})
			f.until("the other knows north", func() bool {
				_, err := rt.Ask(f.ctx(), north, v.echo, nil)
				return err == nil
			})
			way.cut()
			f.until("the loss is noticed", func() bool {
				_, err := rt.Ask(f.ctx(), north, v.echo, nil)
				return err != nil
			})
		}
	})
}

// TestUnreachable asks nodes that are not there, or do not answer.
func TestUnreachable(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		client, server := f.node(), f.node()
		began := time.Now()
		_, err := rt.Ask(f.ctx(), rt.At[probed](client, posthaste.Addr{Node: posthaste.Endpoint{Network: "mem", Address: "nobody"}, Name: "x"}), v.echo, nil)
		wantError(f, err, posthaste.ConnectFailed, notExecuted, "mem:nobody")
		f.network.Cut(client.Endpoint(), server.Endpoint())
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err = rt.Ask(ctx, named(client, server, "x"), v.echo, nil)
		wantError(f, err, posthaste.DeadlineExceeded, notExecuted, server.Endpoint().String())
		if took := time.Since(began); took != 2*time.Second {
			f.Errorf("the asks ended after %v, want 2s", took)
		}
		err = rt.Tell(f.ctx(), named(client, server, "x"), v.note, 1)
		wantError(f, err, posthaste.ConnectFailed, notExecuted)
	})
}

// TestSilentPeer cuts the line so that neither side hears of it: asks end by their
// deadline, and the connection is given up in the end.
func TestSilentPeer(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		client, server := f.node(), f.node()
		p, _ := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		if _, err := rt.Ask(f.ctx(), to, v.echo, nil); err != nil {
			f.Fatal(err)
		}
		f.network.Cut(client.Endpoint(), server.Endpoint())
		_, err := rt.Ask(context.Background(), to, v.hold, "lost on the way")
		wantError(f, err, posthaste.DeadlineExceeded, unknown)
		long, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		_, err = rt.Ask(long, to, v.hold, "lost on the way")
		wantError(f, err, posthaste.ConnLost, unknown, "silent")
		f.network.Heal(client.Endpoint(), server.Endpoint())
		f.until("the node is called again", func() bool {
			_, err := rt.Ask(f.ctx(), to, v.echo, nil)
			return err == nil
		})
		if len(p.entered) != 0 {
			f.Errorf("%d asks arrived that were lost", len(p.entered))
		}
	})
}

// TestStopUnderFire stops a node while it asks and is asked. No ask may hang, and
// each ends with a reply or with an error that says why.
func TestStopUnderFire(t *testing.T) {
	for _, stopper := range []string{"server", "client"} {
		t.Run(stopper, func(t *testing.T) {
			overAll(t, func(f *fabric) {
				v := newVerbs()
				server, client := f.node(), f.node()
				f.spawn(server, v, "probe")
				f.spawn(client, v, "probe")
				var wg sync.WaitGroup
				began := make(chan struct{}, 16)
				for i := range 16 {
					to := named(client, server, "probe")
					if i%2 == 1 {
						to = named(server, client, "probe")
					}
					wg.Go(func() { askUntilRefused(f, v, to, began) })
				}
				for range cap(began) {
					receive(f, "an ask", began)
				}
				first, second := server, client
				if stopper == "client" {
					first, second = client, server
				}
				if err := halt(first); err != nil {
					f.Error(err)
				}
				wg.Wait()
				if err := halt(second); err != nil {
					f.Error(err)
				}
			})
		})
	}
}

func askUntilRefused(f *fabric, v *verbs, to rt.Ref[probed], began chan<- struct{}) {
	for n := 0; ; n++ {
		_, err := rt.Ask(context.Background(), to, v.echo, []byte("hello"))
		if n == 0 {
			began <- struct{}{}
		}
		if err == nil {
			continue
		}
		switch posthaste.CodeOf(err) {
		case posthaste.Draining, posthaste.ConnLost, posthaste.ConnectFailed, posthaste.ActorStopped, posthaste.ActorNotFound:
		default:
			f.Errorf("the node stops, and an ask ends with %v", err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("an ask hung: %v", err)
		}
		return
	}
}
