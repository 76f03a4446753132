package codec

import "reflect"

// Raw carries bytes as they are: for payloads that are encoded already, or that
// are no values at all. It takes []byte, string, and types defined as one of
// these; others fail with CodecFailed. Nil and empty bytes look alike on the
// wire. The zero Raw is ready.
type Raw struct{}

var _ Codec = Raw{}

// ID returns [IDRaw].
func (Raw) ID() uint8 { return IDRaw }

// Name returns "raw".
func (Raw) Name() string { return "raw" }

// Append copies the bytes that v points to.
func (Raw) Append(dst []byte, v any) ([]byte, error) {
	switch p := v.(type) {
	case *[]byte:
		return append(dst, *p...), nil
	case *string:
		return append(dst, *p...), nil
	}
	switch value := reflect.Indirect(reflect.ValueOf(v)); {
	case isBytes(value):
		return append(dst, value.Bytes()...), nil
	case value.Kind() == reflect.String:
		return append(dst, value.String()...), nil
	}
	return dst, notRaw(v)
}

// Decode makes the []byte that v points to share the memory of src, with no
// copy: who calls it gives src away. Appending to the result does not write
// behind src. A string is a copy.
func (Raw) Decode(src []byte, v any) error {
	src = src[:len(src):len(src)]
	switch p := v.(type) {
	case *[]byte:
		*p = src
		return nil
	case *string:
		*p = string(src)
		return nil
	}
	switch value := reflect.Indirect(reflect.ValueOf(v)); {
	case !value.CanSet():
		return notRaw(v)
	case isBytes(value):
		value.SetBytes(src)
	case value.Kind() == reflect.String:
		value.SetString(string(src))
	default:
		return notRaw(v)
	}
	return nil
}

func isBytes(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
}

func notRaw(v any) error {
	return refuse("the raw codec carries bytes and strings, not what %T points to; "+
		"declare the method with another codec, such as msgpack", v)
}
