// Package savina has benchmarks of the Savina suite (Imam and Sarkar, "Savina - An
// Actor Benchmark Suite", AGERE 2014), as far as they make sense in Go.
//
// # What it hides
//
// One file (of barber two) is one benchmark: its size, its result, which is known
// beforehand, and its actors three times over:
//
//   - for posthaste, with typed methods;
//   - as goroutines and channels;
//   - for libraries behind anyactor.System, written once.
//
// The three send the same messages to the same actors. They follow the suite's
// program for Akka, but for this:
//
//   - What the suite does to keep processors busy besides is left out: loops of
//     sines and logarithms, random waits. It is the messages that are measured.
//   - Sizes are the suite's where a lap then takes some milliseconds, else smaller;
//     each file says so.
//   - Random choices are made by [random], so that each lap and each peer makes
//     the same.
//
// # Usage
//
//	for _, b := range savina.All() {
//		ok := b.Chan(b.Size) == b.Want(b.Size)
//	}
//
// # Guarantees
//
//  1. A lap returns when its actors, or goroutines, have ended.
//  2. A lap handles a number of operations that follows from its size.
//  3. A message that a peer refuses is a panic, and so ends the program; one that
//     it loses leaves the lap hanging.
package savina
