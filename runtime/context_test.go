package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// key is the type of context keys of tests.
type key int

func TestContextKnowsTheMessage(t *testing.T) {
	var log bytes.Buffer
	sys := start(t, rt.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	front, back := spawn(t, sys, "front"), spawn(t, sys, "back")
	from := func(_ *notes, c *rt.Context) (posthaste.Addr, error) { return c.From(), nil }
	if got := do(t, front, from); !got.IsZero() {
		t.Errorf("From is %v for a caller outside any actor", got)
	}
	for name, derive := range map[string]func(c *rt.Context) context.Context{
		"as it is":       func(c *rt.Context) context.Context { return c },
		"with a value":   func(c *rt.Context) context.Context { return context.WithValue(c, key(1), 1) },
		"without cancel": func(c *rt.Context) context.Context { return context.WithoutCancel(c) },
	} {
		got := do(t, front, func(_ *notes, c *rt.Context) (posthaste.Addr, error) { return ask(derive(c), back, from) })
		if got != front.Addr() {
			t.Errorf("%s: From is %v, want %v", name, got, front)
		}
	}
	told := make(chan posthaste.Addr, 1)
	tell(t, front, func(_ *notes, c *rt.Context) error {
		return rt.Tell(c, back, post, func(_ *notes, c *rt.Context) error { told <- c.From(); return nil })
	})
	if got := <-told; got != front.Addr() {
		t.Errorf("From of a tell is %v, want %v", got, front)
	}
	if got := do(t, back, func(_ *notes, c *rt.Context) (*rt.Runtime, error) { c.Log().Info("hello"); return c.Runtime(), nil }); got != sys {
		t.Errorf("Runtime is %p, want %p", got, sys)
	}
	if want := "msg=hello actor=" + back.String(); !strings.Contains(log.String(), want) {
		t.Errorf("the log is %q, want %q", &log, want)
	}
}

func TestContextValues(t *testing.T) {
	sys := start(t)
	front, back := spawn(t, sys, ""), spawn(t, sys, "")
	value := func(_ *notes, c *rt.Context) ([2]any, error) {
		unopened := c.Value(key(1))
		<-contextWithDone(c)
		return [2]any{unopened, c.Value(key(1))}, nil
	}
	ctx := context.WithValue(t.Context(), key(1), "trace")
	want := [2]any{"trace", "trace"}
	if got, err := ask(ctx, front, value); err != nil || got != want {
		t.Errorf("the asker's value is %v at the handler, %v; want %v", got, err, want)
	}
	got, err := ask(ctx, front, func(_ *notes, c *rt.Context) ([2]any, error) { return ask(c, back, value) })
	if err != nil || got != want {
		t.Errorf("one actor further it is %v, %v; want %v", got, err, want)
	}
	for v, err := range rt.Recv(ctx, back, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] { return count(len(c.Value(key(1)).(string))) }) {
		if err != nil {
			t.Errorf("item %d of a stream: %v", v, err)
		}
	}
	if got := do(t, back, value); got != [2]any{} {
		t.Errorf("the next message has the values %v, want none", got)
	}
	tell(t, back, func(_ *notes, c *rt.Context) error {
		if v := c.Value(key(1)); v != nil {
			t.Errorf("a tell has the value %v, want none", v)
		}
		return nil
	})
	answers(t, back)
}

// contextWithDone returns the Done channel of a context that has ended, made of c.
func contextWithDone(c context.Context) <-chan struct{} {
	ctx, cancel := context.WithCancel(c)
	cancel()
	return ctx.Done()
}

