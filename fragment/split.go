package fragment

import "iter"

// Next cuts a piece of at most limit bytes off rest. Both results alias rest.
// remaining is empty when piece is the last; an empty rest gives one empty piece.
// limit must be above zero. It costs nothing and does not allocate.
//
// A sender that shares a connection between messages calls it once per turn, so
// that a large message never holds up a small one.
func Next(rest []byte, limit int) (piece, remaining []byte) {
	if limit <= 0 {
		panic("fragment: a piece needs room for at least one byte")
	}
	n := min(limit, len(rest))
	return rest[:n:n], rest[n:]
}

// Split yields the pieces of body in order: the first of at most first bytes, the
// others of at most limit. more is false with the last piece only. An empty body
// is one empty piece; so is the first piece of any other body if first is 0. limit
// must be above zero and first not below. The pieces alias body; ranging over
// them does not allocate.
func Split(body []byte, first, limit int) iter.Seq2[[]byte, bool] {
	if first < 0 || limit <= 0 {
		panic("fragment: a first piece needs no room, the others need room for at least one byte")
	}
	return func(yield func(piece []byte, more bool) bool) {
		n := min(first, len(body))
		piece, rest := body[:n:n], body[n:]
		for len(rest) > 0 {
			if !yield(piece, true) {
				return
			}
			piece, rest = Next(rest, limit)
		}
		yield(piece, false)
	}
}
