package protobuf

import (
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
)

// recursionLimit is how deep messages may nest: the default of the C++ and Java
// libraries, whose programs could not read more.
const recursionLimit = 100

// Codec encodes [proto.Message] values. The value given to Append and Decode is
// a message, or a pointer to one: the generated methods belong to *T, so where
// the runtime passes a pointer to the declared type, that is a **T. The zero
// Codec is ready.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID returns [codec.IDProtobuf].
func (Codec) ID() uint8 { return codec.IDProtobuf }

// Name returns "protobuf".
func (Codec) Name() string { return "protobuf" }

// Append adds the wire form of the message. A nil message has an empty one. It
// allocates only what dst needs to grow, and what maps need.
func (Codec) Append(dst []byte, v any) ([]byte, error) {
	m, err := message(v)
	if err != nil {
		return dst, err
	}
	var out []byte
	if vt, ok := m.(vtMarshaler); ok {
		out, err = appendVT(dst, vt)
	} else {
		out, err = proto.MarshalOptions{}.MarshalAppend(dst, m)
	}
	if err != nil {
		return dst, refuse("encoding %T as protobuf: %w", m, err)
	}
	return out, nil
}

// Decode replaces the message by what src says. If v points to a nil message,
// one is made, and stays only if src is well-formed.
func (Codec) Decode(src []byte, v any) (err error) {
	defer caught(&err, v)
	slot := reflect.ValueOf(v)
	if slot.Kind() == reflect.Pointer {
		slot = slot.Elem()
	}
	if slot.Kind() == reflect.Pointer && slot.IsNil() {
		made := reflect.New(slot.Type().Elem())
		if err := decode(src, made.Interface()); err != nil {
			return err
		}
		slot.Set(made)
		return nil
	}
	return decode(src, v)
}

func decode(src []byte, v any) error {
	m, err := message(v)
	if err != nil {
		return err
	}
	if vt, ok := m.(vtUnmarshaler); ok && finite(m) {
		err = unmarshalVT(src, m, vt)
	} else {
		err = proto.UnmarshalOptions{RecursionLimit: recursionLimit}.Unmarshal(src, m)
	}
	if err != nil {
		return refuse("decoding protobuf into %T: %w", m, err)
	}
	return nil
}

// message finds the message that v is or points to.
func message(v any) (proto.Message, error) {
	if m, ok := v.(proto.Message); ok {
		return m, nil
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
		if m, ok := p.Elem().Interface().(proto.Message); ok {
			return m, nil
		}
	}
	return nil, refuse("the protobuf codec carries generated messages, not what %T points to; "+
		"declare the method with a pointer to one, or with another codec", v)
}

// refuse makes the error for bytes or values that the codec cannot take.
func refuse(format string, args ...any) error {
	return posthaste.Errorf(posthaste.CodecFailed, format, args...)
}

// caught is deferred around decoding: generated code of others may panic.
func caught(err *error, v any) {
	if p := recover(); p != nil {
		*err = refuse("decoding protobuf into %T panicked: %v", v, p)
	}
}
