package runtime_test

import (
	"os"
	"runtime"
	"testing"

	rt "github.com/posthaste-go/posthaste/runtime"
)

// TestNothingIsLeft starts and stops connected nodes, and wants all descriptors and
// goroutines back.
func TestNothingIsLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	round := func(t *testing.T) {
		overAll(t, func(f *fabric) {
			v := newVerbs()
			server := f.node()
			f.serve(server, v, "svc")
			client := f.node(joinTo(server))
			f.serve(client, v, "client")
			f.knows(v, rt.Service[probed](client, "svc"))
			f.knows(v, rt.Service[probed](server, "client"))
			checkVerbs(f, v, "by address", named(client, server, "svc"))
		})
	}
	t.Run("first", round) // what is made once and kept
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 3 {
		t.Run("again", round)
	}
	f := overTCP(t)
	f.until("the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	f.until("the descriptors are closed", func() bool { return openFiles(t) <= files })
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
