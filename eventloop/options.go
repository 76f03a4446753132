package eventloop

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// Options configures a transport. The zero value works; each field says what its
// zero means. A negative value is an error of the constructor.
type Options struct {
	// Hello is what this node says of itself in handshakes, until SetHello. Its
	// limits are also those that connections enforce.
	Hello wire.Hello

	// Loops is how many event loops TCP runs; 0 means one per CPU, at most four.
	// A loop is one goroutine that polls, parses and calls the Handler.
	Loops int

	// HandshakeTimeout bounds the exchange of HELLO, on top of the time to
	// connect. 0 means 5 s.
	HandshakeTimeout time.Duration
	// ConnectTimeout bounds the making of a connection before the handshake. The
	// context of Dial may end it earlier. 0 means 3 s.
	ConnectTimeout time.Duration
	// MaxHandshakes is how many accepted connections may be in the handshake;
	// those beyond it are closed at once. 0 means 256.
	MaxHandshakes int
	// MaxConns is how many connections there may be; an inbound one beyond it is
	// told Overloaded, an outbound one fails with LocalLimit. 0 means 65536, or
	// fewer if the process may not open so many files.
	MaxConns int

	// SoftLimit is how many bytes wait for a connection before it is congested.
	// A higher limit hides longer pauses of the peer; a lower one keeps memory
	// and the wait behind other messages short. 0 means 1 MiB.
	SoftLimit int
	// HardLimit is how many bytes may wait before the connection is cut as a slow
	// reader. It is raised to SoftLimit plus the largest message of Hello, so
	// that no single message cuts an uncongested connection. 0 means 8 MiB.
	HardLimit int
	// StallTimeout is how long the peer may take nothing while bytes wait for it,
	// and how long a closing connection has to flush. 0 means 10 s.
	StallTimeout time.Duration

	// FrameTimeout is how long the rest of a frame may take once its first byte
	// has arrived. 0 means 10 s.
	FrameTimeout time.Duration
	// PingAfter is how long nothing may arrive before a PING asks the peer for a
	// sign of life; the peer's HELLO may raise it. 0 means 15 s.
	PingAfter time.Duration
	// DeadAfter is how long after that PING the connection is given up if still
	// nothing arrives. 0 means 10 s.
	DeadAfter time.Duration
	// IdleClose is how long a connection may carry no frame, keepalive not
	// counted, before it is closed. 0 means for ever.
	IdleClose time.Duration

	// Backoff is for the [Pool] over the transport: give it to NewPool. The
	// transport itself makes one attempt for each Dial and does not use it.
	Backoff Backoff

	// Load says how busy this node is, for the PONGs it sends. It is called on
	// event loops and must not block. nil means that nothing is said.
	Load func() wire.Load

	// Logger gets what no caller can be told: panics, refused peers, trouble of
	// the event loops. nil means slog.Default().
	Logger *slog.Logger
}

// maxDefaultConns is what MaxConns becomes at most unless it is given.
const maxDefaultConns = 65536

// maxDefaultLoops bounds the loops that zero Options run: a loop saturates more
// than one worker's worth of actors, and one that polls in vain costs CPU.
const maxDefaultLoops = 4

// withDefaults returns o with every zero replaced, or an error that names the
// field that cannot be used.
func (o Options) withDefaults() (Options, error) {
	var bad error
	count := func(name string, v *int, def int) {
		if *v < 0 && bad == nil {
			bad = posthaste.Errorf(posthaste.InvalidArgument, "eventloop: Options.%s is %d; it must not be negative", name, *v)
		}
		if *v == 0 {
			*v = def
		}
	}
	span := func(name string, v *time.Duration, def time.Duration) {
		if *v < 0 && bad == nil {
			bad = posthaste.Errorf(posthaste.InvalidArgument, "eventloop: Options.%s is %v; it must not be negative", name, *v)
		}
		if *v == 0 {
			*v = def
		}
	}
	count("Loops", &o.Loops, min(runtime.GOMAXPROCS(0), maxDefaultLoops))
	count("MaxHandshakes", &o.MaxHandshakes, 256)
	count("MaxConns", &o.MaxConns, min(maxDefaultConns, fileLimit()))
	count("SoftLimit", &o.SoftLimit, 1<<20)
	count("HardLimit", &o.HardLimit, 8<<20)
	span("HandshakeTimeout", &o.HandshakeTimeout, 5*time.Second)
	span("ConnectTimeout", &o.ConnectTimeout, 3*time.Second)
	span("StallTimeout", &o.StallTimeout, 10*time.Second)
	span("FrameTimeout", &o.FrameTimeout, 10*time.Second)
	span("PingAfter", &o.PingAfter, 15*time.Second)
	span("DeadAfter", &o.DeadAfter, 10*time.Second)
	span("IdleClose", &o.IdleClose, 0)
	if bad == nil {
		o.Backoff, bad = o.Backoff.withDefaults()
	}
	if bad != nil {
		return o, bad
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}
