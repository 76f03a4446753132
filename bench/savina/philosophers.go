package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// philosophers is the dining philosophers with an arbitrator, who denies a meal
// while a neighbour eats; then the philosopher asks again, at once. The meals are
// a tenth of the suite's. The result is how many meals the arbitrator saw end,
// provided that all forks are back.
var philosophers = Benchmark{
	Name:  "philosophers",
	About: "20 philosophers and an arbitrator; per meal, denials not counted",
	Size:  Size{Actors: 20, Work: 1000}, // meals of each

	Ops:  func(s Size) int { return s.Actors * s.Work },
	Want: func(s Size) int { return s.Actors * s.Work },

	Posthaste: philosophersPosthaste,
	Chan:      philosophersChan,
	Library:   philosophersLibrary,
}

// forks are what the arbitrator knows, whatever its library: which are in use,
// and how many meals have ended.
type forks struct {
	used  []bool
	meals int
}

func newForks(s Size) forks { return forks{used: make([]bool, s.Actors)} }

// take reports whether a philosopher may eat, and has him take both forks then.
func (f *forks) take(philosopher int) bool {
	left, right := &f.used[philosopher], &f.used[(philosopher+1)%len(f.used)]
	if *left || *right {
		return false
	}
	*left, *right = true, true
	return true
}

// put takes the forks back.
func (f *forks) put(philosopher int) {
	f.used[philosopher], f.used[(philosopher+1)%len(f.used)] = false, false
	f.meals++
}

// total returns the result.
func (f *forks) total() int {
	for _, used := range f.used {
		if used {
			return -1
		}
	}
	return f.meals
}

type diners struct{}

var (
	arbitratorHungry  = rt.NewEvent[diners, int]("arbitrator.hungry")
	arbitratorDone    = rt.NewEvent[diners, int]("arbitrator.done")
	arbitratorExit    = rt.NewEvent[diners, none]("arbitrator.exit")
	philosopherEat    = rt.NewEvent[diners, none]("philosopher.eat")
	philosopherDenied = rt.NewEvent[diners, none]("philosopher.denied")
)

type arbitrator struct {
	forks
	philosophers []rt.Ref[diners]
	exited       int
	result       chan int
}

func (a *arbitrator) hungry(c *rt.Context, philosopher int) error {
	answer := philosopherDenied
	if a.take(philosopher) {
		answer = philosopherEat
	}
	tell(c, a.philosophers[philosopher], answer, none{})
	return nil
}

func (a *arbitrator) done(_ *rt.Context, philosopher int) error {
	a.put(philosopher)
	return nil
}

func (a *arbitrator) exit(c *rt.Context, _ none) error {
	if a.exited++; a.exited == len(a.philosophers) {
		a.result <- a.total()
		c.Stop()
	}
	return nil
}

type philosopher struct {
	number     int
	left       int // meals
	arbitrator rt.Ref[diners]
}

func (p *philosopher) eat(c *rt.Context, _ none) error {
	tell(c, p.arbitrator, arbitratorDone, p.number)
	if p.left--; p.left > 0 {
		return p.denied(c, none{}) // hungry again
	}
	tell(c, p.arbitrator, arbitratorExit, none{})
	c.Stop()
	return nil
}

func (p *philosopher) denied(c *rt.Context, _ none) error {
	tell(c, p.arbitrator, arbitratorHungry, p.number)
	return nil
}

func philosophersPosthaste(n *Node, s Size) int {
	a := &arbitrator{forks: newForks(s), result: make(chan int, 1)}
	to := start(n, a, rt.OnTell(arbitratorHungry, (*arbitrator).hungry), rt.OnTell(arbitratorDone, (*arbitrator).done),
		rt.OnTell(arbitratorExit, (*arbitrator).exit))
	for i := range s.Actors {
		a.philosophers = append(a.philosophers, start(n, &philosopher{i, s.Work, to},
			rt.OnTell(philosopherEat, (*philosopher).eat), rt.OnTell(philosopherDenied, (*philosopher).denied)))
	}
	for i := range s.Actors {
		tell(outside, to, arbitratorHungry, i)
	}
	n.wait()
	return <-a.result
}

// dinerMessage is what a philosopher tells the arbitrator: he is hungry, or done.
type dinerMessage struct {
	philosopher int
	done        bool
}

func philosophersChan(s Size) int {
	requests := make(chan dinerMessage, 2*s.Actors)
	answers := make([]chan bool, s.Actors)
	var alive sync.WaitGroup
	for i := range answers {
		answers[i] = make(chan bool, 1)
		alive.Go(func() {
			for left := s.Work; left > 0; {
				requests <- dinerMessage{i, false}
				if <-answers[i] {
					requests <- dinerMessage{i, true}
					left--
				}
			}
		})
	}
	go func() {
		alive.Wait()
		close(requests)
	}()
	f := newForks(s)
	for r := range requests {
		if r.done {
			f.put(r.philosopher)
		} else {
			answers[r.philosopher] <- f.take(r.philosopher)
		}
	}
	return f.total()
}

type (
	anyHungry   struct{ philosopher int }
	anyFinished struct{ philosopher int }
	anyEat      struct{}
	anyDenied   struct{}
)

type anyArbitrator struct {
	forks
	philosophers []anyactor.Ref
	exited       int
	result       chan int
}

func (a *anyArbitrator) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyHungry:
		if a.take(m.philosopher) {
			c.Send(a.philosophers[m.philosopher], anyEat{})
		} else {
			c.Send(a.philosophers[m.philosopher], anyDenied{})
		}
	case anyFinished:
		a.put(m.philosopher)
	case anyDone:
		if a.exited++; a.exited == len(a.philosophers) {
			a.result <- a.total()
			c.Stop()
		}
	}
}

type anyPhilosopher struct {
	number     int
	left       int
	arbitrator anyactor.Ref
}

func (p *anyPhilosopher) Receive(c anyactor.Context, m any) {
	if _, ok := m.(anyEat); ok {
		c.Send(p.arbitrator, anyFinished{p.number})
		if p.left--; p.left == 0 {
			c.Send(p.arbitrator, anyDone{})
			c.Stop()
			return
		}
	}
	c.Send(p.arbitrator, anyHungry{p.number})
}

func philosophersLibrary(sys anyactor.System, s Size) int {
	a := &anyArbitrator{forks: newForks(s), result: make(chan int, 1)}
	to := sys.Spawn(a)
	for i := range s.Actors {
		a.philosophers = append(a.philosophers, sys.Spawn(&anyPhilosopher{i, s.Work, to}))
	}
	for i := range s.Actors {
		sys.Send(to, anyHungry{i})
	}
	sys.Wait()
	return <-a.result
}
