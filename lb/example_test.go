package lb_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/lb"
)

func Example() {
	g := lb.NewGroup(lb.P2C())
	_, err := g.Pick(0)
	fmt.Println(errors.Is(err, lb.ErrNoEndpoint))

	g.Update([]lb.Member{
		{Endpoint: posthaste.Endpoint{Network: "tcp", Address: "10.0.0.1:7000"}, Value: "connection 1"},
	})
	n, _ := g.Pick(0)
	fmt.Println(n.Endpoint(), n.Value, n.InFlight())
	n.Done(3*time.Millisecond, false)
	fmt.Println(n.InFlight())
	// Output:
	// true
	// 10.0.0.1:7000 connection 1 1
	// 0
}

func ExampleWeighted() {
	g := lb.NewGroup(lb.Weighted())
	g.Update([]lb.Member{
		{Endpoint: posthaste.Endpoint{Network: "mem", Address: "small"}, Weight: 1},
		{Endpoint: posthaste.Endpoint{Network: "mem", Address: "large"}, Weight: 3},
	})
	picks := map[string]int{}
	for range 4000 {
		n, _ := g.Pick(0)
		n.Done(0, false)
		picks[n.Endpoint().Address]++
	}
	fmt.Printf("small about 1000: %t, large about 3000: %t\n",
		picks["small"]/10 == 100, picks["large"]/10 == 300)
	// Output: small about 1000: true, large about 3000: true
}

// sticky sends equal keys to equal nodes as long as the nodes stay.
type sticky struct{}

func (sticky) Pick(nodes []*lb.Node, key uint64) int { return int(key % uint64(len(nodes))) }

func ExamplePolicy() {
	g := lb.NewGroup(sticky{})
	g.Update([]lb.Member{
		{Endpoint: posthaste.Endpoint{Network: "mem", Address: "a"}},
		{Endpoint: posthaste.Endpoint{Network: "mem", Address: "b"}},
	})
	for _, key := range []uint64{7, 8, 7} {
		n, _ := g.Pick(key)
		fmt.Print(n.Endpoint().Address, " ")
		n.Done(0, false)
	}
	// Output: b a b
}
