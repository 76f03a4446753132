package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// quiet keeps what a runtime logs, such as crashes, out of the examples.
var quiet = rt.Logger(slog.New(slog.DiscardHandler))

func ExampleNew() {
	// With no options it is a node for itself. rt.Listen(":7001") lets others in,
	// rt.Join("10.0.0.7:7001") connects to them; the calls stay the same.
	sys, err := rt.New()
	if err != nil {
		log.Fatal(err)
	}

	// Stop lets the actors finish what is in their mailboxes, for as long as ctx
	// lasts, and otherwise says who was stuck.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(sys.Stop(ctx))

	_, err = rt.New(rt.AskTimeout(0))
	fmt.Println(err)
	// Output:
	// <nil>
	// INVALID_ARGUMENT: AskTimeout(0s): it must be positive
}

func ExampleSpawn() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)

	acc, err := rt.Spawn(sys, "acc-1", Account,
		rt.Mailbox(10_000, mailbox.Reject), // when it is full, callers are told
		rt.Restart(3, time.Minute))         // one crash more within a minute stops it
	fmt.Println(acc.Addr().Name, err)

	_, err = rt.Spawn(sys, "acc-1", Account)
	fmt.Println(err)
	fmt.Println(errors.Is(err, rt.ErrAlreadyExists))

	// The name is free again as soon as the actor has stopped.
	fmt.Println(rt.StopActor(ctx, acc))
	_, err = rt.Spawn(sys, "acc-1", Account)
	fmt.Println(err)
	// Output:
	// acc-1 <nil>
	// ALREADY_EXISTS: an actor named "acc-1" lives here already; stop it first, or choose another name
	// true
	// <nil>
	// <nil>
}

// An error says what went wrong, where, and whether the handler ran.
func ExampleAsk() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)
	acc, _ := rt.Spawn(sys, "acc-1", Account)

	balance, err := rt.Ask(ctx, acc, Deposit, 100)
	fmt.Println(balance, err)

	// What the handler returned: its code is what to branch on.
	_, err = rt.Ask(ctx, acc, Deposit, -5)
	fmt.Println(posthaste.CodeOf(err), posthaste.StatusOf(err))

	// What kept the message from its handler: there are values for errors.Is.
	nobody := rt.At[Bank](sys, posthaste.Addr{Name: "acc-2"})
	_, err = rt.Ask(ctx, nobody, Deposit, 100)
	if errors.Is(err, rt.ErrActorNotFound) {
		fmt.Println("no such account;", posthaste.StatusOf(err), "means that a retry is safe")
	}

	// The whole story, for logs.
	var e *posthaste.Error
	if errors.As(err, &e) {
		fmt.Printf("%s, to %v: %v\n", e.Op, e.To, e.Code)
	}
	// Output:
	// 100 <nil>
	// INVALID_ARGUMENT EXECUTED
	// no such account; NOT_EXECUTED means that a retry is safe
	// ask bank.deposit, to acc-2: ACTOR_NOT_FOUND
}

// A tell is never lost in silence: it is accepted, or refused with an error.
func ExampleTell() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)

	type Printer struct{}
	job := rt.NewEvent[Printer, string]("printer.job")
	paper, printing := make(chan bool), make(chan bool)
	printer, _ := rt.Spawn(sys, "printer", rt.Define(func() *int { return new(int) },
		rt.OnTell(job, func(_ *int, _ *rt.Context, text string) error {
			printing <- true
			<-paper // a handler may block: that delays this actor, and no other
			return nil
		})),
		rt.Mailbox(1, mailbox.Reject))

	fmt.Println(rt.Tell(ctx, printer, job, "first"))
	<-printing
	fmt.Println(rt.Tell(ctx, printer, job, "second")) // waits in the mailbox
	fmt.Println(rt.Tell(ctx, printer, job, "third"))  // for which there is no room
	close(paper)
	<-printing
	// Output:
	// <nil>
	// <nil>
	// tell printer.job to printer: MAILBOX_FULL: the mailbox of printer holds its 1 messages; send slower, or give it a larger one with rt.Mailbox
}

// Leaving the loop cancels the stream.
func ExampleRecv() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)

	type Clock struct{}
	ticks := rt.NewServerStream[Clock, int, int]("clock.ticks")
	clock, _ := rt.Spawn(sys, "clock", rt.Define(func() *int { return new(int) },
		rt.OnServer(ticks, func(_ *int, c *rt.Context, n int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := range n {
					if !yield(i, nil) { // the reader has left
						return
					}
				}
				yield(0, errors.New("out of time"))
			}
		})))

	for tick, err := range rt.Recv(ctx, clock, ticks, 1000) {
		if err != nil || tick == 3 {
			break
		}
		fmt.Println(tick)
	}
	for tick, err := range rt.Recv(ctx, clock, ticks, 1) {
		fmt.Println(tick, err)
	}
	// Output:
	// 0
	// 1
	// 2
	// 0 <nil>
	// 0 open clock.ticks to clock: UNKNOWN: out of time (EXECUTED)
}

// A service is a name that any node may serve; calls find who does.
func ExampleService() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)
	bank := rt.Service[Bank](sys, "bank", rt.Timeout(time.Second)) // may come before Serve

	_, err := rt.Ask(ctx, bank, Deposit, 1)
	fmt.Println(posthaste.CodeOf(err))

	acc, _ := rt.Spawn(sys, "acc-1", Account)
	if err := rt.Serve(sys, "bank", acc); err != nil { // until acc stops
		log.Fatal(err)
	}
	balance, err := rt.Ask(ctx, bank, Deposit, 100)
	fmt.Println(balance, err)
	// Output:
	// NO_ENDPOINT
	// 100 <nil>
}

