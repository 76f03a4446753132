package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// busyLoad is the load average, per processor, from which on figures are worth
// little.
const busyLoad = 0.3

// printMachine says where and with what the figures were made.
func printMachine(w io.Writer, peers []Peer) {
	fmt.Fprintf(w, "%s, %d processors, %s\n", processor(), runtime.NumCPU(), system())
	fmt.Fprintf(w, "%s, GOMAXPROCS %d, %s, load average %.2f\n",
		runtime.Version(), runtime.GOMAXPROCS(0), time.Now().Format(time.DateOnly), loadAverage())
	for _, p := range peers {
		if p.Module != "" {
			fmt.Fprintf(w, "%s: %s %s\n", p.Name, p.Module, moduleVersion(p.Module))
		}
	}
}

// processor returns the model of the first processor, where Linux tells it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func system() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// loadAverage returns the load of the last minute, 0 where Linux does not tell it.
func loadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var one float64
	_, _ = fmt.Sscan(string(b), &one)
	return one
}

// machineBusy returns how long the processors have not been idle, added up, since
// the machine started; 0 where Linux does not tell it. Its unit is 10 ms.
func machineBusy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var user, nice, system, idle, wait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+softirq+steal) * 10 * time.Millisecond
}

func isBusy() bool { return loadAverage() > busyLoad*float64(runtime.NumCPU()) }

// moduleVersion returns the version of a module that this program was built
// with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, m := range info.Deps {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			return "(" + m.Replace.Path + ")"
		}
		return m.Version
	}
	return "(not linked)"
}
