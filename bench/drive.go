package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A job is what a client child has to do.
type job struct {
	Peer     string        `json:"peer"`
	Scenario string        `json:"scenario"`
	Addr     string        `json:"addr"` // of the server, "" in a local scenario
	Warmup   time.Duration `json:"warmup"`
	Duration time.Duration `json:"duration"`
	Profile  string        `json:"profile"` // file for a CPU profile of the window, "" for none
}

// An outcome is what a client child has measured.
type outcome struct {
	Calls     uint64  `json:"calls"`   // in the window
	Seconds   float64 `json:"seconds"` // length of the window
	P50us     float64 `json:"p50_us"`  // percentiles are 0 if the load has no latencies
	P99us     float64 `json:"p99_us"`
	P999us    float64 `json:"p999_us"`
	Rate      Rate    `json:"rate"`       // of the client process
	WireBytes float64 `json:"wire_bytes"` // per call, both ways; 0 in a local scenario
	Gauges    Gauges  `json:"gauges"`
}

// drive is the client child: it puts sc's load on p and reports.
func drive(sc Scenario, p Peer, j job, in io.Reader, out, stderr io.Writer) (err error) {
	defer func() {
		if err != nil {
			_ = say(out, verbFailed, failure{err.Error()})
		}
	}()
	d := &driver{job: j, out: out, orders: orders(in, stderr), meter: newMeter()}
	d.load, err = sc.kind.open(p.Impl, sc.Shape, j.Addr)
	if err != nil {
		return err
	}
	o, err := d.measure()
	if err != nil {
		return err
	}
	if sc.kind.remote {
		if o.WireBytes, err = wireBytes(sc, p, j.Addr); err != nil {
			return fmt.Errorf("wire bytes: %w", err)
		}
	}
	return say(out, verbResult, o)
}

// orders returns the parent's messages. Without a parent the child exits,
// whatever the peer is doing.
func orders(in io.Reader, stderr io.Writer) <-chan message {
	ch := make(chan message, 1)
	go func() {
		for m := range listen(in, stderr) {
			ch <- m
		}
		os.Exit(exitFailed)
	}()
	return ch
}

// A driver runs one load through warm-up and window.
type driver struct {
	job    job
	load   load
	orders <-chan message
	out    io.Writer
	meter  meter
}

// A mark is the state of a load at one moment.
type mark struct {
	calls count
	cost  Cost
}

// measure runs the load. It keeps running while the parent reads the costs of
// the server, which are rates for this reason.
func (d *driver) measure() (outcome, error) {
	d.load.start()
	if err := d.wait(d.job.Warmup); err != nil {
		return outcome{}, err
	}
	if err := d.ask(verbWarm, verbMeasure); err != nil {
		return outcome{}, err
	}
	stopProfile, err := startProfile(d.job.Profile)
	if err != nil {
		return outcome{}, err
	}
	from, to, err := d.window()
	if err != nil {
		return outcome{}, err
	}
	if err := stopProfile(); err != nil {
		return outcome{}, err
	}
	if err := d.ask(verbMeasured, verbFinish); err != nil {
		return outcome{}, err
	}
	lat, err := d.load.stop()
	if err != nil {
		return outcome{}, err
	}
	o := outcome{
		Calls:   to.calls.n - from.calls.n,
		Seconds: to.calls.at.Sub(from.calls.at).Seconds(),
		Rate:    rate(from.cost, to.cost),
	}
	if g, ok := d.load.(gauged); ok {
		o.Gauges = g.gauges()
	}
	if lat != nil && lat.TotalCount() > 0 {
		o.P50us = float64(lat.ValueAtQuantile(50)) / 1e3
		o.P99us = float64(lat.ValueAtQuantile(99)) / 1e3
		o.P999us = float64(lat.ValueAtQuantile(99.9)) / 1e3
	}
	return o, nil
}

// window lets the time of the measurement pass, again and again if nothing was
// completed: slow peers get short windows in tests. The parent gives up in time.
func (d *driver) window() (from, to mark, err error) {
	d.load.record(true)
	from, err = d.mark()
	for to = from; err == nil && to.calls.n == from.calls.n; {
		if err = d.wait(d.job.Duration); err == nil {
			to, err = d.mark()
		}
	}
	d.load.record(false)
	return from, to, err
}

func (d *driver) mark() (mark, error) {
	calls, err := d.load.done()
	if err != nil {
		return mark{}, err
	}
	cost, err := d.meter.read()
	return mark{calls, cost}, err
}

// wait sleeps unless the load fails, or comes to its end.
func (d *driver) wait(t time.Duration) error {
	var finished <-chan struct{}
	if f, ok := d.load.(finite); ok {
		finished = f.finished()
	}
	select {
	case err := <-d.load.failed():
		return err
	case <-finished:
		return nil
	case <-time.After(t):
		return nil
	}
}

// ask tells the parent what is the case and waits for the next order.
func (d *driver) ask(verb, next string) error {
	if err := say(d.out, verb, nil); err != nil {
		return err
	}
	select {
	case err := <-d.load.failed():
		return err
	case m := <-d.orders:
		if m.verb != next {
			return fmt.Errorf("control: %q instead of %q", m.verb, next)
		}
		return nil
	}
}
