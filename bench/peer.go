package main

import (
	"context"
	"time"
)

// dialTimeout bounds every Dial of a peer.
const dialTimeout = 5 * time.Second

// A Peer is one contestant: a name and an implementation of those interfaces
// below that it can serve. A scenario runs on the peers that implement what it
// needs and skips the others.
type Peer struct {
	Name   string // one word, as given to -peers
	About  string // one line for -list
	Module string // whose version is reported, "" for the standard library
	Impl   any    // some of Remote, RemoteTeller, LocalTeller, LocalAsker, LocalPonger
}

// peers lists the contestants, in the order of the tables.
func peers() []Peer {
	return []Peer{
		{
			Name:   "posthaste",
			About:  "an actor behind rt.Ask and rt.Tell, default options",
			Module: "github.com/posthaste-go/posthaste",
			Impl:   posthastePeer{},
		},
		{
			Name:   "rawgnet",
			About:  "length-prefixed echo on gnet, no actors, no codec: the limit",
			Module: "github.com/panjf2000/gnet/v2",
			Impl:   &rawgnet{},
		},
		{
			Name:  "rawnet",
			About: "the same on package net",
			Impl:  rawnet{},
		},
		{
			Name:   "grpc",
			About:  "grpc-go unary echo of raw bytes, a client stream for tells",
			Module: "google.golang.org/grpc",
			Impl:   grpcPeer{},
		},
		{
			Name:  "chan",
			About: "a goroutine behind a channel",
			Impl:  chanPeer{},
		},
	}
}

// Remote is a peer that answers asks of other processes.
type Remote interface {
	// Serve answers every ask with the bytes it carries until stop is called,
	// and counts the tells. It returns when it accepts connections; stop returns
	// when it has none.
	Serve(ctx context.Context, listen string) (addr string, stop func(), err error)

	// Dial opens one connection to a server.
	Dial(addr string) (Client, error)
}

// A Client is one connection. All methods but Close may be called concurrently.
type Client interface {
	// Ask returns the server's reply. It does not retain req. The reply belongs
	// to the caller.
	Ask(ctx context.Context, req []byte) (reply []byte, err error)

	// Close makes pending asks fail and releases the connection.
	Close()
}

// An IntoAsker is a Client that can reuse the caller's memory for the reply.
// The load prefers it to Ask.
type IntoAsker interface {
	// AskInto returns the reply in buf's array if it fits. It does not retain
	// buf.
	AskInto(ctx context.Context, req, buf []byte) (reply []byte, err error)
}

// RemoteTeller is a Remote that can also send without a reply.
type RemoteTeller interface {
	Remote

	// DialTeller opens one connection to a server.
	DialTeller(addr string) (Teller, error)
}

// A Teller is one connection. Its methods are called by one goroutine each.
type Teller interface {
	// Tell sends body, and waits while more is under way than the peer allows.
	// It does not retain body.
	Tell(ctx context.Context, body []byte) error

	// Told returns how many tells the server has handled, from whatever client.
	Told(ctx context.Context) (uint64, error)

	// Close releases the connection.
	Close()
}

// LocalTeller is a peer that can send to a receiver in the same process.
type LocalTeller interface {
	// StartSink starts a receiver.
	StartSink() (Sink, error)
}

// A Sink receives messages and counts them.
type Sink interface {
	// Tell delivers v; it waits while the mailbox is full. Any number of
	// goroutines may call it.
	Tell(v uint64) error

	// Handled returns how many messages were handled. It may be 64 behind.
	Handled() uint64

	// Close returns how many messages were handled when none is left. No Tell
	// may be under way.
	Close() (uint64, error)
}

// LocalAsker is a peer that can ask a receiver in the same process.
type LocalAsker interface {
	// StartEchoes starts n receivers, each of which replies with what it is
	// asked.
	StartEchoes(n int) (Echoes, error)
}

// Echoes are receivers that reply.
type Echoes interface {
	// Asker returns a function that asks receiver i. One goroutine uses the
	// function; any number may have one.
	Asker(i int) func(v uint64) (uint64, error)

	// Close ends the receivers. No ask may be under way.
	Close()
}

// LocalPonger is a peer two receivers of which can send to each other.
type LocalPonger interface {
	// StartPairs starts n pairs of receivers. Each pair passes one message to
	// and fro, without a pause, until Close.
	StartPairs(n int) (Pairs, error)
}

// Pairs are receivers that send to each other.
type Pairs interface {
	// Handled returns how many messages all receivers have handled. It may be 64
	// behind for each pair.
	Handled() uint64

	// Close ends the receivers; it returns an error if a pair lost its message.
	Close() error
}
