package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unique"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

type echoes struct{}

type point struct{ X, Y int64 }

type tree struct {
	name     string
	children []*tree
	index    map[string]*tree
}

// echo asks an actor for q back, and tells it to another, both of kinds made for
// the type.
func echo[T any](q T) func(t *testing.T) {
	same := func(a, b any) bool {
		if f := reflect.ValueOf(a); f.Kind() == reflect.Func {
			return f.Pointer() == reflect.ValueOf(b).Pointer()
		}
		return reflect.DeepEqual(a, b)
	}
	return func(t *testing.T) {
		sys := start(t)
		back := rt.NewMethod[echoes, T, T]("echo.back")
		keep := rt.NewEvent[echoes, T]("echo.keep")
		kept := rt.NewMethod[echoes, struct{}, []T]("echo.kept")
		ref := spawnOf(t, sys, "", rt.Define(func() *[]T { return new([]T) },
			rt.On(back, func(_ *[]T, _ *rt.Context, q T) (T, error) { return q, nil }),
			rt.OnTell(keep, func(s *[]T, _ *rt.Context, q T) error { *s = append(*s, q); return nil }),
			rt.On(kept, func(s *[]T, _ *rt.Context, _ struct{}) ([]T, error) { return *s, nil })))
		var zero T
		for _, v := range []T{q, zero, q} {
			if r, err := rt.Ask(t.Context(), ref, back, v); err != nil || !same(r, v) {
				t.Errorf("asked with %v, the reply is %v, %v", v, r, err)
			}
			if err := rt.Tell(t.Context(), ref, keep, v); err != nil {
				t.Error(err)
			}
		}
		all, err := rt.Ask(t.Context(), ref, kept, struct{}{})
		if err != nil || len(all) != 3 || !same(all[0], q) || !same(all[1], zero) || !same(all[2], q) {
			t.Errorf("told %v, zero and the same again, the actor has %v, %v", q, all, err)
		}
	}
}

func TestMessagesOfAllTypes(t *testing.T) {
	n, text := 42, "text"
	leaf := &tree{name: "leaf"}
	for name, test := range map[string]func(*testing.T){
		"bool":               echo(true),
		"int8":               echo(int8(-7)),
		"int64":              echo(int64(-1 << 62)),
		"float64":            echo(3.25),
		"complex128":         echo(complex(1, -2)),
		"uintptr":            echo(uintptr(99)),
		"string":             echo("Ada"),
		"named string":       echo(posthaste.Addr{Name: "a"}.Name),
		"[]byte":             echo([]byte("raw")),
		"[]string":           echo([]string{"a", "", "c"}),
		"pointer":            echo(&n),
		"pointer to pointer": echo(new(*int)),
		"map":                echo(map[string][]int{"a": {1, 2}}),
		"chan":               echo(make(chan int, 1)),
		"func":               echo(strings.ToUpper),
		"empty struct":       echo(struct{}{}),
		"error":              echo(io.EOF),
		"any":                echo(any(point{1, 2})),
		"two words":          echo(point{1, -2}),
		"time":               echo(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)),
		"duration":           echo(time.Second),
		"handle":             echo(unique.Make("interned")),
		"array of bytes":     echo([16]byte{0: 1, 15: 2}),
		"long array":         echo([200]int{0: 1, 199: 2}),
		"array of strings":   echo([2]string{"a", "b"}),
		"array of one":       echo([1]*int{&n}),
		"no array":           echo([0]func(){}),
		"string and number": echo(struct {
			s string
			n int64
		}{"a", 1}),
		"number and pointer": echo(struct {
			n int64
			p *string
		}{1, &text}),
		"pointer and numbers": echo(struct {
			p    *string
			a, b int64
		}{&text, 1, 2}),
		"slice first":        echo(struct{ s []int }{[]int{1}}),
		"two strings":        echo([]struct{ a, b string }{{"a", "b"}}),
		"nested struct":      echo(struct{ in struct{ p *int } }{struct{ p *int }{&n}}),
		"addr":               echo(posthaste.Addr{Name: "acc-1", ID: 7, Incarnation: 9}),
		"struct of pointers": echo(tree{"root", []*tree{leaf, leaf}, map[string]*tree{"leaf": leaf}}),
		"large struct": echo(struct {
			a [100]int64
			s []string
			m map[int]int
		}{a: [100]int64{99: 1}, s: []string{"x"}, m: map[int]int{1: 2}}),
	} {
		t.Run(name, test)
	}
}

