package savina

import (
	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// sieve is a chain of actors that each filter by some hundred primes, and pass on
// what is left; the last one adds an actor to the chain when it has its share. It
// is less than a third of the suite's size. The result is how many primes there
// are.
var sieve = Benchmark{
	Name:  "sieve",
	About: "a chain of 17 actors filters primes; per candidate",
	Size:  Size{Work: 30_000}, // the limit, from which the actors follow

	Ops:  func(s Size) int { return candidates(s.Work) },
	Want: countPrimes,

	Posthaste: sievePosthaste,
	Chan:      sieveChan,
	Library:   sieveLibrary,
}

// localPrimes is how many primes an actor filters by.
const localPrimes = 200

// candidates returns how many odd numbers from 3 are below the limit.
func candidates(limit int) int { return max(0, (limit-2)/2) }

// countPrimes counts the odd primes below the limit.
func countPrimes(s Size) (n int) {
	for i := 3; i < s.Work; i += 2 {
		prime := true
		for d := 3; d*d <= i && prime; d += 2 {
			prime = i%d != 0
		}
		if prime {
			n++
		}
	}
	return n
}

// A filter has primes to filter by.
type filter struct{ primes []int }

func newFilter(prime int) filter {
	return filter{append(make([]int, 0, localPrimes), prime)}
}

// passes reports whether no prime of the filter divides a number.
func (f *filter) passes(candidate int) bool {
	for _, p := range f.primes {
		if candidate%p == 0 {
			return false
		}
	}
	return true
}

// take adds a prime, if there is room.
func (f *filter) take(prime int) bool {
	if len(f.primes) == localPrimes {
		return false
	}
	f.primes = append(f.primes, prime)
	return true
}

type sieves struct{}

var (
	sieveBegin     = rt.NewEvent[sieves, int]("sieve.begin") // the limit
	sieveCandidate = rt.NewEvent[sieves, int]("sieve.candidate")
	sieveExit      = rt.NewEvent[sieves, int]("sieve.exit") // primes so far
)

type siever struct {
	filter
	node   *Node
	next   rt.Ref[sieves] // zero at the end of the chain
	result chan int
}

func (f *siever) spawn() rt.Ref[sieves] {
	return start(f.node, f, rt.OnTell(sieveCandidate, (*siever).candidate), rt.OnTell(sieveExit, (*siever).exit))
}

func (f *siever) candidate(c *rt.Context, n int) error {
	switch {
	case !f.passes(n):
	case !f.next.IsZero():
		tell(c, f.next, sieveCandidate, n)
	case !f.take(n):
		f.next = (&siever{filter: newFilter(n), node: f.node, result: f.result}).spawn()
	}
	return nil
}

func (f *siever) exit(c *rt.Context, count int) error {
	count += len(f.primes)
	if f.next.IsZero() {
		f.result <- count
	} else {
		tell(c, f.next, sieveExit, count)
	}
	c.Stop()
	return nil
}

// numbers makes the candidates.
type numbers struct{ first rt.Ref[sieves] }

func (p *numbers) begin(c *rt.Context, limit int) error {
	for n := 5; n < limit; n += 2 {
		tell(c, p.first, sieveCandidate, n)
	}
	tell(c, p.first, sieveExit, 0)
	c.Stop()
	return nil
}

func sievePosthaste(n *Node, s Size) int {
	result := make(chan int, 1)
	first := (&siever{filter: newFilter(3), node: n, result: result}).spawn()
	tell(outside, start(n, &numbers{first}, rt.OnTell(sieveBegin, (*numbers).begin)), sieveBegin, s.Work)
	n.wait()
	return <-result
}

func sieveChan(s Size) int {
	result := make(chan int)
	first := make(chan int, mailboxLen)
	go sieveLoop(3, 0, first, result)
	for n := 5; n < s.Work; n += 2 {
		first <- n
	}
	close(first)
	return <-result
}

// sieveLoop is one filter of the chain; before is how many primes come before it.
func sieveLoop(prime, before int, in <-chan int, result chan<- int) {
	f := newFilter(prime)
	var next chan int
	for n := range in {
		switch {
		case !f.passes(n):
		case next != nil:
			next <- n
		case !f.take(n):
			next = make(chan int, mailboxLen)
			go sieveLoop(n, before+localPrimes, next, result)
		}
	}
	if next == nil {
		result <- before + len(f.primes)
	} else {
		close(next)
	}
}

type anyCandidate struct{ n int }

type anySiever struct {
	filter
	sys    anyactor.System
	next   anyactor.Ref // nil at the end of the chain
	result chan int
}

func (f *anySiever) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyCandidate:
		switch {
		case !f.passes(m.n):
		case f.next != nil:
			c.Send(f.next, m)
		case !f.take(m.n):
			f.next = f.sys.Spawn(&anySiever{filter: newFilter(m.n), sys: f.sys, result: f.result})
		}
	case anyTotal:
		m.count += len(f.primes)
		if f.next == nil {
			f.result <- m.count
		} else {
			c.Send(f.next, m)
		}
		c.Stop()
	}
}

type anyNumbers struct {
	first anyactor.Ref
	limit int
}

func (p *anyNumbers) Receive(c anyactor.Context, m any) {
	_ = m.(anyBegin)
	for n := 5; n < p.limit; n += 2 {
		c.Send(p.first, anyCandidate{n})
	}
	c.Send(p.first, anyTotal{})
	c.Stop()
}

func sieveLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, 1)
	first := sys.Spawn(&anySiever{filter: newFilter(3), sys: sys, result: result})
	sys.Send(sys.Spawn(&anyNumbers{first, s.Work}), anyBegin{})
	sys.Wait()
	return <-result
}
