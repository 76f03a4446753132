package runtime_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// script is the protocol of actors that do what they are told: a message is a
// function that runs in the actor's turn.
type script struct{}

// notes is the state of such an actor.
type notes struct{ lines []string }

var (
	run  = rt.NewMethod[script, func(*notes, *rt.Context) (any, error), any]("script.run")
	post = rt.NewEvent[script, func(*notes, *rt.Context) error]("script.post")
	emit = rt.NewServerStream[script, func(*notes, *rt.Context) iter.Seq2[int, error], int]("script.emit")
)

var scripted = rt.Define(func() *notes { return &notes{} }, scriptHandlers()...)

func scriptHandlers(more ...rt.Handler[script, notes]) []rt.Handler[script, notes] {
	return append(more,
		rt.On(run, func(n *notes, c *rt.Context, f func(*notes, *rt.Context) (any, error)) (any, error) { return f(n, c) }),
		rt.OnTell(post, func(n *notes, c *rt.Context, f func(*notes, *rt.Context) error) error { return f(n, c) }),
		rt.OnServer(emit, func(n *notes, c *rt.Context, f func(*notes, *rt.Context) iter.Seq2[int, error]) iter.Seq2[int, error] {
			return f(n, c)
		}))
}

// start returns a runtime that is stopped, with nothing stuck, at the end of the
// test. It is on a network of its own, so that it works in a synctest bubble too.
func start(t testing.TB, opts ...rt.Option) *rt.Runtime {
	t.Helper()
	sys, err := rt.New(append([]rt.Option{
		rt.Network(eventloop.NewNetwork()), rt.Node("test"), rt.Logger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, sys) })
	return sys
}

func stop(t testing.TB, sys *rt.Runtime) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sys.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func spawn(t testing.TB, sys *rt.Runtime, name string, opts ...rt.SpawnOption) rt.Ref[script] {
	t.Helper()
	return spawnOf(t, sys, name, scripted, opts...)
}

func spawnOf[P, S any](t testing.TB, sys *rt.Runtime, name string, kind rt.Kind[P, S], opts ...rt.SpawnOption) rt.Ref[P] {
	t.Helper()
	ref, err := rt.Spawn(sys, name, kind, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// do runs f in the actor's turn and wants it to succeed.
func do[R any](t testing.TB, ref rt.Ref[script], f func(*notes, *rt.Context) (R, error)) R {
	t.Helper()
	r, err := ask(t.Context(), ref, f)
	if err != nil {
		t.Error(err)
	}
	return r
}

// ask runs f in the actor's turn.
func ask[R any](ctx context.Context, ref rt.Ref[script], f func(*notes, *rt.Context) (R, error)) (r R, err error) {
	v, err := rt.Ask(ctx, ref, run, func(n *notes, c *rt.Context) (any, error) { return f(n, c) })
	r, _ = v.(R) // a nil interface is no R
	return r, err
}

// tell has f run in the actor's turn and wants it to be accepted.
func tell(t testing.TB, ref rt.Ref[script], f func(*notes, *rt.Context) error) {
	t.Helper()
	if err := rt.Tell(t.Context(), ref, post, f); err != nil {
		t.Error(err)
	}
}

// answers wants the actor to be alive and to take turns.
func answers(t testing.TB, ref rt.Ref[script]) {
	t.Helper()
	if got := do(t, ref, func(*notes, *rt.Context) (int, error) { return 7, nil }); got != 7 {
		t.Errorf("the actor replied %d, want 7", got)
	}
}

// stopActor stops the actor and wants it to end.
func stopActor[P any](t testing.TB, ref rt.Ref[P]) {
	t.Helper()
	if err := rt.StopActor(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// hold has the actor block in a handler until release is called, or the test
// ends. It returns once the handler runs.
func hold(t testing.TB, ref rt.Ref[script]) (release func()) {
	t.Helper()
	holding, released := make(chan struct{}), make(chan struct{})
	tell(t, ref, func(*notes, *rt.Context) error {
		close(holding)
		<-released
		return nil
	})
	<-holding
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	return release
}

// collect reads a stream to its end.
func collect[R any](s iter.Seq2[R, error]) (items []R, err error) {
	for r, err := range s {
		if err != nil {
			return items, err
		}
		items = append(items, r)
	}
	return items, nil
}

// count yields 0 to n-1.
func count(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// refused wants err to be a *posthaste.Error with the code and the status, whose
// text has all the words.
func refused(t testing.TB, err error, code posthaste.Code, status posthaste.Status, words ...string) {
	t.Helper()
	var e *posthaste.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T) is no *posthaste.Error, want %v", err, err, code)
		return
	}
	if e.Code != code || e.Status != status {
		t.Errorf("error %q is %v, %v; want %v, %v", e, e.Code, e.Status, code, status)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not mention %q", err, w)
		}
	}
}

const (
	unknown     = posthaste.StatusUnknown
	notExecuted = posthaste.StatusNotExecuted
	executed    = posthaste.StatusExecuted
)

// emitCount has the actor yield 0 to n-1.
func emitCount(n int) func(*notes, *rt.Context) iter.Seq2[int, error] {
	return func(*notes, *rt.Context) iter.Seq2[int, error] { return count(n) }
}
