package main

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// echoName is the service that the server's one actor serves.
const echoName = "echo"

// posthastePeer is the runtime as its users see it: typed methods, one actor that
// answers all connections, default options but for the size of mailboxes.
type posthastePeer struct{}

var (
	_ Remote       = posthastePeer{}
	_ RemoteTeller = posthastePeer{}
)

// echoes is the protocol of the server's actor.
type echoes struct{}

var (
	echoAsk  = rt.NewMethod[echoes, []byte, []byte]("bench.ask")
	echoTell = rt.NewEvent[echoes, []byte]("bench.tell")
	echoTold = rt.NewMethod[echoes, []byte, []byte]("bench.told")
)

// An echoActor returns what it is asked and counts what it is told.
type echoActor struct{ count uint64 }

func (*echoActor) ask(_ *rt.Context, body []byte) ([]byte, error) { return body, nil }

func (a *echoActor) tell(*rt.Context, []byte) error {
	a.count++
	return nil
}

func (a *echoActor) told(*rt.Context, []byte) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(nil, a.count), nil
}

// Serve runs a node with one actor.
func (posthastePeer) Serve(_ context.Context, listen string) (addr string, stop func(), err error) {
	node, err := rt.New(rt.Listen(listen))
	if err != nil {
		return "", nil, err
	}
	kind := rt.Define(func() *echoActor { return &echoActor{} },
		rt.On(echoAsk, (*echoActor).ask), rt.OnTell(echoTell, (*echoActor).tell), rt.On(echoTold, (*echoActor).told))
	// Unbounded, because tells from another node have no credit yet: a bounded
	// mailbox would refuse what the sender is ahead by.
	echo, err := rt.Spawn(node, "", kind, rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	if err == nil {
		err = rt.Serve(node, echoName, echo)
	}
	if err != nil {
		stopNode(node)
		return "", nil, err
	}
	return node.Endpoint().String(), func() { stopNode(node) }, nil
}

func stopNode(node *rt.Runtime) { _ = drainNode(node, stopTimeout) } // what is left shows in the results

// drainNode lets the node finish what it has.
func drainNode(node *rt.Runtime, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return node.Stop(ctx)
}

// Dial runs a node that joins the one at addr: nodes share no connection.
func (posthastePeer) Dial(addr string) (Client, error) { return dialPosthaste(addr) }

// DialTeller is as Dial.
func (posthastePeer) DialTeller(addr string) (Teller, error) { return dialPosthaste(addr) }

type posthasteClient struct {
	node *rt.Runtime
	to   rt.Ref[echoes]
}

func dialPosthaste(addr string) (*posthasteClient, error) {
	node, err := rt.New(rt.Join(addr))
	if err != nil {
		return nil, err
	}
	return &posthasteClient{node, rt.Service[echoes](node, echoName)}, nil
}

func (c *posthasteClient) Ask(ctx context.Context, req []byte) ([]byte, error) {
	return rt.Ask(ctx, c.to, echoAsk, req)
}

func (c *posthasteClient) Tell(ctx context.Context, body []byte) error {
	return rt.Tell(ctx, c.to, echoTell, body)
}

func (c *posthasteClient) Told(ctx context.Context) (uint64, error) {
	count, err := rt.Ask(ctx, c.to, echoTold, nil)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(count), nil
}

func (c *posthasteClient) Close() { stopNode(c.node) }
