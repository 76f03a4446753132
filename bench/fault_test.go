package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste/bench/savina"
)

// brokenPeers are peers with one fault each, around rawnet.
func brokenPeers() []Peer {
	calls := &atomic.Int64{}
	return []Peer{
		{Name: "refuses", Impl: faulty{serve: func() error { return errors.New("no licence") }}},
		{Name: "chatters", Impl: faulty{serve: func() error {
			_, err := os.Stdout.WriteString("a library says hello\n")
			return err
		}}},
		{Name: "crashes", Impl: faulty{serve: func() error {
			time.AfterFunc(50*time.Millisecond, func() { panic("segmentation violation") })
			return nil
		}}},
		{Name: "deaf", Impl: faulty{dial: func() error { return errors.New("nobody answers") }}},
		{Name: "truncates", Impl: faulty{reply: func(b []byte) []byte { return b[:len(b)-1] }}},
		{Name: "swaps", Impl: faulty{reply: func(b []byte) []byte { b[0]++; return b }}},
		{Name: "corrupts", Impl: faulty{reply: func(b []byte) []byte { b[len(b)-1]++; return b }}},
		{Name: "hangs", Impl: faulty{reply: func(b []byte) []byte {
			if calls.Add(1) > 100 {
				select {}
			}
			return b
		}}},
		{Name: "lingers", Impl: faulty{stop: func() { select {} }}},
		{Name: "miscounts", Impl: miscounter{}},
	}
}

// A miscounter has a Savina benchmark's result wrong.
type miscounter struct{ chanPeer }

func (m miscounter) Stage(b *savina.Benchmark) (func(savina.Size) int, func(), error) {
	lap, end, err := m.chanPeer.Stage(b)
	return func(s savina.Size) int { return lap(s) + 1 }, end, err
}

func TestWrongResult(t *testing.T) {
	s := runBench(t, "-run", "savina/counting", "-peers", "miscounts")
	if s.status != exitFailed || s.results[0].Error != "client: the result is 257, want 256" {
		t.Errorf("status %d, error %q", s.status, s.results[0].Error)
	}
}

// TestUnable wants peers that lack what a scenario is about to be named.
func TestUnable(t *testing.T) {
	s := runBench(t, "-run", "local/askinline/1", "-peers", "chan,rawnet,hollywood")
	if s.status != exitOK || len(s.results) != 1 || !strings.Contains(s.out, "  not supported: hollywood\n") {
		t.Errorf("status %d\n%s", s.status, s.out)
	}
}

// faulty is rawnet with hooks, each of which may be nil.
type faulty struct {
	serve, dial func() error
	reply       func([]byte) []byte
	stop        func()
}

func (f faulty) Serve(ctx context.Context, listen string) (string, func(), error) {
	if f.serve != nil {
		if err := f.serve(); err != nil {
			return "", nil, err
		}
	}
	addr, stop, err := rawnet{}.Serve(ctx, listen)
	if f.stop != nil {
		stop = f.stop
	}
	return addr, stop, err
}

func (f faulty) Dial(addr string) (Client, error) {
	if f.dial != nil {
		if err := f.dial(); err != nil {
			return nil, err
		}
	}
	c, err := rawnet{}.Dial(addr)
	return faultyClient{c, f.reply}, err
}

// A faultyClient changes replies. It is no IntoAsker.
type faultyClient struct {
	Client
	reply func([]byte) []byte
}

func (c faultyClient) Ask(ctx context.Context, req []byte) ([]byte, error) {
	b, err := c.Client.Ask(ctx, req)
	if err == nil && c.reply != nil {
		b = c.reply(b)
	}
	return b, err
}

