package eventloop

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// heardRefusal reads the ERROR that a refused peer gets, and the end.
func heardRefusal(t *testing.T, nc net.Conn, want posthaste.Code, words ...string) {
	t.Helper()
	h, p := hear(t, nc)
	var f wire.Failure
	if err := f.Parse(p); err != nil || h.Kind != wire.KindError || h.ID != 0 {
		t.Fatalf("got %v (%v), want an ERROR for the connection", h, err)
	}
	if f.Code != want || f.Status != posthaste.StatusNotExecuted {
		t.Errorf("ERROR is %v, want %v", f.Err(), want)
	}
	for _, w := range words {
		if !strings.Contains(string(f.Message), w) {
			t.Errorf("ERROR says %q, without %q", f.Message, w)
		}
	}
	heardEnd(t, nc)
}

func heardEnd(t *testing.T, nc net.Conn) {
	t.Helper()
	if h, _, err := tryHear(nc); err == nil {
		t.Errorf("got %v, want the end", h)
	} else if isTimeout(err) {
		t.Error("the connection was not closed")
	}
	nc.Close() // the other side waits for it
}

func TestStrangersAreRefused(t *testing.T) {
	opened := func(*Conn) { t.Error("a stranger was let in") }
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, &funcs{opened: opened}, Options{Hello: wire.Hello{MinVersion: 3, MaxVersion: 4}})
		t.Run("TLS", func(t *testing.T) {
			nc := f.raw(t, ep)
			hello := make(chan error, 1)
			go func() { hello <- tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
			if err := await(t, "the TLS handshake", hello); err == nil {
				t.Error("TLS succeeded")
			}
		})
		t.Run("ClientHello", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3})
			heardRefusal(t, nc, posthaste.Protocol, "TLS")
		})
		t.Run("HTTP", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
			b := must2(io.ReadAll(nc))(t)
			if !strings.HasPrefix(string(b), "HTTP/1.1 400 ") || !strings.Contains(string(b), "posthaste") {
				t.Errorf("got %q", b)
			}
		})
		t.Run("one byte", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, []byte{0xFF})
			heardRefusal(t, nc, posthaste.Protocol, "unknown")
		})
		t.Run("frame without HELLO", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, frame(wire.KindAsk, askID(1), []byte("body")))
			heardRefusal(t, nc, posthaste.Protocol)
		})
		t.Run("version", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, must2(wire.AppendHello(nil, &wire.Hello{MinVersion: 1, MaxVersion: 2}))(t))
			heardRefusal(t, nc, posthaste.Protocol, "version")
		})
		t.Run("codec", func(t *testing.T) {
			nc := f.raw(t, ep)
			say(t, nc, must2(wire.AppendHello(nil, &wire.Hello{MinVersion: 3, MaxVersion: 3, Codecs: []uint8{200}}))(t))
			heardRefusal(t, nc, posthaste.Protocol, "codec")
		})
		t.Run("huge HELLO", func(t *testing.T) {
			nc := f.raw(t, ep)
			b := must2(wire.AppendHello(nil, &wire.Hello{}))(t)
			binary.LittleEndian.PutUint16(b[2:], wire.MaxHello+1)
			say(t, nc, b)
			heardRefusal(t, nc, posthaste.TooLarge)
		})
		t.Run("malformed HELLO", func(t *testing.T) {
			nc := f.raw(t, ep)
			b := must2(wire.AppendHello(nil, &wire.Hello{}))(t)
			b[wire.HeaderLen+4] = 9 // lowest version above the highest
			say(t, nc, b)
			heardRefusal(t, nc, posthaste.Protocol)
		})
	})
}

// TestHTTPClientIsTold uses a real HTTP client.
func TestHTTPClientIsTold(t *testing.T) {
	_, ep := fabrics()[0].serve(t, &funcs{}, Options{})
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Get("http://" + ep.Address)
	must(t, err)
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); res.StatusCode != 400 || err != nil || !strings.Contains(string(b), "posthaste") {
		t.Errorf("%v: %q, %v", res.Status, b, err)
	}
}

