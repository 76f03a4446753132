package runtime_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	rt "github.com/posthaste-go/posthaste/runtime"
)

// benchLink starts two nodes over TCP loopback and returns the way from one to an
// actor of the other.
func benchLink(b *testing.B, v *verbs) rt.Ref[probed] {
	b.Helper()
	node := func(opts ...rt.Option) *rt.Runtime {
		n, err := rt.New(append(opts, rt.Logger(slog.New(slog.DiscardHandler)))...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := halt(n); err != nil {
				b.Error(err)
			}
		})
		return n
	}
	server := node(rt.Listen("127.0.0.1:0"))
	ref, err := rt.Spawn(server, "probe", v.kind(newProbe(b, "probe")))
	if err != nil {
		b.Fatal(err)
	}
	to := rt.At[probed](node(), ref.Addr())
	if _, err := rt.Ask(context.Background(), to, v.echo, nil); err != nil {
		b.Fatal(err)
	}
	return to
}

func BenchmarkRemoteAsk(b *testing.B) {
	body := make([]byte, 64)
	b.Run("callers=1", func(b *testing.B) {
		v := newVerbs()
		to := benchLink(b, v)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rt.Ask(context.Background(), to, v.echo, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("callers=256", func(b *testing.B) {
		v := newVerbs()
		to := benchLink(b, v)
		b.ReportAllocs()
		var wg sync.WaitGroup
		tickets := make(chan int, 256) // how many asks the callers may make
		for range 256 {
			wg.Go(func() {
				for n := range tickets {
					for range n {
						if _, err := rt.Ask(context.Background(), to, v.echo, body); err != nil {
							b.Error(err)
						}
					}
				}
			})
		}
		const share = 16 // asks to a ticket: the channel is not what is measured
		n := 0
		for b.Loop() {
			if n++; n%share == 0 {
				tickets <- share
			}
		}
		close(tickets)
		wg.Wait()
	})
}
