package codec_test

import (
	"fmt"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

func ExampleMsgpack() {
	type Deposit struct {
		Account string `json:"account"`
		Cents   int64  `json:"cents"`
	}
	m := codec.NewMsgpack(codec.Limits{})

	payload, err := m.Append(nil, &Deposit{Account: "acc-1", Cents: 9900})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%d bytes: %q\n", len(payload), payload)

	var d Deposit
	if err := m.Decode(payload, &d); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", d)
	// Output:
	// 24 bytes: "\x82\xa7account\xa5acc-1\xa5cents\xcd&\xac"
	// {Account:acc-1 Cents:9900}
}

// Five bytes that claim to be an array of 4294967295 elements. The library by
// itself would take 34 GiB for them.
func ExampleMsgpack_Decode_bomb() {
	var v []int64
	err := codec.NewMsgpack(codec.Limits{}).Decode([]byte("\xdd\xff\xff\xff\xff"), &v)
	fmt.Println(err)
	fmt.Println(posthaste.CodeOf(err) == posthaste.CodecFailed)
	// Output:
	// CODEC_FAILED: msgpack declares 4294967295 elements with 0 bytes left
	// true
}

func ExampleCheck() {
	doc := []byte("\x93\x01\x02\x03") // [1, 2, 3]
	fmt.Println(codec.Check(doc, codec.Limits{}))
	fmt.Println(codec.Check(doc, codec.Limits{Elements: 2}))
	// Output:
	// <nil>
	// TOO_LARGE: msgpack has more than 2 elements in all, the limit set by codec.Limits.Elements
}

func ExampleRaw() {
	var body []byte
	payload, _ := codec.Raw{}.Append(nil, &[]byte{'h', 'i'})
	_ = codec.Raw{}.Decode(payload, &body)
	fmt.Printf("%s\n", body)

	_, err := codec.Raw{}.Append(nil, new(int))
	fmt.Println(err)
	// Output:
	// hi
	// CODEC_FAILED: the raw codec carries bytes and strings, not what *int points to; declare the method with another codec, such as msgpack
}

func ExampleNewSet() {
	set, err := codec.NewSet(codec.NewMsgpack(codec.Limits{}), codec.JSON{}, codec.Raw{})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(set.ByID(codec.IDMsgpack).Name())
	fmt.Println(set.ByName("json").ID())
	fmt.Println(set.ByID(codec.IDProtobuf))
	// Output:
	// msgpack
	// 4
	// <nil>
}
