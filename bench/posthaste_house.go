package main

import (
	"context"
	"sync/atomic"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// benchMailbox is the mailbox of a receiver that others tell and ask, as large as
// chan's. Receivers of traffic have the default.
const benchMailbox = chanMailbox

var _ Local = posthastePeer{}

// receives is the protocol of the local actors.
type receives struct{}

var (
	receiveTell = rt.NewEvent[receives, uint64]("bench.local.tell")
	receiveNext = rt.NewEvent[receives, uint64]("bench.local.next")
	receiveAsk  = rt.NewMethod[receives, uint64, uint64]("bench.local.ask")
	receiveTold = rt.NewMethod[receives, uint64, uint64]("bench.local.told")
)

// When there is rt.Inline, these two lines make posthaste an Inliner:
//
//	var receiveInline = rt.NewMethod[receives, uint64, uint64]("bench.local.inline", rt.Inline())
//	func (posthastePeer) InlineEchoes(h House, n int) (Echoes, error) { return h.(*posthasteHouse).echoes(n, receiveInline) }

// Open starts a node. Its options are the default, crowded or not.
func (posthastePeer) Open(bool) (House, error) {
	node, err := rt.New()
	return &posthasteHouse{node}, err
}

// posthasteHouse is a node.
type posthasteHouse struct{ node *rt.Runtime }

// startActor spawns an actor whose state is there already.
func startActor[S any](h *posthasteHouse, state *S, opts []rt.SpawnOption, handlers ...rt.Handler[receives, S]) (rt.Ref[receives], error) {
	return rt.Spawn(h.node, "", rt.Define(func() *S { return state }, handlers...), opts...)
}

func bounded() []rt.SpawnOption {
	return []rt.SpawnOption{rt.Mailbox(benchMailbox, mailbox.Block)}
}

// A counter counts what it is told.
type counter struct {
	count   uint64
	handled atomic.Uint64 // count, up to 64 behind
}

func (r *counter) tell(*rt.Context, uint64) error {
	if r.count++; r.count%samples == 0 {
		r.handled.Store(r.count)
	}
	return nil
}

func (r *counter) told(*rt.Context, uint64) (uint64, error) { return r.count, nil }

func (h *posthasteHouse) Sink() (Sink, error) {
	r := &counter{}
	to, err := startActor(h, r, bounded(), rt.OnTell(receiveTell, (*counter).tell), rt.On(receiveTold, (*counter).told))
	return &posthasteSink{to, r}, err
}

type posthasteSink struct {
	to rt.Ref[receives]
	r  *counter
}

func (s *posthasteSink) Tell(v uint64) error {
	return rt.Tell(context.Background(), s.to, receiveTell, v)
}

func (s *posthasteSink) Handled() uint64 { return s.r.handled.Load() }

// Finish asks for the count: the question follows all tells.
func (s *posthasteSink) Finish() (uint64, error) {
	return rt.Ask(context.Background(), s.to, receiveTold, 0)
}

func (h *posthasteHouse) Echoes(n int) (Echoes, error) { return h.echoes(n, receiveAsk) }

// echoes starts n actors that answer one method.
func (h *posthasteHouse) echoes(n int, m rt.Method[receives, uint64, uint64]) (Echoes, error) {
	e := &posthasteEchoes{method: m}
	for range n {
		to, err := startActor(h, &struct{}{}, bounded(), rt.On(m, func(_ *struct{}, _ *rt.Context, v uint64) (uint64, error) { return v, nil }))
		if err != nil {
			return nil, err
		}
		e.to = append(e.to, to)
	}
	return e, nil
}

type posthasteEchoes struct {
	to     []rt.Ref[receives]
	method rt.Method[receives, uint64, uint64]
}

func (e *posthasteEchoes) Asker(i int) func(uint64) (uint64, error) {
	to, m := e.to[i], e.method
	return func(v uint64) (uint64, error) { return rt.Ask(context.Background(), to, m, v) }
}

// A passer is a receiver of a ring.
type passer struct {
	stage
	next rt.Ref[receives] // set before the first message
}

func (p *passer) tell(c *rt.Context, hop uint64) error {
	if !p.pass(hop) {
		return nil
	}
	return rt.Tell(c, p.next, receiveTell, hop+1)
}

func (h *posthasteHouse) Rings(r *rings) error {
	var state *passer // of the actor that is being spawned
	kind := rt.Define(func() *passer { return state }, rt.OnTell(receiveTell, (*passer).tell))
	for i := range r.rings {
		var first, next rt.Ref[receives]
		var last *passer
		for place := r.size - 1; place >= 0; place-- {
			state = &passer{r.stage(i, place), next}
			if last == nil {
				last = state
			}
			var err error
			if next, err = rt.Spawn(h.node, "", kind); err != nil {
				return err
			}
		}
		first = next
		last.next = first
		if err := rt.Tell(context.Background(), first, receiveTell, 0); err != nil {
			return err
		}
	}
	return nil
}

// A source is the receiver that tells the leaves of a fan.
type source struct{ leaves []rt.Ref[receives] }

func (s *source) next(c *rt.Context, round uint64) error {
	for _, to := range s.leaves {
		if err := rt.Tell(c, to, receiveTell, round); err != nil {
			return err
		}
	}
	return nil
}

type posthasteLeaf struct {
	leaf
	source rt.Ref[receives]
}

func (l *posthasteLeaf) tell(c *rt.Context, round uint64) error {
	if !l.handle(round) {
		return nil
	}
	return rt.Tell(c, l.source, receiveNext, round+1)
}

func (h *posthasteHouse) Fan(f *fan) error {
	s := &source{}
	to, err := startActor(h, s, nil, rt.OnTell(receiveNext, (*source).next))
	if err != nil {
		return err
	}
	var state *posthasteLeaf
	kind := rt.Define(func() *posthasteLeaf { return state }, rt.OnTell(receiveTell, (*posthasteLeaf).tell))
	for i := range f.leaves {
		state = &posthasteLeaf{f.leaf(i), to}
		leaf, err := rt.Spawn(h.node, "", kind)
		if err != nil {
			return err
		}
		s.leaves = append(s.leaves, leaf)
	}
	return rt.Tell(context.Background(), to, receiveNext, 0)
}

// A guest is a receiver of a crowd.
type guest struct{ of *crowd }

func (g *guest) tell(*rt.Context, uint64) error {
	g.of.meet()
	return nil
}

func (h *posthasteHouse) Crowd(c *crowd) (Guests, error) {
	kind := rt.Define(func() *guest { return &guest{c} }, rt.OnTell(receiveTell, (*guest).tell))
	g := &posthasteGuests{h.node, make([]rt.Ref[receives], c.size)}
	for i := range g.to {
		var err error
		if g.to[i], err = rt.Spawn(h.node, "", kind); err != nil {
			return nil, err
		}
	}
	return g, nil
}

type posthasteGuests struct {
	node *rt.Runtime
	to   []rt.Ref[receives]
}

func (g *posthasteGuests) Greet() error {
	for _, to := range g.to {
		if err := rt.Tell(context.Background(), to, receiveTell, 0); err != nil {
			return err
		}
	}
	return nil
}

// Leave stops the node, which stops its actors first.
func (g *posthasteGuests) Leave() error { return drainNode(g.node, crowdTimeout) }

func (h *posthasteHouse) Close() { stopNode(h.node) }
