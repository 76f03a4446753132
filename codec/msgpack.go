package codec

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// maxPooledInput is the largest document whose decoder is used again. A decoder
// keeps a buffer as large as the longest string it has met, and does not show it.
const maxPooledInput = 64 << 10

// Msgpack is the default codec: compact, self-describing, and readable without
// generated code. Structs are written as maps, so that fields can come and go
// while old and new nodes talk to each other: Decode skips the fields it does
// not know and leaves alone those that are missing.
//
// The zero Msgpack works, with the default limits. It must not be copied.
type Msgpack struct {
	limits   Limits    // set once by NewMsgpack
	encoders sync.Pool // of *msgpackEncoder
	decoders sync.Pool // of *msgpackDecoder
}

var _ Codec = (*Msgpack)(nil)

// NewMsgpack returns a codec that refuses documents over l.
func NewMsgpack(l Limits) *Msgpack { return &Msgpack{limits: l} }

// ID returns [IDMsgpack].
func (m *Msgpack) ID() uint8 { return IDMsgpack }

// Name returns "msgpack".
func (m *Msgpack) Name() string { return "msgpack" }

// Append encodes as [Codec] says. It allocates nothing for structs, scalars,
// strings and bytes but what dst needs to grow. A panic of v's own encoding
// method passes through, for it is the caller's.
//
// Append does not measure what it writes against the limits: the receiver does.
func (m *Msgpack) Append(dst []byte, v any) ([]byte, error) {
	if inner := pointerIn(v); inner.IsValid() && !inner.IsNil() {
		v = inner.Interface()
	}
	var out []byte
	var err error
	if g, ok := v.(msgMarshaler); ok {
		out, err = g.MarshalMsg(dst)
	} else {
		out, err = m.appendReflected(dst, v)
	}
	if err != nil {
		return dst, refuse("encoding %T as msgpack: %w", v, err)
	}
	return out, nil
}

// appendReflected encodes by the library. An encoder that failed or panicked is
// not used again, since what it was in the middle of is not known.
func (m *Msgpack) appendReflected(dst []byte, v any) ([]byte, error) {
	e, ok := m.encoders.Get().(*msgpackEncoder)
	if !ok {
		e = newMsgpackEncoder()
	}
	out, err := e.append(dst, v)
	if err == nil {
		m.encoders.Put(e)
	}
	return out, err
}

// Decode decodes as [Codec] says, once [Check] has accepted src. A nil document
// makes a pointer nil and most other values zero. Slices, maps and pointers that
// the value holds already are filled, not replaced.
func (m *Msgpack) Decode(src []byte, v any) (err error) {
	if err := Check(src, m.limits); err != nil {
		return err
	}
	defer caught(&err, "msgpack", v)
	if src[0] != codeNil {
		v = pointee(v)
	}
	if g, ok := v.(msgUnmarshaler); ok {
		err = unmarshalWhole(src, g)
	} else {
		err = m.decodeReflected(src, v)
	}
	if err != nil {
		return refuse("decoding msgpack into %T: %w", v, err)
	}
	return nil
}

// decodeReflected decodes by the library. A decoder that failed or panicked is
// not used again: it may still be recording what it reads for a type's own
// method, and its Reset does not end that.
func (m *Msgpack) decodeReflected(src []byte, v any) error {
	d, ok := m.decoders.Get().(*msgpackDecoder)
	if !ok {
		d = newMsgpackDecoder()
	}
	err := d.decode(src, v)
	if err == nil && len(src) <= maxPooledInput {
		m.decoders.Put(d)
	}
	return err
}

// msgMarshaler and msgUnmarshaler are what github.com/tinylib/msgp generates.
type (
	msgMarshaler interface {
		MarshalMsg(b []byte) ([]byte, error)
	}
	msgUnmarshaler interface {
		UnmarshalMsg(b []byte) (rest []byte, err error)
	}
)

// unmarshalWhole lets a generated type decode itself. Leftovers mean that it
// does not know the format of its peer.
func unmarshalWhole(src []byte, g msgUnmarshaler) error {
	rest, err := g.UnmarshalMsg(src)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("UnmarshalMsg left %d of %d bytes", len(rest), len(src))
	}
	return err
}

// pointerIn returns the *T that v points to if v is a **T, as it is for a
// method declared with pointers, else the zero Value. Generated methods belong
// to the *T.
func pointerIn(v any) reflect.Value {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Type().Elem().Kind() != reflect.Pointer {
		return reflect.Value{}
	}
	return p.Elem()
}

// pointee returns the *T that v points to if v is a **T, made if it is nil, and
// v itself if it is anything else.
func pointee(v any) any {
	inner := pointerIn(v)
	if !inner.IsValid() {
		return v
	}
	if inner.IsNil() {
		inner.Set(reflect.New(inner.Type().Elem()))
	}
	return inner.Interface()
}

// msgpackEncoder is an encoder of the library that appends.
type msgpackEncoder struct {
	out appender
	enc *msgpack.Encoder
}

func newMsgpackEncoder() *msgpackEncoder {
	return &msgpackEncoder{enc: msgpack.NewEncoder(nil)}
}

// append encodes v after dst. Reset comes first each time, for a type's own
// method may have changed the flags, and it clears all of them.
func (e *msgpackEncoder) append(dst []byte, v any) ([]byte, error) {
	e.out.b = dst
	e.enc.Reset(&e.out)
	e.enc.UseCompactInts(true)
	e.enc.SetCustomStructTag("json")
	err := e.enc.Encode(v)
	out := e.out.b
	e.out.b = nil // the buffer is the caller's
	return out, err
}

// msgpackDecoder is a decoder of the library that reads from a slice. It never
// uses preallocated values: for these the library starts goroutines without end.
type msgpackDecoder struct {
	src bytes.Reader
	dec *msgpack.Decoder
}

func newMsgpackDecoder() *msgpackDecoder {
	return &msgpackDecoder{dec: msgpack.NewDecoder(nil)}
}

// decode fills v from src. Bytes left mean that a type's own method stopped
// early.
func (d *msgpackDecoder) decode(src []byte, v any) error {
	d.src.Reset(src)
	d.dec.Reset(&d.src)
	d.dec.SetCustomStructTag("json")
	err := d.dec.Decode(v)
	if left := d.src.Len(); err == nil && left > 0 {
		err = fmt.Errorf("a method DecodeMsgpack left %d of %d bytes", left, len(src))
	}
	d.src.Reset(nil) // src is the caller's
	return err
}
