package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// roundGrace is what a round may take beyond its warm-up and its window, unless
// -timeout says otherwise: dialling, checks, and counting the bytes.
const roundGrace = 30 * time.Second

// errOverdue is the cause of a round that took too long.
var errOverdue = errors.New("the round took too long")

// A Result is one round of one peer in one scenario, an object of the JSON
// output. In a failed round Error is set and the figures are 0, as is a figure
// that the scenario does not have.
type Result struct {
	Scenario  string  `json:"scenario"`
	Peer      string  `json:"peer"`
	Round     int     `json:"round"`      // from 1
	PerS      float64 `json:"per_s"`      // calls, or messages, per second
	P50us     float64 `json:"p50_us"`     // of a call, microseconds
	P99us     float64 `json:"p99_us"`     //
	P999us    float64 `json:"p999_us"`    //
	CliCPUus  float64 `json:"cli_cpu_us"` // CPU of the client process per call, user and system
	SrvCPUus  float64 `json:"srv_cpu_us"` // of the server process
	Allocs    float64 `json:"allocs"`     // heap objects per call, client and server
	WireBytes float64 `json:"wire_bytes"` // TCP payload per call, both ways
	MiBs      float64 `json:"mib_s"`      // bodies per second, one way
	Calls     uint64  `json:"calls"`      // in the window
	Seconds   float64 `json:"seconds"`    // length of the window
	OtherCPUs float64 `json:"other_cpus"` // processors that other programs, and other guests, kept busy meanwhile
	CPUPct    float64 `json:"cpu_pct"`    // CPU of the client process, per cent of one processor
	Sleeps    float64 `json:"sleeps"`     // times per second that a thread of it went to sleep
	Gauges
	Error string `json:"error,omitempty"`
}

// Gauges are what only some local scenarios measure.
type Gauges struct {
	SpawnNs    float64 `json:"spawn_ns"`   // to start an actor
	StopNs     float64 `json:"stop_ns"`    // to stop one, of a crowd that is stopped as a whole
	HeapB      float64 `json:"heap_b"`     // of an idle actor: heap and stacks
	RSSB       float64 `json:"rss_b"`      // resident memory of the process, likewise; 0 where unknown
	Goroutines float64 `json:"goroutines"` // of an idle actor
	Asleep     float64 `json:"asleep"`     // handlers that were blocked at the same time, on average
}

// A rounder runs single rounds.
type rounder struct {
	warmup   time.Duration
	duration time.Duration
	grace    time.Duration
	profiles string // folder for CPU profiles, "" for none
	stderr   io.Writer
}

// run runs one round. It returns when the children have exited.
func (r *rounder) run(ctx context.Context, sc Scenario, p Peer, round int) Result {
	ctx, cancel := context.WithTimeoutCause(ctx, r.warmup+r.duration+r.grace+sc.kind.grace, errOverdue)
	defer cancel()
	res := Result{Scenario: sc.Name, Peer: p.Name, Round: round}
	var (
		o      outcome
		server Rate
		err    error
	)
	if sc.kind.remote {
		o, server, err = r.remote(ctx, sc, p, round)
	} else {
		o, err = r.client(ctx, r.job(sc, p, round), noServer{})
	}
	if err != nil {
		res.Error = err.Error()
		return res
	}
	res.fill(o, server, sc.Shape.Body)
	return res
}

