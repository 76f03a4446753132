// Package posthaste is the vocabulary of an actor-style messaging runtime:
// the words that every other package of the module shares and nothing else.
//
// Programs import package runtime, conventionally as rt, to spawn and call
// actors; they import this package for [CodeOf], [Error], [Addr] and the
// [Interceptor] type. It depends on the standard library only and imports none
// of its siblings; all of them import it.
//
// # Vocabulary
//
//   - A node is one process with a runtime. It answers at an [Endpoint].
//   - An actor lives on a node and is named by an [Addr].
//   - A message is whole; a frame is what crosses the wire.
//   - The three verbs are ask (one reply), tell (none) and open (a stream).
//
// # Errors
//
// Every error that the runtime itself makes is an [*Error]: a stable [Code], a
// [Status] that says whether the handler ran, and a sentence that says what to
// do next. Branch with [errors.Is] against the Err… values of package runtime,
// or with [CodeOf]; never on text.
package posthaste
