package mailbox

// Runner is something that takes turns: an actor's cell.
type Runner interface {
	// Run handles a bounded number of messages on worker w and reports whether
	// there are more. If it reports false it must not touch its state any more:
	// another worker may already be running it. It must not panic.
	Run(w *Worker) (again bool)
}

// Task is a Runner's place in the executor's queues. Embed one in each Runner,
// and call Init once before the first Schedule.
type Task struct{ runner Runner }

// Init says whose turns the task stands for.
func (t *Task) Init(r Runner) { t.runner = r }

// ring is a growable queue of tasks. It is not safe for concurrent use.
type ring struct {
	buf   []*Task
	first int
	n     int
}

func (r *ring) push(t *Task) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.buf[(r.first+r.n)&(len(r.buf)-1)] = t
	r.n++
}

func (r *ring) pop() *Task {
	if r.n == 0 {
		return nil
	}
	t := r.buf[r.first]
	r.buf[r.first] = nil
	r.first = (r.first + 1) & (len(r.buf) - 1)
	r.n--
	return t
}

func (r *ring) grow() {
	buf := make([]*Task, max(64, 2*len(r.buf)))
	for i := range r.n {
		buf[i] = r.buf[(r.first+i)&(len(r.buf)-1)]
	}
	r.buf, r.first = buf, 0
}
