package runtime_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// lateness is how late a default time-out may be: the sweeper looks every 10 ms,
// by a clock that is up to a millisecond behind.
const lateness = 11 * time.Millisecond

// overdue returns a handler that does not reply before its asker has given up and
// said so, and then says why its own context ended.
func overdue() (handle func(*notes, *rt.Context) (int, error), gaveUp func() (why error)) {
	left, causes := make(chan struct{}), make(chan error)
	handle = func(_ *notes, c *rt.Context) (int, error) {
		<-c.Done()
		<-left
		causes <- context.Cause(c)
		return 1, nil
	}
	return handle, func() error { close(left); return <-causes }
}

// took wants f to take from least to least+lateness of virtual time.
func took(t testing.TB, least time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if d := time.Since(began); d < least || d > least+lateness {
		t.Errorf("it took %v, want %v", d, least)
	}
}

func TestDefaultTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, timeout := range []time.Duration{0, 20 * time.Second} {
			var opts []rt.Option
			if timeout != 0 {
				opts = append(opts, rt.AskTimeout(timeout))
			} else {
				timeout = rt.DefaultAskTimeout
			}
			ref := spawn(t, start(t, opts...), "acc")
			handle, gaveUp := overdue()
			took(t, timeout, func() {
				_, err := ask(context.Background(), ref, handle)
				refused(t, err, posthaste.DeadlineExceeded, unknown, "ask script.run to acc", "no reply within "+timeout.String(), "rt.AskTimeout")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is not context.DeadlineExceeded", err)
				}
			})
			if why := gaveUp(); why != context.DeadlineExceeded {
				t.Errorf("the cause of the handler's context is %v", why)
			}
			answers(t, ref)
		}
	})
	for _, d := range []time.Duration{0, -1} {
		_, err := rt.New(rt.AskTimeout(d))
		refused(t, err, posthaste.InvalidArgument, executed, "must be positive")
	}
}

// TestWhichTimeoutHolds has each source of a deadline bound an ask that is never
// answered in time.
func TestWhichTimeoutHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const byRuntime, byMethod, byService, byContext = 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second
		plain := rt.NewMethod[script, time.Duration, string]("script.plain")
		timed := rt.NewMethod[script, time.Duration, string]("script.timed", rt.Timeout(byMethod))
		gaveUp := make(chan struct{})
		wait := func(_ *notes, c *rt.Context, want time.Duration) (string, error) {
			if want == 0 {
				return "at once", nil
			}
			at, ok := c.Deadline()
			if left := time.Until(at).Round(lateness); !ok || left.Round(time.Second) != want {
				t.Errorf("the handler has %v left, %v; want %v", left, ok, want)
			}
			<-c.Done()
			<-gaveUp
			if why := context.Cause(c); why != context.DeadlineExceeded {
				t.Errorf("the handler's context ended because of %v", why)
			}
			return "late", nil
		}
		sys := start(t, rt.AskTimeout(byRuntime))
		ref := spawnOf(t, sys, "acc", rt.Define(func() *notes { return &notes{} }, rt.On(plain, wait), rt.On(timed, wait)))
		if err := rt.Serve(sys, "bank", ref); err != nil {
			t.Fatal(err)
		}
		service, patient := rt.Service[script](sys, "bank"), rt.Service[script](sys, "bank", rt.Timeout(byService))
		for _, c := range []struct {
			name   string
			ref    rt.Ref[script]
			method rt.Method[script, time.Duration, string]
			ctx    bool
			want   time.Duration
		}{
			{"runtime", ref, plain, false, byRuntime},
			{"runtime, at a service", service, plain, false, byRuntime},
			{"method", ref, timed, false, byMethod},
			{"method, at a service", service, timed, false, byMethod},
			{"service", patient, plain, false, byService},
			{"service before method", patient, timed, false, byService},
			{"context", ref, plain, true, byContext},
			{"context before method", ref, timed, true, byContext},
			{"context before service", patient, timed, true, byContext},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			if c.ctx {
				ctx, cancel = context.WithTimeout(t.Context(), byContext)
			}
			for range 10 { // so that the call that is to time out is one that has been used
				if _, err := rt.Ask(ctx, patient, c.method, 0); err != nil {
					t.Error(err)
				}
			}
			says := "no reply within " + c.want.String()
			if c.ctx {
				says = "no reply within the deadline"
			}
			took(t, c.want, func() {
				_, err := rt.Ask(ctx, c.ref, c.method, c.want)
				refused(t, err, posthaste.DeadlineExceeded, unknown, "ask script.", says)
			})
			gaveUp <- struct{}{}
			cancel()
		}
	})
}

