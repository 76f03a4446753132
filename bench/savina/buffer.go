package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// buffer is producers and consumers with a bounded buffer between them, which is
// an actor that also says who may go on. The size is the suite's. The result is
// the sum of the items that the consumers got.
var buffer = Benchmark{
	Name:  "buffer",
	About: "40 producers, 40 consumers and a bounded buffer; per item",
	Size:  Size{Actors: 40, Work: 1000}, // of either kind; items of each producer

	Ops:  func(s Size) int { return s.Actors * s.Work },
	Want: func(s Size) int { n := s.Actors * s.Work; return n * (n + 1) / 2 },

	Posthaste: bufferPosthaste,
	Chan:      bufferChan,
	Library:   bufferLibrary,
}

// bufferSlack is how many items wait before producers have to: the suite's buffer
// of 50 less one item for each of 40 producers.
const bufferSlack = 10

// An item is a number from 1 up, and who has made it.
type item struct {
	producer int32
	value    int32
}

// A maker makes the items of one producer.
type maker struct {
	number int
	made   int
	size   Size
}

func (m *maker) next() (i item, ok bool) {
	if m.made == m.size.Work {
		return i, false
	}
	m.made++
	return item{int32(m.number), int32(m.number*m.size.Work + m.made)}, true
}

// depot is what the buffer knows, whatever its library. Its methods say whom to
// tell what.
type depot struct {
	size      Size
	items     []item // that wait for consumers
	consumers []int  // that wait for items
	producers []int  // that wait for room
	ended     int    // producers
}

func newDepot(s Size) depot {
	d := depot{size: s}
	for i := range s.Actors {
		d.consumers = append(d.consumers, i)
	}
	return d
}

// put takes an item. It is for the consumer, if one waits (else -1), and the
// producer may go on or not.
func (d *depot) put(i item) (consumer int, goOn bool) {
	consumer = -1
	if len(d.consumers) > 0 {
		consumer, d.consumers = shift(d.consumers)
	} else {
		d.items = append(d.items, i)
	}
	if len(d.items) >= bufferSlack {
		d.producers = append(d.producers, int(i.producer))
		return consumer, false
	}
	return consumer, true
}

// get takes a consumer that wants an item. It gets one if there is one, and then
// a producer that waits (else -1) may go on.
func (d *depot) get(consumer int) (i item, ok bool, producer int) {
	if len(d.items) == 0 {
		d.consumers = append(d.consumers, consumer)
		return i, false, -1
	}
	i, d.items = shift(d.items)
	producer = -1
	if len(d.producers) > 0 {
		producer, d.producers = shift(d.producers)
	}
	return i, true, producer
}

// over reports whether all items have been made and consumed.
func (d *depot) over() bool { return d.ended == d.size.Actors && len(d.consumers) == d.size.Actors }

// shift takes the first element. Slices here are short: it is moved out.
func shift[T any](s []T) (T, []T) {
	first := s[0]
	return first, s[:copy(s, s[1:])]
}

type buffers struct{}

var (
	bufferPut      = rt.NewEvent[buffers, item]("buffer.put")
	bufferGet      = rt.NewEvent[buffers, int]("buffer.get") // who
	bufferEnded    = rt.NewEvent[buffers, none]("buffer.ended")
	producerGoOn   = rt.NewEvent[buffers, none]("producer.go_on")
	consumerTake   = rt.NewEvent[buffers, item]("consumer.take")
	consumerFinish = rt.NewEvent[buffers, none]("consumer.finish")
)

type bufferActor struct {
	depot
	makers, takers []rt.Ref[buffers]
}

func (b *bufferActor) put(c *rt.Context, i item) error {
	consumer, goOn := b.depot.put(i)
	if consumer >= 0 {
		tell(c, b.takers[consumer], consumerTake, i)
	}
	if goOn {
		tell(c, b.makers[i.producer], producerGoOn, none{})
	}
	return nil
}

func (b *bufferActor) get(c *rt.Context, consumer int) error {
	i, ok, producer := b.depot.get(consumer)
	if ok {
		tell(c, b.takers[consumer], consumerTake, i)
	}
	if producer >= 0 {
		tell(c, b.makers[producer], producerGoOn, none{})
	}
	return b.finish(c)
}

func (b *bufferActor) end(c *rt.Context, _ none) error {
	b.ended++
	return b.finish(c)
}

