package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste/internal/clock"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNowIsAtMostOneResolutionBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer c.Stop()
		start := time.Now()
		for _, pause := range []time.Duration{0, 10 * time.Millisecond, time.Hour, 700 * time.Microsecond} {
			time.Sleep(pause)
			behind := time.Since(start) - time.Duration(c.Now())
			if behind < 0 || behind > clock.Resolution {
				t.Errorf("after %v the clock is %v behind, want 0 to %v", pause, behind, clock.Resolution)
			}
		}
	})
}

func TestReadingsAndInstantsConvert(t *testing.T) {
	c := clock.New()
	defer c.Stop()
	now := c.Now()
	if got := c.Of(c.At(now)); got != now {
		t.Errorf("Of(At(%d)) = %d", now, got)
	}
}

func TestIdleClockEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Now()
		time.Sleep(time.Second) // of virtual time, in which the clock goes idle
		synctest.Wait()
		// The bubble fails the test if the goroutine is still there.
	})
}

func TestStoppedClockStillTellsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Now()
		c.Stop()
		time.Sleep(time.Minute)
		if got := time.Duration(c.Now()); got != time.Minute {
			t.Errorf("Now() = %v after a minute, want exactly that", got)
		}
		c.Stop() // again: no harm
	})
}

func TestConcurrentLooksAndStop(t *testing.T) {
	c := clock.New()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := int64(0)
			for range 1000 {
				now := c.Now()
				if now < last-int64(clock.Resolution) {
					t.Errorf("time went back from %d to %d", last, now)
				}
				last = now
			}
		})
	}
	c.Stop()
	wg.Wait()
}

func BenchmarkNow(b *testing.B) {
	c := clock.New()
	defer c.Stop()
	for b.Loop() {
		c.Now()
	}
}
