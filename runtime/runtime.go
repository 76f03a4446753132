package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/internal/clock"
	"github.com/posthaste-go/posthaste/mailbox"
	"github.com/posthaste-go/posthaste/wire"
)

// Runtime is a node: the actors of this process, and its connections to others.
// All methods are safe for concurrent use.
type Runtime struct {
	// Set once in New.
	o           options
	name        string
	incarnation uint64
	log         *slog.Logger
	clock       *clock.Clock
	executor    *mailbox.Executor
	chunks      *mailbox.Chunks[envelope]
	codec       codec.Codec // of methods that name none
	msgpack     *codec.Msgpack
	codecs      *codec.Set
	transport   eventloop.Transport
	pool        *eventloop.Pool
	endpoints   []posthaste.Endpoint

	actors   table
	watch    watchlist
	services directory
	sessions sync.Map     // *session -> nil: all connections
	held     atomic.Int64 // bytes of large messages from other nodes, see maxHeld
	counters counters

	draining atomic.Bool   // Stop was called: nothing new is admitted
	refusing atomic.Bool   // requests from other nodes are refused: they have been told
	cut      atomic.Bool   // Stop's time was up: actors drop what they have left
	stopped  chan struct{} // closed when Stop is done
	stopErr  error         // written before stopped is closed
	quit     context.Context
	leave    context.CancelFunc // ends background goroutines
	alive    sync.WaitGroup     // background goroutines
}

// runs counts the runtimes of this process: nodes that start again within a
// millisecond, as they do in tests, have incarnations that differ.
var runs atomic.Uint64

// New starts a runtime. With no options it is a node for itself: it listens
// nowhere and needs nothing. It must be stopped with [Runtime.Stop]. The error is
// InvalidArgument for an option that makes no sense, or why it cannot listen.
func New(opts ...Option) (*Runtime, error) {
	o := options{askTimeout: DefaultAskTimeout, log: slog.Default(), maxMessage: wire.DefaultMessage}
	for _, opt := range opts {
		if err := opt.applyRuntime(&o); err != nil {
			return nil, err
		}
	}
	rt := &Runtime{
		o: o, name: o.node, log: o.log, clock: clock.New(), stopped: make(chan struct{}),
		incarnation: uint64(time.Now().UnixMilli())<<12 | runs.Add(1)&0xfff,
		chunks:      mailbox.NewChunks[envelope](),
		msgpack:     codec.NewMsgpack(codec.Limits{}),
	}
	rt.codec = rt.msgpack
	if rt.name == "" {
		rt.name = defaultName()
	}
	var err error
	rt.codecs, err = codec.NewSet(append([]codec.Codec{rt.msgpack, codec.Raw{}, codec.JSON{}}, o.codecs...)...)
	if err != nil {
		return nil, err
	}
	rt.quit, rt.leave = context.WithCancel(context.Background())
	rt.watch.init(rt)
	rt.services.init(rt)
	rt.executor = mailbox.NewExecutor(mailbox.ExecutorOptions{
		Parallelism: o.workers,
		Attach:      rt.newDesk,
		Flush:       func(w *mailbox.Worker) { w.Local().(*desk).flush() },
		Stalled:     func(w *mailbox.Worker) { w.Local().(*desk).flushStalled() },
	})
	if err := rt.open(); err != nil {
		rt.abort()
		return nil, err
	}
	return rt, nil
}

// open starts what connects the node to others.
func (rt *Runtime) open() (err error) {
	t := rt.o.transport
	t.Hello = rt.hello(t.Hello)
	if t.Logger == nil {
		t.Logger = rt.log
	}
	if rt.o.network != nil {
		rt.transport, err = rt.o.network.Transport(links{rt}, t)
	} else {
		rt.transport, err = eventloop.NewTCP(links{rt}, t)
	}
	if err != nil {
		return err
	}
	rt.pool = eventloop.NewPool(rt.transport, eventloop.Backoff{})
	if err := rt.services.open(); err != nil {
		return err
	}
	for _, ep := range rt.o.listen {
		at, err := rt.transport.Listen(rt.quit, ep)
		if err != nil {
			return err
		}
		rt.endpoints = append(rt.endpoints, at)
	}
	if at := rt.Endpoint(); dialable(at) {
		t.Hello.Advertise = at.String()
		if err := rt.transport.SetHello(t.Hello); err != nil {
			return err
		}
	}
	for _, ep := range rt.o.join {
		rt.services.expect(ep)
		rt.alive.Go(func() { rt.joinLoop(ep) })
	}
	return nil
}

