package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// linkPatience is how long a test waits for what should take no time.
const linkPatience = 30 * time.Second

// fabric is what the nodes of one test are connected by: TCP over loopback, unix
// sockets, or eventloop's in-memory network in a synctest bubble.
type fabric struct {
	*testing.T
	kind    string
	dir     string             // for unix sockets
	network *eventloop.Network // nil but in memory
	nodes   atomic.Int64
}

// overAll runs test once over every fabric.
func overAll(t *testing.T, test func(f *fabric)) {
	t.Run("tcp", func(t *testing.T) { test(&fabric{T: t, kind: "tcp"}) })
	t.Run("unix", func(t *testing.T) { test(&fabric{T: t, kind: "unix", dir: t.TempDir()}) })
	inMemory(t, test)
}

// inMemory runs test over the in-memory network, in virtual time.
func inMemory(t *testing.T, test func(f *fabric)) {
	t.Run("mem", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(&fabric{T: t, kind: "mem", network: eventloop.NewNetwork()})
		})
	})
}

// overTCP is the fabric for tests that need sockets.
func overTCP(t *testing.T) *fabric { return &fabric{T: t, kind: "tcp"} }

// address returns an endpoint to listen at.
func (f *fabric) address() string {
	n := f.nodes.Add(1)
	switch f.kind {
	case "unix":
		return "unix:" + filepath.Join(f.dir, fmt.Sprint(n))
	case "mem":
		return fmt.Sprintf("mem:m%d", n)
	}
	return "127.0.0.1:0"
}

// caller makes a node that does not listen, and stops it when the test ends.
func (f *fabric) caller(opts ...rt.Option) *rt.Runtime {
	f.Helper()
	base := []rt.Option{rt.Node(fmt.Sprintf("node%d", f.nodes.Add(1))), rt.Logger(testLog(f.T))}
	if f.network != nil {
		base = append(base, rt.Network(f.network))
	}
	node, err := rt.New(append(base, opts...)...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := halt(node); err != nil {
			f.Errorf("stopping %s: %v", node.Name(), err)
		}
	})
	return node
}

// node makes a node that listens.
func (f *fabric) node(opts ...rt.Option) *rt.Runtime {
	f.Helper()
	return f.caller(append([]rt.Option{rt.Listen(f.address())}, opts...)...)
}

// halt stops a node within reasonable time.
func halt(node *rt.Runtime) error {
	ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
	defer cancel()
	return node.Stop(ctx)
}

// testLog writes to the log of the test, which shows if it fails.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// ctx returns a context that ends after the longest time that anything may take.
func (f *fabric) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
	f.Cleanup(cancel)
	return ctx
}

// until waits for a condition that others bring about and nobody announces.
func (f *fabric) until(what string, ok func() bool) {
	f.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(linkPatience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			f.Fatalf("waited in vain for: %s", what)
		}
	}
}

// receive takes one value from a channel.
func receive[T any](f *fabric, what string, from <-chan T) T {
	f.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(linkPatience):
		f.Fatalf("waited in vain for: %s", what)
		panic("not reached")
	}
}

// wantError checks code and status of an error, and that its text has all words.
func wantError(t testing.TB, err error, code posthaste.Code, status posthaste.Status, words ...string) *posthaste.Error {
	t.Helper()
	var e *posthaste.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error with code %v", err, code)
	}
	if e.Code != code || e.Status != status {
		t.Errorf("got %v, %v: %v; want %v, %v", e.Code, e.Status, err, code, status)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
	return e
}
