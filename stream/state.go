package stream

import "strconv"

// State says which halves of a stream are open, seen from one end. The states
// and their changes are those of HTTP/2 (RFC 9113, section 5.1), without the ones
// for streams that have been promised or have not begun:
//
//	                    ┌──────┐
//	        CloseSend   │ Open │   Finish
//	      ┌─────────────┤      ├─────────────┐
//	      ▼             └──┬───┘             ▼
//	┌─────────────────┐    │     ┌──────────────────┐
//	│ HalfClosedLocal │    │     │ HalfClosedRemote │
//	└─────┬───────────┘    │     └───────────┬──────┘
//	      │ Finish         │ Fail            │ CloseSend
//	      │ Fail, Cancel   │ Cancel          │ Fail, Cancel
//	      │                ▼                 │
//	      │            ┌────────┐            │
//	      └───────────►│ Closed │◄───────────┘
//	                   └────────┘
//
// A state is about frames, not about items: a reader may still find items in a
// stream that is Closed.
type State uint8

// The states.
const (
	Open             State = iota // both ends may send
	HalfClosedLocal               // this end has sent its last item
	HalfClosedRemote              // the peer has sent its last item
	Closed                        // nothing more may be sent by either
)

// String returns the name of s.
func (s State) String() string {
	names := [...]string{"Open", "HalfClosedLocal", "HalfClosedRemote", "Closed"}
	if int(s) < len(names) {
		return names[s]
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// event is what changes a State.
type event uint8

const (
	endSent     event = iota // CloseSend
	endReceived              // Finish
	aborted                  // Fail, Cancel, too much buffered
)

// after returns the state that follows s when e happens. What has happened before
// changes nothing.
func (s State) after(e event) State {
	switch {
	case e == aborted,
		e == endSent && s == HalfClosedRemote,
		e == endReceived && s == HalfClosedLocal:
		return Closed
	case e == endSent && s == Open:
		return HalfClosedLocal
	case e == endReceived && s == Open:
		return HalfClosedRemote
	}
	return s
}