// dialable reports whether others can connect to an endpoint as it stands: not to
// none, and not to "every address of this host".
func dialable(ep posthaste.Endpoint) bool {
	if ep.IsZero() || ep.Network != "tcp" {
		return !ep.IsZero()
	}
	host, _, err := net.SplitHostPort(ep.Address)
	ip := net.ParseIP(host)
	return err == nil && host != "" && (ip == nil || !ip.IsUnspecified())
}

// hello is what the node says of itself to its peers.
func (rt *Runtime) hello(h wire.Hello) wire.Hello {
	h.Node, h.Incarnation = rt.name, rt.incarnation
	h.MaxMessage = rt.o.maxMessage
	if h.MaxInFlight == 0 {
		h.MaxInFlight = 1 << 16
	}
	h.Codecs = nil
	for id := range 256 {
		if rt.codecs.ByID(uint8(id)) != nil {
			h.Codecs = append(h.Codecs, uint8(id))
		}
	}
	return h
}

func defaultName() string {
	host, err := os.Hostname()
	if err != nil || posthaste.CheckName(host) != nil {
		host = "node"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Name returns the node's name.
func (rt *Runtime) Name() string { return rt.name }

// Endpoint returns where other nodes reach this one: what Advertise says, or
// where it listens first; zero if it does not listen.
func (rt *Runtime) Endpoint() posthaste.Endpoint {
	if !rt.o.advertise.IsZero() {
		return rt.o.advertise
	}
	if len(rt.endpoints) > 0 {
		return rt.endpoints[0]
	}
	return posthaste.Endpoint{}
}

// answersAt reports whether an endpoint is this node's own.
func (rt *Runtime) answersAt(ep posthaste.Endpoint) bool {
	if ep == rt.o.advertise {
		return !ep.IsZero()
	}
	for _, own := range rt.endpoints {
		if own == ep {
			return true
		}
	}
	return false
}

// forget takes an actor's place back.
func (rt *Runtime) forget(a *cell) {
	rt.actors.remove(a)
	if a.serves.Load() {
		rt.services.withdraw(a)
	}
	rt.counters.actors.Add(-1)
}

// lookup returns the actor of this node with an address.
func (rt *Runtime) lookup(addr posthaste.Addr) (*cell, error) {
	if addr.ID != 0 {
		if addr.Incarnation != rt.incarnation {
			return nil, posthaste.Errorf(posthaste.StaleIncarnation, "the address #%x.%x is from another run of %s; get a new one", addr.ID, addr.Incarnation, rt.name)
		}
		if a := rt.actors.byID(addr.ID); a != nil {
			return a, nil
		}
	} else if a := rt.actors.byName([]byte(addr.Name)); a != nil {
		return a, nil
	}
	return nil, rt.notFound(addr)
}

func (rt *Runtime) notFound(addr posthaste.Addr) error {
	return posthaste.Errorf(posthaste.ActorNotFound, "%s has no actor %s; it was never spawned there, or has stopped", rt.name, addr)
}

// expired reports whether a deadline has passed.
func (rt *Runtime) expired(deadline int64) bool {
	return deadline != 0 && rt.clock.Now() >= deadline
}

// until returns the time left to a deadline.
func (rt *Runtime) until(deadline int64) time.Duration {
	return time.Duration(deadline - rt.clock.Now())
}

// tellDeadline bounds how long a tell may wait for a connection or for room.
func (rt *Runtime) tellDeadline(ctx context.Context) int64 {
	if _, ok := ctx.Deadline(); ok {
		return 0 // ctx's own
	}
	return rt.clock.Now() + int64(rt.o.askTimeout)
}

// Stop shuts the node down: it refuses new actors and requests, leaves the
// registry and tells its peers, lets every actor finish its mailbox, and closes
// its connections when their queues are empty. If ctx ends before that, what is
// left is cut off, and the error says which actors were stuck and with how many
// messages. Every later call waits for the first, or for its own ctx. Stop must
// not be called from a handler, which it would wait for.
func (rt *Runtime) Stop(ctx context.Context) error {
	if rt.draining.Swap(true) {
		select {
		case <-rt.stopped:
			return rt.stopErr
		case <-ctx.Done():
			return posthaste.Errorf(posthaste.CodeOf(ctx.Err()), "stop: the runtime is still stopping: %w", context.Cause(ctx))
		}
	}
	actors := rt.actors.close()
	rt.services.close(ctx)
	rt.refusing.Store(true)
	rt.leave()
	rt.stopErr = rt.drain(ctx, actors)
	rt.close(ctx)
	close(rt.stopped)
	return rt.stopErr
}

// drain stops the actors and waits for them.
func (rt *Runtime) drain(ctx context.Context, actors []*cell) error {
	for _, a := range actors {
		a.stop()
	}
	var stuck []string
	for _, a := range actors {
		select {
		case <-a.gone:
			continue
		default:
		}
		select {
		case <-a.gone:
		case <-ctx.Done():
			rt.cut.Store(true)
			a.box.Close()
			stuck = append(stuck, fmt.Sprintf("%v with %d messages", a.label(), a.box.Depth()))
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	shown := stuck[:min(len(stuck), 5)]
	return posthaste.Errorf(posthaste.CodeOf(ctx.Err()), "stop: %d actors did not finish in time: %s: %w",
		len(stuck), strings.Join(shown, ", "), context.Cause(ctx))
}

// close ends everything that New has started.
func (rt *Runtime) close(ctx context.Context) {
	if rt.pool != nil {
		rt.pool.Close()
	}
	if rt.transport != nil {
		rt.sessions.Range(func(s, _ any) bool { // so that peers know what was not taken in
			s.(*session).conn.Fail(posthaste.Errorf(posthaste.Draining, "%s has shut down", rt.name))
			return true
		})
		if err := rt.transport.Close(ctx); err != nil && rt.stopErr == nil {
			rt.stopErr = err
		}
	}
	rt.alive.Wait()
	if err := rt.executor.Stop(ctx); err != nil && rt.stopErr == nil {
		rt.stopErr = posthaste.Errorf(posthaste.DeadlineExceeded, "stop: a handler does not return: %w", err)
	}
	rt.watch.stop(rt.stopErr == nil)
	rt.clock.Stop()
}

// abort undoes a New that failed.
func (rt *Runtime) abort() {
	rt.draining.Store(true)
	rt.leave()
	rt.drain(context.Background(), rt.actors.close()) //nolint:errcheck // only the directory's own actor is there
	rt.close(context.Background())
}

// counters count what happens on the node since it started.
type counters struct {
	actors, crashes, restarts, deadLetters, lateReplies atomic.Int64
}

// Stats is a snapshot of what has happened on a node since it started, but for
// Actors, which is how many there are.
type Stats struct {
	Actors      int64
	Crashes     int64 // handlers that panicked or failed
	Restarts    int64 // actors that were given a new state
	DeadLetters int64 // messages that no handler saw and whose sender was not told
	LateReplies int64 // replies that came after their asker had given up
}

// Stats returns a snapshot. The numbers are each exact, not taken at one instant.
func (rt *Runtime) Stats() Stats {
	return Stats{
		Actors:      rt.counters.actors.Load(),
		Crashes:     rt.counters.crashes.Load(),
		Restarts:    rt.counters.restarts.Load(),
		DeadLetters: rt.counters.deadLetters.Load(),
		LateReplies: rt.counters.lateReplies.Load(),
	}
}

// DeadLetter is a message that no handler will see and whose sender could not be
// told.
type DeadLetter struct {
	Method string
	To     posthaste.Addr // zero if it is not known
	Reason error
}

// deadLetter counts and reports a lost message.
func (rt *Runtime) deadLetter(method string, to posthaste.Addr, why error) {
	rt.counters.deadLetters.Add(1)
	if rt.o.deadLetter != nil {
		if fault := contain(func() error { rt.o.deadLetter(DeadLetter{method, to, why}); return nil }); fault != nil {
			rt.log.Error("OnDeadLetter's function panicked", "error", fault.err(), "stack", string(fault.stack))
		}
		return
	}
	rt.log.Debug("dead letter", "method", method, "to", to.String(), "reason", why)
}
