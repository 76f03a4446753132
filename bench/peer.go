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
	Impl   any    // some of Remote, RemoteTeller, Local, Inliner, Savinist
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
		{
			Name:   "hollywood",
			About:  "an actor of hollywood, default options",
			Module: "github.com/anthdm/hollywood",
			Impl:   libraryPeer(newHollywood),
		},
		{
			Name:   "protoactor",
			About:  "an actor of protoactor-go, default options",
			Module: "github.com/asynkron/protoactor-go",
			Impl:   libraryPeer(newProtoactor),
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
