package mailbox

// Lane is a priority class within a mailbox. System goes before all else; the
// others share turns 8 : 4 : 1, so that none starves.
type Lane uint8

// The lanes, most urgent first.
const (
	System Lane = iota // the runtime's own; never refused, never counted
	High
	Normal
	Bulk
	lanes
)

// burst is how many messages of a lane are handled before the next one has its
// chance.
var burst = [lanes]int32{High: 8, Normal: 4, Bulk: 1}

// laneSet is a set of lanes, one bit each.
type laneSet = uint32

func only(l Lane) laneSet { return 1 << l }

// rotation is the order in which the lanes have their turns. System messages
// stand outside of it: the lane they interrupt goes on where it was, or a trickle
// of them would keep the rotation at its start and starve what comes later.
type rotation struct {
	lane Lane  // whose burst it is
	left int32 // of the burst
}

// peek returns the lane whose message is next if those in set, which is not
// empty, have messages.
func (r *rotation) peek(set laneSet) Lane {
	if set&only(System) != 0 {
		return System
	}
	if r.left > 0 && set&only(r.lane) != 0 {
		return r.lane
	}
	for lane := r.lane + 1; ; lane++ {
		if lane >= lanes {
			lane = High
		}
		if set&only(lane) != 0 {
			return lane
		}
	}
}

// advance is peek that also counts the message.
func (r *rotation) advance(set laneSet) Lane {
	lane := r.peek(set)
	if lane == System {
		return lane
	}
	if lane != r.lane || r.left == 0 {
		r.lane, r.left = lane, burst[lane]
	}
	r.left--
	return lane
}
