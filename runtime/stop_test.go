package runtime_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

func TestStopWithNothing(t *testing.T) {
	for _, opts := range [][]rt.Option{nil, {rt.Network(eventloop.NewNetwork())}} {
		sys, err := rt.New(opts...)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := sys.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestStopDrains stops a runtime whose actors have full mailboxes.
func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		sys := start(t, dead.option())
		handled, replies := make(chan int, 1000), make(chan error, 10)
		var stopped []string
		var refs []rt.Ref[script]
		var release []func()
		for range 5 {
			ref := spawnOf(t, sys, "", rt.Define(func() *notes { return &notes{} }, scriptHandlers(
				rt.Stopped[script](func(n *notes, _ *rt.Context) { stopped = append(stopped, n.lines...) }))...))
			refs = append(refs, ref)
			release = append(release, hold(t, ref))
			for i := range 100 {
				tell(t, ref, func(n *notes, _ *rt.Context) error {
					handled <- i
					if i == 99 {
						n.lines = append(n.lines, "done")
					}
					return nil
				})
			}
			for range 2 {
				go func() {
					_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { return 1, nil })
					replies <- err
				}()
			}
		}
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- sys.Stop(t.Context()) }()
		synctest.Wait()
		_, err := rt.Spawn(sys, "late", scripted)
		refused(t, err, posthaste.Draining, notExecuted, `spawn "late"`)
		refused(t, rt.Serve(sys, "late", refs[0]), posthaste.Draining, notExecuted, `serve "late"`)
		again := make(chan error, 1)
		go func() { again <- sys.Stop(context.Background()) }()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		refused(t, sys.Stop(impatient), posthaste.DeadlineExceeded, unknown, "still stopping")
		select {
		case err := <-ended:
			t.Fatalf("Stop returned %v while handlers were running", err)
		case err := <-again:
			t.Fatalf("the second Stop returned %v before the first", err)
		default:
		}
		for _, r := range release {
			r()
			synctest.Wait() // one after another, so that stopped needs no lock
		}
		for range cap(replies) {
			if err := <-replies; err != nil {
				t.Errorf("an ask that was queued before Stop: %v", err)
			}
		}
		if err := errors.Join(<-ended, <-again); err != nil {
			t.Error(err)
		}
		if len(handled) != 500 || len(stopped) != 5 || len(dead.take()) != 0 {
			t.Errorf("%d of 500 tells were handled, %d of 5 Stopped hooks ran after them", len(handled), len(stopped))
		}
		if n := sys.Stats().Actors; n != 0 {
			t.Errorf("%d actors are left", n)
		}
	})
}

func TestCallsAfterStop(t *testing.T) {
	ctx, sys := t.Context(), start(t)
	ref := spawn(t, sys, "acc")
	if err := rt.Serve(sys, "bank", ref); err != nil {
		t.Fatal(err)
	}
	service := rt.Service[script](sys, "bank")
	answers(t, service)
	stop(t, sys)
	one := func(*notes, *rt.Context) (int, error) { return 1, nil }
	_, err := ask(ctx, ref, one)
	refused(t, err, posthaste.ActorStopped, notExecuted)
	refused(t, rt.Tell(ctx, ref, post, nil), posthaste.ActorStopped, notExecuted)
	_, err = collect(rt.Recv(ctx, ref, emit, nil))
	refused(t, err, posthaste.ActorStopped, notExecuted)
	_, err = rt.Spawn(sys, "new", scripted)
	refused(t, err, posthaste.Draining, notExecuted)
	_, err = ask(ctx, service, one)
	refused(t, err, posthaste.NoEndpoint, notExecuted)
	_, err = ask(ctx, rt.At[script](sys, posthaste.Addr{Name: "acc"}), one)
	refused(t, err, posthaste.ActorNotFound, notExecuted)
	stopActor(t, ref)
}

