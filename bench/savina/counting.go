package savina

import (
	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// counting is an actor that tells another to count, very often, and then asks how
// far it has come. The size is the suite's. The result is the count.
var counting = Benchmark{
	Name:  "counting",
	About: "an actor tells another to count, without a pause; per message",
	Size:  Size{Work: 1_000_000}, // increments

	Ops:  func(s Size) int { return s.Work },
	Want: func(s Size) int { return s.Work },

	Posthaste: countingPosthaste,
	Chan:      countingChan,
	Library:   countingLibrary,
}

type countings struct{}

var (
	countingBegin     = rt.NewEvent[countings, int]("counting.begin")
	countingIncrement = rt.NewEvent[countings, none]("counting.increment")
	countingRetrieve  = rt.NewEvent[countings, none]("counting.retrieve")
	countingTotal     = rt.NewEvent[countings, int]("counting.total")
)

type producer struct {
	counter rt.Ref[countings]
	result  chan int
}

func (p *producer) begin(c *rt.Context, increments int) error {
	for range increments {
		tell(c, p.counter, countingIncrement, none{})
	}
	tell(c, p.counter, countingRetrieve, none{})
	return nil
}

func (p *producer) total(c *rt.Context, count int) error {
	p.result <- count
	c.Stop()
	return nil
}

type counter struct {
	count    int
	producer rt.Ref[countings]
}

func (k *counter) increment(*rt.Context, none) error {
	k.count++
	return nil
}

func (k *counter) retrieve(c *rt.Context, _ none) error {
	tell(c, k.producer, countingTotal, k.count)
	c.Stop()
	return nil
}

func countingPosthaste(n *Node, s Size) int {
	p, k := &producer{result: make(chan int, 1)}, &counter{}
	k.producer = start(n, p, rt.OnTell(countingBegin, (*producer).begin), rt.OnTell(countingTotal, (*producer).total))
	p.counter = start(n, k, rt.OnTell(countingIncrement, (*counter).increment), rt.OnTell(countingRetrieve, (*counter).retrieve))
	tell(outside, k.producer, countingBegin, s.Work)
	n.wait()
	return <-p.result
}

func countingChan(s Size) int {
	increments, total := make(chan struct{}, mailboxLen), make(chan int)
	go func() {
		count := 0
		for range increments {
			count++
		}
		total <- count
	}()
	for range s.Work {
		increments <- struct{}{}
	}
	close(increments)
	return <-total
}

// mailboxLen is the capacity of a channel that stands for the mailbox of an actor
// whose senders may be far ahead.
const mailboxLen = 1024

type (
	anyBegin     struct{}
	anyIncrement struct{}
	anyRetrieve  struct{}
	anyTotal     struct{ count int }
)

type anyProducer struct {
	counter    anyactor.Ref
	increments int
	result     chan int
}

func (p *anyProducer) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyBegin:
		for range p.increments {
			c.Send(p.counter, anyIncrement{})
		}
		c.Send(p.counter, anyRetrieve{})
	case anyTotal:
		p.result <- m.count
		c.Stop()
	}
}

type anyCounter struct {
	count    int
	producer anyactor.Ref
}

func (k *anyCounter) Receive(c anyactor.Context, m any) {
	switch m.(type) {
	case anyIncrement:
		k.count++
	case anyRetrieve:
		c.Send(k.producer, anyTotal{k.count})
		c.Stop()
	}
}

func countingLibrary(sys anyactor.System, s Size) int {
	p := &anyProducer{increments: s.Work, result: make(chan int, 1)}
	to := sys.Spawn(p)
	p.counter = sys.Spawn(&anyCounter{producer: to})
	sys.Send(to, anyBegin{})
	sys.Wait()
	return <-p.result
}
