// Package clock tells the time cheaply and roughly: one atomic load instead of a
// call of [time.Now], at the price of a [Resolution].
//
// It hides a goroutine that keeps the time while anybody looks at it, and ends
// soon after the last look, so that an idle program does not wake up.
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Resolution is how far behind Now may be while the process is not starved of
// CPU.
const Resolution = time.Millisecond

// idleTicks is how many ticks without a look end the goroutine.
const idleTicks = 100

// Clock is a coarse monotonic clock. It is safe for concurrent use.
type Clock struct {
	base    time.Time    // set once in New
	nanos   atomic.Int64 // since base, as of the last tick
	used    atomic.Bool  // somebody looked since the last tick
	ticking atomic.Bool  // tickLoop runs; changes under mu

	mu      sync.Mutex // guards following
	stopped bool
	quit    chan struct{} // closed by Stop
	alive   sync.WaitGroup
}

// New returns a clock that starts at zero. Stop ends its goroutine.
func New() *Clock {
	return &Clock{base: time.Now(), quit: make(chan struct{})}
}

// Now returns the nanoseconds since the clock was made, at most [Resolution]
// behind. It costs one or two atomic loads.
func (c *Clock) Now() int64 {
	if !c.ticking.Load() {
		return c.start()
	}
	if !c.used.Load() {
		c.used.Store(true)
	}
	return c.nanos.Load()
}

// At returns the instant of a reading.
func (c *Clock) At(nanos int64) time.Time { return c.base.Add(time.Duration(nanos)) }

// Of returns the reading at an instant.
func (c *Clock) Of(t time.Time) int64 { return int64(t.Sub(c.base)) }

// start has the goroutine run, and returns the exact time.
func (c *Clock) start() int64 {
	now := int64(time.Since(c.base))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || c.ticking.Load() {
		return now
	}
	c.nanos.Store(now)
	c.used.Store(true)
	c.ticking.Store(true)
	c.alive.Go(c.tickLoop)
	return now
}

// tickLoop keeps the time until nobody has looked for idleTicks, or Stop.
func (c *Clock) tickLoop() {
	ticker := time.NewTicker(Resolution)
	defer ticker.Stop()
	for idle := 0; ; {
		select {
		case <-ticker.C:
		case <-c.quit:
			return
		}
		c.nanos.Store(int64(time.Since(c.base)))
		if c.used.Swap(false) {
			idle = 0
		} else if idle++; idle >= idleTicks && c.rest() {
			return
		}
	}
}

// rest ends the ticking unless somebody has just looked.
func (c *Clock) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used.Load() {
		return false
	}
	c.ticking.Store(false)
	return true
}

// Stop ends the goroutine and waits for it. Now goes on to work, at the cost of
// time.Now.
func (c *Clock) Stop() {
	c.mu.Lock()
	if !c.stopped {
		c.stopped = true
		close(c.quit)
	}
	c.mu.Unlock()
	c.alive.Wait()
	c.ticking.Store(false)
}
