// Package runtime runs actors and the calls between them, within one process and
// across many. Programs import it as rt:
//
//	import rt "github.com/posthaste-go/posthaste/runtime"
//
// It hides scheduling, supervision, routing, correlation, discovery and draining,
// and the difference between an actor here and one on another node: the same
// verbs, errors, deadlines and order hold for both.
//
// # Usage
//
// A protocol is a set of methods, declared as values; an actor is a state with a
// function for each:
//
//	type Greeter struct{} // the protocol: what a Ref[Greeter] accepts
//
//	var Hello = rt.NewMethod[Greeter, string, string]("greeter.hello")
//
//	type greeter struct{ greeted int } // the state: no locks
//
//	func (g *greeter) hello(c *rt.Context, name string) (string, error) {
//		g.greeted++
//		return "hello " + name, nil
//	}
//
//	var Kind = rt.Define(func() *greeter { return &greeter{} },
//		rt.On(Hello, (*greeter).hello))
//
//	sys, err := rt.New()
//	defer sys.Stop(ctx)
//	ref, err := rt.Spawn(sys, "greeter", Kind)
//	reply, err := rt.Ask(ctx, ref, Hello, "Ada")
//
// Add rt.Listen(":7001") here and rt.Join("host:7001") there, and the same calls
// cross the network.
//
// # Guarantees
//
//  1. An actor handles one message at a time.
//  2. An ask ends exactly once, with the reply or with an error that says whether
//     the handler ran; never later than its deadline, by more than the clock's
//     coarseness.
//  3. A tell is delivered at most once. It is refused with an error, or counted
//     as a dead letter, or, if a connection breaks, lost with it.
//  4. Messages of one sender to one actor on one lane are handled in the order
//     they were sent, as long as one connection lives.
//  5. A handler that panics fails its own message and restarts its own actor. A
//     handler that blocks delays its own actor.
//  6. Every queue has a bound.
//
// # Limits
//
// A stream is computed whole in its handler's turn; up to [MaxStreamItems] values
// wait for the reader. Delivery does not survive the loss of a connection.
//
// # Testing
//
// Handlers are plain methods: call them. Runtimes on a [Network] run in
// testing/synctest, in virtual time and without sockets.
package runtime
