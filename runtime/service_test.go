package runtime_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestLocalService uses every verb by the name of a service of this node.
func TestLocalService(t *testing.T) {
	sys := start(t)
	ref := spawn(t, sys, "acc")
	bank := rt.Service[script](sys, "bank")
	one := func(*notes, *rt.Context) (int, error) { return 1, nil }
	nobody := func() {
		t.Helper()
		_, err := ask(t.Context(), bank, one)
		refused(t, err, posthaste.NoEndpoint, notExecuted, "ask script.run to bank", `nobody serves "bank"`, "rt.Serve")
		if !errors.Is(err, rt.ErrNoEndpoint) {
			t.Errorf("%v is not ErrNoEndpoint", err)
		}
		err = rt.Tell(t.Context(), bank, post, nil)
		refused(t, err, posthaste.NoEndpoint, notExecuted, "tell script.post to bank")
		_, err = collect(rt.Recv(t.Context(), bank, emit, nil))
		refused(t, err, posthaste.NoEndpoint, notExecuted, "open script.emit to bank")
	}
	nobody()
	if err := rt.Serve(sys, "bank", ref); err != nil {
		t.Fatal(err)
	}
	if bank.Addr() != (posthaste.Addr{Name: "bank"}) || bank.String() != "bank" || bank.IsZero() {
		t.Errorf("the Ref of a service has the address %v, is zero: %v", bank, bank.IsZero())
	}
	answers(t, bank)
	for i := range 100 {
		tell(t, bank, func(n *notes, _ *rt.Context) error { n.lines = append(n.lines, fmt.Sprint(i)); return nil })
	}
	if n := do(t, bank, func(n *notes, _ *rt.Context) (int, error) { return len(n.lines), nil }); n != 100 {
		t.Errorf("an ask after 100 tells finds %d of them handled", n)
	}
	if items, err := collect(rt.Recv(t.Context(), bank, emit, emitCount(1000))); err != nil || len(items) != 1000 {
		t.Errorf("a stream by the service's name had %d items, %v", len(items), err)
	}
	for range rt.Recv(t.Context(), bank, emit, emitCount(1000)) {
		break
	}
	_, err := ask(t.Context(), bank, func(*notes, *rt.Context) (int, error) { return 0, errNoMoney })
	refused(t, err, posthaste.Unknown, executed, "ask script.run to bank", "no money")
	if !errors.Is(err, errNoMoney) {
		t.Errorf("%v does not wrap what the handler returned", err)
	}
	_, err = rt.Ask(t.Context(), bank, rt.NewMethod[script, int, int]("script.other"), 1)
	refused(t, err, posthaste.Unimplemented, notExecuted, "script.other to bank")
	from := do(t, spawn(t, sys, "front"), func(_ *notes, c *rt.Context) (posthaste.Addr, error) {
		return ask(c, bank, func(_ *notes, c *rt.Context) (posthaste.Addr, error) { return c.From(), nil })
	})
	if from.Name != "front" {
		t.Errorf("a handler's ask by the service's name is from %v, want front", from)
	}

	stopActor(t, ref)
	nobody() // at once
	again := spawn(t, sys, "acc")
	if err := rt.Serve(sys, "bank", again); err != nil {
		t.Fatal(err)
	}
	answers(t, bank)
}

func TestServeRefuses(t *testing.T) {
	sys, other := start(t), start(t)
	ref := spawn(t, sys, "acc")
	gone := spawn(t, sys, "gone")
	stopActor(t, gone)
	if err := rt.Serve(sys, "bank", ref); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, says string
		ref        rt.Ref[script]
		code       posthaste.Code
		status     posthaste.Status
	}{
		{"bank", "already", ref, posthaste.AlreadyExists, executed},
		{"bank", "already", spawn(t, sys, ""), posthaste.AlreadyExists, executed},
		{"two words", `has ' '`, ref, posthaste.InvalidArgument, executed},
		{"zero", "no actor of this node", rt.Ref[script]{}, posthaste.InvalidArgument, executed},
		{"service", "no actor of this node", rt.Service[script](sys, "bank"), posthaste.InvalidArgument, executed},
		{"foreign", "no actor of this node", spawn(t, other, "acc"), posthaste.InvalidArgument, executed},
		{"gone", "has stopped", gone, posthaste.ActorStopped, notExecuted},
	} {
		refused(t, rt.Serve(sys, c.name, c.ref), c.code, c.status, c.says)
	}
	answers(t, rt.Service[script](sys, "bank"))
	_, err := ask(t.Context(), rt.Service[script](sys, "gone"), func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.NoEndpoint, notExecuted)
	if err := rt.Serve(sys, "savings", ref); err != nil { // under a second name
		t.Error(err)
	}
	answers(t, rt.Service[script](sys, "savings"))
}

// TestServedActorsComeAndGo calls a service whose actor is replaced all the time:
// each call is answered, or refused in a way that says that it did not run.
func TestServedActorsComeAndGo(t *testing.T) {
	sys := start(t)
	bank := rt.Service[script](sys, "bank")
	over := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				_, err := ask(t.Context(), bank, func(*notes, *rt.Context) (int, error) { return 1, nil })
				if err == nil || errors.Is(err, rt.ErrNoEndpoint) {
					continue
				}
				refused(t, err, posthaste.ActorStopped, notExecuted)
			}
		})
	}
	for range 100 {
		ref := spawn(t, sys, "acc")
		if err := rt.Serve(sys, "bank", ref); err != nil {
			t.Error(err)
		}
		answers(t, bank)
		stopActor(t, ref)
	}
	close(over)
	callers.Wait()
}
