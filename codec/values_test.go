package codec_test

import (
	"encoding/binary"
	"errors"
	"time"
)

// echo is a small message, order one of middle size.
type echo struct {
	ID   int64
	Text string
}

type order struct {
	ID     string            `json:"id"`
	Amount int64             `json:"amount"`
	Price  float64           `json:"price"`
	Paid   bool              `json:"paid"`
	At     time.Time         `json:"at"`
	Items  []item            `json:"items"`
	Labels map[string]string `json:"labels"`
}

type item struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

func sampleOrder() order {
	return order{
		ID: "ord-20261122-000017", Amount: 129_900, Price: 1299.5, Paid: true,
		At:     time.Date(2026, 11, 22, 10, 32, 0, 5_000_000, time.UTC),
		Items:  []item{{"keyboard-iso-de", 2}, {"cable-usb-c-2m", 5}, {"mouse-pad-black", 1}},
		Labels: map[string]string{"region": "eu-central", "channel": "web"},
	}
}

// tree is a type that contains itself.
type tree struct {
	Value    int
	Children []*tree
}

// point encodes itself as code from github.com/tinylib/msgp would: a map of one
// entry, with methods on the pointer.
type point struct{ X int64 }

var errNotPoint = errors.New("not a point")

func (p *point) MarshalMsg(b []byte) ([]byte, error) {
	if p.X < 0 {
		return b, errors.New("points are positive")
	}
	b = append(b, 0x81, 0xa1, 'X', 0xd3)
	return binary.BigEndian.AppendUint64(b, uint64(p.X)), nil
}

// UnmarshalMsg has the faults of a decoder that trusts its input: it panics on
// short documents, and makes what an array declares.
func (p *point) UnmarshalMsg(b []byte) ([]byte, error) {
	if b[0] == 0xdd {
		_ = make([]int64, binary.BigEndian.Uint32(b[1:]))
	}
	if b[0] != 0x81 || b[3] != 0xd3 {
		return b, errNotPoint
	}
	p.X = int64(binary.BigEndian.Uint64(b[4:]))
	return b[12:], nil
}