func TestLocalMessagesAreShared(t *testing.T) {
	sys := start(t)
	add := rt.NewMethod[echoes, map[string]int, int]("map.add")
	ref := spawnOf(t, sys, "", rt.Define(func() *int { return new(int) },
		rt.On(add, func(_ *int, _ *rt.Context, m map[string]int) (int, error) { m["seen"]++; return len(m), nil })))
	m := map[string]int{"a": 1}
	if n, err := rt.Ask(t.Context(), ref, add, m); err != nil || n != 2 {
		t.Fatalf("the handler saw %d entries, %v; want 2", n, err)
	}
	if want := map[string]int{"a": 1, "seen": 1}; !maps.Equal(m, want) {
		t.Errorf("the asker's map is %v, want %v: a local message is passed as it is", m, want)
	}
}

// errNoMoney is a sentinel of the application.
var errNoMoney = errors.New("no money")

func TestHandlerErrors(t *testing.T) {
	sys := start(t)
	ref := spawn(t, sys, "acc")
	sentinel := posthaste.Errorf(posthaste.FailedPrecondition, "closed")
	for _, c := range []struct {
		name    string
		returns error
		code    posthaste.Code
		text    string
	}{
		{"plain", errNoMoney, posthaste.Unknown, "ask script.run to acc: UNKNOWN: no money (EXECUTED)"},
		{"wrapped", fmt.Errorf("acc-1: %w", errNoMoney), posthaste.Unknown, "ask script.run to acc: UNKNOWN: acc-1: no money (EXECUTED)"},
		{"coded", posthaste.Errorf(posthaste.NotFound, "no such account"), posthaste.NotFound, "ask script.run to acc: NOT_FOUND: no such account"},
		{"coded below", fmt.Errorf("twice: %w", sentinel), posthaste.FailedPrecondition, "twice: FAILED_PRECONDITION: closed"},
		{"claims it did not run", rt.ErrOverloaded, posthaste.Overloaded, "ask script.run to acc: OVERLOADED (EXECUTED)"},
		{"of the context", context.DeadlineExceeded, posthaste.DeadlineExceeded, "DEADLINE_EXCEEDED: context deadline exceeded (EXECUTED)"},
		{"application code", posthaste.Errorf(2000, "mine"), 2000, "CODE(2000): mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { return 3, c.returns })
			refused(t, err, c.code, executed, c.text)
			if !errors.Is(err, c.returns) {
				t.Errorf("errors.Is(%v, %v) is false", err, c.returns)
			}
		})
	}
	if sentinel.Op != "" || !sentinel.To.IsZero() {
		t.Errorf("the handler's own error was changed to %#v", sentinel)
	}
	if stats := sys.Stats(); stats.Crashes != 0 || stats.Restarts != 0 {
		t.Errorf("errors counted as crashes: %+v", stats)
	}
}

// TestErrorOfNestedAsk has a handler pass on the error of an ask of its own: the
// asker learns of both, and that the handler ran.
func TestErrorOfNestedAsk(t *testing.T) {
	sys := start(t)
	front, back := spawn(t, sys, "front"), spawn(t, sys, "back")
	stopActor(t, back)
	_, err := ask(t.Context(), front, func(_ *notes, c *rt.Context) (int, error) {
		return ask(c, back, func(*notes, *rt.Context) (int, error) { return 1, nil })
	})
	refused(t, err, posthaste.ActorStopped, executed, "ask script.run to front", "ask script.run to back", "back has stopped")
	if !errors.Is(err, rt.ErrActorStopped) {
		t.Errorf("%v is not ErrActorStopped", err)
	}
}

// brokenError is an error of a common kind: its method cannot bear a nil pointer.
type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

func TestTypedNilErrors(t *testing.T) {
	ref := spawn(t, start(t), "")
	_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { var none *brokenError; return 1, none })
	refused(t, err, posthaste.Internal, unknown)
	_, err = ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { var none *posthaste.Error; return 1, none })
	refused(t, err, posthaste.Internal, unknown)
	_, err = collect(rt.Recv(t.Context(), ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) { var none *brokenError; yield(0, none) }
	}))
	refused(t, err, posthaste.Internal, unknown)
	answers(t, ref)
}

