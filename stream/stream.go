package stream

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/posthaste-go/posthaste"
)

// ErrReset is the end of a stream that was aborted without another reason. Its
// code is [posthaste.Canceled].
var ErrReset error = posthaste.Errorf(posthaste.Canceled, "stream: it was reset")

// Options bounds a stream. A field that is zero or less means its default.
type Options struct {
	// MaxBytes is the most that is buffered until the reader takes it, in bytes
	// of items: 16 MiB. It must hold the largest item.
	MaxBytes int

	// MaxItems is the most items that are buffered: 65 536. It bounds the cost of
	// items that are small or empty.
	MaxItems int
}

// Stream is one end of a stream. Its methods may be called by any goroutines at
// once, but Recv by one at a time.
type Stream struct {
	options Options       // set once in New
	wake    chan struct{} // one token while the reader is to look again; never closed

	mu       sync.Mutex // guards following
	state    State
	items    queue // delivered, not yet taken
	buffered int   // bytes of items
	waiting  bool  // the reader waits for wake, and no token is on its way
	recvEnd  error // what the reader gets after the items; nil while more may come
	sendEnd  error // what Reserve returns; nil while this end may send
}

// New makes an open stream.
func New(o Options) *Stream {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.MaxItems <= 0 {
		o.MaxItems = 65_536
	}
	return &Stream{options: o, wake: make(chan struct{}, 1)}
}

// ── what the peer does: called by the loop ──────────────────────────────────

// Deliver buffers an item that the peer sent. It keeps the slice, which must not
// be the loop's own read buffer. It does not block, and allocates only when more
// items wait than ever before.
//
// An error means that the item is lost and that the peer must be told with its
// code: [posthaste.ResourceExhausted] if the item is over a bound of [Options],
// which also ends the stream, for the reader too, after the items before it;
// [posthaste.Protocol] if the peer has ended its half before, which changes
// nothing for the reader. A stream that was aborted takes items that were still
// on their way and drops them.
func (s *Stream) Deliver(item []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recvEnd != nil {
		return s.afterEndLocked()
	}
	if err := s.overLocked(item); err != nil {
		s.abortLocked(err)
		return err
	}
	s.items.push(item)
	s.buffered += len(item)
	s.wakeLocked()
	return nil
}

// afterEndLocked judges an item that came after the end.
func (s *Stream) afterEndLocked() error {
	if s.recvEnd == io.EOF {
		return posthaste.Errorf(posthaste.Protocol, "stream: an item came after the peer had ended its half")
	}
	return nil
}

// overLocked returns why item may not be buffered.
func (s *Stream) overLocked(item []byte) error {
	switch {
	case s.items.len() >= s.options.MaxItems:
		return posthaste.Errorf(posthaste.ResourceExhausted,
			"stream: %d items wait for the reader; the limit is %d (stream.Options.MaxItems); read faster or send less at once",
			s.items.len(), s.options.MaxItems)
	case len(item) > s.options.MaxBytes-s.buffered:
		return posthaste.Errorf(posthaste.ResourceExhausted,
			"stream: an item of %d bytes came while %d wait for the reader; the limit is %d (stream.Options.MaxBytes); read faster or send less at once",
			len(item), s.buffered, s.options.MaxBytes)
	}
	return nil
}

// Finish ends the peer's half: the reader gets io.EOF after the items. It changes
// nothing on a stream whose peer has ended its half or that was aborted.
func (s *Stream) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recvEnd != nil {
		return
	}
	s.recvEnd = io.EOF
	s.state = s.state.after(endReceived)
	s.wakeLocked()
}

// Fail aborts the stream because the peer has, or the connection is lost: the
// reader gets err after the items, and Reserve gets it at once. A half that has
// ended keeps its end: a reader whose last item has come is not disturbed.
//
// err reaches the reader as it is, but for two: nil becomes [ErrReset], and an
// io.EOF, as it comes from sockets, also inside another error, is hidden, so that
// no failure looks like a clean end.
func (s *Stream) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abortLocked(unclean(err))
}