// TestStopCutsOff stops a runtime with handlers that do not return in time.
func TestStopCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		sys, err := rt.New(rt.Network(eventloop.NewNetwork()), rt.Logger(slog.New(slog.DiscardHandler)), dead.option())
		if err != nil {
			t.Fatal(err)
		}
		idle := spawn(t, sys, "idle")
		stuck, handled := spawn(t, sys, "stuck"), 0
		release := hold(t, stuck)
		fill(t, stuck, 7, &handled)
		asked := make(chan error, 1)
		go func() {
			_, err := ask(context.Background(), stuck, func(*notes, *rt.Context) (int, error) { handled++; return 1, nil })
			asked <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errNoMoney)
		defer cancel()
		took(t, time.Second, func() {
			err = sys.Stop(ctx)
			refused(t, err, posthaste.DeadlineExceeded, unknown, "1 actors did not finish in time: stuck with 9 messages", "no money")
		})
		if again := sys.Stop(t.Context()); again != err {
			t.Errorf("a later Stop returned %v, want what the first did", again)
		}
		stopActor(t, idle)

		// What others send now is refused, and what waits still ends in time.
		refused(t, rt.Tell(t.Context(), stuck, post, nil), posthaste.ActorStopped, notExecuted)
		took(t, rt.DefaultAskTimeout-time.Second, func() {
			refused(t, <-asked, posthaste.DeadlineExceeded, unknown, "no reply within 5s")
		})

		// When the handler returns after all, nothing is lost in silence.
		release()
		stopActor(t, stuck)
		if got := dead.take(); handled != 0 || len(got) != 7 {
			t.Errorf("after the time was up %d messages were handled and %d became dead letters, want 7", handled, len(got))
		} else {
			refused(t, got[0].Reason, posthaste.ActorStopped, notExecuted, "the time that the runtime had to stop was up")
		}
		time.Sleep(lateness) // the sweeper ends with the last ask, at its next look
	})
}

// TestStopWithEndedContext cuts everything off at once.
func TestStopWithEndedContext(t *testing.T) {
	sys, err := rt.New(rt.Network(eventloop.NewNetwork()))
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, spawn(t, sys, "stuck"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = sys.Stop(ctx)
	if posthaste.CodeOf(err) != posthaste.Canceled {
		t.Errorf("Stop returned %v, want Canceled", err)
	}
	release()
}

// TestStopDuringSpawns stops runtimes while others spawn and stop actors: each
// spawn is refused, or its actor is stopped.
func TestStopDuringSpawns(t *testing.T) {
	for range 20 {
		sys := start(t)
		var all sync.WaitGroup
		under := make(chan struct{}, 8)
		for range cap(under) {
			all.Go(func() {
				for i := 0; ; i++ {
					var h hooks
					ref, err := rt.Spawn(sys, "", h.kind())
					if err != nil {
						refused(t, err, posthaste.Draining, notExecuted)
						return
					}
					switch {
					case i == 0:
						under <- struct{}{}
					case i%2 == 0:
						stopActor(t, ref)
						h.ran(t, "started 1", "stopped 1")
					}
				}
			})
		}
		for range cap(under) {
			<-under
		}
		stop(t, sys)
		all.Wait()
		if n := sys.Stats().Actors; n != 0 {
			t.Fatalf("%d actors are left", n)
		}
	}
}

// TestActorsAskEachOtherWhileStopping checks that no ask between actors is left
// hanging when both stop.
func TestActorsAskEachOtherWhileStopping(t *testing.T) {
	for range 20 {
		sys := start(t)
		a, b := spawn(t, sys, "a", rt.Mailbox(mailbox.Unbounded, 0)), spawn(t, sys, "b", rt.Mailbox(mailbox.Unbounded, 0))
		var asked, ended int
		for range 100 {
			tell(t, a, func(_ *notes, c *rt.Context) error {
				asked++
				_, err := ask(c, b, func(*notes, *rt.Context) (int, error) { return 1, nil })
				if err != nil {
					refused(t, err, posthaste.ActorStopped, notExecuted)
				}
				ended++
				return nil
			})
		}
		stop(t, sys)
		if asked != 100 || ended != 100 {
			t.Errorf("%d handlers ran, %d asks ended; want 100", asked, ended)
		}
	}
}
