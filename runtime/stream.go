package runtime

import (
	"context"
	"errors"
	"iter"
	"time"
)

// MaxStreamItems is how many values of a stream may wait for their reader. A
// handler that yields more without the reader keeping up ends its stream with
// ResourceExhausted.
const MaxStreamItems = 1 << 16

// Recv asks an actor or a service for a stream and yields its values in order. An
// error ends the iteration: it is yielded once, with the zero value. Breaking out
// of the loop cancels the stream; so does the end of ctx, whose error is yielded.
// Nothing is sent before the iteration begins; iterating twice asks twice.
//
//	for line, err := range rt.Recv(ctx, bank, History, 10) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(line)
//	}
func Recv[P, Q, R any](ctx context.Context, to Ref[P], m ServerStream[P, Q, R], q Q) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		if m.m == nil {
			yield(none, errNoMethod)
			return
		}
		err := recv(ctx, to.t, m.m, q, yield)
		if err != nil && !errors.Is(err, errBroken) {
			yield(none, describe(err, &m.m.method, to.t.label()))
		}
	}
}

// errBroken says that the reader broke out of the loop.
var errBroken = errors.New("broken")

func recv[Q, R any](ctx context.Context, t target, m *streamMethod[Q, R], q Q, yield func(R, error) bool) error {
	if ctx.Err() != nil {
		return gaveUp(endOf(ctx), 0, false)
	}
	if t.cell != nil {
		return recvLocal(ctx, t.cell, m, q, yield)
	}
	if t.far == nil {
		return errNoRef
	}
	for try := 1; ; try++ {
		w, err := t.far.find(ctx, t.far.rt.tellDeadline(ctx))
		w.began = time.Time{} // nothing to be learnt from how long the reader takes
		switch {
		case err != nil:
			return err
		case w.cell != nil:
			err = recvLocal(ctx, w.cell, m, q, yield)
		default:
			err = recvRemote(ctx, w.session, t.far, m, q, yield)
		}
		if err == nil || err == errBroken {
			w.done(nil)
			return err
		}
		w.done(err)
		if !t.far.again(&w, err, try) { // no value has come if the handler did not run
			return err
		}
	}
}
