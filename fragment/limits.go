package fragment

import (
	"cmp"
	"math"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Limits bounds what the incomplete messages of one connection may hold. A field
// that is zero means its default. Larger limits let a peer hold more memory;
// smaller ones refuse honest messages.
type Limits struct {
	// Message is the largest message, in bytes: 16 MiB. Both sides should agree
	// on it, or the one with the larger limit sends what the other refuses.
	Message uint64

	// Conn is the most that the incomplete messages of the connection may take
	// together, in bytes, each counted with the size it declared: 64 MiB. It
	// should hold several of the largest messages, and is never below Message.
	Conn uint64

	// Partials is the most messages that may be incomplete at once: 128.
	Partials int

	// Gap is the longest time without a new byte of a message: 10 s. It must
	// cover the longest stall of an honest peer's line.
	Gap time.Duration
}

// withDefaults returns l with its zero fields set. What this machine cannot
// address is no limit.
func (l Limits) withDefaults() Limits {
	l.Message = min(cmp.Or(l.Message, 16<<20), math.MaxInt)
	l.Conn = max(cmp.Or(l.Conn, 64<<20), l.Message)
	if l.Partials <= 0 {
		l.Partials = 128
	}
	if l.Gap <= 0 {
		l.Gap = 10 * time.Second
	}
	return l
}

// ── errors, one for each way to break a limit or a message ──────────────────

// tooLarge: the sender's fault; sending it again cannot help.
func (l Limits) tooLarge(id uint32, size uint64) error {
	return posthaste.Errorf(posthaste.TooLarge,
		"fragment: message %d has %d bytes or more; the limit is %d (fragment.Limits.Message); send less, or use a stream",
		id, size, l.Message)
}

// noRoom: nobody's fault; it helps to send it again when others are complete.
func (l Limits) noRoom(id uint32, size, taken uint64) error {
	return posthaste.Errorf(posthaste.ResourceExhausted,
		"fragment: message %d needs %d bytes while incomplete messages of this connection take %d; the limit is %d (fragment.Limits.Conn); send fewer large messages at once",
		id, size, taken, l.Conn)
}

// tooMany: as noRoom, for their number.
func (l Limits) tooMany(id uint32) error {
	return posthaste.Errorf(posthaste.ResourceExhausted,
		"fragment: message %d would be incomplete beside %d others of this connection; the limit is %d (fragment.Limits.Partials); send fewer large messages at once",
		id, l.Partials, l.Partials)
}

// late: the sender or the line stalled; the message is not known to anybody.
func (l Limits) late() error {
	return posthaste.Errorf(posthaste.FragmentTimeout,
		"fragment: the next piece did not come within %v (fragment.Limits.Gap)", l.Gap)
}

// broken: the sender does not follow the protocol.
func broken(id uint32, what string) error {
	return posthaste.Errorf(posthaste.Protocol, "fragment: message %d: %s", id, what)
}
