package eventloop

import (
	"context"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// Handler receives what arrives. The methods for one [Conn] are called one at a
// time, over TCP on the connection's event loop, which serves many other
// connections: they must never block. Those for different connections run
// concurrently.
//
// A method that panics costs its own connection and nothing else: the panic is
// logged with its stack, and Closed follows.
type Handler interface {
	// Opened is called once the handshake is done and before any frame arrives.
	Opened(c *Conn)

	// Frame is called with each whole frame but HELLO, PING and PONG, which are
	// answered here. payload must not be changed, and is only valid until Frame
	// returns; [Conn.Keep] makes it, or a part of it, last.
	Frame(c *Conn, h wire.Header, payload []byte)

	// Idle is called after the last Frame of what one read brought: the place to
	// flush what those frames caused.
	Idle(c *Conn)

	// Closed is called exactly once after Opened, and no method is called for c
	// after it. err is a [*posthaste.Error] that says why: what Close or Fail was
	// given on this node, or ConnLost, or the limit that the peer ran into.
	Closed(c *Conn, err error)
}

// Transport opens connections, in and out. All its methods may be called from
// any goroutine but never from a method of a [Handler].
type Transport interface {
	// Listen accepts connections at ep until Close. It may be called for several
	// endpoints. It returns the endpoint it listens at, which differs from ep
	// when ep leaves the port open. The error is a [*posthaste.Error] that names
	// ep.
	Listen(ctx context.Context, ep posthaste.Endpoint) (posthaste.Endpoint, error)

	// Dial makes one attempt to connect to ep, the handshake included. The error
	// is a [*posthaste.Error], ConnectFailed unless ctx ended or ep is
	// malformed, that names ep.
	Dial(ctx context.Context, ep posthaste.Endpoint) (*Conn, error)

	// SetHello changes what this node says of itself in handshakes to come:
	// first of all the endpoint to advertise, which Listen tells. hello must not
	// be changed afterwards. The error has code InvalidArgument for a HELLO that
	// cannot be sent, and nothing changes.
	SetHello(hello wire.Hello) error

	// Close stops accepting and dialing, flushes what is queued until ctx ends,
	// closes every connection, and returns when the last Closed has returned and
	// the last goroutine has ended. It returns ctx's error if that cut the
	// flushing short. Later calls wait for the first.
	Close(ctx context.Context) error
}
