package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

const (
	echoName = "echo" // of the service that the server's one actor serves

	// benchMailbox is the mailbox of a local receiver, as large as chan's.
	benchMailbox = chanMailbox

	stopTimeout = 5 * time.Second
)

// posthastePeer is the runtime as its users see it: typed methods, one actor that
// answers all connections, default options but for the size of mailboxes.
type posthastePeer struct{}

var (
	_ Remote       = posthastePeer{}
	_ RemoteTeller = posthastePeer{}
	_ LocalTeller  = posthastePeer{}
	_ LocalAsker   = posthastePeer{}
	_ LocalPonger  = posthastePeer{}
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

func stopNode(node *rt.Runtime) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = node.Stop(ctx) // what the peer leaves behind shows in the results
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

// receives is the protocol of the local actors.
type receives struct{}

var (
	receiveTell = rt.NewEvent[receives, uint64]("bench.local.tell")
	receiveAsk  = rt.NewMethod[receives, uint64, uint64]("bench.local.ask")
	receiveTold = rt.NewMethod[receives, uint64, uint64]("bench.local.told")
)

// A receiver counts messages, and passes them to its partner if it has one.
type receiver struct {
	partner rt.Ref[receives] // set before the first message
	count   uint64
	handled *atomic.Uint64 // count, up to 64 behind
	ending  *atomic.Bool   // the message is not passed on but dropped here,
	ended   chan struct{}  // which takes one token for each pair; nil without pairs
}

func (r *receiver) tell(c *rt.Context, v uint64) error {
	if r.count++; r.count%samples == 0 {
		r.handled.Store(r.count)
	}
	switch {
	case r.ended == nil:
		return nil
	case r.ending.Load():
		r.ended <- struct{}{}
		return nil
	}
	return rt.Tell(c, r.partner, receiveTell, v+1)
}

func (r *receiver) ask(_ *rt.Context, v uint64) (uint64, error) { return v, nil }

func (r *receiver) told(*rt.Context, uint64) (uint64, error) { return r.count, nil }

// spawn starts an actor whose state is r.
func (r *receiver) spawn(node *rt.Runtime) (rt.Ref[receives], error) {
	if r.handled == nil {
		r.handled = &atomic.Uint64{}
	}
	kind := rt.Define(func() *receiver { return r },
		rt.OnTell(receiveTell, (*receiver).tell), rt.On(receiveAsk, (*receiver).ask), rt.On(receiveTold, (*receiver).told))
	return rt.Spawn(node, "", kind, rt.Mailbox(benchMailbox, mailbox.Block))
}

// StartSink starts a node with one actor.
func (posthastePeer) StartSink() (Sink, error) {
	node, err := rt.New()
	if err != nil {
		return nil, err
	}
	r := &receiver{}
	to, err := r.spawn(node)
	return &posthasteSink{node, to, r.handled}, err
}

type posthasteSink struct {
	node    *rt.Runtime
	to      rt.Ref[receives]
	handled *atomic.Uint64
}

func (s *posthasteSink) Tell(v uint64) error {
	return rt.Tell(context.Background(), s.to, receiveTell, v)
}

func (s *posthasteSink) Handled() uint64 { return s.handled.Load() }

// Close asks for the count: the question follows all tells.
func (s *posthasteSink) Close() (uint64, error) {
	defer stopNode(s.node)
	return rt.Ask(context.Background(), s.to, receiveTold, 0)
}

// StartEchoes starts a node with n actors.
func (posthastePeer) StartEchoes(n int) (Echoes, error) {
	node, err := rt.New()
	if err != nil {
		return nil, err
	}
	e := &posthasteEchoes{node: node}
	for range n {
		to, err := (&receiver{}).spawn(node)
		if err != nil {
			stopNode(node)
			return nil, err
		}
		e.to = append(e.to, to)
	}
	return e, nil
}

type posthasteEchoes struct {
	node *rt.Runtime
	to   []rt.Ref[receives]
}

func (e *posthasteEchoes) Asker(i int) func(uint64) (uint64, error) {
	to := e.to[i]
	return func(v uint64) (uint64, error) { return rt.Ask(context.Background(), to, receiveAsk, v) }
}

func (e *posthasteEchoes) Close() { stopNode(e.node) }

// StartPairs starts a node with 2n actors and gives every pair a message.
func (posthastePeer) StartPairs(n int) (Pairs, error) {
	node, err := rt.New()
	if err != nil {
		return nil, err
	}
	p := &posthastePairs{node: node, ended: make(chan struct{}, n)}
	for range n {
		if err := p.start(); err != nil {
			stopNode(node)
			return nil, err
		}
	}
	return p, nil
}

type posthastePairs struct {
	node      *rt.Runtime
	receivers []*receiver
	ending    atomic.Bool
	ended     chan struct{} // has room for one token of each pair
}

// start starts one pair.
func (p *posthastePairs) start() error {
	a := &receiver{ending: &p.ending, ended: p.ended}
	b := &receiver{ending: &p.ending, ended: p.ended}
	var err error
	if b.partner, err = a.spawn(p.node); err != nil {
		return err
	}
	if a.partner, err = b.spawn(p.node); err != nil {
		return err
	}
	p.receivers = append(p.receivers, a, b)
	return rt.Tell(context.Background(), a.partner, receiveTell, 0)
}

func (p *posthastePairs) Handled() uint64 {
	n := uint64(0)
	for _, r := range p.receivers {
		n += r.handled.Load()
	}
	return n
}

func (p *posthastePairs) Close() error {
	defer stopNode(p.node)
	p.ending.Store(true)
	late := time.After(stopTimeout)
	for i := range cap(p.ended) {
		select {
		case <-p.ended:
		case <-late:
			return fmt.Errorf("%d of %d pairs lost their message", cap(p.ended)-i, cap(p.ended))
		}
	}
	return nil
}
