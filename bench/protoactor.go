package main

import (
	"log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/posthaste-go/posthaste/bench/anyactor"
)

// newProtoactor makes an actor system with default options, but silent: it would
// log that it has started.
func newProtoactor(bool) (anyactor.System, error) {
	s := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	return &protoactor{ActorSystem: s}, nil
}

// protoactor is an actor system.
type protoactor struct {
	*actor.ActorSystem
	alive sync.WaitGroup // actors
}

func (p *protoactor) Spawn(a anyactor.Actor) anyactor.Ref {
	p.alive.Add(1)
	return p.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &protoactorActor{actor: a, system: p} }))
}

func (p *protoactor) Send(to anyactor.Ref, m any) { p.Root.Send(to.(*actor.PID), m) }

func (p *protoactor) Ask(to anyactor.Ref, m any) (any, error) {
	return p.Root.RequestFuture(to.(*actor.PID), m, askTimeout).Result()
}

func (p *protoactor) Stop(to anyactor.Ref) { p.Root.Poison(to.(*actor.PID)) }
func (p *protoactor) Wait()                { p.alive.Wait() }
func (p *protoactor) Close()               { p.Shutdown() }

// A protoactorActor keeps the library's own messages from its actor.
type protoactorActor struct {
	actor   anyactor.Actor
	system  *protoactor
	context protoactorContext // here, because two words in an interface are an allocation
}

func (a *protoactorActor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started, *actor.Stopping:
	case *actor.Stopped:
		a.system.alive.Done()
	default:
		a.context.Context = c
		a.actor.Receive(&a.context, m)
	}
}

type protoactorContext struct{ actor.Context }

func (c *protoactorContext) Send(to anyactor.Ref, m any) { c.Context.Send(to.(*actor.PID), m) }

func (c *protoactorContext) Ask(to anyactor.Ref, m any) (any, error) {
	return c.RequestFuture(to.(*actor.PID), m, askTimeout).Result()
}

func (c *protoactorContext) Reply(m any) { c.Respond(m) }
func (c *protoactorContext) Stop()       { c.Poison(c.Self()) }
