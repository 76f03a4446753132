package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// letters keeps the dead letters of a runtime.
type letters struct {
	mu  sync.Mutex
	all []rt.DeadLetter
}

func (l *letters) option() rt.Option {
	return rt.OnDeadLetter(func(d rt.DeadLetter) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, d)
	})
}

func (l *letters) take() []rt.DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// fill has n messages wait in the mailbox of a held actor; handled counts those
// that it handles in the end.
func fill(t testing.TB, ref rt.Ref[script], n int, handled *int) {
	t.Helper()
	for range n {
		tell(t, ref, func(*notes, *rt.Context) error { *handled++; return nil })
	}
}

func TestRejectWhenFull(t *testing.T) {
	var dead letters
	sys := start(t, dead.option())
	ref := spawn(t, sys, "acc", rt.Mailbox(4, mailbox.Reject))
	release, handled := hold(t, ref), 0
	fill(t, ref, 4, &handled)
	says := []string{" to acc: MAILBOX_FULL: the mailbox of acc holds its 4 messages", "rt.Mailbox"}
	err := rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { handled++; return nil })
	refused(t, err, posthaste.MailboxFull, notExecuted, says...)
	_, err = ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { handled++; return 1, nil })
	refused(t, err, posthaste.MailboxFull, notExecuted, says...)
	_, err = collect(rt.Recv(t.Context(), ref, emit, emitCount(1)))
	refused(t, err, posthaste.MailboxFull, notExecuted, says...)
	if !errors.Is(err, rt.ErrMailboxFull) {
		t.Errorf("%v is not ErrMailboxFull", err)
	}
	release()
	stopActor(t, ref)
	if n := dead.take(); handled != 4 || len(n) != 0 || sys.Stats().DeadLetters != 0 {
		t.Errorf("%d handled, dead letters %v; want the 4 that were accepted, and none", handled, n)
	}
}

func TestDropNewest(t *testing.T) {
	var dead letters
	sys := start(t, dead.option())
	ref := spawn(t, sys, "acc", rt.Mailbox(4, mailbox.DropNewest))
	release, handled := hold(t, ref), 0
	fill(t, ref, 4, &handled)
	tell(t, ref, func(*notes, *rt.Context) error { handled = -100; return nil }) // no error
	got := dead.take()
	if len(got) != 1 || got[0].Method != "script.post" || got[0].To.Name != "acc" || sys.Stats().DeadLetters != 1 {
		t.Fatalf("the dead letters are %+v and %+v, want the one that was dropped", got, sys.Stats())
	}
	refused(t, got[0].Reason, posthaste.MailboxFull, notExecuted, "DropNewest")
	_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { return 1, nil })
	refused(t, err, posthaste.MailboxFull, notExecuted, "ask script.run to acc", "DropNewest")
	_, err = collect(rt.Recv(t.Context(), ref, emit, emitCount(1)))
	refused(t, err, posthaste.MailboxFull, notExecuted, "open script.emit to acc", "DropNewest")
	release()
	stopActor(t, ref)
	if handled != 4 || len(dead.take()) != 0 {
		t.Errorf("handled %d, want the 4 that were accepted, and asks to be no dead letters", handled)
	}
}

// TestDropOldest has an ask, a stream and two tells make room one after another
// for newer messages.
func TestDropOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		sys := start(t, dead.option())
		ref := spawn(t, sys, "acc", rt.Mailbox(4, mailbox.DropOldest))
		release, handled := hold(t, ref), 0
		asked, received := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { handled = -100; return 1, nil })
			asked <- err
		}()
		synctest.Wait()
		go func() { _, err := collect(rt.Recv(t.Context(), ref, emit, emitCount(1))); received <- err }()
		synctest.Wait()
		fill(t, ref, 2, &handled)
		fill(t, ref, 4, &handled)
		refused(t, <-asked, posthaste.MailboxFull, notExecuted, "ask script.run to acc", "DropOldest")
		refused(t, <-received, posthaste.MailboxFull, notExecuted, "open script.emit to acc", "DropOldest")
		if got := dead.take(); len(got) != 2 || sys.Stats().DeadLetters != 2 {
			t.Errorf("the dead letters are %+v, want the two oldest tells", got)
		}
		release()
		stopActor(t, ref)
		if handled != 4 {
			t.Errorf("%d messages were handled, want the newest 4", handled)
		}
	})
}

// TestBlockWaitsForRoom has senders of all three verbs outside any actor wait
// until a held actor goes on.
func TestBlockWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc", rt.Mailbox(4, mailbox.Block))
		release, handled := hold(t, ref), 0
		fill(t, ref, 4, &handled)
		waiting, ended := 3, make(chan error, 3)
		go func() {
			ended <- rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { handled++; return nil })
		}()
		go func() {
			_, err := ask(t.Context(), ref, func(*notes, *rt.Context) (int, error) { handled++; return 1, nil })
			ended <- err
		}()
		go func() {
			_, err := collect(rt.Recv(t.Context(), ref, emit, emitCount(3)))
			ended <- err
		}()
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatalf("a sender did not wait: %v", <-ended)
		}
		release()
		for range waiting {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		stopActor(t, ref)
		if handled != 6 {
			t.Errorf("%d messages were handled, want 6", handled)
		}
	})
}

func TestBlockHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t, rt.AskTimeout(7*time.Second)), "acc", rt.Mailbox(4, mailbox.Block))
		handled := 0
		hold(t, ref)
		fill(t, ref, 4, &handled)
		verbs := map[string]func(ctx context.Context) error{
			"tell": func(ctx context.Context) error { return rt.Tell(ctx, ref, post, nil) },
			"ask":  func(ctx context.Context) error { _, err := rt.Ask(ctx, ref, run, nil); return err },
			"open": func(ctx context.Context) error { _, err := collect(rt.Recv(ctx, ref, emit, nil)); return err },
		}
		for name, send := range verbs {
			for _, wait := range []time.Duration{time.Second, time.Hour} {
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				began := time.Now()
				refused(t, send(ctx), posthaste.DeadlineExceeded, notExecuted, name, "to acc", "holds its 4 messages", "no room before the deadline")
				if took := time.Since(began); took != wait {
					t.Errorf("%s gave up after %v, want %v", name, took, wait)
				}
				cancel()
			}
			began := time.Now()
			refused(t, send(t.Context()), posthaste.DeadlineExceeded, notExecuted, "no room")
			if took := time.Since(began).Round(time.Second); took != 7*time.Second {
				t.Errorf("%s without a deadline gave up after %v, want what rt.AskTimeout says", name, took)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errNoMoney) })
			refused(t, send(ctx), posthaste.Canceled, notExecuted, "no money")
		}
	})
}

func TestBlockEndsWithTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, start(t), "acc", rt.Mailbox(4, mailbox.Block), rt.Restart(0, 0))
		release, handled := hold(t, ref), 0
		tell(t, ref, func(*notes, *rt.Context) error { panic("for good") })
		fill(t, ref, 3, &handled)
		ended := make(chan error, 1)
		go func() {
			ended <- rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { handled++; return nil })
		}()
		synctest.Wait()
		release()
		refusedOrLost := <-ended // accepted when the crash had made room, or refused because of it
		if refusedOrLost != nil {
			refused(t, refusedOrLost, posthaste.ActorStopped, notExecuted, "for good")
		}
		stopActor(t, ref)
		if handled != 0 {
			t.Errorf("%d messages were handled after the crash", handled)
		}
	})
}

// TestNothingWaitsInsideAHandler fills mailboxes of all kinds from a handler.
func TestNothingWaitsInsideAHandler(t *testing.T) {
	sys := start(t)
	sender := spawn(t, sys, "sender")
	for _, overflow := range []mailbox.Overflow{mailbox.Block, mailbox.Reject} {
		full, handled := spawn(t, sys, "", rt.Mailbox(2, overflow)), 0
		hold(t, full)
		fill(t, full, 2, &handled)
		for name, send := range map[string]func(ctx context.Context) error{
			"tell":         func(ctx context.Context) error { return rt.Tell(ctx, full, post, nil) },
			"ask":          func(ctx context.Context) error { _, err := rt.Ask(ctx, full, run, nil); return err },
			"open":         func(ctx context.Context) error { _, err := collect(rt.Recv(ctx, full, emit, nil)); return err },
			"derived tell": func(ctx context.Context) error { return rt.Tell(context.WithValue(ctx, key(1), 1), full, post, nil) },
		} {
			err := do(t, sender, func(_ *notes, c *rt.Context) (error, error) { return send(c), nil })
			t.Run(overflow.String()+"/"+name, func(t *testing.T) {
				refused(t, err, posthaste.MailboxFull, notExecuted, "holds its 2 messages")
			})
		}
	}
}

func TestUnboundedMailbox(t *testing.T) {
	ref := spawn(t, start(t), "", rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	release, handled := hold(t, ref), 0
	fill(t, ref, 10_000, &handled)
	release()
	stopActor(t, ref)
	if handled != 10_000 {
		t.Errorf("%d messages were handled, want 10000", handled)
	}
}

// TestDefaultMailbox finds the default bound: 1024 messages.
func TestDefaultMailbox(t *testing.T) {
	ref := spawn(t, start(t), "")
	handled := 0
	hold(t, ref)
	fill(t, ref, 1000, &handled)
	for n := 1000; ; n++ {
		if err := rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { return nil }); err != nil {
			refused(t, err, posthaste.MailboxFull, notExecuted, "1024 messages")
			if n > 1024 {
				t.Errorf("%d messages fit", n)
			}
			return
		}
	}
}

func TestDeadLetterFunctionThatPanics(t *testing.T) {
	var log bytes.Buffer
	sys := start(t, rt.Logger(slog.New(slog.NewTextHandler(&log, nil))), rt.OnDeadLetter(func(rt.DeadLetter) { panic("no post office") }))
	ref := spawn(t, sys, "acc", rt.Mailbox(1, mailbox.DropOldest))
	release, handled := hold(t, ref), 0
	fill(t, ref, 3, &handled)
	release()
	stopActor(t, ref)
	if handled != 1 || sys.Stats().DeadLetters != 2 || strings.Count(log.String(), "no post office") != 2 {
		t.Errorf("%d handled, %+v, and the log is\n%s", handled, sys.Stats(), &log)
	}
}
