// Package stream is one end of an ordered, two-way flow of items between two
// nodes: a state machine that touches no socket. It hides how a reader that waits
// is woken, what is buffered for it, and which of the many ways for a stream to
// end comes first.
//
// A stream has two halves, one in each direction, and ends when both have ended
// or either side gives up. [State] draws it. A server stream, one request and
// many items, is a stream whose asking end closes its half at once.
//
// # Usage
//
// The loop that reads the connection feeds one end, and the frame that it read
// names the method: Deliver for an item, Finish for the end, Fail for an error
// or a lost connection. None of them blocks. A reader takes what has come:
//
//	for {
//		item, err := s.Recv(ctx)
//		if err == io.EOF {
//			break // all items have been read
//		}
//		if err != nil {
//			if s.Cancel(err) {
//				sendReset()
//			}
//			return err
//		}
//		use(item)
//	}
//
// The answering end asks Reserve for leave before it sends an item, and calls
// CloseSend after its last.
//
// # Guarantees
//
//  1. The reader gets the items in the order of Deliver, none twice and none left
//     out, then the same end for ever: io.EOF, or an error. An error comes after
//     the items that were delivered before it.
//  2. io.EOF means that the peer ended its half after the last item. No failure
//     looks like that.
//  3. Nothing but Recv blocks, and Recv only while there is neither item nor end.
//  4. A stream starts no goroutine and needs no Close: forget it, and it is gone.
//  5. An item belongs to the stream from Deliver on, and to the reader from Recv
//     on. Nobody copies it.
//
// # Limits
//
// [Options] bounds what is buffered until the reader takes it, in bytes and in
// items. An item over the bound ends the stream with RESOURCE_EXHAUSTED, since
// leaving it out would leave a gap. The sender is not slowed down before that;
// credit, which will do so, has its place in Reserve.
//
// # Testing
//
// Recv waits on channels only, so streams work in a testing/synctest bubble. With
// a context that has ended, Recv takes an item if there is one and never waits.
package stream
