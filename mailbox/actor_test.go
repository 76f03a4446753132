package mailbox

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// actor is the smallest cell: a mailbox, a task, and a handler.
type actor[T any] struct {
	box     Mailbox[T]
	task    Task
	e       *Executor
	quantum int
	handle  func(w *Worker, v *T)

	// Not atomic, so that the race detector sees turns that overlap.
	handled, turns int
}

func spawn[T any](e *Executor, o Options, handle func(w *Worker, v *T)) *actor[T] {
	a := &actor[T]{e: e, quantum: 64, handle: handle}
	a.box.Init(NewChunks[T](), o)
	a.task.Init(a)
	return a
}

func (a *actor[T]) Run(w *Worker) (again bool) {
	a.turns++
	for range a.quantum {
		v := a.box.Next()
		if v == nil {
			return false
		}
		a.handled++
		a.handle(w, v)
	}
	return true
}

// tell sends v from the turn of w, or from outside if w is nil.
func (a *actor[T]) tell(w *Worker, v T) Outcome {
	o := a.box.Push(Normal, &v)
	if o == Woken {
		a.e.Schedule(&a.task, w)
	}
	return o
}

// tellWait is tell that waits for room; only from outside.
func (a *actor[T]) tellWait(ctx context.Context, v T) (Outcome, error) {
	o, err := a.box.PushWait(ctx, Normal, &v)
	if o == Woken {
		a.e.Schedule(&a.task, nil)
	}
	return o, err
}

// start returns an executor that is stopped at the end of the test.
func start(t testing.TB, o ExecutorOptions) *Executor {
	t.Helper()
	e := NewExecutor(o)
	t.Cleanup(func() { stop(t, e) })
	return e
}

// startAlone is start for an executor that believes that crowd goroutines wait for
// a CPU: what else runs on this machine must not change what the watchdog does.
func startAlone(t testing.TB, o ExecutorOptions, crowd int) *Executor {
	t.Helper()
	e := newExecutor(o)
	e.dog.runnable = func() int { return crowd }
	e.alive.Go(e.dog.watchLoop)
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t testing.TB, e *Executor) {
	t.Helper()
	if err := e.Stop(context.Background()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

var unbounded = Options{Capacity: Unbounded}
