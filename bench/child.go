package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// childGrace is how long a child may take to exit when its stdin has ended, unless
// a whole round gets less.
const childGrace = 5 * time.Second

// A child is this program, started again in another role. It ends when its stdin
// does, that is at the latest with its parent.
type child struct {
	role string // for error messages
	cmd  *exec.Cmd
	in   io.WriteCloser
	said <-chan message // closed when the child has closed its stdout
	head *headWriter

	grace time.Duration // from the end of stdin to the kill
}

// startChild starts this program with args. What the child writes to its stderr
// goes to stderr.
func startChild(role string, args []string, grace time.Duration, stderr io.Writer) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{role: role, cmd: exec.Command(self, args...), head: &headWriter{to: stderr}, grace: grace}
	c.cmd.Stderr = c.head
	c.cmd.WaitDelay = grace
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.said = listen(out, c.head)
	return c, nil
}

// tell sends a message without waiting for an answer.
func (c *child) tell(verb string, body any) error {
	if err := say(c.in, verb, body); err != nil {
		return fmt.Errorf("%s: %w", c.role, err)
	}
	return nil
}

// expect waits for the child's next message, which must be verb, and decodes its
// body into v, if v is not nil.
func (c *child) expect(ctx context.Context, verb string, v any) error {
	select {
	case m, ok := <-c.said:
		switch {
		case !ok:
			return fmt.Errorf("%s: exited before %q: %s", c.role, verb, c.epitaph())
		case m.verb == verb:
			return m.into(v)
		case m.verb == verbFailed:
			var f failure
			if err := m.into(&f); err != nil {
				return err
			}
			return fmt.Errorf("%s: %s", c.role, f.Error)
		default:
			return fmt.Errorf("%s: said %q instead of %q", c.role, m.verb, verb)
		}
	case <-ctx.Done():
		return fmt.Errorf("%s: no %q: %w", c.role, verb, context.Cause(ctx))
	}
}

// epitaph says why a child may have died.
func (c *child) epitaph() string {
	if s := c.head.firstLine(); s != "" {
		return s
	}
	return "it left no message"
}

// end closes the child's stdin and waits until it has exited. A child that does
// not is killed.
func (c *child) end() error {
	c.in.Close()
	overdue := time.AfterFunc(c.grace, func() { _ = c.cmd.Process.Kill() })
	defer overdue.Stop()
	for range c.said { // Wait must not be called before stdout is read to its end
	}
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return nil // it has said why
	}
	if err != nil {
		return fmt.Errorf("%s: killed %v after its stdin ended: %w", c.role, c.grace, err)
	}
	return nil
}

// kill ends the child at once.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.end()
}

// A headWriter passes writes on and keeps the beginning of the first one. It may
// be used concurrently.
type headWriter struct {
	mu   sync.Mutex // guards following
	to   io.Writer
	head string
}

func (w *headWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == "" {
		w.head = string(b[:min(len(b), 300)])
	}
	return w.to.Write(b)
}

func (w *headWriter) firstLine() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(w.head), "\n")
	return line
}
