package main

import "time"

// askTimeout bounds asks of peers that want to be told.
const askTimeout = 10 * time.Second

// Local is a peer with receivers in this process.
type Local interface {
	// Open returns an empty house. A crowded one will have many thousand
	// receivers, each of which has few messages.
	Open(crowded bool) (House, error)
}

// A House is where the receivers of a local scenario live: one actor system.
type House interface {
	// Sink starts a receiver that counts messages.
	Sink() (Sink, error)

	// Echoes starts n receivers, each of which replies with what it is asked.
	Echoes(n int) (Echoes, error)

	// Rings starts receivers that pass messages, each to the next of its ring, and
	// gives every ring a message. What they do with it is up to r.
	Rings(r *rings) error

	// Fan starts receivers that count, and one that tells all of them, again and
	// again. What they do is up to f.
	Fan(f *fan) error

	// Crowd starts receivers that do nothing until they are greeted.
	Crowd(c *crowd) (Guests, error)

	// Close ends whatever lives in the house. No Sink, Echoes or traffic may be in
	// use.
	Close()
}

// An Inliner is a Local that can answer an ask in the goroutine of the asker, if
// the receiver is idle. Peers that always do the same, whatever the receiver,
// take part with that.
type Inliner interface {
	Local

	// InlineEchoes starts n receivers in a house that this peer has opened.
	InlineEchoes(h House, n int) (Echoes, error)
}

// A Sink receives messages and counts them.
type Sink interface {
	// Tell delivers v, which a sender counts from 0; it waits while the mailbox is
	// full. Any number of goroutines may call it.
	Tell(v uint64) error

	// Handled returns how many messages were handled. It may be 64 behind.
	Handled() uint64

	// Finish returns how many messages were handled when none is left. No Tell may
	// be under way.
	Finish() (uint64, error)
}

// Echoes are receivers that reply.
type Echoes interface {
	// Asker returns a function that asks receiver i. One goroutine uses the
	// function; any number may have one.
	Asker(i int) func(v uint64) (uint64, error)
}

// Guests are the receivers of a crowd.
type Guests interface {
	// Greet sends each of them one message. It does not wait for them.
	Greet() error

	// Leave ends them and returns when they have ended.
	Leave() error
}
