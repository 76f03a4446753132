package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// forkJoinThroughput is a goroutine outside that tells many actors in turn. The
// size is the suite's. The result is how many messages were handled.
var forkJoinThroughput = Benchmark{
	Name:  "fjthroughput",
	About: "a goroutine tells 60 actors in turn (fork-join throughput); per message",
	Size:  Size{Actors: 60, Work: 10_000}, // messages for each

	Ops:  func(s Size) int { return s.Actors * s.Work },
	Want: func(s Size) int { return s.Actors * s.Work },

	Posthaste: throughputPosthaste,
	Chan:      throughputChan,
	Library:   throughputLibrary,
}

type throughputs struct{}

var throughputWork = rt.NewEvent[throughputs, none]("throughput.work")

type worker struct {
	left   int
	done   int
	result chan int
}

func (w *worker) work(c *rt.Context, _ none) error {
	w.done++
	if w.left--; w.left == 0 {
		w.result <- w.done
		c.Stop()
	}
	return nil
}

func throughputPosthaste(n *Node, s Size) int {
	result := make(chan int, s.Actors)
	kind := define(n, func() *worker { return &worker{left: s.Work, result: result} }, rt.OnTell(throughputWork, (*worker).work))
	workers := make([]rt.Ref[throughputs], s.Actors)
	for i := range workers {
		workers[i] = spawn(n, kind)
	}
	for range s.Work {
		for _, to := range workers {
			tell(outside, to, throughputWork, none{})
		}
	}
	n.wait()
	return sum(result, s.Actors)
}

func throughputChan(s Size) int {
	result := make(chan int, s.Actors)
	workers := make([]chan struct{}, s.Actors)
	var alive sync.WaitGroup
	for i := range workers {
		workers[i] = make(chan struct{}, mailboxLen)
		alive.Go(func() {
			done := 0
			for range workers[i] {
				if done++; done == s.Work {
					break
				}
			}
			result <- done
		})
	}
	for range s.Work {
		for _, to := range workers {
			to <- struct{}{}
		}
	}
	alive.Wait()
	return sum(result, s.Actors)
}

type anyWork struct{}

type anyWorker struct {
	left   int
	done   int
	result chan int
}

func (w *anyWorker) Receive(c anyactor.Context, m any) {
	_ = m.(anyWork)
	w.done++
	if w.left--; w.left == 0 {
		w.result <- w.done
		c.Stop()
	}
}

func throughputLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, s.Actors)
	workers := make([]anyactor.Ref, s.Actors)
	for i := range workers {
		workers[i] = sys.Spawn(&anyWorker{left: s.Work, result: result})
	}
	for range s.Work {
		for _, to := range workers {
			sys.Send(to, anyWork{})
		}
	}
	sys.Wait()
	return sum(result, s.Actors)
}
