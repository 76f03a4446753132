package main

import (
	"sync"

	"github.com/anthdm/hollywood/actor"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	_ "github.com/posthaste-go/posthaste/bench/protoconflict" // with protoactor
)

// crowdedInbox is the inbox of each of very many actors. Of the default, 1024, a
// hundred thousand need 2.4 GiB. Inboxes grow.
const crowdedInbox = 16

// newHollywood makes an engine with default options.
func newHollywood(crowded bool) (anyactor.System, error) {
	e, err := actor.NewEngine(actor.NewEngineConfig())
	if err != nil {
		return nil, err
	}
	h := &hollywood{Engine: e}
	if crowded {
		h.opts = []actor.OptFunc{actor.WithInboxSize(crowdedInbox)}
	}
	return h, nil
}

// hollywood is an engine.
type hollywood struct {
	*actor.Engine
	opts  []actor.OptFunc
	alive sync.WaitGroup // actors
}

func (h *hollywood) Spawn(a anyactor.Actor) anyactor.Ref {
	h.alive.Add(1)
	return h.Engine.Spawn(func() actor.Receiver { return &hollywoodActor{a, h} }, "bench", h.opts...)
}

func (h *hollywood) Send(to anyactor.Ref, m any) { h.Engine.Send(to.(*actor.PID), m) }

func (h *hollywood) Ask(to anyactor.Ref, m any) (any, error) {
	return h.Request(to.(*actor.PID), m, askTimeout).Result()
}

func (h *hollywood) Stop(to anyactor.Ref) { h.Poison(to.(*actor.PID)) }
func (h *hollywood) Wait()                { h.alive.Wait() }
func (h *hollywood) Close()               {} // engines have no end

// A hollywoodActor keeps the library's own messages from its actor.
type hollywoodActor struct {
	actor  anyactor.Actor
	system *hollywood
}

func (a *hollywoodActor) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Initialized, actor.Started:
	case actor.Stopped:
		a.system.alive.Done()
	default:
		a.actor.Receive(hollywoodContext{c}, m)
	}
}

type hollywoodContext struct{ *actor.Context }

func (c hollywoodContext) Send(to anyactor.Ref, m any) { c.Context.Send(to.(*actor.PID), m) }

func (c hollywoodContext) Ask(to anyactor.Ref, m any) (any, error) {
	return c.Request(to.(*actor.PID), m, askTimeout).Result()
}

func (c hollywoodContext) Reply(m any) { c.Respond(m) }
func (c hollywoodContext) Stop()       { c.Engine().Poison(c.PID()) }
