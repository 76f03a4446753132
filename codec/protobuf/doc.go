// Package protobuf carries protocol buffer messages as payloads.
//
// It hides how a message is found behind what the runtime passes, and when the
// faster code of vtprotobuf can be trusted. It is a package of its own so that
// programs without protobuf do not link it.
//
// # Usage
//
// Give [Codec] to the runtime and declare methods with pointers to generated
// types:
//
//	var Deposit = rt.NewMethod[Bank, *pb.Deposit, *pb.Balance]("bank.deposit", rt.Codec(protobuf.Codec{}))
//
// Types generated with github.com/planetscale/vtprotobuf are recognised by
// their methods; nothing has to be declared.
//
// # Guarantees
//
//  1. Decode takes the bytes of a stranger: no input panics or overflows the
//     stack. Messages nest at most 100 deep, as in C++ and Java, or as deep as
//     their types do where these do not contain themselves.
//  2. Decode replaces what the message held, and does not keep its input.
//  3. Errors are [posthaste.Error]s with code CodecFailed.
//  4. A Codec may be used by many goroutines at once.
//
// # Limits
//
//   - Nil and empty messages look alike on the wire: both arrive as empty.
//   - Two bytes can stand for an empty message in a repeated field, so that a
//     document can take half its size times the size of that message's type in
//     memory: bound the size of messages where peers are strangers.
//   - The code of vtprotobuf does not check that strings are UTF-8.
//   - Equal messages may have different bytes.
//
// # Testing
//
// The tests use the well-known types, so protoc is not needed; FuzzDecode
// decodes strange bytes.
package protobuf
