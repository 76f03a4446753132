package registry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
)

func ExampleMemory() {
	r := registry.NewMemory()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	lease, err := r.Register(ctx, 15*time.Second, func() registry.Instance {
		return registry.Instance{
			Service: "bank", Node: "n1", Weight: 2,
			Endpoint: posthaste.Endpoint{Network: "tcp", Address: "10.0.0.1:7000"},
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = r.Watch(ctx, "bank", func(now []registry.Instance) {
		fmt.Println("instances:", len(now))
		if len(now) == 0 {
			stop() // ends Watch
			return
		}
		fmt.Println(now[0].Node, now[0].Endpoint, now[0].Weight)
		_ = lease.Release(ctx) // usually done by another goroutine
	})
	fmt.Println("watch:", err)
	// Output:
	// instances: 1
	// n1 10.0.0.1:7000 2
	// instances: 0
	// watch: <nil>
}

func ExampleStatic() {
	r := registry.NewStatic(map[string][]posthaste.Endpoint{
		"bank": {{Network: "tcp", Address: "10.0.0.2:7000"}, {Network: "tcp", Address: "10.0.0.1:7000"}},
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	_ = r.Watch(ctx, "bank", func(now []registry.Instance) {
		for _, i := range now {
			fmt.Println(i.Endpoint)
		}
		stop()
	})
	// Output:
	// 10.0.0.1:7000
	// 10.0.0.2:7000
}
