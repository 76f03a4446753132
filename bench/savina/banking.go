package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// banking is accounts that transfer money to each other on behalf of a teller. The
// account that gives waits, in its handler, until the one that gets has said so:
// an ask inside a message. Money only goes to accounts of higher numbers, so that
// no two wait for each other. The size is the suite's. The result is how many
// transfers were completed, provided that there is as much money as before.
var banking = Benchmark{
	Name:  "banking",
	About: "1000 accounts transfer money and wait for each other; per transfer",
	Size:  Size{Actors: 1000, Work: 50_000}, // accounts, transfers

	Ops:  func(s Size) int { return s.Work },
	Want: func(s Size) int { return s.Work },

	Posthaste: bankingPosthaste,
	Chan:      bankingChan,
	Library:   bankingLibrary,
}

// openingBalance is what each account has at first.
const openingBalance = 1_000_000

// A transfer is money from one account to another.
type transfer struct {
	to     int32
	amount int32
}

// A clerk chooses transfers.
type clerk struct {
	size   Size
	random random
}

func (k *clerk) next() (from int, t transfer) {
	from = k.random.below(k.size.Actors / 10 * 8)
	to := from + 1 + k.random.below(k.size.Actors-from-1)
	return from, transfer{int32(to), int32(k.random.below(1000))}
}

// An audit adds up what the accounts report at the end.
type audit struct {
	size     Size
	done     int // transfers
	balances chan int
}

func newAudit(s Size) audit { return audit{size: s, balances: make(chan int, s.Actors)} }

// complete counts a transfer and reports whether it was the last.
func (a *audit) complete() bool {
	a.done++
	return a.done == a.size.Work
}

func (a *audit) result() int {
	if sum(a.balances, a.size.Actors) != a.size.Actors*openingBalance {
		return -1
	}
	return a.done
}

type (
	accounts struct{}
	tellers  struct{}
)

var (
	accountGive   = rt.NewEvent[accounts, transfer]("account.give")
	accountGet    = rt.NewMethod[accounts, int, none]("account.get")
	accountReport = rt.NewEvent[accounts, none]("account.report")
	tellerBegin   = rt.NewEvent[tellers, none]("teller.begin")
	tellerDone    = rt.NewEvent[tellers, none]("teller.done")
)

type account struct {
	balance  int
	all      []rt.Ref[accounts] // shared, complete before the first message
	teller   rt.Ref[tellers]
	balances chan int
}

func (a *account) give(c *rt.Context, t transfer) error {
	a.balance -= int(t.amount)
	if _, err := rt.Ask(c, a.all[t.to], accountGet, int(t.amount)); err != nil {
		return err
	}
	tell(c, a.teller, tellerDone, none{})
	return nil
}

func (a *account) get(_ *rt.Context, amount int) (none, error) {
	a.balance += amount
	return none{}, nil
}

func (a *account) report(c *rt.Context, _ none) error {
	a.balances <- a.balance
	c.Stop()
	return nil
}

type teller struct {
	clerk
	audit *audit
	all   []rt.Ref[accounts]
}

func (k *teller) begin(c *rt.Context, _ none) error {
	for range k.size.Work {
		from, t := k.next()
		tell(c, k.all[from], accountGive, t)
	}
	return nil
}

func (k *teller) done(c *rt.Context, _ none) error {
	if k.audit.complete() {
		for _, to := range k.all {
			tell(c, to, accountReport, none{})
		}
		c.Stop()
	}
	return nil
}

func bankingPosthaste(n *Node, s Size) int {
	a := newAudit(s)
	all := make([]rt.Ref[accounts], s.Actors)
	to := start(n, &teller{clerk{size: s}, &a, all}, rt.OnTell(tellerBegin, (*teller).begin), rt.OnTell(tellerDone, (*teller).done))
	kind := define(n, func() *account { return &account{openingBalance, all, to, a.balances} },
		rt.OnTell(accountGive, (*account).give), rt.On(accountGet, (*account).get), rt.OnTell(accountReport, (*account).report))
	for i := range all {
		all[i] = spawn(n, kind)
	}
	tell(outside, to, tellerBegin, none{})
	n.wait()
	return a.result()
}

// accountMessage is a transfer to make, or money that comes, with whom to tell.
type accountMessage struct {
	transfer
	got chan<- struct{} // nil: make the transfer
}

// bankingChan has room in the teller's channel for all that can be told, so that
// accounts never wait for him while he waits for them.
func bankingChan(s Size) int {
	a := newAudit(s)
	all := make([]chan accountMessage, s.Actors)
	for i := range all {
		all[i] = make(chan accountMessage, mailboxLen)
	}
	done := make(chan struct{}, s.Work)
	var alive sync.WaitGroup
	for i := range all {
		alive.Go(func() { accountLoop(all, i, done, a.balances) })
	}
	k := clerk{size: s}
	for range s.Work {
		from, t := k.next()
		all[from] <- accountMessage{transfer: t}
	}
	for over := false; !over; over = a.complete() {
		<-done
	}
	for _, box := range all {
		close(box)
	}
	alive.Wait()
	return a.result()
}

func accountLoop(all []chan accountMessage, number int, done chan<- struct{}, balances chan<- int) {
	balance := openingBalance
	got := make(chan struct{}, 1)
	for m := range all[number] {
		if m.got != nil {
			balance += int(m.amount)
			m.got <- struct{}{}
			continue
		}
		balance -= int(m.amount)
		all[m.to] <- accountMessage{m.transfer, got}
		<-got
		done <- struct{}{}
	}
	balances <- balance
}

type anyGet struct{ amount int32 }

type anyAccount struct {
	balance  int
	all      []anyactor.Ref
	teller   anyactor.Ref
	balances chan int
}

func (a *anyAccount) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case transfer:
		a.balance -= int(m.amount)
		if _, err := c.Ask(a.all[m.to], anyGet{m.amount}); err != nil {
			panic(err)
		}
		c.Send(a.teller, anyDone{})
	case anyGet:
		a.balance += int(m.amount)
		c.Reply(anyDone{})
	case anyStop:
		a.balances <- a.balance
		c.Stop()
	}
}

type anyTeller struct {
	clerk
	audit *audit
	all   []anyactor.Ref
}

func (k *anyTeller) Receive(c anyactor.Context, m any) {
	switch m.(type) {
	case anyBegin:
		for range k.size.Work {
			from, t := k.next()
			c.Send(k.all[from], t)
		}
	case anyDone:
		if k.audit.complete() {
			for _, to := range k.all {
				c.Send(to, anyStop{})
			}
			c.Stop()
		}
	}
}

func bankingLibrary(sys anyactor.System, s Size) int {
	a := newAudit(s)
	all := make([]anyactor.Ref, s.Actors)
	to := sys.Spawn(&anyTeller{clerk{size: s}, &a, all})
	for i := range all {
		all[i] = sys.Spawn(&anyAccount{openingBalance, all, to, a.balances})
	}
	sys.Send(to, anyBegin{})
	sys.Wait()
	return a.result()
}