// remote starts a server and runs a client against it.
func (r *rounder) remote(ctx context.Context, sc Scenario, p Peer, round int) (o outcome, rate Rate, err error) {
	c, err := startChild("server", []string{"-serve", p.Name}, r.childGrace(), r.stderr)
	if err != nil {
		return o, rate, err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	var at address
	if err := c.expect(ctx, verbListening, &at); err != nil {
		return o, rate, err
	}
	s := &observed{child: c, profile: r.profile(sc, p, round, "server")}
	j := r.job(sc, p, round)
	j.Addr = at.Addr
	o, err = r.client(ctx, j, s)
	return o, s.rate(), err
}

// client starts a client and leads it through its job. s is read while the load
// runs, just before the window and just after it.
func (r *rounder) client(ctx context.Context, j job, s observable) (o outcome, err error) {
	arg, err := json.Marshal(j)
	if err != nil {
		return o, err
	}
	c, err := startChild("client", []string{"-drive", string(arg)}, r.childGrace(), r.stderr)
	if err != nil {
		return o, err
	}
	defer func() {
		if ctx.Err() != nil {
			c.kill() // it would finish its window first
			return
		}
		err = errors.Join(err, c.end())
	}()
	steps := []func() error{
		func() error { return c.expect(ctx, verbWarm, nil) },
		func() error { return s.begin(ctx) },
		func() error { return c.tell(verbMeasure, nil) },
		func() error { return c.expect(ctx, verbMeasured, nil) },
		func() error { return s.end(ctx) },
		func() error { return c.tell(verbFinish, nil) },
		func() error { return c.expect(ctx, verbResult, &o) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (r *rounder) childGrace() time.Duration { return min(childGrace, r.grace) }

func (r *rounder) job(sc Scenario, p Peer, round int) job {
	return job{
		Peer:     p.Name,
		Scenario: sc.Name,
		Warmup:   r.warmup,
		Duration: r.duration,
		Profile:  r.profile(sc, p, round, "client"),
	}
}

// profile names the file of a CPU profile: remote-ask-1x64B.rawnet.1.client.pprof.
func (r *rounder) profile(sc Scenario, p Peer, round int, role string) string {
	if r.profiles == "" {
		return ""
	}
	name := fmt.Sprintf("%s.%s.%d.%s.pprof", strings.ReplaceAll(sc.Name, "/", "-"), p.Name, round, role)
	return filepath.Join(r.profiles, name)
}

// makeProfiles creates the folder for profiles and makes its name absolute.
func (r *rounder) makeProfiles() (err error) {
	if r.profiles == "" {
		return nil
	}
	if r.profiles, err = filepath.Abs(r.profiles); err != nil {
		return err
	}
	return os.MkdirAll(r.profiles, 0o755)
}

// fill computes the figures per call from rates and calls.
func (res *Result) fill(o outcome, server Rate, body int) {
	res.Calls, res.Seconds = o.Calls, o.Seconds
	res.PerS = float64(o.Calls) / o.Seconds
	res.P50us, res.P99us, res.P999us = o.P50us, o.P99us, o.P999us
	res.CliCPUus = o.Rate.CPU / res.PerS * 1e6
	res.SrvCPUus = server.CPU / res.PerS * 1e6
	res.Allocs = (o.Rate.Mallocs + server.Mallocs) / res.PerS
	res.WireBytes = o.WireBytes
	res.MiBs = res.PerS * float64(body) / mib
	res.OtherCPUs = max(0, o.Rate.Machine-o.Rate.CPU-server.CPU)
	res.CPUPct, res.Sleeps, res.Gauges = o.Rate.CPU*100, o.Rate.Sleeps, o.Gauges
}

// observable is what costs something during a window besides the client.
type observable interface {
	begin(ctx context.Context) error
	end(ctx context.Context) error
}

// observed is a server child.
type observed struct {
	child    *child
	profile  string
	from, to Cost
}

func (s *observed) begin(ctx context.Context) error {
	if err := s.child.tell(verbBegin, beginning{s.profile}); err != nil {
		return err
	}
	return s.child.expect(ctx, verbCost, &s.from)
}

func (s *observed) end(ctx context.Context) error {
	if err := s.child.tell(verbEnd, nil); err != nil {
		return err
	}
	return s.child.expect(ctx, verbCost, &s.to)
}

func (s *observed) rate() Rate { return rate(s.from, s.to) }

// noServer stands for the server of a local scenario.
type noServer struct{}

func (noServer) begin(context.Context) error { return nil }
func (noServer) end(context.Context) error   { return nil }
