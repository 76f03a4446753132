// Package anyactor is what actor libraries have in common whose actors take
// messages of any type: hollywood, protoactor-go, and most others for Go. A
// library behind a [System] is a peer in every local scenario and in the Savina
// benchmarks, whose actors for these libraries are written once.
//
// It costs a peer two calls through an interface for each message, a few
// nanoseconds of more than a hundred.
package anyactor

// A Ref names an actor: a *PID of the library.
type Ref any

// An Actor is what an actor does. Its method is called with one message at a time.
type Actor interface {
	// Receive handles a message. It must not keep c.
	Receive(c Context, m any)
}

// A Context is what an actor knows while it handles a message.
type Context interface {
	// Send sends a message and does not wait.
	Send(to Ref, m any)

	// Ask sends a message and waits for the reply to it.
	Ask(to Ref, m any) (any, error)

	// Reply answers the message, which was sent with Ask.
	Reply(m any)

	// Stop stops the actor once it has handled what is in its mailbox.
	Stop()
}

// A System is a library. All methods may be called by any number of goroutines,
// and by actors.
type System interface {
	// Spawn starts an actor.
	Spawn(a Actor) Ref

	// Send sends a message and does not wait.
	Send(to Ref, m any)

	// Ask sends a message and waits for the reply to it.
	Ask(to Ref, m any) (any, error)

	// Stop stops an actor once it has handled what is in its mailbox, and does not
	// wait for that.
	Stop(to Ref)

	// Wait returns when every actor has stopped. None may be spawned meanwhile.
	Wait()

	// Close releases the system. Actors may be left behind.
	Close()
}
