package codec_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste/codec"
)

// everything has a field of each kind that has a wire form.
type everything struct {
	Bool    bool
	Int     int
	Int8    int8
	Int16   int16
	Int32   int32
	Int64   int64
	Uint    uint
	Uint8   uint8
	Uint16  uint16
	Uint32  uint32
	Uint64  uint64
	Float32 float32
	Float64 float64
	String  string
	Bytes   []byte
	Array   [3]int16
	Strings []string
	Floats  []float64
	ByName  map[string]int64
	ByInt   map[int64]string
	ByUint8 map[uint8][]byte
	Pointer *int32
	Nested  *nested
	List    []nested
}

type nested struct {
	Name  string `json:"name,omitempty"`
	Deep  map[string][]map[uint16]*bool
	Extra struct{ A, B *string }
}

func TestMsgpackRoundTripsEverything(t *testing.T) {
	checkRoundTrips(t, codec.NewMsgpack(codec.Limits{}))
}

func TestJSONRoundTripsEverything(t *testing.T) { checkRoundTrips(t, codec.JSON{}) }

func checkRoundTrips(t *testing.T, c codec.Codec) {
	values := rapid.Make[everything]()
	rapid.Check(t, func(rt *rapid.T) {
		want := values.Draw(rt, "value")
		b, err := c.Append(nil, &want)
		if err != nil {
			rt.Fatal(err)
		}
		var got everything
		if err := c.Decode(b, &got); err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// Any value inside an any is accepted and arrives as it was, but for the width
// of its integers.
func TestMsgpackRoundTripsAny(t *testing.T) {
	m := codec.NewMsgpack(codec.Limits{})
	values := anyValue(3)
	rapid.Check(t, func(rt *rapid.T) {
		want := values.Draw(rt, "value")
		b, err := m.Append(nil, &want)
		if err != nil {
			rt.Fatal(err)
		}
		if err := codec.Check(b, codec.Limits{}); err != nil {
			rt.Fatal(err)
		}
		var got any
		if err := m.Decode(b, &got); err != nil {
			rt.Fatal(err)
		}
		if got, want := widened(got), widened(want); !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %#v, want %#v", got, want)
		}
	})
}

// anyValue draws what msgpack can tell apart, with containers to a depth.
func anyValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Uint64().AsAny(),
		rapid.Float32().AsAny(),
		rapid.Float64().AsAny(),
		rapid.String().AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(),
		rapid.Custom(drawTime).AsAny(),
	}
	if depth > 0 {
		inner := anyValue(depth - 1)
		kinds = append(kinds,
			rapid.SliceOfN(inner, 0, 40).AsAny(),
			rapid.MapOfN(rapid.String(), inner, 0, 20).AsAny())
	}
	return rapid.OneOf(kinds...)
}

func drawTime(rt *rapid.T) time.Time {
	return time.Unix(rapid.Int64().Draw(rt, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(rt, "nanoseconds"))
}

// widened returns v with integers as int64, or uint64 where that is too small,
// and without a location.
func widened(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC()
	case []any:
		for i := range v {
			v[i] = widened(v[i])
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = widened(v[k])
		}
		return v
	}
	switch n := reflect.ValueOf(v); {
	case n.CanInt():
		return n.Int()
	case n.CanUint() && n.Uint() <= math.MaxInt64:
		return int64(n.Uint())
	}
	return v
}
