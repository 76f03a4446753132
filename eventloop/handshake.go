package eventloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

const (
	// refuseTime bounds how long a refused peer is read from so that it gets to
	// see why: closing a socket with unread bytes resets the connection, and the
	// reset may overtake the answer.
	refuseTime = time.Second
	// refuseBytes bounds how much is read from it meanwhile.
	refuseBytes = 64 << 10
)

// shake exchanges HELLO over nc, which was dialed to ep or, if that is zero,
// accepted. It blocks for at most HandshakeTimeout, and ends early when ctx does.
// It reads no byte behind the peer's HELLO.
//
// After an error nc is of no use but for closing. An accepted peer has then been
// told what is wrong, in so far as it would understand.
func (h *hub) shake(ctx context.Context, nc net.Conn, ep posthaste.Endpoint) (session, error) {
	deadline := time.Now().Add(h.o.HandshakeTimeout)
	if err := nc.SetDeadline(deadline); err != nil {
		return session{}, err
	}
	// A deadline in the past ends the Read or Write in progress.
	release := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) }) // if it fails, so did nc
	var s session
	var err error
	if hello := h.hello.Load(); ep.IsZero() {
		s, err = h.answer(nc, hello)
	} else {
		s, err = h.greet(nc, hello, ep)
	}
	if !release() { // ctx has ended, and nc may get its deadline at any time
		return s, context.Cause(ctx)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s, fmt.Errorf("no handshake within %v: %w", h.o.HandshakeTimeout, err)
	case err != nil:
		if ep.IsZero() {
			refuse(nc, err)
		}
		return s, err
	}
	return s, nc.SetDeadline(time.Time{})
}

// greet is the side that dialed.
func (h *hub) greet(nc net.Conn, hello *wire.Hello, ep posthaste.Endpoint) (session, error) {
	s := session{outbound: true, remote: ep}
	if err := sayHello(nc, hello); err != nil {
		return s, err
	}
	header, payload, err := readFrame(nc, true)
	if err != nil {
		return s, err
	}
	if header.Kind == wire.KindError {
		var f wire.Failure
		if err := f.Parse(payload); err != nil {
			return s, err
		}
		return s, fmt.Errorf("the peer refused: %w", f.Err())
	}
	if err := s.peer.Parse(payload); err != nil {
		return s, err
	}
	s.agreed, err = wire.Negotiate(hello, &s.peer)
	return s, err
}

// answer is the side that accepted.
func (h *hub) answer(nc net.Conn, hello *wire.Hello) (s session, err error) {
	_, payload, err := readFrame(nc, false)
	if err != nil {
		return s, err
	}
	if err = s.peer.Parse(payload); err != nil {
		return s, err
	}
	if s.agreed, err = wire.Negotiate(hello, &s.peer); err != nil {
		return s, err
	}
	leave, full := h.seat()
	if full != nil {
		full.Code = posthaste.Overloaded // to the peer it is not its own limit
		return s, full
	}
	s.leave = leave
	s.remote, err = s.peer.Endpoint()
	if err != nil || s.remote.IsZero() { // it advertises nothing that can be dialed
		s.remote = endpointOf(nc.RemoteAddr())
	}
	return s, sayHello(nc, hello)
}

func sayHello(w io.Writer, hello *wire.Hello) error {
	frame, err := wire.AppendHello(nil, hello)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// readFrame reads a HELLO frame, or the ERROR frame that stands in its place if
// that may be, and not a byte more.
func readFrame(r io.Reader, orError bool) (h wire.Header, payload []byte, err error) {
	var head [wire.HeaderLen]byte
	n, err := io.ReadAtLeast(r, head[:], 1)
	if err != nil {
		return h, nil, err
	}
	// One byte is enough to tell strangers: they may not send eight.
	isError := orError && wire.Kind(head[0]>>4) == wire.KindError
	if !isError && !wire.IsMagic(head[:n]) {
		return h, nil, strange(head[:n])
	}
	if _, err = io.ReadFull(r, head[n:]); err != nil {
		return h, nil, err
	}
	h = wire.ParseHeader(head[:])
	switch {
	case isError && (h.ID != 0 || h.Check() != nil), !isError && !wire.IsMagic(head[:]):
		return h, nil, strange(head[:])
	case h.Kind == wire.KindHello && h.Len > wire.MaxHello:
		return h, nil, posthaste.Errorf(posthaste.TooLarge, "HELLO has %d bytes; the limit is %d", h.Len, wire.MaxHello)
	}
	payload = make([]byte, h.Len)
	_, err = io.ReadFull(r, payload)
	return h, payload, err
}

// strangerError is about a peer that does not speak posthaste.
type strangerError struct {
	speaks string // as wire.Sniff has it
	err    *posthaste.Error
}

func (e *strangerError) Error() string { return e.err.Error() }
func (e *strangerError) Unwrap() error { return e.err }

func strange(first []byte) error {
	speaks := wire.Sniff(first)
	return &strangerError{speaks, posthaste.Errorf(posthaste.Protocol,
		"the peer does not speak posthaste but %s: it began with % x", speaks, first)}
}

// refuse tells an accepted peer why, unless it went away by itself.
func refuse(nc net.Conn, why error) {
	var reply []byte
	stranger, strange := errors.AsType[*strangerError](why)
	refused, ok := errors.AsType[*posthaste.Error](why)
	switch {
	case strange && stranger.speaks == "HTTP":
		reply = []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" +
			"This port speaks posthaste, not HTTP.\n")
	case ok:
		f := wire.FailureOf(refused)
		f.Status = posthaste.StatusNotExecuted
		reply = wire.AppendFailure(nil, 0, &f)
	default:
		return
	}
	if nc.SetDeadline(time.Now().Add(refuseTime)) != nil {
		return
	}
	if _, err := nc.Write(reply); err != nil {
		return
	}
	if hc, ok := nc.(interface{ CloseWrite() error }); ok && hc.CloseWrite() == nil {
		io.CopyN(io.Discard, nc, refuseBytes) // until it closes, or for long enough
	}
}

// endpointOf returns a socket's address, for logs.
func endpointOf(a net.Addr) posthaste.Endpoint {
	return posthaste.Endpoint{Network: a.Network(), Address: a.String()}
}