// unclean returns err, or in its place one that is not nil and does not lead to
// io.EOF by errors.Is.
func unclean(err error) error {
	if err == nil {
		return ErrReset
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	var coded *posthaste.Error
	if errors.As(err, &coded) {
		cut := *coded
		cut.Err = nil // its text stays in Msg
		return &cut
	}
	return posthaste.Errorf(posthaste.ConnLost, "stream: the connection ended before the stream did: %v", err)
}

// ── what this end reads ─────────────────────────────────────────────────────

// Recv returns the next item, which is then the caller's. It waits until there is
// one, the stream ends, or ctx does. One goroutine at a time may call it.
//
// When no item is left it returns the end of the stream, now and ever after:
// io.EOF if the peer ended its half; what Fail or Cancel was given; an error of
// code [posthaste.ResourceExhausted] if a bound of [Options] was passed. If ctx
// ends first, the error has the code of that, and the stream goes on: Recv may be
// called again, or Cancel. An item or an end that is there goes before the end of
// ctx.
//
// It does not allocate unless it fails.
func (s *Stream) Recv(ctx context.Context) ([]byte, error) {
	for {
		item, done, err := s.take()
		if done {
			return item, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			if s.leave() {
				return nil, posthaste.Errorf(posthaste.CodeOf(ctx.Err()), "stream: no item came: %w", context.Cause(ctx))
			}
		}
	}
}

// take returns the next item or the end. If there is neither, done is false, the
// reader counts as waiting, and must look at wake.
//
// No wake-up is lost. Whatever happens to the stream happens under mu: either
// before take, which then finds it, or after it. Then waiting is set, and
// wakeLocked leaves a token, for which there is room: the one before was sent when
// waiting was set before, and Recv took it, or leave did, before it came here
// again.
func (s *Stream) take() (item []byte, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if item, ok := s.items.pop(); ok {
		s.buffered -= len(item)
		return item, true, nil
	}
	s.waiting = s.recvEnd == nil
	return nil, !s.waiting, s.recvEnd
}

// leave ends the waiting of a reader whose context has ended. It returns false
// if a token came first: then there is something to take.
func (s *Stream) leave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting {
		s.waiting = false
		return true
	}
	select { // who cleared waiting sent the token under mu, so it is there
	case <-s.wake:
	default: // unless two goroutines read, against the rules
	}
	return false
}

// wakeLocked has a reader that waits look again.
func (s *Stream) wakeLocked() {
	if !s.waiting {
		return
	}
	s.waiting = false
	select {
	case s.wake <- struct{}{}:
	default: // two goroutines read, against the rules; the loop must not pay for it
	}
}

// Cancel aborts the stream because this end gives up: items that wait are
// dropped, and Recv returns err, or [ErrReset] for nil. It reports whether the
// peer must be told with a RESET, which is so unless the stream was Closed. A
// reader that has got all there was keeps its end.
func (s *Stream) Cancel(err error) (reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reset = s.state != Closed
	if s.items.len() > 0 {
		s.items.clear()
		s.buffered = 0
		s.recvEnd = unclean(err)
	}
	s.abortLocked(unclean(err))
	return reset
}

// ── what this end sends ─────────────────────────────────────────────────────

// Reserve asks for leave to send an item of n bytes. It returns nil, or why this
// end may send no more: [posthaste.FailedPrecondition] after CloseSend, what Fail
// or Cancel was given, or the error of a ctx that has ended. It does not wait
// yet; when the peer grants credit, it will, until there is enough or ctx ends.
func (s *Stream) Reserve(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return posthaste.Errorf(posthaste.CodeOf(err), "stream: an item of %d bytes was not sent: %w", n, context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendEnd
}

// CloseSend ends this end's half, after its last item. It changes nothing if that
// half has ended.
func (s *Stream) CloseSend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sendEnd != nil {
		return
	}
	s.sendEnd = posthaste.Errorf(posthaste.FailedPrecondition, "stream: send after CloseSend")
	s.state = s.state.after(endSent)
}

// abortLocked closes the stream. Each half that has not ended ends with err. A
// stream that is Closed has ended both.
func (s *Stream) abortLocked(err error) {
	if s.recvEnd == nil {
		s.recvEnd = err
	}
	if s.sendEnd == nil {
		s.sendEnd = err
	}
	s.state = s.state.after(aborted)
	s.wakeLocked()
}

// ── what it looks like ──────────────────────────────────────────────────────

// State returns the state of the stream.
func (s *Stream) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Buffered returns how many items wait for the reader, and their bytes.
func (s *Stream) Buffered() (items, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items.len(), s.buffered
}
