package runtime_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestCancelReachesHandler cancels an ask and wants the handler's context to end.
func TestCancelReachesHandler(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		p, _ := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		ctx, cancel := context.WithCancel(f.ctx())
		answer := make(chan error, 1)
		go func() {
			_, err := rt.Ask(ctx, to, v.hold, "")
			answer <- err
		}()
		receive(f, "hold", p.entered)
		cancel()
		wantError(f, receive(f, "the ask's end", answer), posthaste.Canceled, unknown)
		if err := receive(f, "the handler's end", p.held); !errors.Is(err, context.Canceled) {
			f.Errorf("the handler's context ended with %v", err)
		}
		checkVerbs(f, v, "afterwards", to)
	})
}

// TestDeadlineReachesHandler lets an ask's time run out and wants the handler's
// context to end too.
func TestDeadlineReachesHandler(t *testing.T) {
	inMemory(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller(rt.AskTimeout(3*time.Second))
		p, _ := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		short, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		for _, c := range []struct {
			ctx  context.Context
			want time.Duration
		}{{short, 2 * time.Second}, {context.Background(), 3 * time.Second}} {
			began := time.Now()
			_, err := rt.Ask(c.ctx, to, v.hold, "")
			// The handler's context ends at the same instant, and it says so.
			if !errors.Is(err, context.DeadlineExceeded) {
				f.Errorf("the ask ended with %v", err)
			}
			if took := time.Since(began); took < c.want || took > c.want+100*time.Millisecond {
				f.Errorf("the ask ended after %v, want %v", took, c.want)
			}
			receive(f, "hold", p.entered)
			if err := receive(f, "the handler's end", p.held); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				f.Errorf("the handler's context ended with %v", err)
			}
		}
	})
}

// TestLateReply lets a reply come after its asker has given up: it is counted, and
// nobody else gets it.
func TestLateReply(t *testing.T) {
	overAll(t, func(f *fabric) {
		stubborn := rt.NewMethod[probed, string, string]("probe.stubborn")
		entered, release := make(chan string, 10), make(chan struct{})
		server, client := f.node(), f.caller()
		ref, err := rt.Spawn(server, "", rt.Define(func() *probe { return newProbe(f.T, "p") },
			rt.On(stubborn, func(_ *probe, _ *rt.Context, s string) (string, error) {
				entered <- s
				<-release
				return s, nil
			})))
		if err != nil {
			f.Fatal(err)
		}
		to := rt.At[probed](client, ref.Addr())
		ctx, cancel := context.WithCancel(f.ctx())
		answer := make(chan error, 1)
		go func() {
			_, err := rt.Ask(ctx, to, stubborn, "late")
			answer <- err
		}()
		receive(f, "the handler", entered)
		cancel()
		wantError(f, receive(f, "the ask's end", answer), posthaste.Canceled, unknown)
		if n := client.Stats().LateReplies; n != 0 {
			f.Errorf("%d late replies before any", n)
		}
		close(release)
		for n := range 100 {
			if s, err := rt.Ask(f.ctx(), to, stubborn, fmt.Sprint(n)); err != nil || s != fmt.Sprint(n) {
				f.Fatalf("ask %d got %q, %v", n, s, err)
			}
			receive(f, "the handler", entered)
		}
		if n := client.Stats().LateReplies; n != 1 {
			f.Errorf("%d late replies, want 1", n)
		}
	})
}

// TestCancelWhileQueued cancels an ask that waits in a mailbox. Its handler is not
// started, and its place on the connection becomes free.
func TestCancelWhileQueued(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		p, ref := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		first := make(chan error, 1)
		go func() {
			_, err := rt.Ask(f.ctx(), ref, v.hold, "first")
			first <- err
		}()
		receive(f, "hold", p.entered)
		for range 50 {
			ctx, cancel := context.WithCancel(f.ctx())
			answer := make(chan error, 1)
			go func() {
				_, err := rt.Ask(ctx, to, v.hold, "queued")
				answer <- err
			}()
			cancel()
			if err := receive(f, "the ask's end", answer); !errors.Is(err, context.Canceled) {
				f.Errorf("the ask ended with %v", err)
			}
		}
		close(p.release)
		if err := receive(f, "the first ask", first); err != nil {
			f.Error(err)
		}
		f.until("the actor has looked at all", func() bool {
			_, err := rt.Ask(f.ctx(), to, v.echo, nil)
			return err == nil
		})
	})
}

