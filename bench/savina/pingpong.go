package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// pingPong is two actors that send each other one message. The size is the
// suite's. The result is how many pings came back.
var pingPong = Benchmark{
	Name:  "pingpong",
	About: "2 actors pass a message to and fro; per message",
	Size:  Size{Work: 40_000}, // pings

	Ops:  func(s Size) int { return 2 * s.Work },
	Want: func(s Size) int { return s.Work },

	Posthaste: pingPongPosthaste,
	Chan:      pingPongChan,
	Library:   pingPongLibrary,
}

type pingPongs struct{}

var (
	pingPongPing = rt.NewEvent[pingPongs, int]("pingpong.ping")
	pingPongPong = rt.NewEvent[pingPongs, int]("pingpong.pong")
	pingPongStop = rt.NewEvent[pingPongs, none]("pingpong.stop")
)

type pinger struct {
	ponger rt.Ref[pingPongs]
	pings  int
	result chan int
}

func (p *pinger) pong(c *rt.Context, count int) error {
	if count < p.pings {
		tell(c, p.ponger, pingPongPing, count)
		return nil
	}
	tell(c, p.ponger, pingPongStop, none{})
	p.result <- count
	c.Stop()
	return nil
}

type ponger struct{ pinger rt.Ref[pingPongs] }

func (p *ponger) ping(c *rt.Context, count int) error {
	tell(c, p.pinger, pingPongPong, count+1)
	return nil
}

func (p *ponger) stop(c *rt.Context, _ none) error {
	c.Stop()
	return nil
}

func pingPongPosthaste(n *Node, s Size) int {
	a := &pinger{pings: s.Work, result: make(chan int, 1)}
	b := &ponger{}
	b.pinger = start(n, a, rt.OnTell(pingPongPong, (*pinger).pong))
	a.ponger = start(n, b, rt.OnTell(pingPongPing, (*ponger).ping), rt.OnTell(pingPongStop, (*ponger).stop))
	tell(outside, a.ponger, pingPongPing, 0)
	n.wait()
	return <-a.result
}

func pingPongChan(s Size) int {
	ping, pong := make(chan int), make(chan int)
	var alive sync.WaitGroup
	alive.Go(func() {
		for count := range ping {
			pong <- count + 1
		}
	})
	count := 0
	for count < s.Work {
		ping <- count
		count = <-pong
	}
	close(ping)
	alive.Wait()
	return count
}

type (
	anyPing struct{ count int }
	anyPong struct{ count int }
	anyStop struct{} // of every benchmark
)

type anyPinger struct {
	ponger anyactor.Ref
	pings  int
	result chan int
}

func (p *anyPinger) Receive(c anyactor.Context, m any) {
	pong := m.(anyPong)
	if pong.count < p.pings {
		c.Send(p.ponger, anyPing(pong))
		return
	}
	c.Send(p.ponger, anyStop{})
	p.result <- pong.count
	c.Stop()
}

type anyPonger struct{ pinger anyactor.Ref }

func (p *anyPonger) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case anyPing:
		c.Send(p.pinger, anyPong{m.count + 1})
	case anyStop:
		c.Stop()
	}
}

func pingPongLibrary(sys anyactor.System, s Size) int {
	a := &anyPinger{pings: s.Work, result: make(chan int, 1)}
	a.ponger = sys.Spawn(&anyPonger{sys.Spawn(a)})
	sys.Send(a.ponger, anyPing{0})
	sys.Wait()
	return <-a.result
}
