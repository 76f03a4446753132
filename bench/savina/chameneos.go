package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// chameneos is creatures that meet in pairs at a mall and change their colours. A
// meeting is four messages. The number of creatures is the suite's, that of
// meetings a quarter of it. The result is how many meetings the creatures saw.
var chameneos = Benchmark{
	Name:  "chameneos",
	About: "100 actors meet in pairs, as one more arranges it; per meeting",
	Size:  Size{Actors: 100, Work: 50_000}, // meetings

	Ops:  func(s Size) int { return s.Work },
	Want: func(s Size) int { return 2 * s.Work },

	Posthaste: chameneosPosthaste,
	Chan:      chameneosChan,
	Library:   chameneosLibrary,
}

// A colour is 0, 1 or 2.
type colour int32

// complement returns the colour that two creatures take on when they have met.
func (c colour) complement(other colour) colour {
	if c == other {
		return c
	}
	return 3 - c - other
}

// A meeting is a creature that wants to meet another.
type meeting struct {
	number int32
	colour colour
}

// mallState is what the mall knows, whatever its library.
type mallState struct {
	left    int
	waiting meeting // of the creature that came first
	waits   bool    // there is one
}

// arrange takes a creature in. If it has a partner, to is the one that has waited
// and is told of the other; if the mall is closed, the creature is to exit.
func (m *mallState) arrange(a meeting) (to meeting, met, closed bool) {
	switch {
	case m.left == 0:
		return a, false, true
	case m.waits:
		m.left--
		m.waits = false
		return m.waiting, true, false
	}
	m.waiting, m.waits = a, true
	return meeting{}, false, false
}

type malls struct{}

var (
	mallMeet       = rt.NewEvent[malls, meeting]("mall.meet")
	creatureMeet   = rt.NewEvent[malls, meeting]("creature.meet")
	creatureChange = rt.NewEvent[malls, colour]("creature.change")
	creatureExit   = rt.NewEvent[malls, none]("creature.exit")
)

type mall struct {
	mallState
	creatures []rt.Ref[malls]
	faded     int
}

func (m *mall) meet(c *rt.Context, a meeting) error {
	to, met, closed := m.arrange(a)
	switch {
	case met:
		tell(c, m.creatures[to.number], creatureMeet, a)
	case closed:
		tell(c, m.creatures[a.number], creatureExit, none{})
		if m.faded++; m.faded == len(m.creatures) {
			c.Stop()
		}
	}
	return nil
}

type creature struct {
	meeting
	mall      rt.Ref[malls]
	creatures []rt.Ref[malls] // shared, complete before the first message
	meetings  int
	result    chan int
}

func (k *creature) meet(c *rt.Context, other meeting) error {
	k.meetings++
	k.colour = k.colour.complement(other.colour)
	tell(c, k.creatures[other.number], creatureChange, k.colour)
	tell(c, k.mall, mallMeet, k.meeting)
	return nil
}

func (k *creature) change(c *rt.Context, to colour) error {
	k.meetings++
	k.colour = to
	tell(c, k.mall, mallMeet, k.meeting)
	return nil
}

func (k *creature) exit(c *rt.Context, _ none) error {
	k.result <- k.meetings
	c.Stop()
	return nil
}

func chameneosPosthaste(n *Node, s Size) int {
	result := make(chan int, s.Actors)
	creatures := make([]rt.Ref[malls], s.Actors)
	m := start(n, &mall{mallState: mallState{left: s.Work}, creatures: creatures}, rt.OnTell(mallMeet, (*mall).meet))
	var state *creature
	kind := define(n, func() *creature { return state }, rt.OnTell(creatureMeet, (*creature).meet),
		rt.OnTell(creatureChange, (*creature).change), rt.OnTell(creatureExit, (*creature).exit))
	for i := range creatures {
		state = &creature{meeting{int32(i), colour(i % 3)}, m, creatures, 0, result}
		creatures[i] = spawn(n, kind)
	}
	for i := range creatures {
		tell(outside, m, mallMeet, meeting{int32(i), colour(i % 3)})
	}
	n.wait()
	return sum(result, s.Actors)
}

// creatureMessage is what a creature is told: whom to meet, or how to change.
type creatureMessage struct {
	meeting
	change bool
}

func chameneosChan(s Size) int {
	result := make(chan int, s.Actors)
	mall := make(chan meeting, s.Actors) // each creature asks once at a time
	creatures := make([]chan creatureMessage, s.Actors)
	var alive sync.WaitGroup
	for i := range creatures {
		creatures[i] = make(chan creatureMessage, 1) // and gets one message for it
	}
	for i := range creatures {
		alive.Go(func() { creatureLoop(meeting{int32(i), colour(i % 3)}, mall, creatures, result) })
	}
	m := mallState{left: s.Work}
	for faded := 0; faded < s.Actors; {
		a := <-mall
		to, met, closed := m.arrange(a)
		switch {
		case met:
			creatures[to.number] <- creatureMessage{a, false}
		case closed:
			close(creatures[a.number])
			faded++
		}
	}
	alive.Wait()
	return sum(result, s.Actors)
}

func creatureLoop(self meeting, mall chan<- meeting, creatures []chan creatureMessage, result chan<- int) {
	meetings := 0
	mall <- self
	for m := range creatures[self.number] {
		meetings++
		if m.change {
			self.colour = m.colour
		} else {
			self.colour = self.colour.complement(m.colour)
			creatures[m.number] <- creatureMessage{self, true}
		}
		mall <- self
	}
	result <- meetings
}

type anyChange struct{ colour colour }

type anyMall struct {
	mallState
	creatures []anyactor.Ref
	faded     int
}

func (m *anyMall) Receive(c anyactor.Context, message any) {
	a := message.(meeting)
	to, met, closed := m.arrange(a)
	switch {
	case met:
		c.Send(m.creatures[to.number], message)
	case closed:
		c.Send(m.creatures[a.number], anyStop{})
		if m.faded++; m.faded == len(m.creatures) {
			c.Stop()
		}
	}
}

type anyCreature struct {
	meeting
	mall      anyactor.Ref
	creatures []anyactor.Ref
	meetings  int
	result    chan int
}

func (k *anyCreature) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case meeting:
		k.meetings++
		k.colour = k.colour.complement(m.colour)
		c.Send(k.creatures[m.number], anyChange{k.colour})
		c.Send(k.mall, k.meeting)
	case anyChange:
		k.meetings++
		k.colour = m.colour
		c.Send(k.mall, k.meeting)
	case anyStop:
		k.result <- k.meetings
		c.Stop()
	}
}

func chameneosLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, s.Actors)
	creatures := make([]anyactor.Ref, s.Actors)
	m := sys.Spawn(&anyMall{mallState: mallState{left: s.Work}, creatures: creatures})
	for i := range creatures {
		creatures[i] = sys.Spawn(&anyCreature{meeting{int32(i), colour(i % 3)}, m, creatures, 0, result})
	}
	for i := range creatures {
		sys.Send(m, meeting{int32(i), colour(i % 3)})
	}
	sys.Wait()
	return sum(result, s.Actors)
}
