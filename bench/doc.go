// Command bench measures posthaste and its peers with one load generator.
//
// # What it hides
//
// A [Peer] is one library behind small interfaces (peer.go, house.go); a [Scenario]
// is one load (scenario.go). Actor libraries whose messages are of any type share
// their receivers (library.go, package anyactor), and the Savina benchmarks are
// package savina. Everything else is how they are brought together fairly:
// every round of a peer runs in a server process and a client process of its own
// (child.go, control.go, serve.go, drive.go), so that processor time and
// allocations of both sides are counted apart from each other and from those of
// the next peer; rounds of different peers alternate (plan.go, round.go).
//
// # Usage
//
//	go run . -list
//	go run . -run remote/ask/256x64B -peers posthaste,rawgnet -rounds 5 -json out.json
//
// README.md explains the columns and how to add a peer.
//
// # Guarantees
//
//  1. A figure is of a peer that worked: each reply's length and number are
//     checked, the content of one in 64, and no message may be lost; a Savina
//     benchmark must have the result that is known beforehand.
//  2. A peer that fails gets a result that says why; the others are measured.
//  3. No child outlives its parent, nor its round by more than its grace.
//  4. All peers bear the cost of the same checks and clocks.
//
// # Limits
//
// Linux and macOS only. Both processes share one machine, so a network, its
// losses and its delays play no part.
//
// # Testing
//
// The tests run every peer in every scenario for a moment, and peers with planted
// faults (fault_test.go). The test program starts itself as its children.
package main
