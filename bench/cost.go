package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"golang.org/x/sys/unix"
)

// A Cost is what a process has used since it began.
type Cost struct {
	Wall    time.Duration `json:"wall"` // since an arbitrary moment
	CPU     time.Duration `json:"cpu"`  // user and system
	Mallocs uint64        `json:"mallocs"`
	Sleeps  uint64        `json:"sleeps"`  // times that a thread went to sleep, to be woken
	Machine time.Duration `json:"machine"` // what all processes have used, and other guests took; 0 if unknown
}

// A meter reads the costs of this process.
type meter struct{ epoch time.Time }

func newMeter() meter { return meter{time.Now()} }

func (m meter) read() (Cost, error) {
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		return Cost{}, fmt.Errorf("getrusage: %w", err)
	}
	return Cost{
		Wall:    time.Since(m.epoch),
		CPU:     time.Duration(use.Utime.Nano() + use.Stime.Nano()),
		Mallocs: heap.Mallocs,
		Sleeps:  uint64(use.Nvcsw),
		Machine: machineBusy(),
	}, nil
}

// A Rate is what a process uses while one second passes.
type Rate struct {
	CPU     float64 `json:"cpu"` // seconds
	Mallocs float64 `json:"mallocs"`
	Sleeps  float64 `json:"sleeps"`
	Machine float64 `json:"machine"` // seconds
}

// rate returns what was used between two readings, per second. The windows of
// two processes differ by the delay of the control channel; their rates compare.
func rate(from, to Cost) Rate {
	s := (to.Wall - from.Wall).Seconds()
	if s <= 0 {
		return Rate{}
	}
	return Rate{
		CPU:     (to.CPU - from.CPU).Seconds() / s,
		Mallocs: float64(to.Mallocs-from.Mallocs) / s,
		Sleeps:  float64(to.Sleeps-from.Sleeps) / s,
		Machine: (to.Machine - from.Machine).Seconds() / s,
	}
}

// startProfile writes a CPU profile to file until stop is called. An empty file
// name means no profile.
func startProfile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
