package wire

import (
	"encoding/binary"

	"github.com/posthaste-go/posthaste"
)

// Phase says how far a GOAWAY goes.
type Phase uint8

// The phases.
const (
	PhaseStop  Phase = 1 // begin nothing new here; requests on their way are still taken in
	PhaseFinal Phase = 2 // Accepted is the cut: later requests did not and will not run
)

// String returns stop or final.
func (p Phase) String() string {
	if p == PhaseStop {
		return "stop"
	}
	return "final"
}

// GoAway is the payload of GOAWAY: the sender wants the connection to end.
//
// After [GoAway.Parse] the slices alias the payload and die with it.
type GoAway struct {
	Phase     Phase
	Code      posthaste.Code // Draining when it is planned, Protocol after a violation
	Accepted  uint64         // ordinal of the last request that the sender took in
	Message   []byte         // UTF-8, for logs
	Successor []byte         // text of the endpoint to use instead; empty is none
}

// AppendGoAway appends a GOAWAY frame. It cannot fail: a phase other than
// PhaseStop becomes PhaseFinal, a message over [MaxErrorText] is cut between two
// runes, a successor over [MaxName] is left out.
func AppendGoAway(dst []byte, g *GoAway) []byte {
	phase, successor := g.Phase, g.Successor
	if phase != PhaseStop {
		phase = PhaseFinal
	}
	if len(successor) > MaxName {
		successor = nil
	}
	start := len(dst)
	dst = append(begin(dst), byte(phase))
	dst = binary.AppendUvarint(dst, uint64(g.Code))
	dst = binary.AppendUvarint(dst, g.Accepted)
	dst = appendBlock(dst, clip(g.Message, MaxErrorText))
	dst = appendBlock(dst, successor)
	return Header{Kind: KindGoAway, Priority: Control}.close(dst, start)
}

// Parse reads the payload of a GOAWAY frame after resetting g, on the terms of
// [Request.Parse].
func (g *GoAway) Parse(payload []byte) error {
	*g = GoAway{}
	c := cursor{b: payload, kind: KindGoAway}
	g.Phase = Phase(c.u8("phase"))
	if c.err == nil && g.Phase != PhaseStop && g.Phase != PhaseFinal {
		c.fail(malformed("GOAWAY phase is %d; there are 1 and 2", g.Phase))
	}
	g.Code = posthaste.Code(c.u32("code"))
	g.Accepted = c.u64("accepted ordinal")
	g.Message = c.block("message", MaxErrorText)
	g.Successor = c.block("successor", MaxName)
	return c.done()
}