// TestExpiredInQueue has the time of asks run out while they wait in a mailbox.
func TestExpiredInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 5003 ms, so that the mailbox is opened after that and before the
		// sweeper's next look.
		ref := spawn(t, start(t, rt.AskTimeout(5003*time.Millisecond)), "acc")
		release := hold(t, ref)
		ran := false
		unlucky := func(*notes, *rt.Context) (int, error) { ran = true; return 1, nil }
		ends := make(chan error)
		go func() { _, err := ask(t.Context(), ref, unlucky); ends <- err }()
		took(t, time.Second, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := ask(ctx, ref, unlucky)
			refused(t, err, posthaste.DeadlineExceeded, unknown, "no reply within the deadline")
		})
		time.Sleep(4006 * time.Millisecond)
		release()
		err := <-ends
		refused(t, err, posthaste.ExpiredInQueue, notExecuted, "waited at acc", "its handler was not started")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rt.ErrExpiredInQueue) {
			t.Errorf("%v is not both DeadlineExceeded and ErrExpiredInQueue", err)
		}
		answers(t, ref)
		if ran {
			t.Error("a handler ran for an ask whose time was up")
		}
	})
}

// TestStreamDeadline has a handler yield until its context ends, which it does with
// the reader's deadline.
func TestStreamDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		want, _ := ctx.Deadline()
		causes := make(chan error, 1)
		took(t, time.Minute, func() {
			_, err := collect(rt.Recv(ctx, ref, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] {
				if at, ok := c.Deadline(); !ok || !at.Equal(want) {
					t.Errorf("the handler's deadline is %v, %v; want the reader's", at, ok)
				}
				return func(yield func(int, error) bool) {
					for i := 0; c.Err() == nil && yield(i, nil); i++ {
						time.Sleep(time.Second)
					}
					<-c.Done()
					causes <- context.Cause(c)
				}
			}))
			if err != nil { // the handler may be first to see it
				refused(t, err, posthaste.DeadlineExceeded, unknown, "open script.emit to acc")
			}
		})
		if why := <-causes; !errors.Is(why, context.DeadlineExceeded) && why != context.Canceled {
			t.Errorf("the handler's context ended because of %v", why)
		}
	})
}

func TestExpiredStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		release := hold(t, ref)
		ran := false
		took(t, time.Second, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := collect(rt.Recv(ctx, ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] { ran = true; return count(1) }))
			refused(t, err, posthaste.DeadlineExceeded, unknown, "open script.emit to acc")
		})
		release()
		answers(t, ref)
		if ran {
			t.Error("the handler ran for a stream whose time was up")
		}
	})
}

// TestCancelReachesTheHandler cancels an ask while its handler waits for that.
func TestCancelReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		causes := make(chan error, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		ends := make(chan error)
		go func() {
			_, err := ask(ctx, ref, func(_ *notes, c *rt.Context) (int, error) {
				if err := c.Err(); err != nil {
					t.Errorf("before the cancellation Err is %v", err)
				}
				<-c.Done()
				if c.Err() != context.Canceled {
					t.Errorf("Err is %v, want %v", c.Err(), context.Canceled)
				}
				causes <- context.Cause(c)
				return 1, nil
			})
			ends <- err
		}()
		synctest.Wait()
		cancel(errNoMoney)
		err := <-ends
		refused(t, err, posthaste.Canceled, unknown, "no money")
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errNoMoney) {
			t.Errorf("%v is not both Canceled and its cause", err)
		}
		if why := <-causes; why != errNoMoney {
			t.Errorf("the cause of the handler's context is %v, want the asker's", why)
		}
	})
}

