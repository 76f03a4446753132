//go:build unix

package eventloop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// inChild runs the test in a process of its own, and reports whether this is it.
func inChild(t *testing.T) bool {
	const mark = "POSTHASTE_TEST_CHILD"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in the child: %v\n%s", err, out)
	}
	return false
}

// TestAcceptSurvivesEMFILE takes the process's last descriptors, has peers
// connect, and gives some back: they are served then.
func TestAcceptSurvivesEMFILE(t *testing.T) {
	if !inChild(t) {
		return
	}
	f := fabrics()[0]
	server, ep := f.serve(t, echo(), Options{})
	in := newReplies()
	early := dial(t, f.open(t, in, Options{}), ep)
	until(t, "the handshake has given its descriptor back", func() bool { return len(server.(*TCP).hub.handshakes) == 0 })
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}))

	// The kernel completes connections that nobody has accepted; the files of
	// this side are kept in hand so that it can connect at all.
	var hoard []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, file)
	}
	hoard[0].Close() // one descriptor, which the peer takes
	nc := f.raw(t, ep)
	say(t, nc, must2(wire.AppendHello(nil, &wire.Hello{}))(t))

	// Those who are connected go on, even if they stall and want a descriptor.
	got := in.expect(askID(1))
	must(t, ask(early, askID(1), nil))
	early.Flush()
	await(t, "a reply while there is no descriptor", got)
	must(t, nc.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if n, err := nc.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("without a descriptor the peer got %d bytes, %v", n, err)
	}
	for _, file := range hoard[1:20] {
		file.Close()
	}
	if h, _ := hear(t, nc); h.Kind != wire.KindHello {
		t.Errorf("got %v, want HELLO", h)
	}
	for _, file := range hoard[20:] {
		file.Close()
	}
}

// TestStallWithoutDescriptors stalls a connection while the process has no
// descriptor for a blocking writer.
func TestStallWithoutDescriptors(t *testing.T) {
	if !inChild(t) {
		return
	}
	f := fabrics()[0]
	opened := make(chan *Conn, 1)
	server, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }}, Options{})
	nc := f.greeted(t, ep, wire.Hello{})
	c := await(t, "Opened", opened)
	until(t, "the handshake has given its descriptor back", func() bool { return len(server.(*TCP).hub.handshakes) == 0 })
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}))
	var hoard []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, file)
	}
	sent := 0
	for ; !c.Congested(); sent++ {
		must(t, tell(c))
		c.Flush()
	}
	for range sent {
		hear(t, nc)
	}
	until(t, "all is written", func() bool { return c.Stats().Queued == 0 })
	for _, file := range hoard {
		file.Close()
	}
}

// TestNothingIsLeft opens, uses and closes transports, and counts descriptors.
func TestNothingIsLeft(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	files := func() string {
		var names []string
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, e := range entries {
			if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(target, "/proc/") {
				names = append(names, e.Name()+"="+target)
			}
		}
		return fmt.Sprint(len(names), " ", strings.Join(names, " "))
	}
	round := func(t *testing.T) {
		for _, f := range fabrics()[:2] {
			opened := make(chan *Conn, 64)
			server := f.make(t, &funcs{opened: func(c *Conn) { opened <- c }}, Options{Logger: slog.New(slog.DiscardHandler)})
			ep := must2(server.Listen(t.Context(), f.endpoint(t)))(t)
			client := f.make(t, &funcs{}, Options{})
			for n := range 20 {
				c := dial(t, client, ep)
				peer := await(t, "Opened", opened)
				switch n % 4 {
				case 0:
					c.Close(nil)
				case 1:
					c.Fail(posthaste.Errorf(posthaste.Protocol, "test"))
				case 2:
					peer.cut(posthaste.Errorf(posthaste.ConnLost, "test"))
				}
			}
			stranger := f.raw(t, ep)
			stalled := f.greeted(t, ep, wire.Hello{})
			congest(t, await(t, "Opened", opened))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			if err := server.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close: %v", err)
			}
			must(t, client.Close(t.Context()))
			cancel()
			stranger.Close()
			stalled.Close()
		}
	}
	t.Run("first", round) // opens what the Go runtime keeps
	before := files()
	t.Run("second", round)
	until(t, "the descriptors are back", func() bool { return files()[:3] == before[:3] })
}

