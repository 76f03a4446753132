// Package codec turns the values of methods into payload bytes and back.
//
// It hides three things: which library speaks which format; that those
// libraries trust their input, so that five bytes from a peer could end the
// process; and the reuse of their encoders and decoders.
//
// # Usage
//
// The runtime encodes with the codec of the method and names it, by its one-byte
// id, in every message. The receiver looks the id up in a [Set] and answers in
// the same codec. [Msgpack] is the default and carries any Go value that has a
// wire form. [Raw] carries bytes as they are, [JSON] is for peers that speak
// nothing else, and package codec/protobuf carries generated messages.
//
// A codec works on pointers to the value, in both directions:
//
//	m := codec.NewMsgpack(codec.Limits{})
//	b, err := m.Append(nil, &order)
//	err = m.Decode(b, &order)
//
// Msgpack names a struct field by its msgpack tag, else by its json tag, else by
// its Go name. A type that has the methods MarshalMsg and UnmarshalMsg, as
// github.com/tinylib/msgp generates them, is encoded by these: the same bytes,
// several times faster. Let msgp generate with //msgp:newtime, since only the
// standard timestamp is accepted here, and with //msgp:tag json, so that nodes
// without the generated code call the fields by the same names. A struct that
// embeds such a type has its methods too, and they leave out the outer fields;
// generate for the outer one.
//
// A codec of one's own takes an id from [FirstUserID] on and must never give
// that id another meaning, since old nodes keep reading it the old way.
//
// # Guarantees
//
//  1. Decode takes the bytes of a stranger. No input overflows the stack or
//     claims more memory than said under Limits, and none panics: what a library
//     or a type's own method panics with becomes an error.
//  2. [Check] passes over every msgpack document before anything is built from
//     it, whichever way it is decoded after. It allocates nothing.
//  3. Append adds to the caller's slice, and gives it back as it was if it
//     fails. Msgpack and Raw write there directly; encoding/json copies once.
//  4. What a codec returns as an error is a [posthaste.Error]: CodecFailed for
//     bytes or values that do not fit, TooLarge for what is over a limit, with
//     the limit and its setting in the message.
//  5. Decode keeps no reference to its input, and [Raw] is the one exception.
//  6. Every codec, and a Set, may be used by many goroutines at once.
//
// # Limits
//
//   - Memory: a checked document builds at most Limits.Elements times the size
//     of the largest element, map entry or pointer target in the receiving type,
//     and growing a slice doubles that for a moment. By default that is under
//     100 MiB for a value of type any, but 1 GiB for a slice of 4 KiB structs:
//     lower the limit where such types meet strangers. The same holds for JSON.
//   - Integers wrap: msgpack decodes 300 into an int8 as 44, and -1 into a
//     uint64 as 2^64-1. The library has no option against it, and a second pass
//     that compares document and type would double the cost; use int64 for what
//     a peer may choose. JSON refuses such numbers.
//   - An integer inside an any arrives as the smallest type that holds it (5 as
//     int8, 300 as uint16), and a map inside an any must have string keys.
//   - A time.Time keeps its instant, not its location.
//   - Map keys are scalars, strings, bytes or times; structs and arrays are
//     refused. So are extension types, hence the library's intern tag.
//   - A value that contains itself is not noticed when it is encoded: the
//     goroutine's stack overflows, which ends the process.
//   - A struct that embeds another by pointer makes the msgpack library start,
//     once for each embedded type, a goroutine that never ends. Embed by value.
//   - A duplicate key is not refused: the last one wins. Strings need not be
//     UTF-8 in msgpack; in JSON what is not becomes U+FFFD.
//   - A type's own decoding method must copy what it keeps.
//
// # Testing
//
// A round trip through Append and Decode is the test for a message type. The
// inputs that kill an unguarded decoder are in bomb_test.go, and three fuzz
// targets look for more: FuzzCheck, FuzzMsgpackDecode and FuzzJSONDecode.
package codec
