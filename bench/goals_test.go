package main

import (
	"bytes"
	"testing"
)

func TestGoals(t *testing.T) {
	sc := Scenario{Name: "local/tell/1to1"}
	result := func(peer string, perS, allocs float64) Result {
		return Result{Peer: peer, PerS: perS, Allocs: allocs}
	}
	var b bytes.Buffer
	printGoals(&b, sc, []Result{
		result("posthaste", 30, 9), result("posthaste", 20, 9), result("posthaste", 10, 0), // medians count
		result("chan", 10, 0), result("hollywood", 16, 0), {Peer: "protoactor", Error: "gone"},
	})
	want := `  goal met: at least 1 x chan, it is 2
  goal missed: at least 2 x hollywood, it is 1.25
  goal missed: allocs at most 0.005, it is 9
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	printGoals(&b, sc, []Result{result("chan", 10, 0)})
	if b.Len() > 0 {
		t.Errorf("goals without posthaste: %s", &b)
	}
}

// TestGoalsExist wants every goal to be one of a scenario.
func TestGoalsExist(t *testing.T) {
	for name := range goals {
		if _, err := find(scenarios(), name, func(s Scenario) string { return s.Name }); err != nil {
			t.Error(err)
		}
	}
}
