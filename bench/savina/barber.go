package savina

import (
	"sync"

	rt "github.com/posthaste-go/posthaste/runtime"
)

// barber is the sleeping barber: customers, each an actor, who enter a waiting
// room, are sent away when it is full and come again, a barber, and a factory of
// customers. In the suite customers come at random times; here there are always a
// few more than there are chairs, and when one leaves the next comes, for else it
// depends on the machine how often they have to come again. The haircuts are the
// suite's, the chairs a tenth of its. The result is how many customers left.
var barber = Benchmark{
	Name:  "barber",
	About: "a sleeping barber with 100 chairs; per customer, each of whom is an actor",
	Size:  Size{Actors: 100, Work: 5000}, // chairs, haircuts

	Ops:  func(s Size) int { return s.Work },
	Want: func(s Size) int { return s.Work },

	Posthaste: barberPosthaste,
	Chan:      barberChan,
	Library:   barberLibrary,
}

// tooMany is how many more customers than chairs there are.
const tooMany = 2

// factoryState is what the factory knows, whatever its library.
type factoryState struct {
	size Size
	made int
	left int // customers who have had their hair cut
}

// first returns how many customers there are at first.
func (f *factoryState) first() int { return min(f.size.Actors+tooMany, f.size.Work) }

// departs reports whether another customer is to come, and whether all have left.
func (f *factoryState) departs() (another, over bool) {
	f.left++
	return f.made < f.size.Work, f.left == f.size.Work
}

// lobby is what the waiting room knows: R refers to a customer.
type lobby[R any] struct {
	chairs  int
	waiting []R
	awake   bool // the barber is, or has been called
}

// enter takes a customer and reports whether there was a chair, and whether the
// barber has to be called.
func (l *lobby[R]) enter(customer R) (seated, call bool) {
	if len(l.waiting) == l.chairs {
		return false, false
	}
	l.waiting = append(l.waiting, customer)
	call, l.awake = !l.awake, true
	return true, call
}

// next returns who is to have his hair cut; if nobody is there, the barber sleeps.
func (l *lobby[R]) next() (customer R, ok bool) {
	if len(l.waiting) == 0 {
		l.awake = false
		return customer, false
	}
	customer, l.waiting = shift(l.waiting)
	return customer, true
}

type (
	factories struct{}
	rooms     struct{}
	barbers   struct{}
	customers struct{}
)

// A visitor is how others refer to a customer: a message that is a pointer needs no
// memory of its own.
type visitor struct{ to rt.Ref[customers] }

var (
	factoryBegin    = rt.NewEvent[factories, none]("factory.begin")
	factoryReturned = rt.NewEvent[factories, *visitor]("factory.returned")
	factoryDone     = rt.NewEvent[factories, none]("factory.done")
	roomEnter       = rt.NewEvent[rooms, *visitor]("room.enter")
	roomNext        = rt.NewEvent[rooms, none]("room.next")
	roomExit        = rt.NewEvent[rooms, none]("room.exit")
	barberCut       = rt.NewEvent[barbers, *visitor]("barber.cut")
	barberWait      = rt.NewEvent[barbers, none]("barber.wait")
	barberExit      = rt.NewEvent[barbers, none]("barber.exit")
	customerSelf    = rt.NewEvent[customers, *visitor]("customer.self")
	customerFull    = rt.NewEvent[customers, none]("customer.full")
	customerWait    = rt.NewEvent[customers, none]("customer.wait")
	customerStart   = rt.NewEvent[customers, none]("customer.start")
	customerDone    = rt.NewEvent[customers, none]("customer.done")
)

type factory struct {
	factoryState
	node   *Node
	kind   rt.Kind[customers, customer]
	room   rt.Ref[rooms]
	result chan int
}

func (f *factory) begin(c *rt.Context, _ none) error {
	for range f.first() {
		f.make(c)
	}
	return nil
}

func (f *factory) make(c *rt.Context) {
	f.made++
	v := &visitor{spawn(f.node, f.kind)}
	tell(c, v.to, customerSelf, v)
	tell(c, f.room, roomEnter, v)
}

func (f *factory) returned(c *rt.Context, v *visitor) error {
	tell(c, f.room, roomEnter, v)
	return nil
}

func (f *factory) done(c *rt.Context, _ none) error {
	another, over := f.departs()
	if another {
		f.make(c)
	}
	if over {
		f.result <- f.left
		tell(c, f.room, roomExit, none{})
		c.Stop()
	}
	return nil
}

type room struct {
	lobby[*visitor]
	self   rt.Ref[rooms]
	barber rt.Ref[barbers]
}

func (r *room) enter(c *rt.Context, v *visitor) error {
	seated, call := r.lobby.enter(v)
	switch {
	case !seated:
		tell(c, v.to, customerFull, none{})
	case call:
		tell(c, r.self, roomNext, none{})
	default:
		tell(c, v.to, customerWait, none{})
	}
	return nil
}