func (b *bufferActor) finish(c *rt.Context) error {
	if b.over() {
		for _, to := range b.takers {
			tell(c, to, consumerFinish, none{})
		}
		c.Stop()
	}
	return nil
}

type makerActor struct {
	maker
	buffer rt.Ref[buffers]
}

func (p *makerActor) goOn(c *rt.Context, _ none) error {
	if i, ok := p.next(); ok {
		tell(c, p.buffer, bufferPut, i)
		return nil
	}
	tell(c, p.buffer, bufferEnded, none{})
	c.Stop()
	return nil
}

type takerActor struct {
	number int
	buffer rt.Ref[buffers]
	total  int
	result chan int
}

func (k *takerActor) take(c *rt.Context, i item) error {
	k.total += int(i.value)
	tell(c, k.buffer, bufferGet, k.number)
	return nil
}

func (k *takerActor) finish(c *rt.Context, _ none) error {
	k.result <- k.total
	c.Stop()
	return nil
}

func bufferPosthaste(n *Node, s Size) int {
	result := make(chan int, s.Actors)
	b := &bufferActor{depot: newDepot(s)}
	to := start(n, b, rt.OnTell(bufferPut, (*bufferActor).put), rt.OnTell(bufferGet, (*bufferActor).get),
		rt.OnTell(bufferEnded, (*bufferActor).end))
	for i := range s.Actors {
		b.makers = append(b.makers, start(n, &makerActor{maker{i, 0, s}, to}, rt.OnTell(producerGoOn, (*makerActor).goOn)))
		b.takers = append(b.takers, start(n, &takerActor{i, to, 0, result},
			rt.OnTell(consumerTake, (*takerActor).take), rt.OnTell(consumerFinish, (*takerActor).finish)))
	}
	for _, p := range b.makers {
		tell(outside, p, producerGoOn, none{})
	}
	n.wait()
	return sum(result, s.Actors)
}

// bufferChan is shorter: a channel is a bounded buffer.
func bufferChan(s Size) int {
	result := make(chan int, s.Actors)
	items := make(chan item, bufferSlack)
	var producers, consumers sync.WaitGroup
	for i := range s.Actors {
		producers.Go(func() {
			p := maker{i, 0, s}
			for i, ok := p.next(); ok; i, ok = p.next() {
				items <- i
			}
		})
		consumers.Go(func() {
			total := 0
			for i := range items {
				total += int(i.value)
			}
			result <- total
		})
	}
	producers.Wait()
	close(items)
	consumers.Wait()
	return sum(result, s.Actors)
}

type anyAvailable struct{ consumer int }

type anyBuffer struct {
	depot
	makers, takers []anyactor.Ref
}

func (b *anyBuffer) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case item:
		consumer, goOn := b.put(m)
		if consumer >= 0 {
			c.Send(b.takers[consumer], m)
		}
		if goOn {
			c.Send(b.makers[m.producer], anyBegin{})
		}
		return
	case anyAvailable:
		i, ok, producer := b.get(m.consumer)
		if ok {
			c.Send(b.takers[m.consumer], i)
		}
		if producer >= 0 {
			c.Send(b.makers[producer], anyBegin{})
		}
	case anyDone:
		b.ended++
	}
	if b.over() {
		for _, to := range b.takers {
			c.Send(to, anyStop{})
		}
		c.Stop()
	}
}

type anyMaker struct {
	maker
	buffer anyactor.Ref
}

func (p *anyMaker) Receive(c anyactor.Context, m any) {
	_ = m.(anyBegin)
	if i, ok := p.next(); ok {
		c.Send(p.buffer, i)
		return
	}
	c.Send(p.buffer, anyDone{})
	c.Stop()
}

type anyTaker struct {
	number int
	buffer anyactor.Ref
	total  int
	result chan int
}

func (k *anyTaker) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case item:
		k.total += int(m.value)
		c.Send(k.buffer, anyAvailable{k.number})
	case anyStop:
		k.result <- k.total
		c.Stop()
	}
}

func bufferLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, s.Actors)
	b := &anyBuffer{depot: newDepot(s)}
	to := sys.Spawn(b)
	for i := range s.Actors {
		b.makers = append(b.makers, sys.Spawn(&anyMaker{maker{i, 0, s}, to}))
		b.takers = append(b.takers, sys.Spawn(&anyTaker{i, to, 0, result}))
	}
	for _, p := range b.makers {
		sys.Send(p, anyBegin{})
	}
	sys.Wait()
	return sum(result, s.Actors)
}
