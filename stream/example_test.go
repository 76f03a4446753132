package stream_test

import (
	"context"
	"fmt"
	"io"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/stream"
)

// The asking end of a server stream: it has sent its only item with the request.
func Example() {
	s := stream.New(stream.Options{})
	s.CloseSend()
	fmt.Println(s.State())

	_ = s.Deliver([]byte("one")) // by the loop, as frames come in
	_ = s.Deliver([]byte("two"))
	s.Finish()
	fmt.Println(s.State())

	for {
		item, err := s.Recv(context.Background())
		if err == io.EOF {
			break
		}
		fmt.Println(string(item))
	}
	// Output:
	// HalfClosedLocal
	// Closed
	// one
	// two
}

func ExampleStream_Cancel() {
	s := stream.New(stream.Options{})
	_ = s.Deliver([]byte("nobody reads this"))
	fmt.Println("send a RESET:", s.Cancel(nil))
	_, err := s.Recv(context.Background())
	fmt.Println(posthaste.CodeOf(err))
	// Output:
	// send a RESET: true
	// CANCELED
}

func ExampleStream_Deliver() {
	s := stream.New(stream.Options{MaxItems: 1})
	fmt.Println(s.Deliver([]byte("first")))
	fmt.Println(posthaste.CodeOf(s.Deliver([]byte("second"))))
	item, _ := s.Recv(context.Background())
	_, err := s.Recv(context.Background())
	fmt.Println(string(item), posthaste.CodeOf(err))
	// Output:
	// <nil>
	// RESOURCE_EXHAUSTED
	// first RESOURCE_EXHAUSTED
}
