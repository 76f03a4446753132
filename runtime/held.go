package runtime

import (
	"math"

	"github.com/posthaste-go/posthaste"
)

const (
	// maxHeld bounds the bytes that a node holds for other nodes: requests that
	// wait in mailboxes and messages whose fragments are coming in. A mailbox
	// counts messages, which alone would let a peer fill the memory. It is twice the
	// longest message if that is more.
	maxHeld = 256 << 20

	// heldFrom is the shortest body that is counted. What is shorter is bounded by
	// the number of messages.
	heldFrom = 4 << 10
)

// hold counts the body of a request until the request is freed. The error is
// Overloaded.
func (in *inbound) hold() error {
	n := int64(len(in.body))
	if n < heldFrom {
		return nil
	}
	rt := in.session.rt
	if err := rt.checkHeld(n); err != nil {
		return err
	}
	in.held = n
	rt.held.Add(n)
	return nil
}

// letGoBytes ends what hold has begun.
func (in *inbound) letGoBytes() {
	if in.held > 0 {
		in.session.rt.held.Add(-in.held)
		in.held = 0
	}
}

// checkHeld refuses n more bytes if the node holds too many already.
func (rt *Runtime) checkHeld(n int64) error {
	limit := max(maxHeld, 2*int64(min(rt.o.maxMessage, math.MaxInt64/4)))
	if held := rt.held.Load(); held+n > limit {
		return posthaste.Errorf(posthaste.Overloaded, "%s holds %d bytes of large requests that wait; the limit is %d; send slower, or smaller ones", rt.name, held, limit)
	}
	return nil
}

// account reports to the node how much more or less the incomplete messages hold
// than when it was last called. p.mu is held.
func (p *partials) accountLocked() {
	n := int64(p.assembler.Buffered())
	p.rt.held.Add(n - p.counted)
	p.counted = n
}