// TestDerivedContextsOutliveTheHandler keeps contexts made of a handler's, and
// uses them while the actor, and others on the same worker, handle more.
func TestDerivedContextsOutliveTheHandler(t *testing.T) {
	sys := start(t, rt.Workers(1))
	ref, other := spawn(t, sys, "acc"), spawn(t, sys, "other")
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key(1), "mine"), time.Hour)
	defer cancel()
	deadline, _ := ctx.Deadline()
	derived := make(chan context.Context, 3)
	_, err := ask(ctx, ref, func(_ *notes, c *rt.Context) (int, error) {
		a, cancel := context.WithCancel(c)
		b, cancelB := context.WithTimeout(context.WithValue(c, key(2), "derived"), time.Minute)
		derived <- a
		derived <- b
		derived <- context.WithoutCancel(a)
		_, _ = cancel, cancelB // the handler's return does it
		return 1, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	check := func(ctx context.Context, canceled bool) {
		users.Go(func() {
			for range 200 {
				if v := ctx.Value(key(1)); v != "mine" {
					t.Errorf("the value is %v, want that of the message it was made for", v)
				}
				if !canceled {
					break
				}
				if at, ok := ctx.Deadline(); !ok || at.After(deadline) {
					t.Errorf("the deadline is %v, %v; want that of the message it was made for", at, ok)
				}
				if ctx.Err() != context.Canceled {
					t.Errorf("Err is %v, want Canceled since the handler has returned", ctx.Err())
				}
				_, err := ask(ctx, other, func(*notes, *rt.Context) (int, error) { return 1, nil })
				refused(t, err, posthaste.Canceled, notExecuted)
			}
		})
	}
	check(<-derived, true)
	check(<-derived, true)
	late := <-derived
	check(late, false)
	users.Go(func() {
		got, err := ask(late, other, func(_ *notes, c *rt.Context) (posthaste.Addr, error) { return c.From(), nil })
		if err != nil || !got.IsZero() {
			t.Errorf("a goroutine that outlives the handler asks as %v, %v; want as nobody", got, err)
		}
	})
	for range 200 {
		answers(t, ref)
		answers(t, other)
		if got := do(t, ref, func(_ *notes, c *rt.Context) (any, error) { <-contextWithDone(c); return c.Value(key(1)), nil }); got != nil {
			t.Fatalf("another message has the value %v", got)
		}
	}
	users.Wait()
}

// TestContextOfAnAskerThatGaveUp has a handler go on, and look at its context,
// when the actor that asked has long been busy with other messages.
func TestContextOfAnAskerThatGaveUp(t *testing.T) {
	sys := start(t, rt.Workers(1))
	front, back := spawn(t, sys, ""), spawn(t, sys, "")
	goOn, seen := make(chan struct{}), make(chan error)
	slow := func(_ *notes, c *rt.Context) (int, error) {
		for v := range goOn {
			_ = v
			if c.Value(key(1)) != "mine" {
				seen <- errors.New("the value is another message's")
				continue
			}
			seen <- context.Cause(c)
		}
		return 1, nil
	}
	_, err := ask(context.WithValue(t.Context(), key(1), "mine"), front, func(_ *notes, c *rt.Context) (int, error) {
		ctx, cancel := context.WithCancelCause(c)
		cancelOnce := make(chan struct{})
		go func() { goOn <- struct{}{}; <-seen; cancel(errNoMoney); close(cancelOnce) }()
		_, err := ask(ctx, back, slow)
		<-cancelOnce
		return 1, err
	})
	refused(t, err, posthaste.Canceled, executed, "no money")
	for range 100 {
		answers(t, front)
		goOn <- struct{}{}
		if why := <-seen; why != errNoMoney {
			t.Fatalf("the context ended because of %v, want %v", why, errNoMoney)
		}
	}
	close(goOn)
	answers(t, back)
}

// TestGoroutinesOfAHandler passes a handler's context to goroutines that it waits
// for, each of which uses it in every way, the first time at once.
func TestGoroutinesOfAHandler(t *testing.T) {
	sys := start(t)
	front, back := spawn(t, sys, "front"), spawn(t, sys, "back")
	for range 50 {
		derived := make(chan context.Context, 16)
		got, err := ask(context.WithValue(t.Context(), key(1), "mine"), front, func(_ *notes, c *rt.Context) (int, error) {
			var all sync.WaitGroup
			sum := make(chan int, cap(derived))
			for i := range cap(sum) {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(c, time.Minute)
					context.AfterFunc(ctx, cancel)
					derived <- ctx
					if c.Err() != nil || c.Value(key(1)) != "mine" || ctx.Value(key(1)) != "mine" {
						t.Errorf("Err is %v, the values are %v and %v", c.Err(), c.Value(key(1)), ctx.Value(key(1)))
					}
					n, err := ask([]context.Context{c, ctx}[i%2], back, func(_ *notes, c *rt.Context) (int, error) {
						if c.From() != front.Addr() {
							t.Errorf("From is %v, want %v", c.From(), front)
						}
						return i, nil
					})
					if err != nil {
						t.Error(err)
					}
					sum <- n
				})
			}
			all.Wait()
			close(sum)
			total := 0
			for n := range sum {
				total += n
			}
			return total, nil
		})
		if err != nil || got != 120 {
			t.Fatalf("the sum is %d, %v; want 120", got, err)
		}
		for range cap(derived) {
			if err := (<-derived).Err(); err != context.Canceled {
				t.Fatalf("after the handler Err of a context made of its own is %v, want Canceled", err)
			}
		}
	}
}

