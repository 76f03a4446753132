package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// fixedAddress returns an endpoint to listen at whose text is known before.
func (f *fabric) fixedAddress() string {
	f.Helper()
	if f.kind != "tcp" {
		return f.address()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// breathe lets virtual time pass, which stands still while anybody is busy.
func (f *fabric) breathe() {
	if f.network != nil {
		<-time.After(time.Millisecond)
	}
}

// joinTo is the option to join nodes.
func joinTo(nodes ...*rt.Runtime) rt.Option {
	var at []string
	for _, n := range nodes {
		at = append(at, n.Endpoint().String())
	}
	return rt.Join(at...)
}

// census asks a service from many goroutines and counts which nodes answer.
func (f *fabric) census(v *verbs, to rt.Ref[probed], asks int) map[string]int {
	f.Helper()
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range asks / 16 {
				who, err := rt.Ask(f.ctx(), to, v.who, "")
				if err != nil {
					f.Error(err)
					return
				}
				mu.Lock()
				answers[who]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answers
}

// knows waits until a node can call a service.
func (f *fabric) knows(v *verbs, to rt.Ref[probed]) {
	f.Helper()
	f.until("the node knows "+to.String(), func() bool {
		_, err := rt.Ask(f.ctx(), to, v.echo, nil)
		return err == nil
	})
}

// forgets waits until nobody serves a service as far as a node knows.
func (f *fabric) forgets(v *verbs, to rt.Ref[probed]) {
	f.Helper()
	f.until("the node forgets "+to.String(), func() bool {
		_, err := rt.Ask(f.ctx(), to, v.echo, nil)
		return errors.Is(err, rt.ErrNoEndpoint)
	})
}

// TestCallsSpread has several nodes serve one name.
func TestCallsSpread(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			overAll(t, func(f *fabric) {
				v := newVerbs()
				var servers []*rt.Runtime
				for range n {
					s := f.node()
					f.serve(s, v, "svc", rt.Mailbox(1000, 0))
					servers = append(servers, s)
				}
				client := f.caller(joinTo(servers...))
				to := rt.Service[probed](client, "svc")
				f.until("all nodes answer", func() bool { return len(f.census(v, to, 320)) == n })
				// A node that serves the name itself is one of them.
				own := f.caller(joinTo(servers...))
				f.serve(own, v, "svc", rt.Mailbox(1000, 0))
				to = rt.Service[probed](own, "svc")
				f.until("all nodes answer, this one too", func() bool { return len(f.census(v, to, 640)) == n+1 })
			})
		})
	}
}

// TestDrainFailsNoAsk stops and replaces the nodes of a service one by one, while
// others call it without a pause. Not one ask or stream may fail.
func TestDrainFailsNoAsk(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		var at []string
		var servers []*rt.Runtime
		serve := func(address string) *rt.Runtime {
			s := f.caller(rt.Listen(address))
			f.serve(s, v, "svc", rt.Mailbox(1000, 0))
			return s
		}
		for range 3 {
			at = append(at, f.fixedAddress())
			servers = append(servers, serve(at[len(at)-1]))
		}
		client := f.caller(rt.Join(at...))
		to := rt.Service[probed](client, "svc")
		f.until("all nodes answer", func() bool { return len(f.census(v, to, 320)) == len(at) })

		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var asks atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					var err error
					if i == 0 {
						_, err = collect(rt.Recv(context.Background(), to, v.count, 10))
					} else {
						_, err = rt.Ask(context.Background(), to, v.echo, []byte("hello"))
					}
					if err != nil {
						f.Errorf("after %d calls: %v", asks.Load(), err)
						return
					}
					asks.Add(1)
					f.breathe()
				}
			})
		}
		goOn := func() {
			from := asks.Load()
			f.until("the calls go on", func() bool { return asks.Load() > from+50 })
		}
		for i, s := range servers {
			goOn()
			if err := halt(s); err != nil {
				f.Errorf("stopping: %v", err)
			}
			goOn()
			servers[i] = serve(at[i])
			fresh := servers[i].Name()
			f.until("the new node is called", func() bool {
				who, err := rt.Ask(f.ctx(), to, v.who, "")
				return err == nil && who == fresh
			})
		}
		cancel()
		wg.Wait()
		f.Logf("%d calls", asks.Load())
	})
}

// TestServeComesAndGoes publishes a service after the nodes are joined, takes it
// back by stopping the actor, and publishes it again.
func TestServeComesAndGoes(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		client := f.caller(joinTo(server))
		there, here := rt.Service[probed](client, "svc"), rt.Service[probed](server, "svc")
		f.forgets(v, there)
		for range 3 {
			f.serve(server, v, "svc")
			f.knows(v, here)
			f.knows(v, there)
			second, other := f.spawn(server, v, "")
			_ = second
			err := rt.Serve(server, "svc", other)
			wantError(f, err, posthaste.AlreadyExists, executed, "svc", "stop that actor")
			if err := rt.StopActor(f.ctx(), rt.At[probed](server, posthaste.Addr{Name: "svc"})); err != nil {
				f.Fatal(err)
			}
			f.forgets(v, here)
			f.forgets(v, there)
		}
	})
}

