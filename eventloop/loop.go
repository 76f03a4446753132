package eventloop

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/posthaste-go/posthaste"
)

// readBuffer is how much a loop reads from a connection before it turns to the
// next, and so how large a read batch is at most. There is one per loop. With 256
// KiB messages of 1 KiB cost a tenth less processor time than with 64 KiB, and a
// flood of empty frames holds a loop for less than 2 ms.
const readBuffer = 256 << 10

// loop is one event loop: a gnet engine that runs no other. gnet would choose
// among several by how many connections each has registered, and while many are
// on their way all would go to the same one.
type loop struct {
	engine *gnet.Client
	conns  atomic.Int64 // handed over and not down
	broken atomic.Bool  // one that it should have taken by now waits: see socket.giveUp
}

func startLoop(log *slog.Logger) (*loop, error) {
	engine, err := gnet.NewClient(&loopEvents{},
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(readBuffer),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // means: leave it as package net has set it
		gnet.WithLogger(gnetLog{log}))
	if err != nil {
		return nil, err
	}
	return &loop{engine: engine}, engine.Start()
}

// load orders the loops by how much a new connection would suit them: least
// first.
func (l *loop) load() int64 {
	if l.broken.Load() {
		return math.MaxInt64
	}
	return l.conns.Load()
}

// enroll has the loop poll nc for s, and returns when it does and up has
// returned. It owns nc.
//
// gnet waits for the loop without bound: for ever if the loop has ended, or if
// enroll is called on it. It waits on a goroutine of its own, therefore, which
// is given up after the timeout; should the loop turn to the connection after
// all, up refuses.
func (l *loop) enroll(nc net.Conn, s *socket, timeout time.Duration) error {
	l.conns.Add(1)
	done := make(chan error, 1)
	go func() {
		_, err := l.engine.EnrollContext(nc, s) // closes nc, after duplicating it
		done <- err
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-done:
		polled, open := s.taken()
		if !polled { // also when gnet could not poll, which it does not report
			l.conns.Add(-1)
		}
		if err == nil && !open {
			err = errors.New("the event loop did not take it")
		}
		return err
	case <-timer.C:
		s.giveUp()
		return fmt.Errorf("no event loop took it within %v: %w", timeout,
			posthaste.Errorf(posthaste.Internal, "a Handler blocks its loop, or dials on it"))
	}
}

// loopEvents passes gnet's events to the sockets that they are about. These are
// the context of their gnet.Conn.
type loopEvents struct{ gnet.BuiltinEventEngine }

var _ gnet.EventHandler = (*loopEvents)(nil)

// OnOpen implements [gnet.EventHandler].
func (*loopEvents) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	if !gc.Context().(*socket).up(gc) {
		return nil, gnet.Close
	}
	return nil, gnet.None
}

// OnTraffic implements [gnet.EventHandler]. It always takes all there is: what it
// left would pile up in gnet without bound.
func (*loopEvents) OnTraffic(gc gnet.Conn) gnet.Action {
	p, err := gc.Next(-1)
	if err != nil {
		return gnet.Close // cannot be: only asking for too much fails
	}
	gc.Context().(*socket).conn.receive(p)
	return gnet.None
}

// OnClose implements [gnet.EventHandler].
func (*loopEvents) OnClose(gc gnet.Conn, err error) gnet.Action {
	gc.Context().(*socket).down(err)
	return gnet.None
}

// gnetLog passes gnet's log on to slog, with what is no trouble at debug level.
type gnetLog struct{ log *slog.Logger }

func (l gnetLog) Debugf(format string, args ...any) { l.log.Debug(gnetMessage(format, args)) }
func (l gnetLog) Infof(format string, args ...any)  { l.log.Debug(gnetMessage(format, args)) }
func (l gnetLog) Warnf(format string, args ...any)  { l.log.Warn(gnetMessage(format, args)) }
func (l gnetLog) Errorf(format string, args ...any) { l.log.Error(gnetMessage(format, args)) }

// Fatalf logs and returns: a library does not end the process.
func (l gnetLog) Fatalf(format string, args ...any) { l.log.Error(gnetMessage(format, args)) }

func gnetMessage(format string, args []any) string {
	return "eventloop: gnet: " + fmt.Sprintf(format, args...)
}
