package savina

import (
	"context"
	"sync"
	"time"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// A Node is where posthaste's actors live, from lap to lap.
type Node struct {
	rt    *rt.Runtime
	alive sync.WaitGroup // actors
}

// NewNode starts a node with default options.
func NewNode() (*Node, error) {
	r, err := rt.New()
	return &Node{rt: r}, err
}

// Close stops the node.
func (n *Node) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = n.rt.Stop(ctx) // it has no actors
}

// wait returns when all actors have stopped.
func (n *Node) wait() { n.alive.Wait() }

// define is rt.Define for actors that spawn starts.
func define[P, S any](n *Node, state func() *S, handlers ...rt.Handler[P, S]) rt.Kind[P, S] {
	return rt.Define(state, append(handlers, rt.Stopped[P](func(*S, *rt.Context) { n.alive.Done() }))...)
}

// spawn starts an actor with an unbounded mailbox, as the suite presumes: its
// senders never wait.
func spawn[P, S any](n *Node, k rt.Kind[P, S]) rt.Ref[P] {
	n.alive.Add(1)
	ref, err := rt.Spawn(n.rt, "", k, unbounded)
	if err != nil {
		panic(err)
	}
	return ref
}

var unbounded = rt.Mailbox(mailbox.Unbounded, mailbox.Reject)

// start is spawn of an actor whose state is there already.
func start[P, S any](n *Node, state *S, handlers ...rt.Handler[P, S]) rt.Ref[P] {
	return spawn(n, define(n, func() *S { return state }, handlers...))
}

// tell is rt.Tell to an actor that is known to live.
func tell[P, Q any](ctx context.Context, to rt.Ref[P], e rt.Event[P, Q], q Q) {
	if err := rt.Tell(ctx, to, e, q); err != nil {
		panic(err)
	}
}

// outside is the context of tells from outside any actor.
var outside = context.Background()

// none is the message of an event that says it all.
type none = struct{}