// TestBreakRemoteStream breaks out of streams while values are on their way: the
// handler stops, and the ids are used again without confusion.
func TestBreakRemoteStream(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		stopped := make(chan int, 100)
		endless := rt.NewServerStream[probed, int, int]("probe.endless")
		kind := rt.Define(func() *probe { return newProbe(f.T, "p") },
			rt.On(v.echo, func(_ *probe, _ *rt.Context, b []byte) ([]byte, error) { return b, nil }),
			rt.OnServer(endless, func(_ *probe, _ *rt.Context, n int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					defer func() { stopped <- n }()
					for i := 0; yield(i, nil); i++ {
					}
				}
			}))
		server, client := f.node(), f.caller()
		ref, err := rt.Spawn(server, "p", kind)
		if err != nil {
			f.Fatal(err)
		}
		to := rt.At[probed](client, ref.Addr())
		for n := range 10 {
			next := 0
			for i, err := range rt.Recv(f.ctx(), to, endless, n) {
				if err != nil || i != next {
					f.Fatalf("stream %d: value %d is %d, %v", n, next, i, err)
				}
				if next++; next == 10*n+1 {
					break
				}
			}
			if b, err := rt.Ask(f.ctx(), to, v.echo, []byte{byte(n)}); err != nil || b[0] != byte(n) {
				f.Fatalf("after stream %d: %v, %v", n, b, err)
			}
			if got := receive(f, "the handler's end", stopped); got != n {
				f.Fatalf("the handler of %d ended, want %d", got, n)
			}
		}
	})
}

// TestCancelStorm cancels asks at random moments. Each must end exactly once, with
// its own reply or the error of its context, and late replies must not reach the
// asks that use their ids next.
func TestCancelStorm(t *testing.T) {
	f := overTCP(t)
	v := newVerbs()
	server, client := f.node(), f.caller()
	const actors, callers = 4, 64
	asks := 10_000
	if testing.Short() {
		asks = 1000
	}
	to := make([]rt.Ref[probed], actors)
	for i := range to {
		_, ref := f.spawn(server, v, "", rt.Mailbox(1<<14, 0))
		to[i] = rt.At[probed](client, ref.Addr())
	}
	var ok, canceled, next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(asks); n = next.Add(1) {
				replied, err := stormAsk(v, to[n%actors], uint64(n))
				switch {
				case err != nil:
					t.Error(err)
					return
				case replied:
					ok.Add(1)
				default:
					canceled.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d replies, %d canceled, %d late", ok.Load(), canceled.Load(), client.Stats().LateReplies)
	if ok.Load()+canceled.Load() != int64(asks) {
		t.Errorf("%d asks ended with a reply, %d by their context, of %d", ok.Load(), canceled.Load(), asks)
	}
	if ok.Load() == 0 || canceled.Load() == 0 {
		t.Error("the storm had only one kind of end")
	}
	checkVerbs(f, v, "after the storm", to[0])
}

// stormAsk makes one ask that is canceled sooner or later.
func stormAsk(v *verbs, to rt.Ref[probed], n uint64) (replied bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
	defer cancel()
	if r := rand.N(4); r > 0 {
		stop := time.AfterFunc(time.Duration(rand.N(300*r))*time.Microsecond, cancel)
		defer stop.Stop()
	}
	body := binary.LittleEndian.AppendUint64(nil, n)
	if n%16 == 0 {
		body = append(body, make([]byte, 40_000)...) // several frames
	}
	b, err := rt.Ask(ctx, to, v.echo, body)
	switch {
	case errors.Is(err, context.Canceled):
		return false, nil
	case err != nil:
		return false, err
	case len(b) != len(body) || binary.LittleEndian.Uint64(b) != n:
		return false, fmt.Errorf("ask %d got %d bytes that belong to ask %d", n, len(b), binary.LittleEndian.Uint64(b))
	}
	return true, nil
}