// TestWithdrawFailsNoAsk stops the actor of a service on one of two nodes, again and
// again, under calls: those that find it gone go to the other.
func TestWithdrawFailsNoAsk(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		steady, other := f.node(), f.node()
		f.serve(steady, v, "svc", rt.Mailbox(1000, 0))
		client := f.caller(joinTo(steady, other))
		to := rt.Service[probed](client, "svc")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		f.knows(v, to)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := rt.Ask(context.Background(), to, v.echo, []byte("hello")); err != nil {
						f.Error(err)
						return
					}
					f.breathe()
				}
			})
		}
		for range 10 {
			f.serve(other, v, "svc", rt.Mailbox(1000, 0))
			f.until("the other node is called", func() bool {
				who, err := rt.Ask(f.ctx(), to, v.who, "")
				return err != nil || who == other.Name()
			})
			if err := rt.StopActor(f.ctx(), rt.At[probed](other, posthaste.Addr{Name: "svc"})); err != nil {
				f.Error(err)
			}
		}
		cancel()
		wg.Wait()
	})
}

// TestServiceWaitsForJoin calls a service before the node that serves it is there.
func TestServiceWaitsForJoin(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		at := f.fixedAddress()
		client := f.caller(rt.Join(at))
		to := rt.Service[probed](client, "svc")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := rt.Ask(ctx, to, v.echo, nil)
		wantError(f, err, posthaste.NoEndpoint, notExecuted, "svc", at, "could not be reached")
		if !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("the error hides its cause: %v", err)
		}
		answers := make(chan error, 3)
		go func() {
			_, err := rt.Ask(f.ctx(), to, v.echo, nil)
			answers <- err
		}()
		go func() { answers <- rt.Tell(f.ctx(), to, v.note, 1) }()
		go func() {
			_, err := collect(rt.Recv(f.ctx(), to, v.count, 3))
			answers <- err
		}()
		server := f.caller(rt.Listen(at))
		f.serve(server, v, "svc")
		for range cap(answers) {
			if err := receive(f, "the calls", answers); err != nil && !errors.Is(err, rt.ErrNoEndpoint) {
				f.Error(err) // NoEndpoint: the nodes met before the service was published
			}
		}
		f.knows(v, to)
		// Once the node has said what it serves, nobody waits for what it does not.
		_, err = rt.Ask(context.Background(), rt.Service[probed](client, "other"), v.echo, nil)
		wantError(f, err, posthaste.NoEndpoint, notExecuted, "nobody serves", "other")
	})
}

// TestJoinEachOther has all nodes given the same list, themselves included.
func TestJoinEachOther(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		at := []string{f.fixedAddress(), f.fixedAddress()}
		var nodes []*rt.Runtime
		for i, a := range at {
			n := f.caller(rt.Listen(a), rt.Join(at...))
			f.serve(n, v, fmt.Sprint("svc", i))
			f.serve(n, v, "both", rt.Mailbox(1000, 0))
			nodes = append(nodes, n)
		}
		for _, n := range nodes {
			for i := range at {
				f.knows(v, rt.Service[probed](n, fmt.Sprint("svc", i)))
			}
			f.until("both nodes answer", func() bool { return len(f.census(v, rt.Service[probed](n, "both"), 320)) == 2 })
			began := time.Now()
			_, err := rt.Ask(context.Background(), rt.Service[probed](n, "nowhere"), v.echo, nil)
			wantError(f, err, posthaste.NoEndpoint, notExecuted, "nobody serves")
			if f.kind == "mem" && time.Since(began) != 0 {
				f.Errorf("it took %v to find out that nobody serves the name: %v", time.Since(began), err)
			}
		}
		if err := halt(nodes[0]); err != nil {
			f.Error(err)
		}
		f.until("only the other answers", func() bool { return len(f.census(v, rt.Service[probed](nodes[1], "both"), 160)) == 1 })
	})
}

// TestManyServices serves as many names as a node can.
func TestManyServices(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		client := f.caller(joinTo(server))
		_, ref := f.spawn(server, v, "probe", rt.Mailbox(10_000, 0))
		name := func(i int) string { return fmt.Sprintf("a.service.with.a.rather.long.name.%d", i) }
		const most = 1024
		for i := range most {
			if err := rt.Serve(server, name(i), ref); err != nil {
				f.Fatal(err)
			}
		}
		err := rt.Serve(server, "one.more", ref)
		wantError(f, err, posthaste.ResourceExhausted, notExecuted, "one.more", "1024")
		for _, i := range []int{0, 1, most / 2, most - 1} {
			f.knows(v, rt.Service[probed](client, name(i)))
		}
		late := f.caller(joinTo(server))
		f.knows(v, rt.Service[probed](late, name(most-1)))
	})
}

// TestServiceTimeout checks whose time-out bounds a call: the service's, before the
// method's, before the node's.
func TestServiceTimeout(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		f.serve(server, v, "svc")
		client := f.caller(joinTo(server), rt.AskTimeout(50*time.Second))
		for _, node := range []*rt.Runtime{client, server} {
			to := rt.Service[probed](node, "svc", rt.Timeout(7*time.Second))
			f.knows(v, to)
			left, err := rt.Ask(context.Background(), to, v.deadline, "")
			if d := time.Duration(left); err != nil || d > 7*time.Second || d < 6*time.Second {
				f.Errorf("from %s: the handler has %v left, %v", node.Name(), d, err)
			}
		}
	})
}
