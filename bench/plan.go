package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A plan is the rounds of a command line.
type plan struct {
	rounder
	scenarios []Scenario
	peers     []Peer
	rounds    int
	json      string // file, "" for none
	out       io.Writer

	results []Result
	total   int // rounds of all peers in all scenarios
}

// plan finds out what a command line asks for.
func (b *bench) plan(f flags) (*plan, error) {
	scenarios, err := selectScenarios(b.scenarios, f.run)
	if err != nil {
		return nil, err
	}
	peers, err := selectPeers(b.peers, f.peers)
	if err != nil {
		return nil, err
	}
	if f.rounds < 1 || f.duration <= 0 || f.warmup < 0 || f.grace <= 0 {
		return nil, errors.New("-rounds, -duration and -timeout must be positive, -warmup not negative")
	}
	p := &plan{
		rounder:   rounder{f.warmup, f.duration, f.grace, f.profiles, b.err},
		scenarios: scenarios,
		peers:     peers,
		rounds:    f.rounds,
		json:      f.json,
		out:       b.out,
	}
	for _, sc := range scenarios {
		p.total += len(able(sc, peers)) * f.rounds
	}
	if p.total == 0 {
		return nil, errors.New("none of these peers can run these scenarios")
	}
	return p, p.makeProfiles()
}

// able returns the peers that can run a scenario.
func able(sc Scenario, peers []Peer) []Peer {
	return slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool { return !sc.kind.can(p.Impl) })
}

// unable returns the peers that play the same game, within the process or between
// two, but not this scenario.
func unable(sc Scenario, peers []Peer) []Peer {
	plays := implements[Local]
	if sc.kind.remote {
		plays = implements[Remote]
	}
	return slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool { return sc.kind.can(p.Impl) || !plays(p.Impl) })
}

// run runs all rounds, prints the tables and returns the exit status.
func (p *plan) run(ctx context.Context) int {
	printMachine(p.out, p.peers)
	if isBusy() {
		fmt.Fprintf(p.stderr, "bench: the machine is busy (load average %.2f): only ratios mean anything, if that\n", loadAverage())
	}
	status := exitOK
	for _, sc := range p.scenarios {
		results, err := p.scenario(ctx, sc)
		if len(results) > 0 {
			printTable(p.out, sc, results)
			printUnable(p.out, sc, p.peers)
			printGoals(p.out, sc, results)
		}
		if err != nil {
			fmt.Fprintln(p.stderr, "bench:", err)
			return exitFailed
		}
		if slices.ContainsFunc(results, func(r Result) bool { return r.Error != "" }) {
			status = exitFailed
		}
	}
	return status
}

// scenario runs the rounds of one scenario: A B C, A B C, … An error ends the
// whole run; the failure of a peer is a result.
func (p *plan) scenario(ctx context.Context, sc Scenario) ([]Result, error) {
	begin := len(p.results)
	for round := range p.rounds {
		for _, peer := range able(sc, p.peers) {
			if ctx.Err() != nil {
				return p.results[begin:], context.Cause(ctx)
			}
			r := p.rounder.run(ctx, sc, peer, round+1)
			p.results = append(p.results, r)
			p.progress(r)
			if p.json == "" {
				continue
			}
			if err := writeJSON(p.json, p.results); err != nil {
				return p.results[begin:], err
			}
		}
	}
	return p.results[begin:], nil
}

func (p *plan) progress(r Result) {
	said := siText(r.PerS) + "/s"
	if r.Error != "" {
		said = "failed: " + r.Error
	}
	fmt.Fprintf(p.stderr, "[%*d/%d] %s %s round %d: %s\n", len(fmt.Sprint(p.total)), len(p.results), p.total, r.Scenario, r.Peer, r.Round, said)
}
