package runtime

import (
	"context"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
)

// SpawnOption configures an actor where it is spawned.
type SpawnOption interface{ applySpawn(*spawnOptions) }

type spawnOption func(*spawnOptions)

func (o spawnOption) applySpawn(s *spawnOptions) { o(s) }

type spawnOptions struct {
	box     mailbox.Options
	restart RestartPolicy
}

// defaultRestart lets an actor crash five times in half a minute.
var defaultRestart = RestartPolicy{Max: 5, Within: 30 * time.Second}

// Mailbox bounds the actor's mailbox and says what happens when it is full. The
// default is 1024 messages and mailbox.Reject. mailbox.Unbounded lifts the bound:
// memory is then the only limit.
func Mailbox(capacity int, overflow mailbox.Overflow) SpawnOption {
	return spawnOption(func(s *spawnOptions) {
		s.box = mailbox.Options{Capacity: capacity, Overflow: overflow}
	})
}

// Restart lets the actor crash and restart up to max times within a window of
// time, or in all if within is 0; one crash more and it stops. The default is 5
// times in 30 s. With max 0 the first crash stops it.
func Restart(max int, within time.Duration) SpawnOption {
	return spawnOption(func(s *spawnOptions) { s.restart = RestartPolicy{Max: max, Within: within} })
}

// Spawn starts an actor of a kind. With a name, others find it by name on this
// node; an empty name makes it anonymous. The actor is there when Spawn returns;
// its Started hook runs in its first turn. The error is AlreadyExists for a name
// in use, InvalidArgument for one that is malformed, Draining when the runtime
// stops, and Internal if the function that makes the state panics.
func Spawn[P, S any](rt *Runtime, name string, kind Kind[P, S], opts ...SpawnOption) (Ref[P], error) {
	if kind.k == nil {
		return Ref[P]{}, posthaste.Errorf(posthaste.InvalidArgument, "spawn %q: the kind is zero: make it with Define", name)
	}
	if name != "" {
		if err := posthaste.CheckName(name); err != nil {
			return Ref[P]{}, err
		}
	}
	a, err := rt.spawn(name, kind.k, opts)
	if err != nil {
		return Ref[P]{}, err
	}
	return Ref[P]{target{cell: a}}, nil
}

func (rt *Runtime) spawn(name string, k *kind, opts []SpawnOption) (*cell, error) {
	a := &cell{rt: rt, name: name, kind: k, gone: make(chan struct{})}
	a.o.restart = defaultRestart
	for _, o := range opts {
		o.applySpawn(&a.o)
	}
	a.box.Init(rt.chunks, a.o.box)
	a.task.Init(a)
	if fault := contain(func() error { a.state = k.state(); return nil }); fault != nil {
		return nil, posthaste.Errorf(posthaste.Internal, "spawn %q: the function that makes the state panicked: %w", name, fault.err())
	}
	if k.started != nil { // before anybody can find the actor: no message comes first
		a.box.Push(mailbox.System, &envelope{form: formStart})
	}
	if err := rt.actors.add(a); err != nil {
		return nil, err
	}
	rt.counters.actors.Add(1)
	if k.started != nil {
		rt.executor.Schedule(&a.task, nil)
	}
	return a, nil
}

// StopActor stops an actor of this node once it has handled what is in its
// mailbox, and waits until it has stopped or ctx ends. It must not be called from
// the actor's own handlers; they use [Context.Stop].
func StopActor[P any](ctx context.Context, ref Ref[P]) error {
	a := ref.t.cell
	if a == nil {
		return posthaste.Errorf(posthaste.InvalidArgument, "stop %v: only actors of this node can be stopped", ref)
	}
	a.stop()
	select {
	case <-a.gone:
		return nil
	case <-ctx.Done():
		return posthaste.Errorf(posthaste.CodeOf(ctx.Err()), "stop %v: it has %d messages left, or a handler that does not return: %w", a.label(), a.box.Depth(), context.Cause(ctx))
	}
}
