// Command twonodes runs two nodes that talk over TCP, in one process so that it
// needs one command, and shows what a caller sees when things go wrong: a wrong
// address, an unknown method, a panic, a deadline, a node that goes away.
//
//	go run ./examples/twonodes
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// Printer is the protocol of a printer that prints one page at a time.
type Printer struct{}

// Job asks for pages to be printed.
type Job struct {
	Title string
	Pages int
}

var (
	Print  = rt.NewMethod[Printer, Job, string]("printer.print")
	Staple = rt.NewMethod[Printer, Job, string]("printer.staple") // nobody handles it
)

type printer struct{ printed int }

func (p *printer) print(c *rt.Context, job Job) (string, error) {
	if job.Pages == 0 {
		panic("division by zero pages")
	}
	for range job.Pages {
		select {
		case <-time.After(5 * time.Millisecond): // a page takes its time
			p.printed++
		case <-c.Done(): // the asker has given up: stop working for nobody
			return "", c.Err()
		}
	}
	return fmt.Sprintf("%q printed, %d pages since the last restart", job.Title, p.printed), nil
}

var kind = rt.Define(func() *printer { return &printer{} }, rt.On(Print, (*printer).print))

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx := context.Background()
	// The panic below is logged with its stack where it happens; not here.
	quiet := rt.Logger(slog.New(slog.NewTextHandler(io.Discard, nil)))

	office, err := rt.New(rt.Node("office"), rt.Listen("127.0.0.1:0"), quiet)
	if err != nil {
		return err
	}
	laser, err := rt.Spawn(office, "laser", kind)
	if err != nil {
		return errors.Join(err, office.Stop(ctx))
	}
	desk, err := rt.New(rt.Node("desk"), quiet) // listens nowhere: it only calls
	if err != nil {
		return errors.Join(err, office.Stop(ctx))
	}

	// An address is a value: print it, send it, parse it on another node.
	addr, err := posthaste.ParseAddr(laser.String())
	if err != nil {
		return err
	}
	remote := rt.At[Printer](desk, addr)
	fmt.Println("the printer is at", addr.Name, "on", addr.Node.Network)

	show(ctx, remote, Print, Job{"report", 3})
	show(ctx, remote, Print, Job{"nothing", 0}) // panics there; the actor restarts
	show(ctx, remote, Print, Job{"letter", 1})  // the new one answers
	show(ctx, remote, Staple, Job{"letter", 1}) // no such method
	hurry, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	show(hurry, remote, Print, Job{"novel", 1000}) // too slow; the handler is cancelled
	cancel()
	show(ctx, rt.At[Printer](desk, posthaste.Addr{Node: addr.Node, Name: "inkjet"}), Print, Job{"photo", 1})

	if err := office.Stop(ctx); err != nil {
		return err
	}
	show(ctx, remote, Print, Job{"too late", 1})
	return desk.Stop(ctx)
}

// show asks and prints what came of it: the reply, or the code of the error and
// whether the handler ran.
func show(ctx context.Context, to rt.Ref[Printer], m rt.Method[Printer, Job, string], job Job) {
	reply, err := rt.Ask(ctx, to, m, job)
	if err != nil {
		fmt.Printf("%-10q %v, %v\n", job.Title, posthaste.CodeOf(err), posthaste.StatusOf(err))
		return
	}
	fmt.Printf("%-10q %s\n", job.Title, reply)
}