// TestContextIsNotTheLastOnes has everything that is no message's handler use its
// context before an ask whose own has to work.
func TestContextIsNotTheLastOnes(t *testing.T) {
	for name, use := range map[string]func(h *hooks, use func(*rt.Context)){
		"Started": func(h *hooks, use func(*rt.Context)) { h.started = func(c *rt.Context) error { use(c); return nil } },
		"Restarted": func(h *hooks, use func(*rt.Context)) {
			h.restarted = func(c *rt.Context, _ error) error { use(c); return nil }
		},
		"Stopped": func(h *hooks, use func(*rt.Context)) { h.stopped = func(c *rt.Context) { use(c) } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys := start(t, rt.Workers(1))
				var h hooks
				var kept context.Context
				use(&h, func(c *rt.Context) {
					ctx, cancel := context.WithCancel(c)
					context.AfterFunc(ctx, cancel)
					kept = ctx
				})
				ref := spawnOf(t, sys, "", h.kind())
				refused(t, crash(t, ref, "once"), posthaste.Internal, unknown)
				stopActor(t, ref)
				synctest.Wait()
				if kept.Err() != context.Canceled {
					t.Errorf("after the hook a context made of its own has the error %v, want Canceled", kept.Err())
				}
				ref = spawnOf(t, sys, "", h.kind())
				took(t, time.Second, func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					n, err := rt.Ask(ctx, ref, live, func(c *rt.Context) (int, error) { <-c.Done(); return 1, nil })
					if err == nil && n != 1 || err != nil && posthaste.CodeOf(err) != posthaste.DeadlineExceeded {
						t.Errorf("the reply is %d, %v", n, err)
					}
				})
			})
		})
	}
}

// TestDoneWhenTheHandlerReturns has a goroutine of a handler wait for its end.
func TestDoneWhenTheHandlerReturns(t *testing.T) {
	ref := spawn(t, start(t), "")
	for name, send := range map[string]func(f func(*rt.Context)){
		"ask": func(f func(*rt.Context)) {
			do(t, ref, func(_ *notes, c *rt.Context) (int, error) { f(c); return 1, nil })
		},
		"tell": func(f func(*rt.Context)) { tell(t, ref, func(_ *notes, c *rt.Context) error { f(c); return nil }) },
		"open": func(f func(*rt.Context)) {
			_, err := collect(rt.Recv(t.Context(), ref, emit, func(_ *notes, c *rt.Context) iter.Seq2[int, error] { f(c); return count(3) }))
			if err != nil {
				t.Error(err)
			}
		},
		"panic": func(f func(*rt.Context)) {
			_, err := ask(t.Context(), ref, func(_ *notes, c *rt.Context) (int, error) { f(c); panic("now") })
			refused(t, err, posthaste.Internal, unknown)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			send(func(c *rt.Context) {
				if err := c.Err(); err != nil {
					t.Errorf("while the handler runs Err is %v", err)
				}
				ctx, cancel := context.WithCancel(c)
				context.AfterFunc(ctx, func() { cancel(); ended <- ctx.Err() })
			})
			if err := <-ended; err != context.Canceled {
				t.Errorf("after the handler Err is %v, want %v", err, context.Canceled)
			}
		})
	}
}