// TestDialerTellsStrangers dials what does not speak posthaste, or will not.
func TestDialerTellsStrangers(t *testing.T) {
	answers := map[string]struct {
		answer []byte
		words  []string
	}{
		"HTTP":    {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), []string{"HTTP"}},
		"TLS":     {[]byte{0x15, 3, 3, 0, 2, 2, 10}, []string{"15 03"}},
		"nothing": {nil, []string{"EOF"}},
		"refusal": {wire.AppendFailure(nil, 0, &wire.Failure{
			Code: posthaste.Overloaded, Message: []byte("come back later"),
			Retry: posthaste.RetryAfter, RetryAfter: 3 * time.Second,
		}), []string{"OVERLOADED", "come back later"}},
		"half":     {must2(wire.AppendHello(nil, &wire.Hello{}))(t)[:10], []string{"EOF"}},
		"no hello": {frame(wire.KindAsk, 2, nil), nil},
	}
	ln := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer ln.Close()
	ep := posthaste.Endpoint{Network: "tcp", Address: ln.Addr().String()}
	tr := fabrics()[0].open(t, &funcs{opened: func(*Conn) { t.Error("opened") }}, Options{})
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			go func() {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = nc.Write(a.answer) // the dialer's error is what is tested
				_ = nc.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, nc)
				nc.Close()
			}()
			_, err := tr.Dial(t.Context(), ep)
			isCode(t, err, posthaste.ConnectFailed)
			for _, w := range append(a.words, ep.String()) {
				if err != nil && !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q: %v", w, err)
				}
			}
			if e, ok := errors.AsType[*posthaste.Error](err); name == "refusal" && (!ok || e.RetryAfter != 3*time.Second) {
				t.Errorf("RetryAfter is lost: %v", err)
			}
		})
	}
}

// TestViolations sends frames that must not be, each on its own connection,
// before and behind a good one.
func TestViolations(t *testing.T) {
	serverID := wire.MakeID(false, 1, 0) // for the server to open
	oversize := wire.Header{Kind: wire.KindAsk, ID: askID(2), Len: 5 << 10}.Append(nil)
	violations := map[string]struct {
		frame []byte
		code  posthaste.Code
	}{
		"second HELLO":       {must2(wire.AppendHello(nil, &wire.Hello{}))(t), posthaste.Protocol},
		"reserved kind":      {head(14, 0, 0), posthaste.Protocol},
		"reserved flags":     {wire.Header{Kind: wire.KindPing, Flags: 1, Len: 8}.Append(nil), posthaste.Protocol},
		"ask without id":     {head(wire.KindAsk, 0, 0), posthaste.Protocol},
		"ask with our id":    {head(wire.KindAsk, serverID, 0), posthaste.Protocol},
		"reply to their ask": {head(wire.KindReply, askID(2), 0), posthaste.Protocol},
		"oversize":           {oversize, posthaste.TooLarge}, // judged before its payload comes
		"short PING":         {head(wire.KindPing, 0, 3), posthaste.Protocol},
		"short PONG":         {head(wire.KindPong, 0, 3), posthaste.Protocol},
	}
	each(t, func(t *testing.T, f fabric) {
		ended := make(endings, 1)
		h := echo()
		h.closed = ended.note
		_, ep := f.serve(t, h, Options{Hello: wire.Hello{MaxFrame: wire.MinFrame}})
		for name, v := range violations {
			t.Run(name, func(t *testing.T) {
				nc := f.greeted(t, ep, wire.Hello{})
				good := frame(wire.KindAsk, askID(1), []byte("good"))
				b := append(append(append([]byte(nil), good...), v.frame...), make([]byte, 16)...)
				say(t, nc, append(b, good...))
				if h, _ := hear(t, nc); h.Kind != wire.KindReply {
					t.Errorf("got %v, want a REPLY to the good frame", h)
				}
				h, p := hear(t, nc)
				var g wire.GoAway
				if err := g.Parse(p); err != nil || h.Kind != wire.KindGoAway || g.Code != v.code || g.Accepted != 1 {
					t.Errorf("got %v %+v (%v), want GOAWAY with %v", h, g, err, v.code)
				}
				heardEnd(t, nc)
				isCode(t, await(t, "Closed", ended), v.code)
			})
		}
	})
}

