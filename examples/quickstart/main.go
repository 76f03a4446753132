// Command quickstart is posthaste in one file: an actor that answers asks, takes
// tells and streams results.
//
//	go run ./examples/quickstart                          # all in one process
//
//	go run ./examples/quickstart -listen 127.0.0.1:7001   # one terminal: serves
//	go run ./examples/quickstart -join 127.0.0.1:7001     # another: calls over TCP
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// Bank is a protocol: what a Ref[Bank] accepts, here or on another node.
type Bank struct{}

var (
	Deposit = rt.NewMethod[Bank, int64, int64]("bank.deposit")      // ask
	Note    = rt.NewEvent[Bank, string]("bank.note")                // tell
	History = rt.NewServerStream[Bank, int, string]("bank.history") // stream
)

// account is an actor's private state. It handles one message at a time, so it
// needs no locks.
type account struct {
	balance int64
	notes   []string
}

func (a *account) deposit(_ *rt.Context, amount int64) (int64, error) {
	if amount <= 0 {
		return 0, posthaste.Errorf(posthaste.InvalidArgument, "the amount is %d; it must be positive", amount)
	}
	a.balance += amount
	return a.balance, nil
}

func (a *account) note(_ *rt.Context, text string) error {
	a.notes = append(a.notes, text)
	return nil
}

func (a *account) history(_ *rt.Context, n int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range a.notes[:min(max(n, 0), len(a.notes))] {
			if !yield(text, nil) {
				return
			}
		}
	}
}

// Account is a kind of actor: how to make its state, and what handles what.
var Account = rt.Define(func() *account { return &account{} },
	rt.On(Deposit, (*account).deposit),
	rt.OnTell(Note, (*account).note),
	rt.OnServer(History, (*account).history))

func main() {
	listen := flag.String("listen", "", "serve other nodes at this `address`, until interrupted")
	join := flag.String("join", "", "call the service at the node at this `address` instead of one here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *join); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, join string) (err error) {
	sys, err := rt.New(rt.Listen(listen), rt.Join(join)) // with neither, a node for itself
	if err != nil {
		return err
	}
	defer func() {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, sys.Stop(drain)) // finishes what is queued
	}()

	if join == "" { // serve here
		acc, err := rt.Spawn(sys, "acc-1", Account)
		if err != nil {
			return err
		}
		if err := rt.Serve(sys, "bank", acc); err != nil {
			return err
		}
	}
	if listen == "" || join != "" {
		return call(ctx, rt.Service[Bank](sys, "bank"))
	}
	fmt.Printf("serving bank at %v; now run, elsewhere:\n  go run ./examples/quickstart -join %v\n", sys.Endpoint(), sys.Endpoint())
	<-ctx.Done()
	return nil
}

// call is the same whether the bank is in this process or behind a connection.
func call(ctx context.Context, bank rt.Ref[Bank]) error {
	balance, err := rt.Ask(ctx, bank, Deposit, 100) // balance is an int64
	if err != nil {
		return err
	}
	fmt.Println("ask:    deposited 100, the balance is", balance)

	if err := rt.Tell(ctx, bank, Note, fmt.Sprintf("deposit of 100, balance %d", balance)); err != nil {
		return err
	}
	fmt.Println("tell:   noted")

	for text, err := range rt.Recv(ctx, bank, History, 10) {
		if err != nil {
			return err
		}
		fmt.Println("stream:", text)
	}

	_, err = rt.Ask(ctx, bank, Deposit, -1)
	fmt.Printf("error:  %v\n        code %v, status %v\n", err, posthaste.CodeOf(err), posthaste.StatusOf(err))
	return nil
}
