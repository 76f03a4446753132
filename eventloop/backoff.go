package eventloop

import (
	"math"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Backoff is how long a [Pool] waits between attempts to connect to a peer that
// does not answer: First, then Factor times as long after each failure up to
// Longest, each time more or less by a random share of up to Jitter so that many
// callers of one peer do not come back at the same instant. It is counted from
// the start of an attempt, so one that took long to fail is followed at once.
type Backoff struct {
	First   time.Duration // 0 means 100 ms
	Longest time.Duration // 0 means 10 s; not less than First
	Factor  float64       // 0 means 1.6; at least 1
	Jitter  float64       // 0 means 0.2; below 1
}

func (b Backoff) withDefaults() (Backoff, error) {
	if b.First == 0 {
		b.First = 100 * time.Millisecond
	}
	if b.Longest == 0 {
		b.Longest = max(10*time.Second, b.First)
	}
	if b.Factor == 0 {
		b.Factor = 1.6
	}
	if b.Jitter == 0 {
		b.Jitter = 0.2
	}
	if b.First < 0 || b.Longest < b.First || !(b.Factor >= 1) || !(b.Jitter >= 0 && b.Jitter < 1) {
		return b, posthaste.Errorf(posthaste.InvalidArgument,
			"eventloop: Backoff needs 0 < First <= Longest, Factor >= 1 and 0 <= Jitter < 1, not %+v", b)
	}
	return b, nil
}

// wait returns how long to wait after the given number of failures in a row. u
// is random, from 0 to 1.
func (b Backoff) wait(failures int, u float64) time.Duration {
	if failures < 1 {
		return 0
	}
	d := min(float64(b.First)*math.Pow(b.Factor, float64(failures-1)), float64(b.Longest))
	return time.Duration(d * (1 + b.Jitter*(2*u-1)))
}
