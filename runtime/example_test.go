package runtime_test

import (
	"context"
	"fmt"
	"iter"
	"log"

	"github.com/posthaste-go/posthaste"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// Bank is a protocol: what a Ref[Bank] accepts. Whoever calls a bank imports this
// and the three methods, and nothing else.
type Bank struct{}

var (
	Deposit = rt.NewMethod[Bank, int64, int64]("bank.deposit")      // ask: an amount, the new balance
	Note    = rt.NewEvent[Bank, string]("bank.note")                // tell
	History = rt.NewServerStream[Bank, int, string]("bank.history") // stream: how many, the notes
)

// account is the state of an actor. It handles one message at a time, so there are
// no locks, and the handlers are plain methods that a test can call.
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

// Account is a kind of actor: how to make its state, and what handles which
// method.
var Account = rt.Define(func() *account { return &account{} },
	rt.On(Deposit, (*account).deposit),
	rt.OnTell(Note, (*account).note),
	rt.OnServer(History, (*account).history))

// A bank account as an actor that is asked, told and read from.
func Example() {
	ctx := context.Background()
	sys, err := rt.New()
	if err != nil {
		log.Fatal(err)
	}
	defer sys.Stop(ctx)
	acc, err := rt.Spawn(sys, "acc-1", Account)
	if err != nil {
		log.Fatal(err)
	}

	balance, err := rt.Ask(ctx, acc, Deposit, 100) // balance is an int64
	fmt.Println(balance, err)

	if err := rt.Tell(ctx, acc, Note, "opened with 100"); err != nil {
		log.Fatal(err)
	}
	for text, err := range rt.Recv(ctx, acc, History, 10) {
		fmt.Println(text, err)
	}

	_, err = rt.Ask(ctx, acc, Deposit, -1)
	fmt.Println(err)
	// Output:
	// 100 <nil>
	// opened with 100 <nil>
	// ask bank.deposit to acc-1: INVALID_ARGUMENT: the amount is -1; it must be positive
}
