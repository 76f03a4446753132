package eventloop

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-go/posthaste"
)

// TestCutAndHeal checks that a cut keeps what is on its way, and the end with it.
func TestCutAndHeal(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		served, got := make(endings, 1), newReplies()
		h := echo()
		h.closed = served.note
		_, ep := f.serve(t, h, Options{})
		client := f.open(t, got, Options{}).(*Memory)
		c := dial(t, client, ep)
		ch := got.expect(askID(1))
		n.Cut(ep, client.Endpoint())
		must(t, ask(c, askID(1), []byte("through")))
		c.Flush()
		time.Sleep(5 * time.Second)
		if len(ch) != 0 {
			t.Fatal("a reply came through the cut")
		}
		n.Heal(client.Endpoint(), ep) // in the other order
		if b := <-ch; string(b) != "through" {
			t.Errorf("got %q", b)
		}
		n.Cut(ep, client.Endpoint())
		c.cut(posthaste.Errorf(posthaste.ConnLost, "test"))
		time.Sleep(time.Second)
		if len(served) != 0 {
			t.Error("the end came through the cut")
		}
		n.Heal(ep, client.Endpoint())
		isCode(t, <-served, posthaste.ConnLost)
	})
}

func TestCutDialHangs(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		client := f.open(t, &funcs{}, Options{}).(*Memory)
		n.Cut(client.Endpoint(), ep)
		start := time.Now()
		_, err := client.Dial(t.Context(), ep)
		isCode(t, err, posthaste.ConnectFailed)
		within(t, "failing", time.Since(start), 3*time.Second, 3*time.Second)
		go func() { time.Sleep(time.Second); n.Heal(client.Endpoint(), ep) }()
		dial(t, client, ep)
		within(t, "connecting", time.Since(start), 4*time.Second, 4*time.Second)
	})
}

func TestCutIsBetweenTwo(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		_, ep := f.serve(t, echo(), Options{})
		got := newReplies()
		other := dial(t, f.open(t, got, Options{}), ep)
		n.Cut(f.open(t, &funcs{}, Options{}).(*Memory).Endpoint(), ep)
		ch := got.expect(askID(1))
		must(t, ask(other, askID(1), nil))
		other.Flush()
		<-ch
	})
}

func TestReset(t *testing.T) {
	virtual(t, func(t *testing.T, n *Network, f fabric) {
		ended := make(endings, 2)
		_, ep := f.serve(t, &funcs{closed: ended.note}, Options{})
		client := f.open(t, &funcs{closed: ended.note}, Options{}).(*Memory)
		dial(t, client, ep)
		n.Reset(client.Endpoint(), ep)
		isCode(t, <-ended, posthaste.ConnLost)
		isCode(t, <-ended, posthaste.ConnLost)
		dial(t, client, ep) // at once
		synctest.Wait()
		if len(ended) != 0 {
			t.Errorf("the new connection was reset as well: %v", <-ended)
		}
	})
}

// TestPipeEnd checks what a pipeEnd promises beyond what the transports use it
// for.
func TestPipeEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there, back := newPipe(), newPipe()
		closes := 0
		a := &pipeEnd{in: back, out: there, onClose: func() { closes++ }}
		b := &pipeEnd{in: there, out: back, onClose: func() {}}
		buf := make([]byte, pipeSize)

		start := time.Now()
		must(t, a.SetReadDeadline(start.Add(time.Second)))
		if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Read: %v after %v", err, time.Since(start))
		}
		must(t, a.SetReadDeadline(time.Time{}))
		go func() { time.Sleep(time.Minute); _ = a.SetReadDeadline(time.Unix(1, 0)) }() // cannot fail
		if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read with a deadline that moved: %v", err)
		}

		must(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		if n, err := a.Write(make([]byte, pipeSize+10)); n != pipeSize || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write to a full pipe: %d, %v", n, err)
		}
		must(t, a.SetDeadline(time.Time{}))
		go func() { _, _ = io.ReadFull(b, buf) }() // makes room
		if n, err := a.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("Write with room: %d, %v", n, err)
		}
		must(t, a.CloseWrite())
		synctest.Wait()
		if n, err := io.ReadFull(b, buf[:10]); n != 10 || err != nil {
			t.Errorf("Read after CloseWrite: %d, %v", n, err)
		}
		if _, err := b.Read(buf); err != io.EOF {
			t.Errorf("Read at the end: %v", err)
		}
		must(t, a.Close())
		must(t, a.Close())
		if _, err := b.Write(buf[:1]); err != io.ErrClosedPipe || closes != 1 {
			t.Errorf("Write to a closed end: %v; %d closes", err, closes)
		}
	})
}
