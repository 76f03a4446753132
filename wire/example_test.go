package wire_test

import (
	"fmt"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// An ask of 64 bytes with one second left is 75 bytes on the wire.
func ExampleAppendRequest() {
	body := make([]byte, 64)
	h := wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: wire.MakeID(true, 1, 0)}
	r := wire.Request{Route: 5, Deadline: wire.DeadlineUnits(time.Second)}

	frame, err := wire.AppendRequest(nil, h, &r, len(body))
	fmt.Printf("% x %v\n", frame, err)
	fmt.Println(len(append(frame, body...)))
	// Output:
	// 24 10 43 00 03 00 00 00 05 90 4e <nil>
	// 75
}

// A reader cuts frames off what has arrived and parses each by its kind.
func ExampleCut() {
	in := wire.AppendPing(nil, 7)
	in = wire.AppendReset(in, wire.MakeID(true, 1, 0), posthaste.Canceled)
	in = append(in, 0x34, 0x00) // the beginning of a frame

	for {
		h, payload, rest, ok := wire.Cut(in)
		if !ok {
			break
		}
		switch h.Kind {
		case wire.KindPing:
			opaque, err := wire.ParsePing(payload)
			fmt.Println(h.Kind, opaque, err)
		case wire.KindReset:
			code, err := wire.ParseReset(payload)
			fmt.Println(h.Kind, h.ID, code, err)
		}
		in = rest
	}
	fmt.Println(len(in), "bytes wait for more")
	// Output:
	// PING 7 <nil>
	// RESET 3 CANCELED <nil>
	// 2 bytes wait for more
}

// A parser's error says which field, what value and what limit.
func ExampleRequest_Parse() {
	h := wire.Header{Kind: wire.KindAsk, ID: wire.MakeID(true, 1, 0)}
	var r wire.Request
	fmt.Println(r.Parse(h, []byte{0x80, 0x80, 0x01}))
	// Output:
	// PROTOCOL: ASK route is 16384; the limit is 16383
}

func ExampleNegotiate() {
	old := &wire.Hello{MinVersion: 1, MaxVersion: 1, MaxFrame: 8 << 10}
	recent := &wire.Hello{MinVersion: 1, MaxVersion: 3, MaxFrame: 64<<10 - 1}
	agreed, err := wire.Negotiate(old, recent)
	fmt.Println(agreed.Version, agreed.MaxFrame, err)

	future := &wire.Hello{MinVersion: 2, MaxVersion: 3}
	_, err = wire.Negotiate(old, future)
	fmt.Println(err)
	// Output:
	// 1 8192 <nil>
	// PROTOCOL: no common version: this side speaks 1 to 1, the peer 2 to 3
}

// A handler's error keeps its code, status and text on the way to the caller.
func ExampleFailureOf() {
	f := wire.FailureOf(posthaste.Errorf(posthaste.NotFound, "no account %q", "acc-1"))
	frame := wire.AppendFailure(nil, wire.MakeID(true, 1, 0), &f)

	var got wire.Failure
	if err := got.Parse(frame[wire.HeaderLen:]); err != nil {
		panic(err)
	}
	fmt.Println(got.Err())
	fmt.Println(got.Status)
	// Output:
	// NOT_FOUND: no account "acc-1"
	// EXECUTED
}

func ExampleSniff() {
	for _, first := range []string{"\x0d\x00", "\x16\x03\x01", "GET / HTTP/1.1", "SSH-2.0"} {
		fmt.Println(wire.Sniff([]byte(first)))
	}
	// Output:
	// posthaste
	// TLS
	// HTTP
	// unknown
}