// TestBrokenPeer wants the fault of a peer to become a result with a reason, and
// the other peers to be measured all the same.
func TestBrokenPeer(t *testing.T) {
	for _, c := range []struct{ peer, timeout, reason string }{
		{"refuses", "20s", "server: serve: no licence"},
		{"crashes", "20s", "client: "}, // ask or dial: it depends on who is faster
		{"deaf", "20s", "client: dial: nobody answers"},
		{"truncates", "20s", "echo: 63 bytes came back of 64"},
		{"swaps", "20s", "echo: reply 2 to call 1"},
		{"corrupts", "20s", "echo: other bytes came back, from offset 63"},
		{"hangs", "3s", errOverdue.Error()},
	} {
		t.Run(c.peer, func(t *testing.T) {
			s := runBench(t, "-run", "remote/ask/1x64B", "-peers", c.peer+",rawnet", "-timeout", c.timeout, "-duration", "200ms")
			if s.status != exitFailed {
				t.Errorf("status %d", s.status)
			}
			if len(s.results) != 2 {
				t.Fatalf("%d results\n%s", len(s.results), s.errOut)
			}
			if got := s.results[0].Error; !strings.Contains(got, c.reason) {
				t.Errorf("error %q, want %q in it", got, c.reason)
			}
			if s.results[0].PerS != 0 {
				t.Errorf("%v calls per second in a failed round", s.results[0].PerS)
			}
			if got := s.results[1].Error; got != "" {
				t.Errorf("rawnet failed, too: %s", got)
			}
			if !strings.Contains(s.out, "failed: "+c.peer+", round 1: ") {
				t.Errorf("the table does not say what failed:\n%s", s.out)
			}
			noChildren(t)
		})
	}
}

func TestPeerMayPrint(t *testing.T) {
	s := runBench(t, "-run", "remote/ask/1x64B", "-peers", "chatters")
	if s.status != exitOK || !strings.Contains(s.errOut, "a library says hello") {
		t.Errorf("status %d\n%s", s.status, s.errOut)
	}
}

// TestLingeringServer wants a server that does not stop to be killed.
func TestLingeringServer(t *testing.T) {
	s := runBench(t, "-run", "remote/ask/1x64B", "-peers", "lingers", "-timeout", "3s")
	if s.status != exitFailed || !strings.Contains(s.results[0].Error, "server: killed") {
		t.Errorf("status %d, error %q", s.status, s.results[0].Error)
	}
	noChildren(t)
}

// TestChildrenEndWithParent wants children whose parent has gone to exit, in
// whatever state they are.
func TestChildrenEndWithParent(t *testing.T) {
	server, err := startChild("server", []string{"-serve", "rawnet"}, childGrace, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var at address
	if err := server.expect(t.Context(), verbListening, &at); err != nil {
		t.Fatal(err)
	}
	job := `{"peer":"rawnet","scenario":"remote/ask/1x64B","addr":"` + at.Addr + `","duration":3600000000000}`
	client, err := startChild("client", []string{"-drive", job}, childGrace, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.expect(t.Context(), verbWarm, nil); err != nil {
		t.Fatal(err)
	}
	if err := client.tell(verbMeasure, nil); err != nil { // for an hour
		t.Fatal(err)
	}
	for _, c := range []*child{client, server} {
		begin := time.Now()
		if err := c.end(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > childGrace/2 {
			t.Errorf("the %s took %v to end", c.role, took)
		}
	}
	if c, err := net.Dial("tcp", at.Addr); err == nil {
		c.Close()
		t.Error("the server still listens")
	}
	noChildren(t)
}

// TestInterrupt wants an interrupted run to end soon and to report what it has.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := testBench()
	var progress waker
	progress.f = cancel
	b.out, b.err = t.Output(), &progress
	begin := time.Now()
	status := b.run(ctx, []string{"-run", "remote/ask/1x64B", "-peers", "rawnet", "-rounds", "1000", "-warmup", "1ms", "-duration", "5ms"})
	if status != exitFailed || time.Since(begin) > childGrace {
		t.Errorf("status %d after %v", status, time.Since(begin))
	}
	noChildren(t)
}

// A waker calls f when the progress of a round is written to it.
type waker struct{ f func() }

func (w *waker) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "round 1:") {
		w.f()
	}
	return len(b), nil
}