// The lifecycle of an actor: a panic costs it its state, and nobody else anything.
func ExampleDefine() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)

	type Divider struct{}
	divide := rt.NewMethod[Divider, [2]int, int]("divider.divide")
	type divider struct{ answered int }
	restarted := make(chan error, 1)
	kind := rt.Define(func() *divider { return &divider{} },
		rt.On(divide, func(d *divider, _ *rt.Context, q [2]int) (int, error) {
			d.answered++
			return q[0] / q[1], nil
		}),
		rt.Started[Divider](func(d *divider, c *rt.Context) error {
			fmt.Println("started", c.Self().Name)
			return nil
		}),
		rt.Restarted[Divider](func(d *divider, _ *rt.Context, why error) error {
			restarted <- why
			return nil
		}),
		rt.Stopped[Divider](func(d *divider, _ *rt.Context) {
			fmt.Println("stopped; answered since the restart:", d.answered)
		}))

	ref, _ := rt.Spawn(sys, "divider", kind)
	fmt.Println(rt.Ask(ctx, ref, divide, [2]int{6, 3}))
	_, err := rt.Ask(ctx, ref, divide, [2]int{1, 0})
	fmt.Println(posthaste.CodeOf(err))
	fmt.Println("restarted after", <-restarted)
	fmt.Println(rt.Ask(ctx, ref, divide, [2]int{8, 2}))
	_ = rt.StopActor(ctx, ref)
	// Output:
	// started divider
	// 2 <nil>
	// INTERNAL
	// restarted after runtime error: integer divide by zero
	// 4 <nil>
	// stopped; answered since the restart: 1
}

// A time-out holds for asks whose context has no deadline. The handler's context
// ends with it.
func ExampleTimeout() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)

	type Oracle struct{}
	ponder := rt.NewMethod[Oracle, string, string]("oracle.ponder", rt.Timeout(100*time.Millisecond))
	told := make(chan error)
	oracle, _ := rt.Spawn(sys, "oracle", rt.Define(func() *int { return new(int) },
		rt.On(ponder, func(_ *int, c *rt.Context, _ string) (string, error) {
			<-c.Done()
			told <- context.Cause(c)
			return "42", nil // too late: nobody waits for it
		})))

	_, err := rt.Ask(ctx, oracle, ponder, "the meaning")
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	fmt.Println("the handler:", <-told)
	// Output:
	// ask oracle.ponder to oracle: DEADLINE_EXCEEDED: no reply within 100ms; the context has no deadline, so rt.Timeout or rt.AskTimeout sets one
	// true
	// the handler: context deadline exceeded
}

// A handler passes its Context on when it calls other actors: deadline,
// cancellation and values go with it.
func ExampleContext() {
	ctx := context.Background()
	sys, _ := rt.New(quiet)
	defer sys.Stop(ctx)
	acc, _ := rt.Spawn(sys, "acc-1", Account)

	type Teller struct{}
	serve := rt.NewMethod[Teller, []int64, string]("teller.serve")
	teller, _ := rt.Spawn(sys, "teller", rt.Define(func() *int { return new(int) },
		rt.On(serve, func(_ *int, c *rt.Context, amounts []int64) (string, error) {
			var report strings.Builder
			for _, amount := range amounts {
				balance, err := rt.Ask(c, acc, Deposit, amount) // others run on meanwhile
				if err != nil {
					return "", fmt.Errorf("after %q: %w", report.String(), err)
				}
				fmt.Fprint(&report, balance, " ")
			}
			return report.String(), rt.Tell(c, acc, Note, "served by "+c.Self().Name)
		})))

	fmt.Println(rt.Ask(ctx, teller, serve, []int64{10, 20, 30}))
	_, err := rt.Ask(ctx, teller, serve, []int64{40, -1})
	fmt.Println(posthaste.CodeOf(err))
	for note := range rt.Recv(ctx, acc, History, 10) {
		fmt.Println(note)
	}
	// Output:
	// 10 30 60  <nil>
	// INVALID_ARGUMENT
	// served by teller
}

// Where messages may be dropped, the drops can be counted and looked at.
func ExampleOnDeadLetter() {
	ctx := context.Background()
	sys, _ := rt.New(quiet, rt.OnDeadLetter(func(d rt.DeadLetter) {
		fmt.Println(d.Method, "to", d.To.Name, "is lost:", posthaste.CodeOf(d.Reason))
	}))
	defer sys.Stop(ctx)

	type Display struct{}
	show := rt.NewEvent[Display, string]("display.show")
	showing, next := make(chan bool), make(chan bool)
	display, _ := rt.Spawn(sys, "display", rt.Define(func() *int { return new(int) },
		rt.OnTell(show, func(_ *int, _ *rt.Context, text string) error {
			showing <- true
			<-next
			fmt.Println("showing", text)
			return nil
		})),
		rt.Mailbox(1, mailbox.DropOldest)) // only what is newest matters

	_ = rt.Tell(ctx, display, show, "10:00")
	<-showing
	_ = rt.Tell(ctx, display, show, "10:01")
	_ = rt.Tell(ctx, display, show, "10:02")
	next <- true
	<-showing
	next <- true
	_ = rt.StopActor(ctx, display)
	fmt.Println(sys.Stats().DeadLetters)
	// Output:
	// display.show to display is lost: MAILBOX_FULL
	// showing 10:00
	// showing 10:02
	// 1
}