// TestCancelBeforeTheHandlerLooks has the asker give up before the handler uses
// its context for the first time.
func TestCancelBeforeTheHandlerLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		looks, look := make(chan [3]error, 1), make(chan struct{})
		slow := func(_ *notes, c *rt.Context) (int, error) {
			<-look
			err := c.Err()
			<-c.Done()
			looks <- [3]error{err, c.Err(), context.Cause(c)}
			return 1, nil
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ends := make(chan error)
		go func() { _, err := ask(ctx, ref, slow); ends <- err }()
		synctest.Wait()
		cancel(errNoMoney)
		refused(t, <-ends, posthaste.Canceled, unknown)
		look <- struct{}{}
		if got, want := <-looks, [3]error{context.Canceled, context.Canceled, errNoMoney}; got != want {
			t.Errorf("Err, Err and Cause are %v, want %v", got, want)
		}

		_, err := ask(t.Context(), ref, slow) // the default time-out
		refused(t, err, posthaste.DeadlineExceeded, unknown)
		look <- struct{}{}
		want := [3]error{context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded}
		if got := <-looks; got != want {
			t.Errorf("Err, Err and Cause are %v, want %v", got, want)
		}
	})
}

// TestCanceledInQueue gives up asks that wait in a mailbox.
func TestCanceledInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		release := hold(t, ref)
		ctx, cancel := context.WithCancel(t.Context())
		ran, ends := false, make(chan error)
		for range 10 {
			go func() {
				_, err := ask(ctx, ref, func(*notes, *rt.Context) (int, error) { ran = true; return 1, nil })
				ends <- err
			}()
		}
		synctest.Wait()
		cancel()
		for range 10 {
			refused(t, <-ends, posthaste.Canceled, unknown)
		}
		release()
		answers(t, ref)
		if ran {
			t.Error("a handler ran for an asker who had left")
		}
	})
}

// TestDeadlineWithACause gives the context's deadline a cause of its own: it is a
// deadline all the same.
func TestDeadlineWithACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errNoMoney)
		defer cancel()
		hold(t, ref)
		verbs := map[string]func() error{
			"ask":  func() error { _, err := rt.Ask(ctx, ref, run, nil); return err },
			"tell": func() error { return rt.Tell(ctx, ref, post, nil) },
			"open": func() error { _, err := collect(rt.Recv(ctx, ref, emit, nil)); return err },
		}
		for _, verb := range []string{"ask", "open", "ask", "tell", "open"} { // the first waits, as time stands still
			err := verbs[verb]()
			if posthaste.CodeOf(err) != posthaste.DeadlineExceeded || !errors.Is(err, errNoMoney) {
				t.Errorf("%s: %v is not DeadlineExceeded with its cause", verb, err)
			}
		}
	})
}

// TestDeadlineIsInherited follows a deadline through a chain of actors.
func TestDeadlineIsInherited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := start(t)
		chain := []rt.Ref[script]{spawn(t, sys, "a"), spawn(t, sys, "b"), spawn(t, sys, "c")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		want, _ := ctx.Deadline()
		handle, gaveUp := overdue()
		var down func(ctx context.Context, i int) (int, error)
		down = func(ctx context.Context, i int) (int, error) {
			if at, ok := ctx.Deadline(); !ok || !at.Equal(want) {
				t.Errorf("at %d the deadline is %v, %v; want %v", i, at, ok, want)
			}
			if i == len(chain) {
				return handle(nil, ctx.(*rt.Context))
			}
			return ask(ctx, chain[i], func(_ *notes, c *rt.Context) (int, error) { return down(c, i+1) })
		}
		took(t, time.Hour, func() {
			_, err := down(ctx, 0)
			if posthaste.CodeOf(err) != posthaste.DeadlineExceeded { // whoever of the chain was first to see it
				t.Errorf("the ask ended with %v, want DeadlineExceeded", err)
			}
		})
		if why := gaveUp(); why != context.DeadlineExceeded {
			t.Errorf("the last context of the chain ended because of %v", why)
		}
		for _, ref := range chain {
			answers(t, ref)
		}
	})
}

func TestTellHasNoDeadline(t *testing.T) {
	ref := spawn(t, start(t), "")
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan error, 1)
	handle := func(_ *notes, c *rt.Context) error {
		<-ctx.Done()
		if _, ok := c.Deadline(); ok {
			t.Error("a tell's context has a deadline")
		}
		seen <- c.Err()
		return nil
	}
	if err := rt.Tell(ctx, ref, post, handle); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-seen; err != nil {
		t.Errorf("the end of the sender's context shows at the handler: %v", err)
	}
}
