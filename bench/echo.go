package main

import (
	"encoding/binary"
	"sync/atomic"
)

// An echo is the server half of the raw baselines, one for each connection. It
// answers a whole read with one write, straight from the read buffer: the reply
// to a call is the frame itself. Owned by the reader of the connection.
type echo struct {
	told *atomic.Uint64 // tells handled by the server, all connections

	carry []byte // a frame of which the end has not arrived
	size  int    // of that frame; 0 while its head is incomplete
	prev  []byte // the carry before, free to be used again
	out   [][]byte
	count [frameHead + 8]byte // the answer to idTold
}

// feed takes what a read brought and returns what must be written, in order. The
// pieces alias b and the echo: they hold until the next feed.
func (e *echo) feed(b []byte) (out [][]byte, err error) {
	e.out = e.out[:0]
	b, err = e.feedCarry(b)
	if err != nil {
		return nil, err
	}
	tells := uint64(0)
	begin, at := 0, 0 // b[begin:at] is a run of calls
	for len(b)-at >= frameHead {
		id, n, err := parseHead(b[at:])
		if err != nil {
			return nil, err
		}
		if len(b)-at < frameHead+n {
			e.size = frameHead + n
			break
		}
		end := at + frameHead + n
		if id < idCall {
			e.push(b[begin:at])
			begin = end
		}
		switch id {
		case idTell:
			tells++
		case idTold:
			e.told.Add(tells)
			tells = 0
			e.pushCount()
		}
		at = end
	}
	if tells > 0 {
		e.told.Add(tells)
	}
	e.push(b[begin:at])
	e.keep(b[at:])
	return e.out, nil
}

// feedCarry completes the frame that the last read left open and returns what
// follows it.
func (e *echo) feedCarry(b []byte) (rest []byte, err error) {
	if len(e.carry) == 0 {
		return b, nil
	}
	if e.size == 0 {
		n := min(frameHead-len(e.carry), len(b))
		e.carry, b = append(e.carry, b[:n]...), b[n:]
		if len(e.carry) < frameHead {
			return nil, nil
		}
		_, size, err := parseHead(e.carry)
		if err != nil {
			return nil, err
		}
		e.size = frameHead + size
	}
	n := min(e.size-len(e.carry), len(b))
	e.keep(b[:n])
	if len(e.carry) < e.size {
		return nil, nil
	}
	e.carried()
	return b[n:], nil
}

// carried handles the completed carry.
func (e *echo) carried() {
	id, _, _ := parseHead(e.carry)
	switch id {
	case idTell:
		e.told.Add(1)
	case idTold:
		e.pushCount()
	default:
		e.push(e.carry)
	}
	e.carry, e.prev, e.size = e.prev[:0], e.carry, 0
}

// keep adds to the carry, which grows to the frame's size at once.
func (e *echo) keep(b []byte) {
	if cap(e.carry) < e.size {
		e.carry = append(make([]byte, 0, e.size), e.carry...)
	}
	e.carry = append(e.carry, b...)
}

func (e *echo) push(b []byte) {
	if len(b) > 0 {
		e.out = append(e.out, b)
	}
}

// pushCount answers idTold. A client has one such question open at a time, so
// one buffer is enough.
func (e *echo) pushCount() {
	b := appendHead(e.count[:0], idTold, 8)
	e.push(binary.LittleEndian.AppendUint64(b, e.told.Load()))
}
