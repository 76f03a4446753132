// Package protoconflict lets two actor libraries live in one program.
//
// hollywood and protoactor-go both register a protobuf file named actor.proto with
// a message actor.PID. The protobuf module panics at the second one, in a package
// initializer, before main, unless the environment says otherwise. This package
// says otherwise. The bench sends nothing that these files describe, so it does
// not matter which of the two wins.
//
// # Guarantees
//
//  1. It is initialized before any package of the protobuf module is. By the
//     specification the next package to be initialized is the first, in the order
//     of import paths, whose imports are initialized. This one imports os only,
//     as every package of the protobuf module does in the end, and
//     github.com/posthaste-go precedes google.golang.org.
package protoconflict

import "os"

// variable is read by google.golang.org/protobuf/reflect/protoregistry when it
// finds a conflict.
const variable = "GOLANG_PROTOBUF_REGISTRATION_CONFLICT"

func init() { _ = os.Setenv(variable, "ignore") }
