package eventloop

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/posthaste-go/posthaste"
)

// acceptLoop accepts connections until ln is closed, and never gives up before:
// what stops it for a while, such as the process having no descriptors left,
// also ends.
func (h *hub) acceptLoop(ln net.Listener, m medium) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			h.greetLater(nc, m)
			continue
		case h.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		}
		if pause == 0 {
			h.log.Warn("eventloop: accepting has failed and will be tried again", "endpoint", ln.Addr(), "err", err)
		}
		pause = min(max(2*pause, shortest), longest)
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
			return
		}
	}
}

// greetLater serves nc on a goroutine of its own, unless too many others are in
// the handshake.
func (h *hub) greetLater(nc net.Conn, m medium) {
	select {
	case h.handshakes <- struct{}{}:
	default:
		discard(nc)
		return
	}
	if !h.spawn(func() {
		defer func() { <-h.handshakes }()
		h.serve(nc, m)
	}) {
		<-h.handshakes
		discard(nc)
	}
}

// serve makes a Conn of a connection that was accepted.
func (h *hub) serve(nc net.Conn, m medium) {
	remote := nc.RemoteAddr()
	s, err := h.shake(h.ctx, nc, posthaste.Endpoint{})
	if err != nil {
		discard(nc)
	} else {
		_, err = m.start(nc, s)
	}
	if err == nil {
		return
	}
	if s.leave != nil {
		s.leave()
	}
	// Only this log can learn of it. A peer that says nothing, like the probe of
	// a load balancer, is not worth a line.
	if h.ctx.Err() == nil && !errors.Is(err, io.EOF) {
		h.log.Info("eventloop: a peer was refused", "remote", remote, "err", err)
	}
}
