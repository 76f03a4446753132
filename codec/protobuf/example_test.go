package protobuf_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/posthaste-go/posthaste/codec/protobuf"
)

func ExampleCodec() {
	request := durationpb.New(90 * time.Second)
	payload, err := protobuf.Codec{}.Append(nil, request)
	if err != nil {
		fmt.Println(err)
	}

	var received *durationpb.Duration // Decode makes the message
	if err := (protobuf.Codec{}).Decode(payload, &received); err != nil {
		fmt.Println(err)
	}
	fmt.Println(received.AsDuration())

	_, err = protobuf.Codec{}.Append(nil, new(int))
	fmt.Println(err)
	// Output:
	// 1m30s
	// CODEC_FAILED: the protobuf codec carries generated messages, not what *int points to; declare the method with a pointer to one, or with another codec
}
