package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// What a node has cost so far, as a peak-biased moving average of round trips.
//
// A round trip above the average replaces it at once; one below pulls it down
// by as much as the time since the last sample allows. The average fades while
// nothing is reported, so a node that was slow is tried again. The algorithm is
// Finagle's PeakEwma (util: com.twitter.finagle.loadbalancer.PeakEwma), also
// found in linkerd and brpc.
//
// Two things differ. Finagle writes the faded average back on every read; here
// reading is pure, so what is learned does not depend on how often it is looked
// at. And a failure is charged as a slow call, as linkerd's load biaser does,
// because a node that refuses everything answers faster than all others and
// would attract the whole load (ingress-nginx#9882).
const (
	// decayTime is how long it takes for a sample to lose all but 1/e of its
	// say: Finagle's default. Longer remembers a bad node longer, shorter
	// forgets what little was measured on a quiet one.
	decayTime = 10 * time.Second

	// failFactor is how much slower than before a failed call counts.
	failFactor = 5

	// failStart stands for the cost of a node that fails before anything was
	// measured: linkerd's first guess for a round trip.
	failStart = 30 * time.Millisecond

	// failMax ends the growth of repeated failures: what linkerd charges for
	// one. Fading from there to a millisecond takes about 85 s.
	failMax = 5 * time.Second

	// costMax bounds every sample, so that a RetryAfter of years, which a peer
	// may send, cannot leave the range of a time.Duration.
	costMax = time.Hour
)

// cost is the average with the time of its last change, shared without a lock.
// Both live in one word, so a reader never sees the one without the other:
// float32 nanoseconds above, uint32 milliseconds below. The zero cost knows
// nothing.
//
// Milliseconds wrap after 49 days; a node without any sample for longer than
// half of that fades late, and nothing worse. Samples within one millisecond
// have no time between them: only their peak counts, and most of them need no
// write at all.
type cost struct{ word atomic.Uint64 }

// at returns the faded average in nanoseconds at time now, 0 for not known.
func (c *cost) at(now int64) float64 {
	return unpack(c.word.Load()).at(millis(now))
}

// observe adds a successful round trip that ended at time now.
func (c *cost) observe(now int64, rtt time.Duration) {
	c.update(func(s sample) sample { return s.observe(millis(now), float64(min(rtt, costMax))) })
}

// fail adds a failed call that ended at time now.
func (c *cost) fail(now int64, rtt time.Duration) {
	c.update(func(s sample) sample { return s.fail(millis(now), float64(min(rtt, costMax))) })
}

// update applies f until no other goroutine came between: a lost peak would
// hide that the node is slow. f is small and does not escape.
func (c *cost) update(f func(sample) sample) {
	for {
		was := c.word.Load()
		is := f(unpack(was)).pack()
		if is == was || c.word.CompareAndSwap(was, is) {
			return
		}
	}
}

// sample is the unpacked form of cost: a value with pure methods.
type sample struct {
	nanos float32 // the average when it last changed; 0 means not known
	stamp uint32  // when that was, in milliseconds
}

func unpack(word uint64) sample {
	return sample{nanos: math.Float32frombits(uint32(word >> 32)), stamp: uint32(word)}
}

func (s sample) pack() uint64 {
	return uint64(math.Float32bits(s.nanos))<<32 | uint64(s.stamp)
}

func (s sample) at(now uint32) float64 {
	return float64(s.nanos) * decay(s.elapsed(now))
}

func (s sample) observe(now uint32, rtt float64) sample {
	elapsed := s.elapsed(now)
	if average := float64(s.nanos); rtt < average {
		w := decay(elapsed)
		rtt = rtt*(1-w) + average*w
	}
	return sample{nanos: float32(rtt), stamp: s.stamp + elapsed}
}

// fail charges for a failure by the average as it was stored, not as it has
// faded: a node that fails again whenever it is tried is tried ever more rarely.
func (s sample) fail(now uint32, rtt float64) sample {
	base := float64(s.nanos)
	if base == 0 {
		base = float64(failStart)
	}
	charge := min(failFactor*base, float64(failMax))
	return s.observe(now, max(charge, rtt))
}

// elapsed returns the milliseconds since the last change. Two goroutines may
// report in another order than they read the clock: the past counts as now. An
// average of nothing has no past.
func (s sample) elapsed(now uint32) uint32 {
	if d := now - s.stamp; s.nanos == 0 || int32(d) > 0 {
		return d
	}
	return 0
}

// decay returns what is left of a sample's weight after so many milliseconds.
func decay(elapsed uint32) float64 {
	if elapsed == 0 {
		return 1
	}
	return math.Exp(-float64(elapsed) / float64(decayTime/time.Millisecond))
}

func millis(nanos int64) uint32 { return uint32(nanos / int64(time.Millisecond)) }