// TestStaleSocketFile listens at the path of a socket whose process is gone, and
// not at one that is in use.
func TestStaleSocketFile(t *testing.T) {
	f := fabrics()[1]
	path := filepath.Join(t.TempDir(), "s")
	ln := must2(net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}))(t)
	ln.SetUnlinkOnClose(false)
	ep := posthaste.Endpoint{Network: "unix", Address: path}
	tr := f.open(t, &funcs{}, Options{})
	_, err := tr.Listen(t.Context(), ep)
	isCode(t, err, posthaste.Unavailable)
	ln.Close()
	if got := must2(tr.Listen(t.Context(), ep))(t); got != ep {
		t.Errorf("listening at %v", got)
	}
	dial(t, f.open(t, &funcs{}, Options{}), ep)
	must(t, os.WriteFile(path+"2", nil, 0o600))
	_, err = tr.Listen(t.Context(), posthaste.Endpoint{Network: "unix", Address: path + "2"})
	isCode(t, err, posthaste.Unavailable)
	if _, err := os.Stat(path + "2"); err != nil {
		t.Errorf("a file that is no socket: %v", err)
	}
}

// TestDialOnLoopFails does what must not be done: it costs the timeout and the
// attempt, not the loop.
func TestDialOnLoopFails(t *testing.T) {
	f := fabrics()[0]
	_, ep := f.serve(t, echo(), Options{})
	var tr Transport
	dialed := make(chan error, 1)
	in := newReplies()
	in.opened = func(c *Conn) {
		if len(dialed) == 0 && c.ID() == 1 {
			_, err := tr.Dial(context.Background(), ep)
			dialed <- err
		}
	}
	tr = f.make(t, in, Options{Loops: 1, HandshakeTimeout: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	_, _ = tr.Dial(t.Context(), ep) // may time out with the other
	isCode(t, await(t, "Dial", dialed), posthaste.ConnectFailed)
	loop := tr.(*TCP).loops[0]
	until(t, "the loop has turned to the connection after all", func() bool { return !loop.broken.Load() })
	c := dial(t, tr, ep)
	got := in.expect(askID(1))
	must(t, ask(c, askID(1), nil))
	c.Flush()
	await(t, "a reply", got)
	must(t, tr.Close(t.Context()))
}

// TestWritersRaceWithTheEnd has writers at work, stalled and not, while the
// descriptors of their connections are closed and reused by others. A byte
// written to the wrong connection would break its protocol.
func TestWritersRaceWithTheEnd(t *testing.T) {
	f := fabrics()[0]
	var violations atomic.Int64
	_, ep := f.serve(t, &funcs{closed: func(_ *Conn, err error) {
		if posthaste.CodeOf(err) != posthaste.ConnLost {
			violations.Add(1)
			t.Error(err)
		}
	}}, Options{})
	tr := f.open(t, &funcs{}, Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 40 {
				c, err := tr.Dial(t.Context(), ep)
				if err != nil {
					t.Error(err)
					return
				}
				var writers sync.WaitGroup
				for range 3 {
					writers.Go(func() {
						for tell(c) == nil {
							c.Flush()
							if c.Congested() {
								_ = c.Wait(t.Context()) // ends with the connection
							}
						}
					})
				}
				for range (n + g) % 5 {
					runtime.Gosched()
				}
				c.cut(posthaste.Errorf(posthaste.ConnLost, "test"))
				writers.Wait()
			}
		})
	}
	wg.Wait()
}

// TestCloseWaitsForWrite holds what a system call holds, and loses the
// connection: its descriptor must stay until the call is over, and no call may
// follow.
func TestCloseWaitsForWrite(t *testing.T) {
	for _, f := range fabrics()[:2] {
		t.Run(f.name, func(t *testing.T) {
			opened, ended := make(chan *Conn, 1), make(endings, 1)
			_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }, closed: ended.note}, Options{})
			nc := f.greeted(t, ep, wire.Hello{})
			c := await(t, "Opened", opened)
			s := c.link.(*socket)

			s.mu.Lock()
			fd := s.handle.fd
			nc.Close()
			until(t, "the end is noticed", c.deaf.Load)
			for range 50 { // the lowest free number is given out next
				file := must2(os.Open(os.DevNull))(t)
				defer file.Close()
				if int(file.Fd()) == fd {
					t.Error("the descriptor was closed during a write")
				}
			}
			if len(ended) != 0 {
				t.Error("Closed was called during a write")
			}
			s.mu.Unlock()
			await(t, "Closed", ended)
			if _, err := s.write([]byte("late")); err != errClosed {
				t.Errorf("write after the end: %v", err)
			}
			if _, err := s.stallWriter(); err != errClosed {
				t.Errorf("stallWriter after the end: %v", err)
			}
			if err := s.closeWrite(); err != errClosed {
				t.Errorf("closeWrite after the end: %v", err)
			}
		})
	}
}

func TestLoopsShareConnections(t *testing.T) {
	f := fabrics()[0]
	_, ep := f.serve(t, echo(), Options{})
	tr := f.open(t, &funcs{}, Options{Loops: 3}).(*TCP)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() { dial(t, tr, ep) })
	}
	wg.Wait()
	for i, l := range tr.loops {
		if n := l.conns.Load(); n < 5 || n > 15 {
			t.Errorf("loop %d has %d of 30 connections", i, n)
		}
	}
}
