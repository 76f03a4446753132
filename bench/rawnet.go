package main

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
)

// readBuffer is what the raw baselines read at once; gnet's default.
const readBuffer = 64 << 10

// rawnet is the practical limit over package net: a reader goroutine for each
// connection on both sides, and a mux.
type rawnet struct{}

var (
	_ Remote       = rawnet{}
	_ RemoteTeller = rawnet{}
)

// Serve echoes until stop is called.
func (rawnet) Serve(_ context.Context, listen string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, err
	}
	s := &rawnetServer{l: l, conns: map[net.Conn]bool{}}
	s.wg.Go(s.acceptLoop)
	return l.Addr().String(), s.stop, nil
}

// Dial opens one connection.
func (rawnet) Dial(addr string) (Client, error) { return dialRawnet(addr) }

// DialTeller opens one connection.
func (rawnet) DialTeller(addr string) (Teller, error) { return dialRawnet(addr) }

type rawnetServer struct {
	l    net.Listener
	told atomic.Uint64
	wg   sync.WaitGroup // acceptLoop and one echoLoop for each connection

	mu    sync.Mutex // guards following
	conns map[net.Conn]bool
	ended bool
}

func (s *rawnetServer) acceptLoop() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return // closed by stop
		}
		s.mu.Lock()
		ended := s.ended
		if !ended {
			s.conns[c] = true
			s.wg.Go(func() { s.echoLoop(c) })
		}
		s.mu.Unlock()
		if ended {
			c.Close()
		}
	}
}

func (s *rawnetServer) echoLoop(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	e := &echo{told: &s.told}
	out := netSink{c: c}
	buf := make([]byte, readBuffer)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		pieces, err := e.feed(buf[:n])
		if err != nil {
			return
		}
		if err := out.writePieces(pieces); err != nil {
			return
		}
	}
}

func (s *rawnetServer) stop() {
	s.l.Close()
	s.mu.Lock()
	s.ended = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// A muxClient is a Client and a Teller over a mux.
type muxClient struct {
	*mux
	hangUp func() // ends the reader and waits for it
}

func (c *muxClient) Ask(_ context.Context, req []byte) ([]byte, error) { return c.ask(req, nil) }

func (c *muxClient) AskInto(_ context.Context, req, buf []byte) ([]byte, error) {
	return c.ask(req, buf)
}

func (c *muxClient) Tell(_ context.Context, body []byte) error { return c.tell(body) }

func (c *muxClient) Told(context.Context) (uint64, error) {
	b, err := c.told()
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (c *muxClient) Close() { c.hangUp() }

func dialRawnet(addr string) (*muxClient, error) {
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	m := newMux(&netSink{c: conn})
	var reader sync.WaitGroup
	reader.Go(func() { rawnetReadLoop(conn, m) })
	return &muxClient{m, func() {
		conn.Close()
		reader.Wait()
	}}, nil
}

func rawnetReadLoop(c net.Conn, m *mux) {
	buf := make([]byte, readBuffer)
	for {
		n, err := c.Read(buf)
		if err == nil {
			err = m.feed(buf[:n])
		}
		if err != nil {
			c.Close()
			m.end(err)
			return
		}
	}
}

// A netSink writes to a net.Conn. The vector lives in the sink because
// net.Buffers escapes.
type netSink struct {
	c   net.Conn
	vec net.Buffers
}

func (s *netSink) write(b []byte) error {
	_, err := s.c.Write(b)
	return err
}

func (s *netSink) writev(bs [][]byte) error {
	s.vec = bs
	_, err := s.vec.WriteTo(s.c)
	return err
}

func (s *netSink) writePieces(bs [][]byte) error {
	switch len(bs) {
	case 0:
		return nil
	case 1:
		return s.write(bs[0])
	}
	return s.writev(bs)
}

func (s *netSink) abort() { s.c.Close() }
