package savina

import (
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// forkJoinCreate is actors that get one message each, and stop. The size is the
// suite's. The result is how many messages were handled.
var forkJoinCreate = Benchmark{
	Name:  "fjcreate",
	About: "40,000 actors start, get a message, and stop (fork-join create); per actor",
	Size:  Size{Actors: 40_000},

	Ops:  func(s Size) int { return s.Actors },
	Want: func(s Size) int { return s.Actors },

	Posthaste: createPosthaste,
	Chan:      createChan,
	Library:   createLibrary,
}

type creates struct{}

var createWork = rt.NewEvent[creates, none]("create.work")

type created struct{ done *atomic.Int64 }

func (w *created) work(c *rt.Context, _ none) error {
	w.done.Add(1)
	c.Stop()
	return nil
}

func createPosthaste(n *Node, s Size) int {
	var done atomic.Int64
	kind := define(n, func() *created { return &created{&done} }, rt.OnTell(createWork, (*created).work))
	for range s.Actors {
		tell(outside, spawn(n, kind), createWork, none{})
	}
	n.wait()
	return int(done.Load())
}

func createChan(s Size) int {
	var done atomic.Int64
	var alive sync.WaitGroup
	for range s.Actors {
		box := make(chan struct{}, 1)
		alive.Go(func() {
			<-box
			done.Add(1)
		})
		box <- struct{}{}
	}
	alive.Wait()
	return int(done.Load())
}

type anyCreated struct{ done *atomic.Int64 }

func (w *anyCreated) Receive(c anyactor.Context, m any) {
	_ = m.(anyWork)
	w.done.Add(1)
	c.Stop()
}

func createLibrary(sys anyactor.System, s Size) int {
	var done atomic.Int64
	for range s.Actors {
		sys.Send(sys.Spawn(&anyCreated{&done}), anyWork{})
	}
	sys.Wait()
	return int(done.Load())
}
