package runtime_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	rt "github.com/posthaste-go/posthaste/runtime"
)

var errFunds error = &posthaste.Error{Code: appCode}

// TestErrorsCross checks how the errors of handlers and of the node look to an
// asker on another node.
func TestErrorsCross(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		f.spawn(server, v, "probe", rt.Restart(1000, time.Second))
		to := named(client, server, "probe")
		for name, c := range map[string]struct {
			how    int
			code   posthaste.Code
			status posthaste.Status
			words  []string
		}{
			"plain":       {failPlain, posthaste.Unknown, executed, []string{"plain", "ask probe.fail to probe@"}},
			"coded":       {failCoded, posthaste.NotFound, executed, []string{`no account "ada"`}},
			"application": {failApplication, appCode, executed, []string{"insufficient funds"}},
			"wrapped":     {failWrapped, posthaste.FailedPrecondition, executed, []string{"outer", "inner"}},
			"long":        {failLong, posthaste.Unknown, executed, nil},
			"panic":       {failPanic, posthaste.Internal, unknown, []string{"log of " + server.Name()}},
		} {
			_, err := rt.Ask(f.ctx(), to, v.fail, c.how)
			e := wantError(f, err, c.code, c.status, c.words...)
			if e.Peer != server.Endpoint() {
				f.Errorf("%s: the error is from %v, want %v", name, e.Peer, server.Endpoint())
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "goroutine") {
				f.Errorf("%s: the error tells what it should not: %v", name, err)
			}
		}
		_, err := rt.Ask(f.ctx(), to, v.fail, failApplication)
		if !errors.Is(err, errFunds) || errors.Is(err, rt.ErrOverloaded) {
			f.Errorf("the application's code does not match: %v", err)
		}
		_, err = rt.Ask(f.ctx(), to, v.fail, failLater)
		if e := wantError(f, err, posthaste.RateLimited, executed); e.RetryAfter != 1500*time.Millisecond {
			f.Errorf("RetryAfter is %v", e.RetryAfter)
		}
		items, err := collect(rt.Recv(f.ctx(), to, v.count, -3))
		wantError(f, err, posthaste.OutOfRange, executed, "past the end")
		if len(items) != 3 {
			f.Errorf("%d items came before the error, want 3", len(items))
		}
		checkVerbs(f, v, "after all that", to)
	})
}

// TestRefusals checks the errors of requests that no handler sees.
func TestRefusals(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		_, ref := f.spawn(server, v, "probe")
		f.serve(server, v, "served")
		at := server.Endpoint()
		stale := ref.Addr()
		stale.Incarnation--
		stopped := ref.Addr()
		_, gone := f.spawn(server, v, "gone")
		if err := rt.StopActor(f.ctx(), gone); err != nil {
			f.Fatal(err)
		}
		stopped.ID = gone.Addr().ID
		for name, c := range map[string]struct {
			to    posthaste.Addr
			code  posthaste.Code
			words []string
		}{
			"no such name":     {posthaste.Addr{Node: at, Name: "nobody"}, posthaste.ActorNotFound, []string{"nobody", server.Name(), "never spawned"}},
			"no such number":   {posthaste.Addr{Node: at, ID: 1 << 40, Incarnation: ref.Addr().Incarnation}, posthaste.ActorNotFound, []string{server.Name()}},
			"stopped":          {stopped, posthaste.ActorNotFound, []string{"stopped"}},
			"another run":      {stale, posthaste.StaleIncarnation, []string{"another run", "get a new one"}},
			"stopped, by name": {posthaste.Addr{Node: at, Name: "gone"}, posthaste.ActorNotFound, []string{"gone"}},
		} {
			_, err := rt.Ask(f.ctx(), rt.At[probed](client, c.to), v.echo, nil)
			if e := wantError(f, err, c.code, notExecuted, c.words...); e.Peer != at {
				f.Errorf("%s: the error is from %v, want %v", name, e.Peer, at)
			}
			_, err = collect(rt.Recv(f.ctx(), rt.At[probed](client, c.to), v.count, 3))
			wantError(f, err, c.code, notExecuted, c.words...)
		}
		to := named(client, server, "probe")
		_, err := rt.Ask(f.ctx(), to, v.absent, "")
		if e := wantError(f, err, posthaste.Unimplemented, notExecuted, "probe.absent", "Define"); e.Peer != at {
			f.Errorf("no such method: the error is from %v, want %v", e.Peer, at)
		}
		// A name that both sides use for different kinds of methods.
		_, err = rt.Ask(f.ctx(), to, rt.NewMethod[probed, int, int]("probe.count"), 3)
		wantError(f, err, posthaste.Unimplemented, notExecuted)
		// What the two sides declare with different types.
		_, err = rt.Ask(f.ctx(), to, rt.NewMethod[probed, string, int]("probe.ints"), "text")
		wantError(f, err, posthaste.CodecFailed, notExecuted, "cannot be decoded")
		_, err = rt.Ask(f.ctx(), to, rt.NewMethod[probed, string, []int]("probe.hold.not"), "text")
		wantError(f, err, posthaste.Unimplemented, notExecuted)
		_, err = rt.Ask(f.ctx(), to, rt.NewMethod[probed, int, int]("probe.blob"), 3)
		wantError(f, err, posthaste.CodecFailed, executed, "reply cannot be decoded")
		checkVerbs(f, v, "after all that", to)
	})
}

