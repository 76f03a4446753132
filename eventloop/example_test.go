package eventloop_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/wire"
)

// upper is a Handler that answers each ASK with its payload in capitals, and
// passes on the REPLYs that it gets.
type upper struct{ replies chan string }

func (u *upper) Opened(*eventloop.Conn) {}

func (u *upper) Frame(c *eventloop.Conn, h wire.Header, payload []byte) {
	switch h.Kind {
	case wire.KindAsk:
		body := bytes.ToUpper(payload)
		head := wire.Header{Kind: wire.KindReply, Priority: wire.Normal, ID: h.ID, Len: len(body)}.Append(nil)
		if err := c.Send(head, body); err != nil {
			fmt.Println(err) // the connection is ending: Closed says why
		}
	case wire.KindReply:
		u.replies <- string(payload)
	}
}

func (u *upper) Idle(c *eventloop.Conn) { c.Flush() }

func (u *upper) Closed(*eventloop.Conn, error) {}

// Two nodes on an in-memory network. With NewTCP in place of Transport the same
// runs over TCP.
func Example() {
	ctx := context.Background()
	network := eventloop.NewNetwork()

	server, err := network.Transport(&upper{}, eventloop.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	at, err := server.Listen(ctx, posthaste.Endpoint{Network: "mem", Address: "server"})
	if err != nil {
		fmt.Println(err)
		return
	}

	replies := make(chan string)
	client, err := network.Transport(&upper{replies}, eventloop.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := client.Dial(ctx, at)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte("hello")
	head := wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: wire.MakeID(true, 1, 0), Len: len(body)}.Append(nil)
	if err := c.Send(head, body); err != nil {
		fmt.Println(err)
		return
	}
	c.FlushSoon()
	fmt.Println(<-replies)

	fmt.Println(client.Close(ctx), server.Close(ctx))
	// Output:
	// HELLO
	// <nil> <nil>
}
