// Package wire turns calls into frames and frames into calls: the bytes of the
// posthaste protocol, version 1. SPEC.md beside this file is the protocol itself,
// complete enough to write another implementation from; testdata has its vectors.
//
// The package hides every layout: header bits, field order, variable-length
// integers, the numbers of HELLO's fields, what is checked and what each limit
// is. It knows one frame at a time. It opens no socket, starts no goroutine,
// keeps no state, holds no lock; who remembers routes, joins fragments, counts
// credit and answers PING lives in the packages above.
//
// # Usage
//
// Every kind of frame has an appender and a parser that mirror each other. An
// appender appends to the caller's buffer; for the kinds that carry a body it
// appends all but the body, whose length it must know:
//
//	h := wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: id}
//	out, err := wire.AppendRequest(out, h, &wire.Request{Route: 5, Deadline: 10_000}, len(body))
//	out = append(out, body...)
//
// A reader cuts frames off what it received, looks at the kind and parses:
//
//	for {
//		h, payload, rest, ok := wire.Cut(in)
//		if !ok {
//			break // the frame is not whole yet
//		}
//		if err := h.Check(); err != nil {
//			return err // answer GOAWAY, close
//		}
//		switch h.Kind {
//		case wire.KindAsk:
//			err := request.Parse(h, payload)
//			…
//		}
//		in = rest
//	}
//
// Both sides begin with HELLO; [Negotiate] says what holds afterwards. [Sniff]
// says what a peer speaks that did not begin with it.
//
// # Bytes
//
// A slice that a parser returns aliases its input, has no spare capacity, and
// dies with the input; in posthaste that is when the upcall from the event loop
// returns. Whatever is kept is copied once, by who keeps it. [Hello] alone copies,
// because it outlives its frame. An appender reads the slices that it is given
// and keeps none.
//
// # Guarantees
//
//  1. No parser panics, whatever the bytes, and none believes a length before it
//     has compared it with what is there. [ParseHeader] alone asks for 8 bytes.
//  2. No parser but that of HELLO allocates, unless it returns an error. No
//     appender allocates while its buffer has room.
//  3. What a parser accepts has one form: appending it again gives the same
//     bytes, except that HELLO and CONFIG drop fields that are not known and
//     fields that say nothing.
//  4. An appender that is called as its comment asks makes nothing that the
//     parser of the same kind refuses, and gives the buffer back as it was when
//     it returns an error.
//  5. Every error is a [*posthaste.Error] that names the field, its value and the
//     limit. From a parser its code is Protocol, or TooLarge for a size over its
//     limit: see [ErrMalformed] and [ErrTooLarge]. From an appender it is TooLarge
//     or InvalidArgument.
//
// # Limits
//
// A payload has at most [MaxPayload] bytes, a name or a key [MaxName], the text
// of an error [MaxErrorText], its details [MaxDetails], HELLO [MaxHello], a batch
// [MaxBatch]. A connection has at most [MaxRoutes] routes and [MaxSlot] ids a
// side. Metadata and the rest of the prefix stand in one frame with at least the
// beginning of the body. Metadata, bodies and details are not looked into: the
// codec of the packages above must itself distrust them.
//
// # Testing
//
// testdata/*.hex holds a vector for every kind of frame. The tests check each in
// both directions and cut off at every byte; properties round-trip random
// values; one fuzz target for each parser asserts guarantees 1 and 3:
//
//	go test ./wire                               # everything, a second
//	go test ./wire -run Golden -update           # rewrite testdata
//	go test ./wire -fuzz FuzzRequest -fuzztime 1m
package wire