func TestZeroRefsAndMethods(t *testing.T) {
	ctx, ref := t.Context(), spawn(t, start(t), "")
	var noRef rt.Ref[script]
	if !noRef.IsZero() || ref.IsZero() || noRef.String() != "" || !noRef.Addr().IsZero() {
		t.Errorf("zero Ref: %q, IsZero %v; %q: IsZero %v", noRef, noRef.IsZero(), ref, ref.IsZero())
	}
	var (
		noMethod rt.Method[script, int, int]
		noEvent  rt.Event[script, int]
		noStream rt.ServerStream[script, int, int]
	)
	for name, call := range map[string]func() error{
		"Ask, no Ref": func() error {
			_, err := ask(ctx, noRef, func(*notes, *rt.Context) (int, error) { return 1, nil })
			return err
		},
		"Tell, no Ref":    func() error { return rt.Tell(ctx, noRef, post, func(*notes, *rt.Context) error { return nil }) },
		"Recv, no Ref":    func() error { _, err := collect(rt.Recv(ctx, noRef, emit, nil)); return err },
		"Ask, no method":  func() error { _, err := rt.Ask(ctx, ref, noMethod, 1); return err },
		"Tell, no event":  func() error { return rt.Tell(ctx, ref, noEvent, 1) },
		"Recv, no stream": func() error { _, err := collect(rt.Recv(ctx, ref, noStream, 1)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, call(), posthaste.InvalidArgument, executed, " is zero")
		})
	}
	refused(t, rt.StopActor(ctx, noRef), posthaste.InvalidArgument, executed, "only actors of this node")
	refused(t, rt.StopActor(ctx, rt.Service[script](start(t), "bank")), posthaste.InvalidArgument, executed, "bank")
}

func TestUnimplemented(t *testing.T) {
	ctx, ref := t.Context(), spawn(t, start(t), "acc")
	_, err := rt.Ask(ctx, ref, rt.NewMethod[script, int, int]("script.other"), 1)
	refused(t, err, posthaste.Unimplemented, notExecuted, "ask script.other to acc", "no handler for script.other")
	err = rt.Tell(ctx, ref, rt.NewEvent[script, int]("script.event"), 1)
	refused(t, err, posthaste.Unimplemented, notExecuted, "tell script.event to acc")
	_, err = collect(rt.Recv(ctx, ref, rt.NewServerStream[script, int, int]("script.stream"), 1))
	refused(t, err, posthaste.Unimplemented, notExecuted, "open script.stream to acc")
	answers(t, ref)
}

func TestAskWithEndedContext(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	ran := false
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errNoMoney)
	_, err := ask(ctx, ref, func(*notes, *rt.Context) (int, error) { ran = true; return 1, nil })
	refused(t, err, posthaste.Canceled, notExecuted, "no money")
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errNoMoney) {
		t.Errorf("%v is not both Canceled and its cause", err)
	}
	err = rt.Tell(ctx, ref, post, func(*notes, *rt.Context) error { ran = true; return nil })
	refused(t, err, posthaste.Canceled, notExecuted, "no money")
	_, err = collect(rt.Recv(ctx, ref, emit, func(*notes, *rt.Context) iter.Seq2[int, error] { ran = true; return count(1) }))
	refused(t, err, posthaste.Canceled, notExecuted, "no money")
	answers(t, ref)
	if ran {
		t.Error("a handler ran for a caller whose context had ended")
	}
}

// TestCallsAreNotMixedUp has many askers of one method at once, whose calls come
// from one pool, each wanting its own reply.
func TestCallsAreNotMixedUp(t *testing.T) {
	ref := spawn(t, start(t), "", rt.Mailbox(4096, 0))
	var askers sync.WaitGroup
	for i := range 64 {
		askers.Go(func() {
			for j := range 200 {
				want := fmt.Sprintf("%d of %d", j, i)
				got, err := ask(t.Context(), ref, func(*notes, *rt.Context) (string, error) { return want, nil })
				if err != nil || got != want {
					t.Errorf("asker %s: the reply is %q, %v", want, got, err)
					return
				}
			}
		})
	}
	askers.Wait()
}
