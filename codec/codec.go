package codec

import "github.com/posthaste-go/posthaste"

// The ids of codecs. They are part of the wire protocol: 5 to 15 are reserved.
const (
	IDRaw       uint8 = 1
	IDMsgpack   uint8 = 2
	IDProtobuf  uint8 = 3
	IDJSON      uint8 = 4
	FirstUserID uint8 = 16 // the lowest id for codecs of applications
)

// Codec turns values into bytes and back. An implementation may be called by
// many goroutines at once.
type Codec interface {
	// ID returns the number that travels with every message, the same in every
	// program and for ever. Below FirstUserID it belongs to posthaste.
	ID() uint8

	// Name returns what people call the format, in lower case.
	Name() string

	// Append adds the encoding of the value that v points to, and returns the
	// extended slice, which may be a new one. It only reads the value. On error
	// it returns dst unchanged; bytes between its length and its capacity may
	// have been written.
	Append(dst []byte, v any) ([]byte, error)

	// Decode fills the value that v points to from src, all of it, which a peer
	// chose and nobody has looked at. It must not panic, nor take memory out of
	// proportion to src and the codec's limits. What v points to may be partly
	// filled when it fails. The implementation borrows src for the call only,
	// unless it says otherwise.
	Decode(src []byte, v any) error
}

// refuse makes the error for bytes or values that a codec cannot take. A %w
// operand becomes the cause.
func refuse(format string, args ...any) error {
	return posthaste.Errorf(posthaste.CodecFailed, format, args...)
}

// caught is deferred around a decoder. Libraries panic on input that their
// types cannot hold, such as bytes as a key of map[any]any, and so may a
// type's own decoding method.
func caught(err *error, format string, v any) {
	if p := recover(); p != nil {
		*err = refuse("decoding %s into %T panicked: %v", format, v, p)
	}
}

// appender is the end of a writer-based encoder that appends to a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// WriteByte saves the msgpack encoder a one-byte slice for each header.
func (a *appender) WriteByte(c byte) error {
	a.b = append(a.b, c)
	return nil
}
