package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // a round failed
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	b := bench{peers(), scenarios(), os.Stdin, os.Stdout, os.Stderr}
	status := b.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// A bench is the program, apart from the process it runs in.
type bench struct {
	peers     []Peer
	scenarios []Scenario
	in        io.Reader
	out, err  io.Writer
}

// flags are what a command line says.
type flags struct {
	list     bool
	run      string
	peers    string
	rounds   int
	json     string
	duration time.Duration
	warmup   time.Duration
	grace    time.Duration
	profiles string
	serve    string // a child is the server of this peer
	drive    string // a child is the client that has this job
}

const help = `bench measures posthaste and its peers with one load generator.

  go run . -list
  go run . -run remote/ask/256x64B -peers posthaste,rawgnet -rounds 5
  go run . -run '^local/' -json local.json

A scenario is a load: so many callers, on so many connections, with bodies of
such a size. A peer is a library under this load. Each round of a peer runs in
processes of its own, a server and a client; the rounds of different peers
alternate, so that a slow minute of the machine hits all of them. The tables
show the median of the rounds; README.md explains the columns. Progress goes to
stderr, the tables to stdout.

The exit status is 0 if every round succeeded, 1 if one failed, and 2 if the
command line makes no sense.

`

// run does what args say and returns the exit status.
func (b *bench) run(ctx context.Context, args []string) int {
	f, err := b.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage // said by parse
	case f.serve != "":
		return b.serve(ctx, f.serve)
	case f.drive != "":
		return b.drive(f.drive)
	case f.list:
		b.list()
		return exitOK
	}
	p, err := b.plan(f)
	if err != nil {
		fmt.Fprintln(b.err, "bench:", err)
		return exitUsage
	}
	return p.run(ctx)
}

// parse reads the command line. It has printed the error it returns.
func (b *bench) parse(args []string) (f flags, err error) {
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(b.err)
	set.BoolVar(&f.list, "list", false, "print the scenarios and the peers, and exit")
	set.StringVar(&f.run, "run", ".", "run the scenarios of this comma-separated `list` of names and regular expressions")
	set.StringVar(&f.peers, "peers", "", "run this comma-separated `list` of peers, the first of which is 1.00 in the tables (default all)")
	set.IntVar(&f.rounds, "rounds", 3, "run every peer `n` times in every scenario")
	set.StringVar(&f.json, "json", "", "write every round to this `file`, an array of objects, after each round")
	set.DurationVar(&f.duration, "duration", 2*time.Second, "`length` of the measured window of a round")
	set.DurationVar(&f.warmup, "warmup", 500*time.Millisecond, "`length` of the same load before the window")
	set.DurationVar(&f.grace, "timeout", roundGrace, "give a round up after its warm-up, its window and this `time`")
	set.StringVar(&f.profiles, "cpuprofile", "", "write CPU profiles of the windows, of both processes, to this `folder`")
	set.StringVar(&f.serve, "serve", "", "")
	set.StringVar(&f.drive, "drive", "", "")
	set.Usage = func() { b.usage(set) }
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", set.Arg(0))
		fmt.Fprintln(b.err, "bench:", err)
		return f, err
	}
	return f, nil
}

// usage prints the help. Flags without a description are for children.
func (b *bench) usage(set *flag.FlagSet) {
	fmt.Fprint(b.err, help)
	set.VisitAll(func(f *flag.Flag) {
		if f.Usage == "" {
			return
		}
		name, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(b.err, "  %s\n    \t%s", strings.TrimSpace("-"+f.Name+" "+name), usage)
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(b.err, " (default %s)", f.DefValue)
		}
		fmt.Fprintln(b.err)
	})
}

// list prints what there is to run.
func (b *bench) list() {
	fmt.Fprintln(b.out, "scenarios:")
	for _, s := range b.scenarios {
		about := s.About
		if names := peerNames(unable(s, b.peers)); names != "" {
			about += "; not supported: " + names
		}
		fmt.Fprintf(b.out, "  %-28s %s\n", s.Name, about)
	}
	fmt.Fprintln(b.out, "peers:")
	for _, p := range b.peers {
		fmt.Fprintf(b.out, "  %-28s %s\n", p.Name, p.About)
	}
}

// serve is a server child.
func (b *bench) serve(ctx context.Context, peer string) int {
	p, err := find(b.peers, peer, func(p Peer) string { return p.Name })
	if err == nil {
		err = serve(ctx, p, b.in, b.out, b.err)
	}
	return b.status(err)
}

// drive is a client child.
func (b *bench) drive(arg string) int {
	var j job
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		return b.status(err)
	}
	p, err := find(b.peers, j.Peer, func(p Peer) string { return p.Name })
	if err != nil {
		return b.status(err)
	}
	sc, err := find(b.scenarios, j.Scenario, func(s Scenario) string { return s.Name })
	if err != nil {
		return b.status(err)
	}
	return b.status(drive(sc, p, j, b.in, b.out, b.err))
}

// status is that of a child; the parent reports the error.
func (b *bench) status(err error) int {
	if err != nil {
		return exitFailed
	}
	return exitOK
}
