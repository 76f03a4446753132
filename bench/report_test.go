package main

import (
	"bytes"
	"regexp"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	result := func(peer string, perS float64) Result {
		return Result{Peer: peer, PerS: perS, P50us: 12.345, P99us: 234.5, P999us: 5000, CliCPUus: 1, SrvCPUus: 0.5, WireBytes: 144, MiBs: 3}
	}
	failed := Result{Peer: "b", Round: 2, Error: "it broke"}
	gone := Result{Peer: "c", Round: 1, Error: "gone"}
	noisy := result("a", 100_000)
	noisy.OtherCPUs = 1.26
	sc := Scenario{Name: "remote/x", About: "a test", kind: remoteAsk}
	var b bytes.Buffer
	printTable(&b, sc, []Result{result("a", 300_000), result("b", 1_500_000), gone, result("a", 200_000), failed, noisy})
	want := `
remote/x: a test
  peer   per s        min-max  ratio  p50 us  p99 us  p999 us  cpu us  client  server  allocs  wire B  MiB/s
     a   200 k    100 k-300 k   1.00    12.3     234     5000    1.50    1.00    0.50    0.00     144   3.00
     b  1.50 M  1.50 M-1.50 M   7.50    12.3     234     5000    1.50    1.00    0.50    0.00     144   3.00
     c  failed
  not alone: other programs kept 0.0 processors busy, 1.3 in the worst round
  failed: b, round 2: it broke
  failed: c, round 1: gone
`
	if got := regexp.MustCompile(" +\n").ReplaceAllString(b.String(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSpread(t *testing.T) {
	of := func(r Result) float64 { return r.PerS }
	for _, c := range []struct {
		in          []float64
		lo, mid, hi float64
	}{
		{[]float64{3}, 3, 3, 3},
		{[]float64{4, 1}, 1, 2.5, 4},
		{[]float64{9, 1, 5}, 1, 5, 9},
	} {
		var rs []Result
		for _, v := range c.in {
			rs = append(rs, Result{PerS: v})
		}
		if lo, mid, hi := spread(rs, of); lo != c.lo || mid != c.mid || hi != c.hi {
			t.Errorf("%v: %v %v %v", c.in, lo, mid, hi)
		}
	}
}

// TestFill wants costs per call to be those of both processes, however long each
// was observed.
func TestFill(t *testing.T) {
	client := rate(Cost{}, Cost{Wall: 2 * time.Second, CPU: time.Second, Mallocs: 4000, Machine: 3 * time.Second})
	server := rate(Cost{Wall: time.Second}, Cost{Wall: 5 * time.Second, CPU: time.Second, Mallocs: 12000})
	var r Result
	r.fill(outcome{Calls: 2000, Seconds: 2, Rate: client}, server, mib)
	want := Result{PerS: 1000, CliCPUus: 500, SrvCPUus: 250, Allocs: 5, MiBs: 1000, Calls: 2000, Seconds: 2, OtherCPUs: 0.75, CPUPct: 50}
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
}
