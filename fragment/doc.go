// Package fragment cuts messages that are larger than a frame into pieces and
// puts the pieces of many messages on one connection together again. It hides
// how memory is held while a message is incomplete, so that a peer that lies
// about sizes, or never finishes, costs little.
//
// It knows neither frames nor connections: it sees ids, sizes and bytes.
//
// # Usage
//
// To send, cut the body. The first frame has less room than the others, because
// it carries the head of the message:
//
//	for piece, more := range fragment.Split(body, max-len(head), max) {
//		writeFrame(piece, more)
//	}
//
// A sender that takes turns between messages keeps the rest of each and cuts one
// piece per turn with [Next]. To receive, the connection's loop owns an
// [Assembler]:
//
//	a.Begin(id, total, first, now)                // a frame that says more follows
//	whole, err := a.Add(id, piece, more, now)     // each further piece
//	a.Sweep(now, func(id uint32) { … })           // on every tick
//
// An error of Begin or Add ends that one message, and it alone: the connection
// answers it with the error's code and goes on. Pieces of it that are still on
// their way find an id that is not open; ask [Assembler.Has] first, and count
// and drop those. Whether a peer that breaks the protocol often is cut off is
// the connection's decision.
//
// # Guarantees
//
//  1. What Add returns is byte for byte what Split was given, or an error came.
//  2. A declared size is checked before anything is allocated for it, and what is
//     allocated follows what has arrived: per message at most twice the bytes
//     received, or 4 KiB.
//  3. A message that declared its size and was begun cannot fail for lack of room
//     later: room is set aside by Begin.
//  4. After Drop, an error, or the last piece, the connection holds nothing of the
//     message.
//  5. Pieces are copied; a whole message belongs to the caller.
//
// # Limits
//
// [Limits] bounds one message, all messages of a connection, their number, and
// the time between two pieces. Errors name the limit and its setting. The time
// for a whole message is not bounded: a slow line is no attack, and what it can
// hold is.
//
// # Testing
//
// An Assembler has one owner, takes the time as an argument, and starts nothing:
// tests need neither clock nor connection.
package fragment