func TestHalfHelloTimesOut(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, &funcs{}, Options{HandshakeTimeout: 50 * time.Millisecond})
		hello := must2(wire.AppendHello(nil, &wire.Hello{}))(t)
		for _, n := range []int{0, 1, 8, len(hello) - 1} {
			nc := f.raw(t, ep)
			say(t, nc, hello[:n])
			heardEnd(t, nc)
		}
	})
}

func TestHalfFrameTimesOut(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		ended := make(endings, 1)
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{FrameTimeout: 100 * time.Millisecond})
		whole := frame(wire.KindAsk, askID(1), make([]byte, 100))
		for _, n := range []int{1, 8, 50} {
			nc := f.greeted(t, ep, wire.Hello{})
			say(t, nc, whole[:n])
			if h, _ := hear(t, nc); h.Kind != wire.KindGoAway {
				t.Errorf("got %v, want GOAWAY", h)
			}
			heardEnd(t, nc)
			isCode(t, await(t, "Closed", ended), posthaste.FragmentTimeout)
		}
	})
}

func TestTooManyHandshakes(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{MaxHandshakes: 2})
		silent := []net.Conn{f.raw(t, ep), f.raw(t, ep)}
		until(t, "one too many is closed", func() bool {
			nc := f.raw(t, ep)
			must(t, nc.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
			_, err := nc.Read(make([]byte, 1))
			nc.Close()
			return err != nil && !isTimeout(err)
		})
		for _, nc := range silent {
			nc.Close()
		}
		until(t, "there is room again", func() bool {
			nc := f.raw(t, ep)
			defer nc.Close()
			if _, err := nc.Write(must2(wire.AppendHello(nil, &wire.Hello{}))(t)); err != nil {
				return false
			}
			h, _, err := tryHear(nc)
			return err == nil && h.Kind == wire.KindHello
		})
	})
}

func TestTooManyConns(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{MaxConns: 1})
		tr := f.open(t, &funcs{}, Options{MaxConns: 2})
		dial(t, tr, ep)
		_, err := tr.Dial(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
		if err == nil || !strings.Contains(err.Error(), "OVERLOADED") {
			t.Errorf("the dialer is not told why: %v", err)
		}
		_, other := f.serve(t, echo(), Options{})
		dial(t, tr, other)
		_, err = tr.Dial(t.Context(), other)
		isCode(t, err, posthaste.LocalLimit)
	})
}

// TestRandomBytes throws noise at a listener, before and after HELLO.
func TestRandomBytes(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		_, ep := f.serve(t, echo(), Options{HandshakeTimeout: 100 * time.Millisecond})
		r := rand.New(rand.NewPCG(3, 4))
		for n := range 60 {
			nc := f.raw(t, ep)
			if n%2 == 0 {
				say(t, nc, must2(wire.AppendHello(nil, &wire.Hello{}))(t))
			}
			noise := make([]byte, r.IntN(4000))
			for i := range noise {
				noise[i] = byte(r.Uint32())
			}
			_, _ = nc.Write(noise) // it may be closed by then
			nc.Close()
		}
		in := newReplies()
		c := dial(t, f.open(t, in, Options{}), ep)
		got := in.expect(askID(1))
		must(t, ask(c, askID(1), nil))
		c.Flush()
		await(t, "a reply after the noise", got)
	})
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
