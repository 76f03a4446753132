package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// largeSizes are around what fits one frame, and far over it.
var largeSizes = []int{15 << 10, 16 << 10, 16<<10 + 1, 64 << 10, 1 << 20, 15 << 20}

// TestLargeMessages sends messages that need several frames, each way and by each
// verb, and wants every byte back.
func TestLargeMessages(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		for _, n := range largeSizes {
			want := pattern(n)
			if got, err := rt.Ask(f.ctx(), to, v.echo, want); err != nil || !bytes.Equal(got, want) {
				f.Fatalf("an ask of %d bytes: %d came back, %v", n, len(got), err)
			}
			got, err := rt.Ask(f.ctx(), to, v.blob, n)
			if checkPattern(f, got); err != nil || len(got) != n {
				f.Fatalf("a reply of %d bytes: %d came, %v", n, len(got), err)
			}
			if err := rt.Tell(f.ctx(), to, v.large, want); err != nil {
				f.Fatalf("a tell of %d bytes: %v", n, err)
			}
			items, err := collect(rt.Recv(f.ctx(), to, v.blobs, []int{1, n, 2}))
			if err != nil || len(items) != 3 || len(items[1]) != n {
				f.Fatalf("a stream with %d bytes: %d items, %v", n, len(items), err)
			}
			for _, item := range items {
				checkPattern(f, item)
			}
			items, err = collect(rt.Recv(f.ctx(), to, v.upper, want))
			if err != nil || len(items) != 3 || !bytes.Equal(items[0], want) {
				f.Fatalf("a stream asked for with %d bytes: %d items, %v", n, len(items), err)
			}
		}
		seen, err := rt.Ask(f.ctx(), to, v.seen, "")
		if err != nil || len(seen) != len(largeSizes) {
			f.Fatalf("the large tells have come as %v, %v", seen, err)
		}
		for i, n := range largeSizes {
			if seen[i] != -n {
				f.Errorf("large tell %d had %d bytes, want %d", i, -seen[i], n)
			}
		}
	})
}

// TestManyLargeMessages sends more large messages at once than the queue of a
// connection or the receiver's buffers hold, each way, with small ones between.
func TestManyLargeMessages(t *testing.T) {
	for _, c := range []struct{ callers, size int }{{8, 15 << 20}, {300, 64 << 10}} {
		t.Run(fmt.Sprintf("%d of %d", c.callers, c.size), func(t *testing.T) {
			overAll(t, func(f *fabric) {
				v := newVerbs()
				server, client := f.node(), f.caller()
				const actors = 4
				var to [actors]rt.Ref[probed]
				for i := range to {
					_, ref := f.spawn(server, v, "")
					to[i] = rt.At[probed](client, ref.Addr())
				}
				body := pattern(c.size)
				done := make(chan error, c.callers)
				for i := range c.callers {
					go func() { done <- askLarge(f.ctx(), v, to[i%actors], body) }()
				}
				for range c.callers {
					if err := receive(f, "a caller", done); err != nil {
						f.Error(err)
					}
				}
			})
		})
	}
}

func askLarge(ctx context.Context, v *verbs, to rt.Ref[probed], body []byte) error {
	got, err := rt.Ask(ctx, to, v.echo, body)
	if err != nil || !bytes.Equal(got, body) {
		return fmt.Errorf("large: %d bytes came back, %w", len(got), err)
	}
	if got, err = rt.Ask(ctx, to, v.echo, []byte("small")); err != nil || string(got) != "small" {
		return fmt.Errorf("small: %q came back, %w", got, err)
	}
	return nil
}

// TestMaxMessage wants messages over the limit of the connection refused: requests
// before anything is sent, answers once the handler has run.
func TestMaxMessage(t *testing.T) {
	const limit = 100_000
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(rt.MaxMessage(limit)), f.caller()
		f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		if b, err := rt.Ask(f.ctx(), to, v.echo, pattern(limit)); err != nil || len(b) != limit {
			f.Errorf("an ask at the limit: %d bytes, %v", len(b), err)
		}
		_, err := rt.Ask(f.ctx(), to, v.echo, pattern(limit+1))
		wantError(f, err, posthaste.TooLarge, notExecuted, "100001", "100000", "MaxMessage")
		err = rt.Tell(f.ctx(), to, v.large, pattern(limit+1))
		wantError(f, err, posthaste.TooLarge, notExecuted, "MaxMessage")
		_, err = collect(rt.Recv(f.ctx(), to, v.upper, pattern(limit+1)))
		wantError(f, err, posthaste.TooLarge, notExecuted, "MaxMessage")

		_, err = rt.Ask(f.ctx(), to, v.blob, limit+1)
		e := wantError(f, err, posthaste.TooLarge, executed, "MaxMessage")
		if e.Peer != server.Endpoint() {
			f.Errorf("the error is from %v, want %v", e.Peer, server.Endpoint())
		}
		items, err := collect(rt.Recv(f.ctx(), to, v.blobs, []int{5, limit + 1, 5}))
		wantError(f, err, posthaste.TooLarge, executed, "MaxMessage")
		if len(items) != 1 {
			f.Errorf("%d items came before the one that was too large, want 1", len(items))
		}
		checkVerbs(f, v, "after all that", to)
	})
}

// TestManyReplies has more bytes of replies on their way than the queue of a
// connection holds, each of them small enough for one frame.
func TestManyReplies(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		_, ref := f.spawn(server, v, "probe", rt.Mailbox(1<<14, 0))
		to := rt.At[probed](client, ref.Addr())
		const callers, size = 4000, 15 << 10
		done := make(chan error, callers)
		for range callers {
			go func() {
				b, err := rt.Ask(f.ctx(), to, v.blob, size)
				if err == nil && len(b) != size {
					err = fmt.Errorf("%d bytes came", len(b))
				}
				done <- err
			}()
		}
		for range callers {
			if err := receive(f, "a caller", done); err != nil {
				f.Fatal(err)
			}
		}
	})
}
