package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test program be started again as a child, with the broken
// peers of fault_test.go among the others.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "-serve" || os.Args[1] == "-drive") {
		b := testBench()
		b.in, b.out, b.err = os.Stdin, os.Stdout, os.Stderr
		os.Exit(b.run(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

func testBench() bench {
	return bench{peers: append(peers(), brokenPeers()...), scenarios: smallScenarios()}
}

// smallScenarios are all there are, but none that takes seconds.
func smallScenarios() []Scenario {
	all := scenarios()
	for i := range all {
		if s := &all[i].Shape; s.Conns == 0 {
			s.Rings, s.Actors, s.Work = min(s.Rings, 100), min(s.Actors, 256), min(s.Work, 256)
		}
	}
	return all
}

// A session is one run of the program.
type session struct {
	status      int
	out, errOut string
	results     []Result
	raw         []map[string]any // results as JSON has them
}

// runBench runs the program with short rounds.
func runBench(t *testing.T, args ...string) session {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.json")
	var out, errOut bytes.Buffer
	b := testBench()
	b.out, b.err = &out, &errOut
	args = append([]string{"-json", file, "-rounds", "1", "-warmup", "2ms", "-duration", "10ms"}, args...)
	s := session{status: b.run(t.Context(), args)}
	s.out, s.errOut = out.String(), errOut.String()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("no JSON: %v\n%s", err, s.errOut)
	}
	if err := json.Unmarshal(text, &s.results); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s.raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryScenario runs every healthy peer in every scenario for a moment.
func TestEveryScenario(t *testing.T) {
	var names []string
	for _, p := range peers() {
		names = append(names, p.Name)
	}
	s := runBench(t, "-peers", strings.Join(names, ","))
	if s.status != exitOK {
		t.Errorf("status %d\n%s", s.status, s.errOut)
	}
	want := 0
	for _, sc := range smallScenarios() {
		if !strings.Contains(s.out, sc.Name+": "+sc.About) {
			t.Errorf("no table of %s", sc.Name)
		}
		for _, p := range able(sc, peers()) {
			want++
			i := slices.IndexFunc(s.results, func(r Result) bool { return r.Scenario == sc.Name && r.Peer == p.Name })
			if i < 0 {
				t.Errorf("%s %s has no result", sc.Name, p.Name)
				continue
			}
			checkResult(t, sc, s.results[i])
		}
	}
	if len(s.results) != want {
		t.Errorf("%d results, want %d", len(s.results), want)
	}
	noChildren(t)
}

// checkResult wants a result to be complete.
func checkResult(t *testing.T, sc Scenario, r Result) {
	t.Helper()
	isAsk := strings.Contains(sc.Name, "/ask/")
	switch {
	case r.Error != "":
		t.Errorf("%s %s: %s", r.Scenario, r.Peer, r.Error)
	case sc.Name == "local/spawn/1M" && (r.SpawnNs <= 0 || r.StopNs <= 0 || r.HeapB <= 0):
		t.Errorf("a crowd without weight: %+v", r)
	case sc.Name == "local/blocking" && (r.P99us <= 0 || r.Asleep <= 0):
		t.Errorf("nobody slept, or nobody was asked: %+v", r)
	case r.Round != 1 || r.PerS <= 0 || r.Calls == 0 || r.Seconds <= 0:
		t.Errorf("no throughput: %+v", r)
	case isAsk && sc.kind.remote && (r.P50us <= 0 || r.P99us < r.P50us || r.P999us < r.P99us):
		t.Errorf("latencies out of order: %+v", r)
	case sc.kind.remote && r.MiBs <= 0:
		t.Errorf("no MiB/s: %+v", r)
	case sc.kind.remote && isAsk && r.WireBytes < float64(2*sc.Shape.Body):
		t.Errorf("%v bytes on the wire for two bodies of %d", r.WireBytes, sc.Shape.Body)
	case sc.kind.remote && r.WireBytes < float64(sc.Shape.Body):
		t.Errorf("%v bytes on the wire for a body of %d", r.WireBytes, sc.Shape.Body)
	}
}

// TestJSONShape wants every object to have the fields that README.md promises.
func TestJSONShape(t *testing.T) {
	s := runBench(t, "-run", "remote/ask/1x64B", "-peers", "rawnet", "-rounds", "2")
	if len(s.raw) != 2 {
		t.Fatalf("%d objects, want 2\n%s", len(s.raw), s.errOut)
	}
	for i, object := range s.raw {
		for _, field := range reflect.VisibleFields(reflect.TypeFor[Result]()) {
			if field.Anonymous {
				continue // its fields follow
			}
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			if _, ok := object[name]; !ok && option != "omitempty" {
				t.Errorf("object %d lacks %s", i, name)
			}
		}
		if object["round"] != float64(i+1) {
			t.Errorf("object %d is of round %v", i, object["round"])
		}
	}
}

// TestWireBytes wants the proxy to count what the raw protocol needs, to the byte.
func TestWireBytes(t *testing.T) {
	s := runBench(t, "-run", "remote/ask/64x64B", "-peers", "rawnet,rawgnet")
	for _, r := range s.results {
		if want := float64(2 * (frameHead + 64)); r.WireBytes != want {
			t.Errorf("%s: %v bytes for a call, want %v", r.Peer, r.WireBytes, want)
		}
	}
}

func TestRoundsInterleave(t *testing.T) {
	s := runBench(t, "-run", "local/tell/1to1,remote/ask/1x64B", "-peers", "rawnet,rawgnet", "-rounds", "2")
	var order []string
	for _, r := range s.results {
		order = append(order, fmt.Sprint(r.Peer, r.Round))
	}
	if want := []string{"rawnet1", "rawgnet1", "rawnet2", "rawgnet2"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestProfiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profiles")
	s := runBench(t, "-run", "remote/ask/1x64B", "-peers", "rawnet", "-cpuprofile", dir)
	for _, role := range []string{"client", "server"} {
		info, err := os.Stat(filepath.Join(dir, "remote-ask-1x64B.rawnet.1."+role+".pprof"))
		if err != nil || info.Size() == 0 {
			t.Errorf("profile of the %s: %v\n%s", role, err, s.errOut)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		say    string
	}{
		{[]string{"--help"}, exitOK, "-cpuprofile folder"},
		{[]string{"-list"}, exitOK, "remote/ask/8conns-128x1KiB"},
		{[]string{"-nonsense"}, exitUsage, "not defined"},
		{[]string{"stray"}, exitUsage, "unexpected argument"},
		{[]string{"-run", "no/such"}, exitUsage, "no such scenario"},
		{[]string{"-run", "("}, exitUsage, "missing closing"},
		{[]string{"-peers", "nobody"}, exitUsage, `"nobody" does not exist`},
		{[]string{"-rounds", "0"}, exitUsage, "must be positive"},
		{[]string{"-run", "^local", "-peers", "rawnet"}, exitUsage, "none of these peers"},
	} {
		var said bytes.Buffer
		b := testBench()
		b.out, b.err = &said, &said
		if got := b.run(t.Context(), c.args); got != c.status {
			t.Errorf("%v: status %d, want %d", c.args, got, c.status)
		}
		if !strings.Contains(said.String(), c.say) {
			t.Errorf("%v: no %q in\n%s", c.args, c.say, &said)
		}
		if strings.Contains(said.String(), "-drive") {
			t.Errorf("%v: help shows the flags of children", c.args)
		}
	}
}

func TestSelectScenarios(t *testing.T) {
	for _, c := range []struct {
		list string
		want []string
	}{
		{"local/pingpong/1", []string{"local/pingpong/1"}},
		{"local/pingpong/100, local/ask/1", []string{"local/ask/1", "local/pingpong/100"}},
		{"^local/tell", []string{"local/tell/1to1", "local/tell/8to1"}},
		{"1MiB|8conns", []string{"remote/ask/8conns-128x1KiB", "remote/ask/1x1MiB"}},
	} {
		chosen, err := selectScenarios(scenarios(), c.list)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range chosen {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("-run %s: %v, want %v", c.list, got, c.want)
		}
	}
}

// noChildren wants no process that this one has started to be left.
func noChildren(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this system does not list processes in /proc")
	}
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := children()
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("children left: %q", left)
		}
	}
}

// children returns the stat lines of the processes that this one has started and
// not waited for.
func children() []string {
	var left []string
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has just ended
		}
		line := string(b)
		fields := strings.Fields(line[strings.LastIndex(line, ")")+1:])
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			left = append(left, strings.TrimSpace(line))
		}
	}
	return left
}
