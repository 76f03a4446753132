// Package mailbox holds what makes an actor an actor: a queue with many
// producers and one consumer that never runs twice at once, and the [Executor]
// that grants turns to the actors that have messages.
//
// It hides the queue's layout (pooled chunks, taken whole by the consumer), the
// idle/busy protocol between producers and scheduler, and the work-stealing
// workers with their watchdog. It knows nothing of addresses, codecs or sockets.
//
// # Usage
//
// A cell embeds a [Mailbox] and a [Task]:
//
//	switch box.Push(mailbox.Normal, &msg) {
//	case mailbox.Woken:
//		executor.Schedule(&task, worker) // the mailbox was idle: have it run
//	case mailbox.Full, mailbox.Closed:
//		…
//	}
//
// and its Run handles messages until the quantum is used up or [Mailbox.Next]
// returns nil:
//
//	func (c *cell) Run(w *mailbox.Worker) (again bool) {
//		for range quantum {
//			m := c.box.Next()
//			if m == nil {
//				return false // idle; the next Push reports Woken
//			}
//			c.handle(w, m)
//		}
//		return true
//	}
//
// # Guarantees
//
//  1. Order: messages of one producer on one lane come out in the order they
//     went in. There is no order between lanes.
//  2. One turn at a time: between the Push that reports Woken and the Next that
//     returns nil, no other Push reports Woken.
//  3. Bound: lanes High, Normal and Bulk together never hold more than Capacity
//     messages. The System lane is never refused while the mailbox is open.
//  4. Nothing is lost in silence: Push says what became of the message, and with
//     DropOldest hands the displaced one back.
//  5. An idle mailbox holds no chunk, and an idle actor no goroutine.
//  6. A turn that blocks, for whatever reason, delays only its own actor: within
//     about two watchdog ticks others run in its place, and at once if it calls
//     [Worker.Block]. More than [MaxBlocked] at once are too many.
//  7. An executor with nothing to do, or whose turns all block for long, runs no
//     timer. [Executor.Stop] leaves no goroutine.
//
// # Limits
//
// For capacities of 32 and more the consumer reports its progress every
// Capacity/16 messages, at most every 16, so a mailbox may refuse a message
// while nearly that many have just been taken. Smaller ones are exact, and so is
// DropOldest, which takes the lock for each message instead.
//
// A handled message keeps alive what it refers to until its chunk is used up: a
// handler that then waits for long may hold up to 15 earlier ones. A consumer to
// whom that matters clears each message when it is done with it.
//
// # Testing
//
// A model test, which is a fuzz target too, runs random operations against
// slices. The executor's tests block workers in every way a handler can, most of
// them in virtual time: where it stands still, nobody waited for the watchdog.
package mailbox
