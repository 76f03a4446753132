package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// A Scenario is one row of measurements: a load and the peers that can bear it.
type Scenario struct {
	Name  string
	About string
	Shape Shape
	kind  kind
}

// A Shape is the size of a load.
type Shape struct {
	Conns   int // connections; 0 in a local scenario
	Callers int // goroutines that send, on each connection
	Rings   int // rings of receivers that send to each other
	Actors  int // receivers, in each ring if there are rings
	Work    int // what each lap of a Savina benchmark has to do
	Body    int // bytes of a message; 0 in a local scenario
}

// A kind is what scenarios of different shapes have in common.
type kind struct {
	remote  bool
	can     func(impl any) bool
	open    func(impl any, s Shape, addr string) (load, error) // addr is "" unless remote
	figures []figure                                           // columns of the table
	grace   time.Duration                                      // what a round may take more than others
}

var (
	remoteAsk   = kind{true, implements[Remote], openAsk, remoteFigures, 0}
	remoteTell  = kind{true, implements[RemoteTeller], openTell, remoteFigures, 0}
	localTell   = kind{false, implements[Local], openLocalTell, localFigures, 0}
	localAsk    = kind{false, implements[Local], openLocalAsk, askFigures, 0}
	localInline = kind{false, implements[Inliner], openLocalInline, askFigures, 0}
	localRings  = kind{false, implements[Local], openRings, localFigures, 0}
	localFan    = kind{false, implements[Local], openFan, localFigures, 0}
	localBlock  = kind{false, implements[Local], openBlocked, blockedFigures, 0}
	localSpawn  = kind{false, implements[Local], openSpawn, spawnFigures, spawnGrace}
	localIdle   = kind{false, implements[Local], openIdle, idleFigures, 0}
)

func implements[T any](impl any) bool {
	_, ok := impl.(T)
	return ok
}

// scenarios lists all there are, in the order they run.
func scenarios() []Scenario {
	all := []Scenario{
		ask(1, 1, 64),
		ask(1, 64, 64),
		ask(1, 256, 64),
		ask(1, 1024, 64),
		ask(1, 64, kib),
		ask(1, 256, kib),
		ask(8, 128, kib),
		ask(1, 1, mib),
		tell(64),
	}
	all = append(all, locals()...)
	return append(all, savinas()...)
}

// locals lists the scenarios inside one process.
func locals() []Scenario {
	return []Scenario{
		local("tell/1to1", "1 goroutine tells 1 receiver", Shape{Callers: 1, Actors: 1}, localTell),
		local("tell/8to1", "8 goroutines tell 1 receiver", Shape{Callers: 8, Actors: 1}, localTell),
		local("ask/1", "1 goroutine asks 1 receiver", Shape{Callers: 1, Actors: 1}, localAsk),
		local("ask/256x256", "256 goroutines ask 256 receivers, one each", Shape{Callers: 256, Actors: 256}, localAsk),
		local("askinline/1", "ask/1, answered in the asker's goroutine; chan as there", Shape{Callers: 1, Actors: 1}, localInline),
		local("askinline/256x256", "ask/256x256, likewise", Shape{Callers: 256, Actors: 256}, localInline),
		local("pingpong/1", "1 pair of receivers passes 1 message", Shape{Rings: 1, Actors: 2}, localRings),
		local("pingpong/100", "100 pairs of receivers pass 1 message each", Shape{Rings: 100, Actors: 2}, localRings),
		local("ring/100k", "a ring of 100,000 receivers passes 1 message", Shape{Rings: 1, Actors: 100_000}, localRings),
		local("fanout/10k", "a receiver tells 10,000 others, again when they are done", Shape{Actors: 10_000}, localFan),
		local("blocking", "1,000 receivers sleep 100 ms at a time, another is asked", Shape{Rings: 1000, Actors: 1}, localBlock),
		local("spawn/1M", "a million receivers start, are greeted and weighed, and stop", Shape{Actors: 1_000_000}, localSpawn),
		local("idle/100k", "100,000 receivers that have been greeted do nothing", Shape{Actors: 100_000}, localIdle),
	}
}

// ask is the closed loop of conns*callers goroutines.
func ask(conns, callers, body int) Scenario {
	size := map[int]string{64: "64B", kib: "1KiB", mib: "1MiB"}[body]
	s := Scenario{kind: remoteAsk, Shape: Shape{Conns: conns, Callers: callers, Body: body}}
	if conns == 1 {
		s.Name = fmt.Sprintf("remote/ask/%dx%s", callers, size)
		s.About = fmt.Sprintf("%s on 1 connection, echo of %s", plural(callers, "caller"), size)
		return s
	}
	s.Name = fmt.Sprintf("remote/ask/%dconns-%dx%s", conns, callers, size)
	s.About = fmt.Sprintf("%d callers on each of %d connections, echo of %s", callers, conns, size)
	return s
}

// tell is one goroutine that sends as fast as it can.
func tell(body int) Scenario {
	return Scenario{
		Name:  fmt.Sprintf("remote/tell/1to1-%dB", body),
		About: fmt.Sprintf("1 goroutine tells %d B on 1 connection; the server counts", body),
		Shape: Shape{Conns: 1, Callers: 1, Body: body},
		kind:  remoteTell,
	}
}

// local is a scenario inside one process.
func local(name, about string, s Shape, k kind) Scenario {
	return Scenario{"local/" + name, about, s, k}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// selectScenarios returns the scenarios of a comma-separated list of names and
// regular expressions, in their own order. A part that is a name selects only
// that scenario, though other names may contain it.
func selectScenarios(all []Scenario, list string) ([]Scenario, error) {
	chosen := map[string]bool{}
	for part := range strings.SplitSeq(list, ",") {
		names, err := matchNames(all, strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			chosen[n] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Scenario) bool { return !chosen[s.Name] }), nil
}

func matchNames(all []Scenario, part string) ([]string, error) {
	re, err := regexp.Compile(part)
	if err != nil {
		return nil, fmt.Errorf("-run %s: %w", part, err)
	}
	var names []string
	for _, s := range all {
		if s.Name == part {
			return []string{part}, nil
		}
		if re.MatchString(s.Name) {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return nil, fmt.Errorf("-run %s: no such scenario; -list shows them", part)
	}
	return names, nil
}

// selectPeers returns the named peers in the order of the list, all if it is
// empty.
func selectPeers(all []Peer, list string) ([]Peer, error) {
	if list == "" {
		return all, nil
	}
	var chosen []Peer
	for name := range strings.SplitSeq(list, ",") {
		p, err := find(all, strings.TrimSpace(name), func(p Peer) string { return p.Name })
		if err != nil {
			return nil, fmt.Errorf("-peers: %w; -list shows them", err)
		}
		chosen = append(chosen, p)
	}
	return chosen, nil
}

// find returns the element that has the name.
func find[T any](all []T, name string, nameOf func(T) string) (T, error) {
	i := slices.IndexFunc(all, func(t T) bool { return nameOf(t) == name })
	if i < 0 {
		var zero T
		return zero, fmt.Errorf("%q does not exist", name)
	}
	return all[i], nil
}
