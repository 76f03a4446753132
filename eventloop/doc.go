// Package eventloop moves frames between nodes: it listens, dials, greets, reads,
// writes, keeps alive and closes, over TCP, unix sockets and an in-memory network
// for tests. It is the only package that knows gnet.
//
// It hides the event loops and what they do not do by themselves (deadlines,
// bounds on what is queued, panics, accepting when descriptors run out), how
// many small frames become one write, what happens when a peer reads slower than
// it is written to, and how often one dials a peer that is not there. It does not
// know what frames mean, beyond HELLO, PING and PONG: those are package wire's,
// and whoever implements [Handler] routes them.
//
// # Usage
//
//	tcp, err := eventloop.NewTCP(handler, eventloop.Options{Hello: hello})
//	at, err := tcp.Listen(ctx, endpoint)
//	pool := eventloop.NewPool(tcp, eventloop.Backoff{}) // Adopt and Drop: see Pool
//	c, err := pool.Get(ctx, peer)
//	err = c.Send(head, body) // queue, from any goroutine
//	c.FlushSoon()            // and write, together with what others queue
//
// In a Handler, Send in Frame and Flush in Idle: the answers to all that one read
// brought leave in one write.
//
// # The way of a frame
//
// Out: Send appends to the connection's queue under a short lock. Whoever flushes
// first becomes the writer: it takes the whole queue and writes it to the
// descriptor from its own goroutine, again and again until the queue is empty,
// and everybody else goes on. If the socket is full, the writer's role passes to
// a goroutine that waits for it and lives as long as the stall.
//
// In: the event loop reads up to 256 KiB. Frames are delivered where they lie;
// one that is cut off is completed in a buffer of its own first.
//
// # Guarantees
//
//  1. Frames arrive in the order in which Send took them, whole or not at all,
//     until the connection ends. What Send took before Close arrives unless the
//     peer stops reading or the connection is lost.
//  2. No method of Conn blocks but Wait; none writes more than about 1 MiB from
//     the caller's goroutine.
//  3. Every Opened is followed by exactly one Closed, with a [*posthaste.Error]
//     that says why, and nothing after it.
//  4. A peer costs its own connection only, whatever it sends or does not send or
//     read, and bounded memory: HardLimit queued, eight times what has arrived of
//     a frame, one PONG. A panic of the Handler costs its connection only.
//  5. After a connection's descriptor is closed no byte is written to its number,
//     which may be another's by then.
//  6. An idle connection holds no goroutine, no timer and no buffer: about 1.7
//     KiB. A transport without connections does nothing at all.
//  7. A GOAWAY from [Conn.Fail] counts every request that Frame was called with,
//     and no request beyond it is delivered.
//  8. After Close of a transport there is none of its goroutines or descriptors.
//
// # Limits
//
// [Options] says all of them. The times are checked by a sweeper, at least twice
// a second, with a clock that is as coarse: they may be off by as much.
//
// A Handler that blocks holds up its event loop and all connections on it.
// Dialing from a Handler fails after a timeout. On Windows each flush goes through
// a goroutine.
//
// # Goroutines
//
//	event loops      Options.Loops per TCP, ended by Close
//	sweeper          one per transport, ended by Close
//	accept loop      one per listener, ended by Close
//	handshake        one per connection being accepted, ended by HandshakeTimeout
//	enrolling        one per connection being handed to a loop, until it is taken
//	slow writer      one per stalled connection, ended by StallTimeout
//	attempt to dial  one per Peer at most, ended by the Transport's Dial
//	memory reader    one per connection of a Memory, ended with it
//
// # Lock order
//
// Peer.mu before Pool.mu. Network.mu before a pipe's mu. hub.mu, outQueue.mu and
// socket.mu are taken with no other lock held; a Handler is called with none.
//
// # Testing
//
// One suite runs over TCP, unix sockets and Memory; whatever waits for time runs
// in a testing/synctest bubble over Memory, as can the programs of users. Raw
// peers attack, a child process runs out of descriptors, and FuzzConn feeds the
// parser:
//
//	go test -race -shuffle on ./eventloop
//	go test ./eventloop -run '^$' -fuzz FuzzConn -fuzztime 1m
//	go test ./eventloop -run '^$' -bench 'Echo|RawGnet|Push'
package eventloop
