package main

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	wireCalls = 8        // calls of each caller in the counted phase
	wireLeast = 256      // calls in the counted phase, unless they would be more than wireLimit bytes
	wireLimit = 16 * mib // bytes of bodies in the counted phase
	wireQuiet = 5 * time.Millisecond
)

// wireBytes returns the TCP payload of one call, both ways, in the steady state:
// it exchanges a fixed number of calls through a proxy, from rest to rest, after
// as many that are not counted.
func wireBytes(sc Scenario, p Peer, addr string) (float64, error) {
	x, err := openProxy(addr)
	if err != nil {
		return 0, err
	}
	defer x.close()
	l, err := sc.kind.open(p.Impl, sc.Shape, x.addr())
	if err != nil {
		return 0, err
	}
	e, ok := l.(exchanger)
	if !ok {
		return 0, errors.New("this load cannot be counted")
	}
	defer e.close()
	n := wireLeast + wireCalls*sc.Shape.Conns*sc.Shape.Callers
	n = min(n, wireLimit/sc.Shape.Body)
	if _, err := e.exchange(n); err != nil {
		return 0, err
	}
	time.Sleep(wireQuiet) // what trails the replies is of the steady state, too
	before := x.bytes.Load()
	calls, err := e.exchange(n)
	if err != nil {
		return 0, err
	}
	time.Sleep(wireQuiet)
	return float64(x.bytes.Load()-before) / float64(calls), nil
}

// A proxy forwards TCP connections to one address and counts the bytes.
type proxy struct {
	l     net.Listener
	to    string
	bytes atomic.Int64
	wg    sync.WaitGroup // acceptLoop and two pumps for each connection

	mu    sync.Mutex // guards following
	ends  []net.Conn // both ends of all connections there were
	ended bool
}

func openProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", loopback)
	if err != nil {
		return nil, err
	}
	x := &proxy{l: l, to: to}
	x.wg.Go(x.acceptLoop)
	return x, nil
}

func (x *proxy) addr() string { return x.l.Addr().String() }

// close ends the proxy and its connections.
func (x *proxy) close() {
	x.l.Close()
	x.mu.Lock()
	x.ended = true
	for _, c := range x.ends {
		c.Close()
	}
	x.mu.Unlock()
	x.wg.Wait()
}

func (x *proxy) acceptLoop() {
	for {
		near, err := x.l.Accept()
		if err != nil {
			return // closed by close
		}
		far, err := net.DialTimeout("tcp", x.to, dialTimeout)
		if err != nil {
			near.Close()
			continue
		}
		x.join(near, far)
	}
}

func (x *proxy) join(near, far net.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		near.Close()
		far.Close()
		return
	}
	x.ends = append(x.ends, near, far)
	x.wg.Go(func() { x.pump(near, far) })
	x.wg.Go(func() { x.pump(far, near) })
}

// pump copies until either end is closed, then closes both.
func (x *proxy) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, readBuffer)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		x.bytes.Add(int64(n))
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
