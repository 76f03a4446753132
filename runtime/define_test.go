package runtime_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	rt "github.com/posthaste-go/posthaste/runtime"
)

func TestDefineRefusesMistakes(t *testing.T) {
	type (
		handler = rt.Handler[script, notes]
		method  = rt.Method[script, int, int]
	)
	m := rt.NewMethod[script, int, int]("script.m")
	e := rt.NewEvent[script, int]("script.e")
	s := rt.NewServerStream[script, int, int]("script.s")
	on := func(*notes, *rt.Context, int) (int, error) { return 0, nil }
	onTell := func(*notes, *rt.Context, int) error { return nil }
	onServer := func(*notes, *rt.Context, int) iter.Seq2[int, error] { return count(1) }
	hook := func(*notes, *rt.Context) error { return nil }
	for _, c := range []struct {
		name, says string
		handlers   []handler
	}{
		{"zero Handler", "a zero Handler", []handler{{}}},
		{"zero Method", "On: the method was not declared", []handler{rt.On(method{}, on)}},
		{"zero Event", "OnTell: the event was not declared", []handler{rt.OnTell(rt.Event[script, int]{}, onTell)}},
		{"zero ServerStream", "OnServer: the stream was not declared", []handler{rt.OnServer(rt.ServerStream[script, int, int]{}, onServer)}},
		{"nil On", "On: the method was not declared, or its handler is nil", []handler{rt.On[script, notes](m, nil)}},
		{"nil OnTell", "OnTell: the event was not declared, or its handler is nil", []handler{rt.OnTell[script, notes](e, nil)}},
		{"nil OnServer", "OnServer: the stream was not declared, or its handler is nil", []handler{rt.OnServer[script, notes](s, nil)}},
		{"nil Started", "Started: the function is nil", []handler{rt.Started[script, notes](nil)}},
		{"nil Stopped", "Stopped: the function is nil", []handler{rt.Stopped[script, notes](nil)}},
		{"nil Restarted", "Restarted: the function is nil", []handler{rt.Restarted[script, notes](nil)}},
		{"twice", "two handlers for script.m", []handler{rt.On(m, on), rt.On(m, on)}},
		{"twice one name", "two handlers for script.m", []handler{rt.On(m, on), rt.OnTell(rt.NewEvent[script, int]("script.m"), onTell)}},
		{"two hooks", "two Started hooks", []handler{rt.Started[script](hook), rt.Started[script](hook)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantPanic(t, "Define: "+c.says, func() { rt.Define(func() *notes { return nil }, c.handlers...) })
		})
	}
	t.Run("nil state function", func(t *testing.T) {
		wantPanic(t, "Define: the function that makes the state is nil", func() { rt.Define[script, notes](nil) })
	})
}

func TestMethodNames(t *testing.T) {
	for name, says := range map[string]string{
		"":                       "a name is empty",
		"two words":              `has ' '`,
		"$announce":              `has '$'`,
		strings.Repeat("x", 256): "the limit is 255",
	} {
		wantPanic(t, says, func() { rt.NewMethod[script, int, int](name) })
		wantPanic(t, says, func() { rt.NewEvent[script, int](name) })
		wantPanic(t, says, func() { rt.NewServerStream[script, int, int](name) })
	}
	if run.Name() != "script.run" || post.Name() != "script.post" || emit.Name() != "script.emit" {
		t.Errorf("the names are %q, %q, %q", run.Name(), post.Name(), emit.Name())
	}
}

// TestKindWithManyMethods has kinds whose methods were declared far apart, so
// that their numbers collide in a small table.
func TestKindWithManyMethods(t *testing.T) {
	sys := start(t)
	const kinds, methods = 7, 40
	var all [kinds][]rt.Method[script, int, string]
	for i := range methods {
		for k := range kinds {
			all[k] = append(all[k], rt.NewMethod[script, int, string](fmt.Sprintf("kind%d.method%d", k, i)))
		}
	}
	for k, declared := range all {
		var handlers []rt.Handler[script, notes]
		for _, m := range declared {
			handlers = append(handlers, rt.On(m, func(*notes, *rt.Context, int) (string, error) { return m.Name(), nil }))
		}
		ref := spawnOf(t, sys, "", rt.Define(func() *notes { return &notes{} }, handlers...))
		for other, list := range all {
			for _, m := range list {
				name, err := rt.Ask(t.Context(), ref, m, 1)
				switch {
				case other == k && (err != nil || name != m.Name()):
					t.Fatalf("kind %d: the handler of %s replied %q, %v", k, m.Name(), name, err)
				case other != k && err == nil:
					t.Fatalf("kind %d handled %s", k, m.Name())
				}
			}
		}
	}
}

func TestKindWithoutMethods(t *testing.T) {
	sys := start(t)
	ref := spawnOf(t, sys, "", rt.Define[script](func() *notes { return nil }))
	_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, 12, notExecuted, "no handler for script.run")
}
