package runtime

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestFit(t *testing.T) {
	type named string
	const rest = unsafe.Sizeof(payload{}) - unsafe.Sizeof(uintptr(0)) // beside a pointer
	for _, c := range []struct {
		of   reflect.Type
		want fit
	}{
		{reflect.TypeFor[bool](), fitPlain},
		{reflect.TypeFor[int64](), fitPlain},
		{reflect.TypeFor[uintptr](), fitPlain},
		{reflect.TypeFor[complex128](), fitPlain},
		{reflect.TypeFor[struct{}](), fitPlain},
		{reflect.TypeFor[[16]byte](), fitPlain},
		{reflect.TypeFor[[17]byte](), fitBoxed},
		{reflect.TypeFor[[0]*int](), fitPlain},
		{reflect.TypeFor[struct {
			none [0]*int
			n    int64
		}](), fitPlain},
		{reflect.TypeFor[*int](), fitPointer},
		{reflect.TypeFor[unsafe.Pointer](), fitPointer},
		{reflect.TypeFor[map[int]int](), fitPointer},
		{reflect.TypeFor[chan int](), fitPointer},
		{reflect.TypeFor[func()](), fitPointer},
		{reflect.TypeFor[string](), fitPointer},
		{reflect.TypeFor[named](), fitPointer},
		{reflect.TypeFor[[]byte](), fitPointer},
		{reflect.TypeFor[[1]string](), fitPointer},
		{reflect.TypeFor[[2]*int](), fitBoxed},
		{reflect.TypeFor[struct {
			in struct{ s string }
			n  int32
		}](), fitPointer},
		{reflect.TypeFor[struct {
			n int
			p *int
		}](), fitBoxed},
		{reflect.TypeFor[struct {
			_ struct{}
			p *int
		}](), fitBoxed}, // for want of trying
		{reflect.TypeFor[struct {
			p    *int
			rest [rest]byte
		}](), fitPointer},
		{reflect.TypeFor[struct {
			p    *int
			rest [rest + 1]byte
		}](), fitBoxed},
		{reflect.TypeFor[any](), fitBoxed},
		{reflect.TypeFor[error](), fitBoxed},
		{reflect.TypeFor[[200]int](), fitBoxed},
	} {
		if got := fitOf(c.of); got != c.want {
			t.Errorf("fitOf(%v) = %d, want %d", c.of, got, c.want)
		}
	}
}

// TestPayloadsNeverOverlapPointers lays random types over a payload, as the
// compiler lays them out: no pointer may come to lie where the collector does not
// look, and nothing outside.
func TestPayloadsNeverOverlapPointers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := randomType(t, 3)
		var at uintptr
		switch fitOf(typ) {
		case fitBoxed:
			return
		case fitPlain:
			at = unsafe.Offsetof(payload{}.a)
		}
		if at+typ.Size() > unsafe.Sizeof(payload{}) || typ.Align() > int(unsafe.Alignof(payload{})) {
			t.Fatalf("%v has %d bytes with alignment %d: too much at offset %d", typ, typ.Size(), typ.Align(), at)
		}
		for _, offset := range pointersOf(typ, 0) {
			if at+offset != 0 {
				t.Fatalf("%v has a pointer at %d, which would lie at %d of a payload", typ, offset, at+offset)
			}
		}
	})
}

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[int32](), reflect.TypeFor[float64](),
	reflect.TypeFor[complex64](), reflect.TypeFor[complex128](), reflect.TypeFor[uintptr](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	reflect.TypeFor[*int](), reflect.TypeFor[map[int]int](), reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[any](),
	reflect.TypeFor[error](), reflect.TypeFor[unsafe.Pointer](), reflect.TypeFor[struct{}](),
}

func randomType(t *rapid.T, depth int) reflect.Type {
	switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
	case depth == 0 || kind < 2:
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	case kind == 2:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "length"), randomType(t, depth-1))
	}
	var fields []reflect.StructField
	for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
		fields = append(fields, reflect.StructField{Name: fmt.Sprint("F", i), Type: randomType(t, depth-1)})
	}
	return reflect.StructOf(fields)
}