func (r *room) next(c *rt.Context, _ none) error {
	if v, ok := r.lobby.next(); ok {
		tell(c, r.barber, barberCut, v)
	} else {
		tell(c, r.barber, barberWait, none{})
	}
	return nil
}

func (r *room) exit(c *rt.Context, _ none) error {
	tell(c, r.barber, barberExit, none{})
	c.Stop()
	return nil
}

type cutter struct{ room rt.Ref[rooms] }

// cut calls the next before it lets the customer go, so that the room gets that
// before the last customer's departure ends it.
func (b *cutter) cut(c *rt.Context, v *visitor) error {
	tell(c, v.to, customerStart, none{})
	tell(c, b.room, roomNext, none{})
	tell(c, v.to, customerDone, none{})
	return nil
}

func (b *cutter) wait(*rt.Context, none) error { return nil }

func (b *cutter) exit(c *rt.Context, _ none) error {
	c.Stop()
	return nil
}

type customer struct {
	self    *visitor
	factory rt.Ref[factories]
}

func (k *customer) is(_ *rt.Context, self *visitor) error {
	k.self = self
	return nil
}

func (k *customer) full(c *rt.Context, _ none) error {
	tell(c, k.factory, factoryReturned, k.self)
	return nil
}

func (k *customer) wait(*rt.Context, none) error { return nil }

func (k *customer) done(c *rt.Context, _ none) error {
	tell(c, k.factory, factoryDone, none{})
	c.Stop()
	return nil
}

func barberPosthaste(n *Node, s Size) int {
	f := &factory{factoryState: factoryState{size: s}, node: n, result: make(chan int, 1)}
	r, b := &room{lobby: lobby[*visitor]{chairs: s.Actors}}, &cutter{}
	r.self = start(n, r, rt.OnTell(roomEnter, (*room).enter), rt.OnTell(roomNext, (*room).next), rt.OnTell(roomExit, (*room).exit))
	f.room, b.room = r.self, r.self
	r.barber = start(n, b, rt.OnTell(barberCut, (*cutter).cut), rt.OnTell(barberWait, (*cutter).wait), rt.OnTell(barberExit, (*cutter).exit))
	to := start(n, f, rt.OnTell(factoryBegin, (*factory).begin), rt.OnTell(factoryReturned, (*factory).returned), rt.OnTell(factoryDone, (*factory).done))
	f.kind = define(n, func() *customer { return &customer{factory: to} },
		rt.OnTell(customerSelf, (*customer).is), rt.OnTell(customerFull, (*customer).full), rt.OnTell(customerWait, (*customer).wait),
		rt.OnTell(customerStart, (*customer).wait), rt.OnTell(customerDone, (*customer).done))
	tell(outside, to, factoryBegin, none{})
	n.wait()
	return <-f.result
}

// customerEvent is what a customer goes through.
type customerEvent int

const (
	isFull customerEvent = iota
	isSeated
	isCut // begins
	isDone
)

// A patron is a customer as a goroutine: his channel has room for all that can
// happen to him.
type patron chan customerEvent

// roomMessage is an arrival, or, with nil, that the barber wants the next.
type roomMessage struct{ enter patron }

// patronMessage is what a patron tells the factory.
type patronMessage struct {
	from patron
	done bool
}

func barberChan(s Size) int {
	// Each customer has one message under way to the factory or the room, the
	// barber one to the room: nobody waits to send.
	f := factoryState{size: s}
	toFactory := make(chan patronMessage, f.first())
	toRoom := make(chan roomMessage, f.first()+2)
	toBarber := make(chan patron, 2)
	var alive sync.WaitGroup
	alive.Go(func() { roomLoop(s.Actors, toRoom, toBarber) })
	alive.Go(func() { barberLoop(toBarber, toRoom) })
	create := func() {
		f.made++
		p := make(patron, 4)
		alive.Go(func() { p.loop(toFactory) })
		toRoom <- roomMessage{p}
	}
	for range f.first() {
		create()
	}
	for over := false; !over; {
		m := <-toFactory
		if !m.done {
			toRoom <- roomMessage{m.from}
			continue
		}
		var another bool
		if another, over = f.departs(); another {
			create()
		}
	}
	close(toRoom)
	alive.Wait()
	return f.left
}

func roomLoop(chairs int, in chan roomMessage, barber chan<- patron) {
	l := lobby[patron]{chairs: chairs}
	defer close(barber)
	for m := range in {
		if m.enter == nil {
			if p, ok := l.next(); ok {
				barber <- p
			}
			continue
		}
		seated, call := l.enter(m.enter)
		switch {
		case !seated:
			m.enter <- isFull
		case call:
			in <- roomMessage{}
		default:
			m.enter <- isSeated
		}
	}
}

func barberLoop(in <-chan patron, room chan<- roomMessage) {
	for p := range in {
		p <- isCut
		room <- roomMessage{}
		p <- isDone
	}
}

func (p patron) loop(factory chan<- patronMessage) {
	for e := range p {
		switch e {
		case isFull:
			factory <- patronMessage{p, false}
		case isDone:
			factory <- patronMessage{p, true}
			return
		}
	}
}
