package runtime_test

import (
	"io"
	"net"
	"sync"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// breakable is a way to a node that the test can break.
type breakable struct {
	at   string // what to dial
	cut  func() // ends all connections, as a crash of either side would
	stop func() // cut, and nobody answers at at any more
}

// breakable returns a way from one node to another, both of which listen. Sockets
// go through a proxy; the in-memory network does it by itself.
func (f *fabric) breakable(from func() *rt.Runtime, to *rt.Runtime) *breakable {
	if f.network != nil {
		cut := func() { f.network.Reset(from().Endpoint(), to.Endpoint()) }
		return &breakable{at: to.Endpoint().String(), cut: cut, stop: cut}
	}
	network := f.kind
	address := "127.0.0.1:0"
	if network == "unix" {
		address = f.address()[len("unix:"):]
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		f.Fatal(err)
	}
	p := &proxy{to: to.Endpoint(), ln: ln, open: map[net.Conn]struct{}{}}
	p.work.Go(p.acceptLoop)
	f.Cleanup(p.stop)
	at := ln.Addr().String()
	if network == "unix" {
		at = "unix:" + at
	}
	return &breakable{at: at, cut: p.cut, stop: p.stop}
}

// proxy forwards connections and can end them all at once.
type proxy struct {
	to   posthaste.Endpoint
	ln   net.Listener
	work sync.WaitGroup

	mu   sync.Mutex // guards open
	open map[net.Conn]struct{}
}

func (p *proxy) acceptLoop() {
	for {
		near, err := p.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial(p.to.Network, p.to.Address)
		if err != nil {
			near.Close()
			continue
		}
		p.mu.Lock()
		p.open[near], p.open[far] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.work.Go(func() { p.pump(near, far) })
		p.work.Go(func() { p.pump(far, near) })
	}
}

func (p *proxy) pump(to, from net.Conn) {
	_, _ = io.Copy(to, from) // however it ends
	if hc, ok := to.(interface{ CloseWrite() error }); ok {
		_ = hc.CloseWrite()
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	clear(p.open)
}

func (p *proxy) stop() {
	p.ln.Close()
	p.cut()
	p.work.Wait()
}
