// Package lb chooses which endpoint of a service gets the next call, and learns
// from how the calls end. It hides how load is measured: a caller sees a group,
// picks a node from it and says when it is done.
//
// It opens no connection and watches no registry. Package runtime feeds a
// [Group] with what the registry says and hangs its connection to each endpoint
// on [Node.Value].
//
// # Usage
//
//	g := lb.NewGroup(lb.P2C())
//	g.Update([]lb.Member{{Endpoint: e1}, {Endpoint: e2, Weight: 3}})
//	n, err := g.Pick(0)
//	if err != nil {
//		return err // ErrNoEndpoint
//	}
//	start := time.Now()
//	err = call(n.Endpoint())
//	n.Done(time.Since(start), err != nil)
//
// Which policy: [P2C], the default, avoids what is slow, busy or failing and
// needs no configuration. [LeastConn] balances what is in flight and learns
// nothing else. [Weighted] and [RoundRobin] spread calls evenly whatever happens
// to them; [Random] does so without any shared state.
//
// # Guarantees
//
//  1. Pick and Done take no lock and allocate nothing. (The first Pick of
//     Weighted after an Update allocates once.)
//  2. A member that an Update keeps (same endpoint, same incarnation) keeps the
//     calls in flight and the cost learned, also if its Value changes. A restarted
//     member has a new incarnation and starts fresh.
//  3. Two Updates never mix: a Pick chooses among the members of exactly one.
//  4. A node removed while calls are in flight stays valid until their Done.
//  5. A call that failed never makes its node look fast: see [Node.Done].
//
// # Limits
//
// A Group holds what it is given: the registry bounds the number of members.
// Weights are clamped to 1…[MaxWeight]. LeastConn looks at every node on each
// Pick; the others but Weighted at no more than two. Two Picks at the same
// instant may choose the same idle node: counters are read, then added to.
//
// # Testing
//
// Decisions take the time as an argument; [WithClock] gives a Group a clock of
// the test's own. A Policy needs no Group: call Pick with the nodes of one.
package lb
