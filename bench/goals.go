package main

import (
	"fmt"
	"io"
)

// A goal is what posthaste has to reach in a scenario: so many times the rate of
// another peer in the same run, or a figure that is not above a limit.
type goal struct {
	than   string // peer; "" for a figure
	factor float64

	figure string
	of     func(Result) float64
	limit  float64
}

// goals are those of each scenario that has any. They are for an idle machine with
// two processors.
var goals = map[string][]goal{
	"local/tell/1to1":         append(faster(1, 2), noAllocations),
	"local/tell/8to1":         faster(0.8, 1.5),
	"local/pingpong/1":        faster(2, 0),
	"local/pingpong/100":      faster(3, 0),
	"local/ask/1":             append(faster(1, 1.5), noAllocations),
	"local/askinline/1":       faster(3, 0),
	"local/ask/256x256":       faster(1, 0),
	"local/askinline/256x256": faster(4, 0),
	"local/ring/100k":         faster(0, 1.5),
	"local/fanout/10k":        faster(0, 1.5),
	"local/blocking":          {atMost(5000, "p99 us", func(r Result) float64 { return r.P99us })},
	"local/spawn/1M": {
		atMost(400, "heap B", func(r Result) float64 { return r.HeapB }),
		atMost(400, "rss B", func(r Result) float64 { return r.RSSB }),
		atMost(0.001, "goroutines", func(r Result) float64 { return r.Goroutines }),
	},
	"local/idle/100k": {atMost(0.1, "cpu %", func(r Result) float64 { return r.CPUPct })}, // the driver has some
}

// noAllocations is what the tables print as 0.00: the rest of the process has some.
var noAllocations = atMost(0.005, "allocs", func(r Result) float64 { return r.Allocs })

// faster wants so many times the rate of chan, and of every actor library; 0 is no
// goal.
func faster(chans, libraries float64) []goal {
	var gs []goal
	if chans > 0 {
		gs = append(gs, goal{than: "chan", factor: chans})
	}
	if libraries > 0 {
		gs = append(gs, goal{than: "hollywood", factor: libraries}, goal{than: "protoactor", factor: libraries})
	}
	return gs
}

func atMost(limit float64, figure string, of func(Result) float64) goal {
	return goal{figure: figure, of: of, limit: limit}
}

// printGoals says how far posthaste is, if it was measured and so was the peer that
// it is compared with.
func printGoals(w io.Writer, sc Scenario, results []Result) {
	ours, _ := split(results, "posthaste")
	for _, g := range goals[sc.Name] {
		theirs, _ := split(results, g.than)
		switch {
		case len(ours) == 0:
		case g.than == "":
			is := median(ours, g.of)
			fmt.Fprintf(w, "  goal %s: %s at most %v, it is %.3g\n", verdict(is <= g.limit), g.figure, g.limit, is)
		case len(theirs) > 0:
			is := median(ours, perSecond.of) / median(theirs, perSecond.of)
			fmt.Fprintf(w, "  goal %s: at least %v x %s, it is %.3g\n", verdict(is >= g.factor), g.factor, g.than, is)
		}
	}
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

func median(rs []Result, of func(Result) float64) float64 {
	_, mid, _ := spread(rs, of)
	return mid
}
