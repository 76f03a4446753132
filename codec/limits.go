package codec

import "github.com/posthaste-go/posthaste"

const (
	defaultDepth    = 64
	defaultElements = 1 << 18
	maxDepth        = 1000 // decoders recurse: beyond this their stack is the limit
)

// Limits bound what a decoder builds from one document of a peer. The zero
// value means the defaults, and so does a field that is not positive.
type Limits struct {
	// Depth is how many arrays and maps may lie inside one another: 64 by
	// default, and never more than 1000. Raise it for trees and linked lists;
	// each level costs the decoder some hundred bytes of stack.
	Depth int

	// Elements is how many array elements and map entries there may be in all:
	// 1<<18 (262144) by default. Times the size of the largest element in the
	// receiving type it bounds the memory that a document can claim.
	Elements int
}

// effective returns l with the defaults in place.
func (l Limits) effective() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Elements <= 0 {
		l.Elements = defaultElements
	}
	l.Depth = min(l.Depth, maxDepth)
	return l
}

func (l Limits) tooDeep(format string) error {
	return posthaste.Errorf(posthaste.TooLarge,
		"%s nests deeper than %d levels, the limit set by codec.Limits.Depth", format, l.Depth)
}

func (l Limits) tooMany(format string) error {
	return posthaste.Errorf(posthaste.TooLarge,
		"%s has more than %d elements in all, the limit set by codec.Limits.Elements", format, l.Elements)
}