// TestServiceRefusals checks the errors of calls to services.
func TestServiceRefusals(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server := f.node()
		f.serve(server, v, "served")
		client := f.caller(rt.Join(server.Endpoint().String()))
		if _, err := rt.Ask(f.ctx(), rt.Service[probed](client, "served"), v.echo, nil); err != nil {
			f.Fatal(err)
		}
		_, err := rt.Ask(f.ctx(), rt.Service[probed](client, "nowhere"), v.echo, nil)
		wantError(f, err, posthaste.NoEndpoint, notExecuted, "nowhere", "rt.Serve", "join")
		_, err = rt.Ask(f.ctx(), rt.Service[probed](f.caller(), "nowhere"), v.echo, nil)
		wantError(f, err, posthaste.NoEndpoint, notExecuted, "nowhere", "rt.Serve")
	})
}

// TestRemoteMailboxFull wants asks to a full mailbox refused at once and tells
// counted as dead letters where they were sent to.
func TestRemoteMailboxFull(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		letters := make(chan rt.DeadLetter, 10)
		server := f.node(rt.OnDeadLetter(func(d rt.DeadLetter) { letters <- d }))
		client := f.caller()
		p, ref := f.spawn(server, v, "probe", rt.Mailbox(1, 0))
		to := named(client, server, "probe")
		answer := make(chan error, 1)
		go func() {
			_, err := rt.Ask(f.ctx(), ref, v.hold, "")
			answer <- err
		}()
		receive(f, "hold", p.entered)
		if err := rt.Tell(f.ctx(), ref, v.note, 1); err != nil { // the one that fits
			f.Fatal(err)
		}
		_, err := rt.Ask(f.ctx(), to, v.echo, nil)
		if e := wantError(f, err, posthaste.MailboxFull, notExecuted, "probe", "rt.Mailbox"); e.Peer != server.Endpoint() {
			f.Errorf("the error is from %v, want %v", e.Peer, server.Endpoint())
		}
		if err := rt.Tell(f.ctx(), to, v.note, 7); err != nil {
			f.Error(err)
		}
		if d := receive(f, "the dead letter", letters); d.Method != "probe.note" || !errors.Is(d.Reason, rt.ErrMailboxFull) {
			f.Errorf("dead letter: %+v", d)
		}
		close(p.release)
		if err := receive(f, "the answer", answer); err != nil {
			f.Error(err)
		}
	})
}

// TestRemoteActorStops checks what a stopping actor says to those whose messages
// wait, and to those who come later.
func TestRemoteActorStops(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		p, ref := f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		first := make(chan error, 1)
		go func() {
			_, err := rt.Ask(f.ctx(), to, v.hold, "first")
			first <- err
		}()
		receive(f, "hold", p.entered)
		stopped := make(chan error, 1)
		go func() { stopped <- rt.StopActor(f.ctx(), ref) }()
		close(p.release)
		if err := receive(f, "the first answer", first); err != nil {
			f.Errorf("the ask that was running: %v", err)
		}
		if err := receive(f, "StopActor", stopped); err != nil {
			f.Error(err)
		}
		_, err := rt.Ask(f.ctx(), to, v.echo, nil)
		wantError(f, err, posthaste.ActorNotFound, notExecuted)
	})
}

// reversed is a codec of an application: JSON, backwards.
type reversed struct{ codec.JSON }

func (reversed) ID() uint8    { return 200 }
func (reversed) Name() string { return "reversed" }

