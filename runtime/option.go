package runtime

import (
	"log/slog"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/registry"
)

// Option configures a runtime.
type Option interface{ applyRuntime(*options) error }

type runtimeOption func(*options) error

func (o runtimeOption) applyRuntime(opts *options) error { return o(opts) }

// options are what New was given, with defaults for the rest.
type options struct {
	node       string
	listen     []posthaste.Endpoint
	join       []posthaste.Endpoint
	advertise  posthaste.Endpoint
	registry   registry.Registry
	network    *eventloop.Network
	transport  eventloop.Options
	codecs     []codec.Codec
	log        *slog.Logger
	askTimeout time.Duration
	maxMessage uint64
	workers    int
	deadLetter func(DeadLetter)
}

// DefaultAskTimeout bounds asks whose context has no deadline.
const DefaultAskTimeout = 5 * time.Second

// Listen makes the node answer at endpoints such as ":7001", "127.0.0.1:0" or
// "unix:/run/bank.sock". Without it the node only calls others, though over the
// connections it makes others can call it. Empty strings are skipped, so that a
// flag's default can be passed on.
func Listen(endpoints ...string) Option {
	return runtimeOption(func(o *options) error { return appendEndpoints(&o.listen, endpoints) })
}

// Join connects to nodes at endpoints, and connects again whenever the connection
// is lost. Joined nodes know each other's services, without a registry. Empty
// strings are skipped.
func Join(endpoints ...string) Option {
	return runtimeOption(func(o *options) error { return appendEndpoints(&o.join, endpoints) })
}

func appendEndpoints(to *[]posthaste.Endpoint, texts []string) error {
	for _, text := range texts {
		ep, err := posthaste.ParseEndpoint(text)
		if err != nil {
			return err
		}
		if !ep.IsZero() {
			*to = append(*to, ep)
		}
	}
	return nil
}

// Advertise is the endpoint that other nodes are told to use, when it is not the
// first that Listen names: behind a proxy, or in a container.
func Advertise(endpoint string) Option {
	return runtimeOption(func(o *options) (err error) {
		o.advertise, err = posthaste.ParseEndpoint(endpoint)
		return err
	})
}

// Node names the node in logs and to its peers. The default is the host's name
// and the process number.
func Node(name string) Option {
	return runtimeOption(func(o *options) error {
		o.node = name
		return posthaste.CheckName(name)
	})
}

// Registry is where services are published and found. The default is none: the
// services of this node and of joined nodes.
func Registry(r registry.Registry) Option {
	return runtimeOption(func(o *options) error { o.registry = r; return nil })
}

// Codecs adds codecs to those that every node speaks: msgpack, raw bytes and
// JSON. Both nodes need a codec to use it.
func Codecs(codecs ...codec.Codec) Option {
	return runtimeOption(func(o *options) error { o.codecs = append(o.codecs, codecs...); return nil })
}

// Logger gets the few lines that a runtime logs: crashes, stops, lost peers. The
// default is slog.Default().
func Logger(l *slog.Logger) Option {
	return runtimeOption(func(o *options) error {
		if l == nil {
			return posthaste.Errorf(posthaste.InvalidArgument, "Logger(nil): to log nothing, use slog.New(slog.DiscardHandler)")
		}
		o.log = l
		return nil
	})
}

// AskTimeout bounds asks whose context has no deadline. The default is
// DefaultAskTimeout; there is no way to wait for ever.
func AskTimeout(d time.Duration) Option {
	return runtimeOption(func(o *options) error {
		if d <= 0 {
			return posthaste.Errorf(posthaste.InvalidArgument, "AskTimeout(%v): it must be positive", d)
		}
		o.askTimeout = d
		return nil
	})
}

// MaxMessage is the longest message that the node takes from others, in bytes of
// its encoding. The default is 16 MiB; a connection uses the smaller of both
// nodes.
func MaxMessage(bytes int64) Option {
	return runtimeOption(func(o *options) error {
		if bytes <= 0 {
			return posthaste.Errorf(posthaste.InvalidArgument, "MaxMessage(%d): it must be positive", bytes)
		}
		o.maxMessage = uint64(bytes)
		return nil
	})
}

// Workers is how many turns run at once. The default is GOMAXPROCS. Turns that
// block are not counted.
func Workers(n int) Option {
	return runtimeOption(func(o *options) error { o.workers = n; return nil })
}

// Transport sets the limits and time-outs of connections.
func Transport(t eventloop.Options) Option {
	return runtimeOption(func(o *options) error { o.transport = t; return nil })
}

// Network makes the node part of an in-memory network instead of TCP, for tests:
// its endpoints are "mem:name", and everything works in testing/synctest.
func Network(n *eventloop.Network) Option {
	return runtimeOption(func(o *options) error { o.network = n; return nil })
}

// OnDeadLetter has f called for each message that no handler will see and whose
// sender cannot be told. It is called on whichever goroutine found out and must
// not block.
func OnDeadLetter(f func(DeadLetter)) Option {
	return runtimeOption(func(o *options) error { o.deadLetter = f; return nil })
}

// CallOption configures the calls made through a reference to a service.
type CallOption interface{ applyCall(*callOptions) }

type callOptions struct{ timeout time.Duration }

// TimeoutOption is what [Timeout] returns: it fits a method and a service alike.
type TimeoutOption time.Duration

// Timeout bounds asks whose context has no deadline: those of a method where it is
// declared, or those to a service where it is referred to, which takes
// precedence.
func Timeout(d time.Duration) TimeoutOption { return TimeoutOption(d) }

func (t TimeoutOption) applyMethod(m *method)    { m.timeout = time.Duration(t) }
func (t TimeoutOption) applyCall(o *callOptions) { o.timeout = time.Duration(t) }
