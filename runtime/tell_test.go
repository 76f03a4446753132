package runtime_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/mailbox"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// numbered is a message that says who sent it and as which one.
type numbered struct{ sender, n int }

// TestTellOrder has senders outside and inside of actors tell one actor at once:
// it gets the messages of each in the order they were sent, and all of them.
func TestTellOrder(t *testing.T) {
	const senders, each = 16, 500
	sys := start(t)
	number := rt.NewEvent[script, numbered]("script.number")
	last, all := map[int]int{}, make(chan struct{})
	left := senders * each
	to := spawnOf(t, sys, "", rt.Define(func() *notes { return &notes{} },
		rt.OnTell(number, func(_ *notes, _ *rt.Context, m numbered) error {
			if m.n != last[m.sender] {
				t.Errorf("sender %d: message %d came when %d was due", m.sender, m.n, last[m.sender])
			}
			last[m.sender] = m.n + 1
			if left--; left == 0 {
				close(all)
			}
			return nil
		})), rt.Mailbox(mailbox.Unbounded, mailbox.Reject))
	var outside sync.WaitGroup
	for sender := range senders {
		if sender%2 == 0 {
			outside.Go(func() {
				for n := range each {
					if err := rt.Tell(t.Context(), to, number, numbered{sender, n}); err != nil {
						t.Error(err)
					}
				}
			})
			continue
		}
		from := spawn(t, sys, "")
		for n := range each { // a turn each, so that the actor moves between workers
			tell(t, from, func(_ *notes, c *rt.Context) error { return rt.Tell(c, to, number, numbered{sender, n}) })
		}
	}
	outside.Wait()
	<-all
}

func TestTellThenAskAreInOrder(t *testing.T) {
	ref := spawn(t, start(t), "")
	for i := range 300 {
		tell(t, ref, func(n *notes, _ *rt.Context) error { n.lines = append(n.lines, "x"); return nil })
		if got := do(t, ref, func(n *notes, _ *rt.Context) (int, error) { return len(n.lines), nil }); got != i+1 {
			t.Fatalf("after %d tells an ask found %d handled", i+1, got)
		}
	}
}

// TestLanes has a held actor find messages of all lanes when it goes on.
func TestLanes(t *testing.T) {
	sys := start(t)
	var handled []string
	var binds []rt.Handler[script, notes]
	events := map[string]rt.Event[script, string]{}
	for name, lane := range map[string]mailbox.Lane{"bulk": mailbox.Bulk, "normal": mailbox.Normal, "high": mailbox.High} {
		events[name] = rt.NewEvent[script, string]("script."+name, rt.Lane(lane))
		binds = append(binds, rt.OnTell(events[name], func(_ *notes, _ *rt.Context, s string) error {
			handled = append(handled, s)
			return nil
		}))
	}
	ref := spawnOf(t, sys, "", rt.Define(func() *notes { return &notes{} }, scriptHandlers(binds...)...))
	release := hold(t, ref)
	for range 10 {
		for _, lane := range []string{"bulk", "normal", "high"} {
			if err := rt.Tell(t.Context(), ref, events[lane], lane); err != nil {
				t.Fatal(err)
			}
		}
	}
	release()
	stopActor(t, ref)
	last := map[string]int{}
	for i, lane := range handled {
		last[lane] = i
	}
	if len(handled) != 30 || last["high"] > last["normal"] || last["normal"] > last["bulk"] {
		t.Errorf("30 messages were handled in the order %v, want all, the high lane through first and bulk last", handled)
	}
	if slices.Index(handled, "bulk") > last["high"] {
		t.Errorf("%v: bulk waited for all that is high, want a share for each lane", handled)
	}
	for _, lane := range []mailbox.Lane{mailbox.System, mailbox.Bulk + 1} {
		wantPanic(t, "methods use mailbox.High, Normal or Bulk", func() { rt.Lane(lane) })
	}
}

func TestTellErrorIsLogged(t *testing.T) {
	var log bytes.Buffer
	sys := start(t, rt.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	ref := spawn(t, sys, "acc")
	tell(t, ref, func(*notes, *rt.Context) error { return errNoMoney })
	tell(t, ref, func(*notes, *rt.Context) error { return nil })
	stopActor(t, ref)
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `error="no money"`) || !strings.Contains(got, "actor=acc#") {
		t.Errorf("the log is %q, want one line with the error and the actor", got)
	}
	if s := sys.Stats(); s.Crashes != 0 || s.DeadLetters != 0 {
		t.Errorf("stats are %+v, want no crash and no dead letter", s)
	}
}

func TestTellToStoppedActor(t *testing.T) {
	ref := spawn(t, start(t), "acc")
	stopActor(t, ref)
	err := rt.Tell(t.Context(), ref, post, func(*notes, *rt.Context) error { return nil })
	refused(t, err, posthaste.ActorStopped, notExecuted, "tell script.post to acc", "has stopped")
	if !errors.Is(err, rt.ErrActorStopped) {
		t.Errorf("%v is not ErrActorStopped", err)
	}
}

// wantPanic wants f to panic with a text that has all the words.
func wantPanic(t testing.TB, words string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		text, _ := recover().(string)
		if !strings.Contains(text, words) {
			t.Errorf("the panic is %q, want one that says %q", text, words)
		}
	}()
	f()
}
