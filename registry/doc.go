// Package registry says who serves what. A node registers an [Instance] for each
// service it serves, under a lease that it must keep renewing; other nodes watch
// a service and see, as whole snapshots, who serves it now. It hides where that
// knowledge lives and how a node that dies is forgotten.
//
// A registry is a source of hints, not of truth: a snapshot may name a node that
// died a moment ago and miss one that has just started. The truth about a node
// is whether it answers, which package lb learns from calls.
//
// # Usage
//
//	lease, err := r.Register(ctx, 15*time.Second, func() registry.Instance {
//		return registry.Instance{Service: "bank", Node: "n1", Endpoint: e, Weight: weight.Load()}
//	})
//	…
//	defer lease.Release(ctx)
//
//	err = r.Watch(ctx, "bank", func(now []registry.Instance) {
//		group.Update(members(now))
//	})
//
// Three kinds exist. [Memory] joins the runtimes of one process and is the
// default. [Static] is a fixed list, for a cluster whose addresses are
// configuration. Package redisreg keeps the leases in Redis.
//
// # Guarantees
//
// Of every [Registry]; package registrytest checks them:
//
//  1. A watcher gets its first snapshot at once, then one after each change; each
//     is whole, ordered by node, and the watcher's own.
//  2. Snapshots reach a watcher one at a time and in order. One that is slow
//     misses those in between, never the last.
//  3. A service and node have at most one instance: registering again replaces
//     it, and a lower incarnation is refused.
//  4. What state returns is what watchers see, within a heartbeat: a third of the
//     lease.
//  5. After Release returned, state is not called again.
//
// # Limits
//
// Names have at most [posthaste.MaxNameLen] bytes; [Instance.Validate] lists the
// rules. There is no bound on instances: what registers is trusted.
//
// # Testing
//
// Memory is the fake for tests of what uses a registry: it needs no clock and
// starts no goroutine. Run registrytest.Run against a Registry of your own.
package registry
