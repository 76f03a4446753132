package savina

import "github.com/posthaste-go/posthaste/bench/anyactor"

// The actors of barber for libraries.
type (
	anyEnter struct{ customer anyactor.Ref }
	anyCut   struct{ customer anyactor.Ref }
	anyNext  struct{}
	anySelf  struct{ self anyactor.Ref }
	anyFull  struct{}
	anyWait  struct{}
	anyStart struct{}
)

type anyFactory struct {
	factoryState
	sys    anyactor.System
	self   anyactor.Ref
	room   anyactor.Ref
	result chan int
}

func (f *anyFactory) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anySelf:
		f.self = m.self
		for range f.first() {
			f.make(c)
		}
	case anyEnter: // he has returned
		c.Send(f.room, m)
	case anyDone:
		another, over := f.departs()
		if another {
			f.make(c)
		}
		if over {
			f.result <- f.left
			c.Send(f.room, anyStop{})
			c.Stop()
		}
	}
}

func (f *anyFactory) make(c anyactor.Context) {
	f.made++
	to := f.sys.Spawn(&anyCustomer{factory: f.self})
	c.Send(to, anySelf{to})
	c.Send(f.room, anyEnter{to})
}

type anyRoom struct {
	lobby[anyactor.Ref]
	self   anyactor.Ref
	barber anyactor.Ref
}

func (r *anyRoom) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyEnter:
		seated, call := r.enter(m.customer)
		switch {
		case !seated:
			c.Send(m.customer, anyFull{})
		case call:
			c.Send(r.self, anyNext{})
		default:
			c.Send(m.customer, anyWait{})
		}
	case anyNext:
		if to, ok := r.next(); ok {
			c.Send(r.barber, anyCut{to})
		} else {
			c.Send(r.barber, anyWait{})
		}
	case anyStop:
		c.Send(r.barber, m)
		c.Stop()
	}
}

type anyBarber struct{ room anyactor.Ref }

func (b *anyBarber) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyCut:
		c.Send(m.customer, anyStart{})
		c.Send(b.room, anyNext{})
		c.Send(m.customer, anyDone{})
	case anyStop:
		c.Stop()
	}
}

type anyCustomer struct {
	self    anyactor.Ref
	factory anyactor.Ref
}

func (k *anyCustomer) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anySelf:
		k.self = m.self
	case anyFull:
		c.Send(k.factory, anyEnter{k.self})
	case anyDone:
		c.Send(k.factory, m)
		c.Stop()
	}
}

func barberLibrary(sys anyactor.System, s Size) int {
	f := &anyFactory{factoryState: factoryState{size: s}, sys: sys, result: make(chan int, 1)}
	r, b := &anyRoom{lobby: lobby[anyactor.Ref]{chairs: s.Actors}}, &anyBarber{}
	r.self = sys.Spawn(r)
	f.room, b.room = r.self, r.self
	r.barber = sys.Spawn(b)
	to := sys.Spawn(f)
	sys.Send(to, anySelf{to})
	sys.Wait()
	return <-f.result
}
