package savina

import (
	"math"
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// trapezoid is workers that integrate a function over a part of an interval each.
// There are two messages for each worker, so it shows whether actors get all
// processors. The workers are the suite's, the pieces a twentieth of them. The
// result is the area in billionths.
var trapezoid = Benchmark{
	Name:  "trapezoid",
	About: "100 actors integrate a function; per piece",
	Size:  Size{Actors: 100, Work: 500_000}, // pieces

	Ops:  func(s Size) int { return s.Work / s.Actors * s.Actors },
	Want: trapezoidArea,

	Posthaste: trapezoidPosthaste,
	Chan:      trapezoidChan,
	Library:   trapezoidLibrary,
}

const (
	leftEnd  = 1.0
	rightEnd = 5.0
)

// integral returns the area of one worker's part. It is rounded, so that sums do
// not depend on the order.
func (s Size) integral(worker int) int {
	pieces := s.Work / s.Actors
	width := (rightEnd - leftEnd) / float64(s.Actors*pieces)
	from := leftEnd + float64(worker*pieces)*width
	area := 0.0
	for i := range pieces {
		x := from + float64(i)*width
		area += (integrand(x) + integrand(x+width)) / 2 * width
	}
	return int(math.Round(area * 1e9))
}

func integrand(x float64) float64 {
	return math.Sin(math.Pow(x, 3)-1) / (x + 1) * math.Sqrt(1+math.Exp(math.Sqrt(2*x)))
}

func trapezoidArea(s Size) (total int) {
	for i := range s.Actors {
		total += s.integral(i)
	}
	return total
}

type trapezoids struct{}

var (
	trapezoidWork = rt.NewEvent[trapezoids, int]("trapezoid.work") // which part
	trapezoidPart = rt.NewEvent[trapezoids, int]("trapezoid.part") // its area
)

type integrator struct {
	size   Size
	master rt.Ref[trapezoids]
}

func (w *integrator) work(c *rt.Context, number int) error {
	tell(c, w.master, trapezoidPart, w.size.integral(number))
	c.Stop()
	return nil
}

// An adder adds what the workers find.
type adder struct {
	left   int
	area   int
	result chan int
}

// add reports whether the result is complete, and delivers it.
func (a *adder) add(part int) bool {
	a.area += part
	if a.left--; a.left > 0 {
		return false
	}
	a.result <- a.area
	return true
}

func (a *adder) part(c *rt.Context, area int) error {
	if a.add(area) {
		c.Stop()
	}
	return nil
}

func trapezoidPosthaste(n *Node, s Size) int {
	a := &adder{left: s.Actors, result: make(chan int, 1)}
	master := start(n, a, rt.OnTell(trapezoidPart, (*adder).part))
	kind := define(n, func() *integrator { return &integrator{s, master} }, rt.OnTell(trapezoidWork, (*integrator).work))
	for i := range s.Actors {
		tell(outside, spawn(n, kind), trapezoidWork, i)
	}
	n.wait()
	return <-a.result
}

func trapezoidChan(s Size) int {
	parts := make(chan int, s.Actors)
	var alive sync.WaitGroup
	for i := range s.Actors {
		alive.Go(func() { parts <- s.integral(i) })
	}
	alive.Wait()
	return sum(parts, s.Actors)
}

type anyPart struct{ number int }

type anyIntegrator struct {
	size   Size
	master anyactor.Ref
}

func (w *anyIntegrator) Receive(c anyactor.Context, m any) {
	c.Send(w.master, anyTotal{w.size.integral(m.(anyPart).number)})
	c.Stop()
}

type anyAdder struct{ adder }

func (a *anyAdder) Receive(c anyactor.Context, m any) {
	if a.add(m.(anyTotal).count) {
		c.Stop()
	}
}

func trapezoidLibrary(sys anyactor.System, s Size) int {
	a := &anyAdder{adder{left: s.Actors, result: make(chan int, 1)}}
	master := sys.Spawn(a)
	for i := range s.Actors {
		sys.Send(sys.Spawn(&anyIntegrator{s, master}), anyPart{i})
	}
	sys.Wait()
	return <-a.result
}