func (r reversed) Append(dst []byte, v any) ([]byte, error) {
	b, err := r.JSON.Append(nil, v)
	for i := range b {
		dst = append(dst, b[len(b)-1-i])
	}
	return dst, err
}

func (r reversed) Decode(src []byte, v any) error {
	b := make([]byte, len(src))
	for i := range b {
		b[i] = src[len(src)-1-i]
	}
	return r.JSON.Decode(b, v)
}

// TestCustomCodec uses a codec of the application by ask, tell and stream, large
// values among them, and without it on one side.
func TestCustomCodec(t *testing.T) {
	overAll(t, func(f *fabric) {
		opts := []rt.MethodOption{rt.Codec(reversed{})}
		ask := rt.NewMethod[probed, order, receipt]("custom.ask", opts...)
		tell := rt.NewEvent[probed, string]("custom.tell", opts...)
		list := rt.NewServerStream[probed, int, string]("custom.list", opts...)
		told := make(chan string, 1)
		kind := rt.Define(func() *probe { return newProbe(f.T, "custom") },
			rt.On(ask, (*probe).take),
			rt.OnTell(tell, func(_ *probe, _ *rt.Context, s string) error { told <- s; return nil }),
			rt.OnServer(list, func(_ *probe, _ *rt.Context, n int) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for i := range n {
						if !yield(strings.Repeat("x", i*10_000), nil) {
							return
						}
					}
				}
			}))
		server := f.node(rt.Codecs(reversed{}))
		if _, err := rt.Spawn(server, "custom", kind); err != nil {
			f.Fatal(err)
		}
		to := named(f.caller(rt.Codecs(reversed{})), server, "custom")
		for _, size := range []int{10, 100_000} {
			o := order{Item: strings.Repeat("y", size), Count: 2}
			if r, err := rt.Ask(f.ctx(), to, ask, o); err != nil || r.Total != 3 || r.Order.Item != o.Item {
				f.Errorf("ask: %v, %v", r.Total, err)
			}
			if err := rt.Tell(f.ctx(), to, tell, o.Item); err != nil || receive(f, "the tell", told) != o.Item {
				f.Errorf("tell: %v", err)
			}
		}
		items, err := collect(rt.Recv(f.ctx(), to, list, 5))
		if err != nil || len(items) != 5 || len(items[4]) != 40_000 {
			f.Errorf("stream: %d items, %v", len(items), err)
		}

		// Without the codec here, and without it there.
		without := named(f.caller(), server, "custom")
		_, err = rt.Ask(f.ctx(), without, ask, order{})
		wantError(f, err, posthaste.CodecFailed, notExecuted, "reversed", "rt.Codecs")
		plain := f.node()
		if _, err := rt.Spawn(plain, "custom", kind); err != nil {
			f.Fatal(err)
		}
		missing := named(f.caller(rt.Codecs(reversed{})), plain, "custom")
		_, err = rt.Ask(f.ctx(), missing, ask, order{})
		wantError(f, err, posthaste.CodecFailed, notExecuted, "reversed", "rt.Codecs")
		err = rt.Tell(f.ctx(), missing, tell, "")
		wantError(f, err, posthaste.CodecFailed, notExecuted, "reversed")
		_, err = collect(rt.Recv(f.ctx(), missing, list, 1))
		wantError(f, err, posthaste.CodecFailed, notExecuted, "reversed")
	})
}

// TestRemoteContextEnds wants a context that has ended before the call to send
// nothing.
func TestRemoteContextEnds(t *testing.T) {
	overAll(t, func(f *fabric) {
		v := newVerbs()
		server, client := f.node(), f.caller()
		f.spawn(server, v, "probe")
		to := named(client, server, "probe")
		ctx, cancel := context.WithCancelCause(f.ctx())
		cancel(errors.New("enough"))
		_, err := rt.Ask(ctx, to, v.echo, nil)
		wantError(f, err, posthaste.Canceled, notExecuted)
		err = rt.Tell(ctx, to, v.note, 1)
		wantError(f, err, posthaste.Canceled, notExecuted)
		_, err = collect(rt.Recv(ctx, to, v.count, 1))
		wantError(f, err, posthaste.Canceled, notExecuted)
		if seen, err := rt.Ask(f.ctx(), to, v.seen, ""); err != nil || len(seen) != 0 {
			f.Errorf("seen: %v, %v", seen, err)
		}
	})
}
