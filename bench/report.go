package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// quietCPUs is how many processors other programs may use without being mentioned.
const quietCPUs = 0.1

// A figure is a column of the tables: how to get it from a result and how to
// print it.
type figure struct {
	title string
	of    func(Result) float64
	text  func(float64) string
}

var (
	perSecond = figure{"per s", func(r Result) float64 { return r.PerS }, siText}

	remoteFigures = []figure{
		{"p50 us", func(r Result) float64 { return r.P50us }, threeDigits},
		{"p99 us", func(r Result) float64 { return r.P99us }, threeDigits},
		{"p999 us", func(r Result) float64 { return r.P999us }, threeDigits},
		{"cpu us", func(r Result) float64 { return r.CliCPUus + r.SrvCPUus }, threeDigits},
		{"client", func(r Result) float64 { return r.CliCPUus }, threeDigits},
		{"server", func(r Result) float64 { return r.SrvCPUus }, threeDigits},
		{"allocs", func(r Result) float64 { return r.Allocs }, twoPlaces},
		{"wire B", func(r Result) float64 { return r.WireBytes }, whole},
		{"MiB/s", func(r Result) float64 { return r.MiBs }, threeDigits},
	}
	costFigures = []figure{
		{"cpu us", func(r Result) float64 { return r.CliCPUus }, threeDigits},
		{"allocs", func(r Result) float64 { return r.Allocs }, twoPlaces},
	}
	latencyFigures = []figure{
		{"p50 us", func(r Result) float64 { return r.P50us }, threeDigits},
		{"p99 us", func(r Result) float64 { return r.P99us }, threeDigits},
		{"p999 us", func(r Result) float64 { return r.P999us }, threeDigits},
	}
	weightFigures = []figure{
		{"heap B", func(r Result) float64 { return r.HeapB }, whole},
		{"rss B", func(r Result) float64 { return r.RSSB }, whole},
		{"goroutines", func(r Result) float64 { return r.Goroutines }, twoPlaces},
	}

	nanoseconds    = []figure{{"ns", func(r Result) float64 { return 1e9 / r.PerS }, threeDigits}}
	localFigures   = slices.Concat(nanoseconds, costFigures)
	askFigures     = slices.Concat(nanoseconds, latencyFigures, costFigures)
	blockedFigures = slices.Concat(latencyFigures, []figure{
		{"asleep", func(r Result) float64 { return r.Asleep }, whole},
		{"cpu %", func(r Result) float64 { return r.CPUPct }, twoPlaces},
	})
	spawnFigures = slices.Concat([]figure{
		{"spawn ns", func(r Result) float64 { return r.SpawnNs }, whole},
		{"stop ns", func(r Result) float64 { return r.StopNs }, whole},
	}, weightFigures)
	idleFigures = slices.Concat([]figure{
		{"cpu %", func(r Result) float64 { return r.CPUPct }, twoPlaces},
		{"wake-ups/s", func(r Result) float64 { return r.Sleeps }, threeDigits},
	}, weightFigures)
)

// printTable prints the medians of one scenario, a line for each peer. The ratio
// is to the first peer that has a figure.
func printTable(w io.Writer, sc Scenario, results []Result) {
	fmt.Fprintf(w, "\n%s: %s\n", sc.Name, sc.About)
	figures := sc.kind.figures
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "peer\t%s\tmin-max\tratio\t%s\t\n", perSecond.title, titles(figures))
	var failures []string
	first := 0.0
	for _, peer := range peersOf(results) {
		good, bad := split(results, peer)
		for _, r := range bad {
			failures = append(failures, fmt.Sprintf("%s, round %d: %s", peer, r.Round, r.Error))
		}
		if len(good) == 0 {
			fmt.Fprintf(t, "%s\tfailed\t\t\t%s\t\n", peer, strings.Repeat("\t", len(figures)-1))
			continue
		}
		lo, mid, hi := spread(good, perSecond.of)
		if first == 0 {
			first = mid
		}
		fmt.Fprintf(t, "%s\t%s\t%s-%s\t%.2f\t%s\t\n", peer, siText(mid), siText(lo), siText(hi), mid/first, medians(figures, good))
	}
	t.Flush()
	printOthers(w, results)
	for _, f := range failures {
		fmt.Fprintf(w, "  failed: %s\n", f)
	}
}

// printOthers warns of rounds during which the machine had other work.
func printOthers(w io.Writer, results []Result) {
	good := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Error != "" })
	if len(good) == 0 {
		return
	}
	_, mid, hi := spread(good, func(r Result) float64 { return r.OtherCPUs })
	if hi > quietCPUs {
		fmt.Fprintf(w, "  not alone: other programs kept %.1f processors busy, %.1f in the worst round\n", mid, hi)
	}
}

// printUnable names the peers that lack what a scenario is about.
func printUnable(w io.Writer, sc Scenario, peers []Peer) {
	if names := peerNames(unable(sc, peers)); names != "" {
		fmt.Fprintf(w, "  not supported: %s\n", names)
	}
}

func peerNames(peers []Peer) string {
	var names []string
	for _, p := range peers {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func titles(fs []figure) string {
	var s []string
	for _, f := range fs {
		s = append(s, f.title)
	}
	return strings.Join(s, "\t")
}

func medians(fs []figure, rs []Result) string {
	var s []string
	for _, f := range fs {
		_, mid, _ := spread(rs, f.of)
		s = append(s, f.text(mid))
	}
	return strings.Join(s, "\t")
}

// peersOf returns the peers in the order of their first result.
func peersOf(rs []Result) []string {
	var names []string
	for _, r := range rs {
		if !slices.Contains(names, r.Peer) {
			names = append(names, r.Peer)
		}
	}
	return names
}

func split(rs []Result, peer string) (good, bad []Result) {
	for _, r := range rs {
		switch {
		case r.Peer != peer:
		case r.Error != "":
			bad = append(bad, r)
		default:
			good = append(good, r)
		}
	}
	return good, bad
}

// spread returns the least, the median and the greatest of a figure. There is at
// least one result.
func spread(rs []Result, of func(Result) float64) (lo, mid, hi float64) {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = of(r)
	}
	slices.Sort(vs)
	n := len(vs)
	return vs[0], (vs[(n-1)/2] + vs[n/2]) / 2, vs[n-1]
}

// siText prints 1234567 as 1.23 M.
func siText(v float64) string {
	switch {
	case v >= 1e6:
		return threeDigits(v/1e6) + " M"
	case v >= 1e3:
		return threeDigits(v/1e3) + " k"
	}
	return threeDigits(v)
}

// threeDigits prints 0, which stands for what was not measured, as a dash.
func threeDigits(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func twoPlaces(v float64) string { return fmt.Sprintf("%.2f", v) }
func whole(v float64) string     { return fmt.Sprintf("%.0f", v) }

// writeJSON replaces file by the results.
func writeJSON(file string, rs []Result) error {
	if rs == nil {
		rs = []Result{}
	}
	b, err := json.MarshalIndent(rs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
