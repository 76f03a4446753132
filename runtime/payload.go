package runtime

import (
	"reflect"
	"unsafe"
)

// payload is room for a small value inside a mailbox slot, so that most messages
// need no allocation of their own. The first word may be a pointer, and the
// collector sees it as one; the rest may not.
type payload struct {
	p    unsafe.Pointer
	a, b uint64
}

// fit says how values of one type lie in a payload.
type fit uint8

const (
	fitBoxed   fit = iota // p points to the value
	fitPlain              // no pointers, at most 16 bytes: in a and b
	fitPointer            // a pointer in the first word and nowhere else: in all
)

// fitOf decides for a type; it runs once per declared method.
func fitOf(t reflect.Type) fit {
	switch {
	case t.Align() > int(unsafe.Alignof(payload{})):
		return fitBoxed
	case t.Size() <= 16 && !hasPointers(t):
		return fitPlain
	case t.Size() <= unsafe.Sizeof(payload{}) && firstWordOnly(t): // 24 bytes, or 20 on a 386
		return fitPointer
	}
	return fitBoxed
}

// firstWordOnly reports whether t has exactly one pointer, at offset 0.
func firstWordOnly(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func,
		reflect.String, reflect.Slice:
		return true
	case reflect.Struct:
		if t.NumField() == 0 || t.Field(0).Offset != 0 || !firstWordOnly(t.Field(0).Type) {
			return false
		}
		for i := 1; i < t.NumField(); i++ {
			if hasPointers(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return t.Len() == 1 && firstWordOnly(t.Elem())
	}
	return false
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return true
}

// store puts v into p. f must be fitOf(Q).
//
// The conversions are of unsafe's first pattern: Q is no larger than the memory
// it is laid over, and has pointers only where that memory has.
func store[Q any](p *payload, f fit, v Q) {
	switch f {
	case fitPlain:
		*(*Q)(unsafe.Pointer(&p.a)) = v
	case fitPointer:
		*(*Q)(unsafe.Pointer(p)) = v
	default:
		boxed := v // its own variable: only this branch pays for the allocation
		p.p = unsafe.Pointer(&boxed)
	}
}

// load is the reverse of store.
func load[Q any](p *payload, f fit) Q {
	switch f {
	case fitPlain:
		return *(*Q)(unsafe.Pointer(&p.a))
	case fitPointer:
		return *(*Q)(unsafe.Pointer(p))
	}
	return *(*Q)(p.p)
}