// pointersOf returns where t has pointers, by what the language's kinds are made
// of and without a thought for payloads.
func pointersOf(t reflect.Type, at uintptr) (offsets []uintptr) {
	const word = unsafe.Sizeof(uintptr(0))
	switch t.Kind() {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func, reflect.String, reflect.Slice:
		return []uintptr{at}
	case reflect.Interface:
		return []uintptr{at, at + word}
	case reflect.Array:
		for i := range t.Len() {
			offsets = append(offsets, pointersOf(t.Elem(), at+uintptr(i)*t.Elem().Size())...)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			offsets = append(offsets, pointersOf(t.Field(i).Type, at+t.Field(i).Offset)...)
		}
	}
	return offsets
}

// keep stores what makes make returns in many payloads, has the collector run and
// memory be used again, and wants them all back.
func keep[Q any](make func(i int) Q, same func(a, b Q) bool) func(*testing.T) {
	return func(t *testing.T) {
		f := fitOf(reflect.TypeFor[Q]())
		payloads := new([500]payload)
		for i := range payloads {
			store(&payloads[i], f, make(i))
		}
		for range 2 {
			runtime.GC()
			garbage := 0
			for i := range 2000 {
				garbage += len(fmt.Sprint("garbage in the place of what was freed too early ", i))
			}
			runtime.KeepAlive(garbage)
		}
		for i := range payloads {
			moved := payloads[i] // as from chunk to chunk
			if got := load[Q](&moved, f); !same(got, make(i)) {
				t.Fatalf("payload %d holds %v, want %v", i, got, make(i))
			}
		}
	}
}

func equal[Q comparable](a, b Q) bool { return a == b }

func TestPayloadsSurviveCollections(t *testing.T) {
	type mixed struct {
		s string
		n int64
	}
	type large struct {
		n [20]int
		s []string
	}
	for name, test := range map[string]func(*testing.T){
		"int64":   keep(func(i int) int64 { return int64(i) << 32 }, equal),
		"struct":  keep(func(i int) [2]int64 { return [2]int64{int64(i), -1} }, equal),
		"string":  keep(func(i int) string { return fmt.Sprint("text number ", i) }, equal),
		"mixed":   keep(func(i int) mixed { return mixed{fmt.Sprint("text number ", i), int64(i)} }, equal),
		"slice":   keep(func(i int) []int { return []int{i, i + 1, i + 2} }, slices.Equal),
		"pointer": keep(func(i int) *int { n := i; return &n }, func(a, b *int) bool { return *a == *b }),
		"map":     keep(func(i int) map[int]string { return map[int]string{i: fmt.Sprint(i)} }, func(a, b map[int]string) bool { return reflect.DeepEqual(a, b) }),
		"func":    keep(func(i int) func() int { return func() int { return i } }, func(a, b func() int) bool { return a() == b() }),
		"any":     keep(func(i int) any { return fmt.Sprint("text number ", i) }, equal),
		"error":   keep(func(i int) error { return fmt.Errorf("error number %d", i) }, func(a, b error) bool { return a.Error() == b.Error() }),
		"large":   keep(func(i int) large { return large{[20]int{i, 19: i}, []string{fmt.Sprint(i)}} }, func(a, b large) bool { return reflect.DeepEqual(a, b) }),
		"nothing": keep(func(int) struct{} { return struct{}{} }, equal),
	} {
		t.Run(name, test)
	}
}

// TestStoreAllocates says which values cost a tell an allocation.
func TestStoreAllocates(t *testing.T) {
	var p payload
	s, b, wide, boxed := "text", []byte("bytes"), [2]int64{1, 2}, [3]int64{1, 2, 3}
	for name, c := range map[string]struct {
		want float64
		f    func()
	}{
		"string":      {0, func() { store(&p, fitOf(reflect.TypeFor[string]()), s) }},
		"[]byte":      {0, func() { store(&p, fitOf(reflect.TypeFor[[]byte]()), b) }},
		"two words":   {0, func() { store(&p, fitOf(reflect.TypeFor[[2]int64]()), wide) }},
		"three words": {1, func() { store(&p, fitOf(reflect.TypeFor[[3]int64]()), boxed) }},
	} {
		if n := testing.AllocsPerRun(100, c.f); n != c.want {
			t.Errorf("%s: %v allocations, want %v", name, n, c.want)
		}
	}
}
