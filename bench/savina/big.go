package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// big is actors that each ping one of the others at random, wait for its pong and
// ping again. The size is a tenth of the suite's. The result is how many pongs
// came, each from the actor that was pinged last.
var big = Benchmark{
	Name:  "big",
	About: "120 actors ping each other at random; per message",
	Size:  Size{Actors: 120, Work: 2000}, // pings of each

	Ops:  func(s Size) int { return 2 * s.Actors * s.Work },
	Want: func(s Size) int { return s.Actors * s.Work },

	Posthaste: bigPosthaste,
	Chan:      bigChan,
	Library:   bigLibrary,
}

// bigState is what an actor knows, whatever its library.
type bigState struct {
	number int
	size   Size
	random random
	pinged int // whom
	pings  int
	pongs  int
	result chan int
}

func newBigState(i int, s Size, result chan int) bigState {
	return bigState{number: i, size: s, random: random(i), result: result}
}

// target chooses whom to ping, if pings are left.
func (b *bigState) target() (number int, ok bool) {
	if b.pings == b.size.Work {
		return 0, false
	}
	b.pings++
	b.pinged = b.random.below(b.size.Actors)
	return b.pinged, true
}

func (b *bigState) ponged(from int) {
	if from == b.pinged {
		b.pongs++
	}
}

type bigs struct{}

var (
	bigPing = rt.NewEvent[bigs, int]("big.ping") // from whom
	bigPong = rt.NewEvent[bigs, int]("big.pong")
	bigNext = rt.NewEvent[bigs, none]("big.next")
	bigDone = rt.NewEvent[bigs, none]("big.done")
	bigExit = rt.NewEvent[bigs, none]("big.exit")
)

type bigActor struct {
	bigState
	all  []rt.Ref[bigs] // shared, complete before the first message
	sink rt.Ref[bigs]
}

func (b *bigActor) next(c *rt.Context, _ none) error {
	if to, ok := b.target(); ok {
		tell(c, b.all[to], bigPing, b.number)
	} else {
		tell(c, b.sink, bigDone, none{})
	}
	return nil
}

func (b *bigActor) ping(c *rt.Context, from int) error {
	tell(c, b.all[from], bigPong, b.number)
	return nil
}

func (b *bigActor) pong(c *rt.Context, from int) error {
	b.ponged(from)
	return b.next(c, none{})
}

func (b *bigActor) exit(c *rt.Context, _ none) error {
	b.result <- b.pongs
	c.Stop()
	return nil
}

// bigSink ends everybody when all are done.
type bigSink struct {
	all  []rt.Ref[bigs]
	done int
}

func (k *bigSink) finished(c *rt.Context, _ none) error {
	if k.done++; k.done == len(k.all) {
		for _, to := range k.all {
			tell(c, to, bigExit, none{})
		}
		c.Stop()
	}
	return nil
}

func bigPosthaste(n *Node, s Size) int {
	result := make(chan int, s.Actors)
	all := make([]rt.Ref[bigs], s.Actors)
	sink := start(n, &bigSink{all: all}, rt.OnTell(bigDone, (*bigSink).finished))
	var state *bigActor
	kind := define(n, func() *bigActor { return state },
		rt.OnTell(bigNext, (*bigActor).next), rt.OnTell(bigPing, (*bigActor).ping),
		rt.OnTell(bigPong, (*bigActor).pong), rt.OnTell(bigExit, (*bigActor).exit))
	for i := range all {
		state = &bigActor{newBigState(i, s, result), all, sink}
		all[i] = spawn(n, kind)
	}
	for _, to := range all {
		tell(outside, to, bigNext, none{})
	}
	n.wait()
	return sum(result, s.Actors)
}

// bigMessage is a ping or a pong.
type bigMessage struct {
	from int
	pong bool
}

// bigChan has room in each channel for a ping from everybody and a pong, so that
// nobody waits to send.
func bigChan(s Size) int {
	result := make(chan int, s.Actors)
	all := make([]chan bigMessage, s.Actors)
	for i := range all {
		all[i] = make(chan bigMessage, s.Actors+1)
	}
	var alive, pinging sync.WaitGroup
	pinging.Add(s.Actors)
	for i := range all {
		alive.Go(func() {
			b := newBigState(i, s, result)
			b.loop(all, pinging.Done)
			result <- b.pongs
		})
	}
	pinging.Wait()
	for _, box := range all {
		close(box)
	}
	alive.Wait()
	return sum(result, s.Actors)
}

func (b *bigState) loop(all []chan bigMessage, done func()) {
	ping := func() {
		if to, ok := b.target(); ok {
			all[to] <- bigMessage{from: b.number}
		} else {
			done()
		}
	}
	ping()
	for m := range all[b.number] {
		if m.pong {
			b.ponged(m.from)
			ping()
		} else {
			all[m.from] <- bigMessage{b.number, true}
		}
	}
}

type (
	anyBigPing struct{ from int }
	anyBigPong struct{ from int }
)

type anyBig struct {
	bigState
	all  []anyactor.Ref
	sink anyactor.Ref
}

func (b *anyBig) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyBegin:
		b.next(c)
	case anyBigPing:
		c.Send(b.all[m.from], anyBigPong{b.number})
	case anyBigPong:
		b.ponged(m.from)
		b.next(c)
	case anyStop:
		b.result <- b.pongs
		c.Stop()
	}
}

func (b *anyBig) next(c anyactor.Context) {
	if to, ok := b.target(); ok {
		c.Send(b.all[to], anyBigPing{b.number})
	} else {
		c.Send(b.sink, anyDone{})
	}
}

type anyDone struct{} // of several benchmarks

type anyBigSink struct {
	all  []anyactor.Ref
	done int
}

func (k *anyBigSink) Receive(c anyactor.Context, m any) {
	_ = m.(anyDone)
	if k.done++; k.done == len(k.all) {
		for _, to := range k.all {
			c.Send(to, anyStop{})
		}
		c.Stop()
	}
}

func bigLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, s.Actors)
	all := make([]anyactor.Ref, s.Actors)
	sink := sys.Spawn(&anyBigSink{all: all})
	for i := range all {
		all[i] = sys.Spawn(&anyBig{newBigState(i, s, result), all, sink})
	}
	for _, to := range all {
		sys.Send(to, anyBegin{})
	}
	sys.Wait()
	return sum(result, s.Actors)
}
