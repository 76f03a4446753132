package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// stopGrace is how long callers may take to come back after the end of a
	// load. Nothing is lost in a healthy peer, so it is never reached.
	stopGrace = 10 * time.Second

	// samples is how many operations share one check of content and, where an
	// operation takes nanoseconds, one look at the clock or one publication of
	// a counter. A power of two.
	samples = 64

	longest = int64(time.Minute) // a latency above it counts as this
)

// A load keeps a peer busy from start to stop.
type load interface {
	// start begins the load. It does not return an error: see failed.
	start()

	// record says whether latencies count from now on.
	record(on bool)

	// done returns how many operations the peer has completed.
	done() (count, error)

	// failed receives the first error of the load; it is never closed.
	failed() <-chan error

	// stop ends the load, checks that nothing was lost and returns the
	// latencies, nil if the load has none.
	stop() (*hdrhistogram.Histogram, error)
}

// A count is how many operations were completed at a moment, which may have passed
// if operations come in batches.
type count struct {
	n  uint64
	at time.Time
}

func countNow(n uint64) count { return count{n, time.Now()} }

// A finite load comes to an end by itself, which ends the window.
type finite interface {
	// finished is closed at the end.
	finished() <-chan struct{}
}

// A gauged load measures more than calls.
type gauged interface {
	// gauges returns what was measured. The load has been stopped.
	gauges() Gauges
}

// An exchanger is a load that can also run a fixed number of operations, from
// rest to rest, so that the bytes they cost can be counted.
type exchanger interface {
	// exchange runs at least n operations and returns how many there were. The
	// load is not started.
	exchange(n int) (int, error)

	// close releases the connections.
	close()
}

// A crew is the goroutines of a load.
type crew struct {
	recording atomic.Bool
	stopping  atomic.Bool
	first     chan error // capacity 1
	wg        sync.WaitGroup
}

func newCrew() *crew { return &crew{first: make(chan error, 1)} }

func (c *crew) record(on bool)       { c.recording.Store(on) }
func (c *crew) failed() <-chan error { return c.first }

// hire runs f in a goroutine. f returns soon after stopping is set.
func (c *crew) hire(f func() error) {
	c.wg.Go(func() {
		if err := f(); err != nil {
			select {
			case c.first <- err:
			default: // only the first is told
			}
		}
	})
}

// dismiss sets stopping, waits for the goroutines and returns the first error.
func (c *crew) dismiss() error {
	c.stopping.Store(true)
	return c.wait()
}

func (c *crew) wait() error {
	gone := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case err := <-c.first:
		return err // the others may hang
	case <-time.After(stopGrace):
		return fmt.Errorf("callers still wait %v after the end: replies were lost", stopGrace)
	}
	select {
	case err := <-c.first:
		return err
	default:
		return nil
	}
}

// A tally is the count and the latencies of one goroutine, alone on its cache
// lines.
type tally struct {
	_     [64]byte
	count atomic.Uint64 // stored by the goroutine only
	lat   *hdrhistogram.Histogram
	_     [64]byte
}

func newTally() *tally { return &tally{lat: newLatencies()} }

// newLatencies counts nanoseconds, one per cent apart. More precision would not
// leave a thousand of them in the cache.
func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 2) }

func (t *tally) add(d time.Duration) { _ = t.lat.RecordValue(min(int64(d), longest)) }

func sumTallies(ts []*tally) uint64 {
	var n uint64
	for _, t := range ts {
		n += t.count.Load()
	}
	return n
}

func mergeTallies(ts []*tally) *hdrhistogram.Histogram {
	all := newLatencies()
	for _, t := range ts {
		all.Merge(t.lat)
	}
	return all
}
