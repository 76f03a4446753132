package stream

import (
	"errors"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
)

// model is a stream as plain as can be. The property test and the fuzz target
// drive it and a Stream with the same calls.
type model struct {
	s       *Stream
	options Options
	state   State
	items   []int // sizes
	recvEnd error
	sendEnd error
}

func runModel(t *rapid.T) {
	o := Options{MaxBytes: rapid.IntRange(1, 40).Draw(t, "bytes"), MaxItems: rapid.IntRange(1, 20).Draw(t, "items")}
	m := &model{s: New(o), options: o}
	t.Repeat(map[string]func(*rapid.T){
		"deliver": m.deliver, "finish": m.finish, "fail": m.fail, "cancel": m.cancel,
		"recv": m.recv, "recv again": m.recv, "closeSend": m.closeSend, "": m.check,
	})
}

func (m *model) bytes() (n int) {
	for _, size := range m.items {
		n += size
	}
	return n
}

// end ends the halves that have not ended.
func (m *model) end(err error) {
	if m.recvEnd == nil {
		m.recvEnd = err
	}
	if m.sendEnd == nil {
		m.sendEnd = err
	}
	m.state = Closed
}

func (m *model) deliver(t *rapid.T) {
	size := rapid.IntRange(0, 15).Draw(t, "size")
	err := m.s.Deliver(make([]byte, size))
	var want posthaste.Code
	switch {
	case m.recvEnd == io.EOF:
		want = posthaste.Protocol
	case m.recvEnd != nil:
	case len(m.items) == m.options.MaxItems || m.bytes()+size > m.options.MaxBytes:
		want = posthaste.ResourceExhausted
		m.end(err)
	default:
		m.items = append(m.items, size)
	}
	if posthaste.CodeOf(err) != want {
		t.Fatalf("Deliver = %v, want code %v", err, want)
	}
}

func (m *model) finish(*rapid.T) {
	m.s.Finish()
	if m.recvEnd != nil {
		return
	}
	if m.recvEnd = io.EOF; m.state == HalfClosedLocal {
		m.state = Closed
	} else {
		m.state = HalfClosedRemote
	}
}

func (m *model) closeSend(t *rapid.T) {
	m.s.CloseSend()
	if m.sendEnd != nil {
		return
	}
	m.sendEnd = m.s.Reserve(t.Context(), 1)
	if posthaste.CodeOf(m.sendEnd) != posthaste.FailedPrecondition {
		t.Fatalf("Reserve = %v", m.sendEnd)
	}
	if m.state == HalfClosedRemote {
		m.state = Closed
	} else {
		m.state = HalfClosedLocal
	}
}

func (m *model) fail(*rapid.T) {
	err := errors.New("failed")
	m.s.Fail(err)
	m.end(err)
}

func (m *model) cancel(t *rapid.T) {
	err := errors.New("canceled")
	if reset := m.s.Cancel(err); reset != (m.state != Closed) {
		t.Fatalf("reset is %t in state %v", reset, m.state)
	}
	if len(m.items) > 0 {
		m.items, m.recvEnd = nil, err
	}
	m.end(err)
}

func (m *model) recv(t *rapid.T) {
	item, err := m.s.Recv(ended())
	switch {
	case len(m.items) > 0:
		if err != nil || len(item) != m.items[0] {
			t.Fatalf("Recv = %d bytes, %v; want %d", len(item), err, m.items[0])
		}
		m.items = slices.Delete(m.items, 0, 1)
	case m.recvEnd != nil:
		if item != nil || err != m.recvEnd {
			t.Fatalf("Recv = %v; want %v", err, m.recvEnd)
		}
	case posthaste.CodeOf(err) != posthaste.Canceled:
		t.Fatalf("Recv = %v of a stream without item or end", err)
	}
}

// check compares after every step.
func (m *model) check(t *rapid.T) {
	items, size := m.s.Buffered()
	if items != len(m.items) || size != m.bytes() || m.s.State() != m.state {
		t.Fatalf("%v with %d items of %d bytes; want %v, %d, %d", m.s.State(), items, size, m.state, len(m.items), m.bytes())
	}
	if err := m.s.Reserve(t.Context(), 1); err != m.sendEnd {
		t.Fatalf("Reserve = %v, want %v", err, m.sendEnd)
	}
	if closed := m.recvEnd != nil && m.sendEnd != nil; closed != (m.state == Closed) {
		t.Fatalf("%v, though the halves ended with %v and %v", m.state, m.recvEnd, m.sendEnd)
	}
	if m.s.waiting || len(m.s.wake) != 0 {
		t.Fatal("a reader that is gone still counts as waiting")
	}
}

func TestModel(t *testing.T) { rapid.Check(t, runModel) }

func FuzzStream(f *testing.F) { f.Fuzz(rapid.MakeFuzz(runModel)) }
