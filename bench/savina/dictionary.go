package savina

import (
	"sync"

	"github.com/posthaste-go/posthaste/bench/anyactor"
	rt "github.com/posthaste-go/posthaste/runtime"
)

// dictionary is workers that read and write one map, each waiting for the result
// before it goes on. The size is the suite's, but the map is empty at first and
// has fewer keys. The result is how many results were right: a key is never
// written with another value.
var dictionary = Benchmark{
	Name:  "dictionary",
	About: "20 actors read, and in one of 10 cases write, the map of another; per request",
	Size:  Size{Actors: 20, Work: 10_000}, // requests of each worker

	Ops:  func(s Size) int { return s.Actors * s.Work },
	Want: func(s Size) int { return s.Actors * s.Work },

	Posthaste: dictionaryPosthaste,
	Chan:      dictionaryChan,
	Library:   dictionaryLibrary,
}

const (
	dictionaryKeys = 4096
	writePercent   = 10
)

// A request is to read the value of a key, or to write it.
type request struct {
	worker int32
	write  bool
	key    int32
}

// A reader makes requests and checks the results.
type reader struct {
	number int
	random random
	left   int
	last   request
	right  int
	result chan int
}

func newReader(i int, s Size, result chan int) reader {
	return reader{number: i, random: random(i), left: s.Work, result: result}
}

// next returns the next request; at the end it delivers the result instead.
func (r *reader) next() (q request, ok bool) {
	if r.left == 0 {
		r.result <- r.right
		return q, false
	}
	r.left--
	r.last = request{int32(r.number), r.random.below(100) < writePercent, int32(r.random.below(dictionaryKeys))}
	return r.last, true
}

func (r *reader) check(value int) {
	if value == valueOf(r.last.key) || value == 0 && !r.last.write {
		r.right++
	}
}

// valueOf is the value that a key is written with.
func valueOf(key int32) int { return int(key) + 1 }

// serve carries a request out and returns the value of the key, 0 if it has none.
func (q request) serve(m map[int32]int) int {
	if q.write {
		m[q.key] = valueOf(q.key)
	}
	return m[q.key]
}

type dictionaries struct{}

var (
	dictionaryRequest = rt.NewEvent[dictionaries, request]("dictionary.request")
	dictionaryResult  = rt.NewEvent[dictionaries, int]("dictionary.result")
	dictionaryBegin   = rt.NewEvent[dictionaries, none]("dictionary.begin")
	dictionaryEnd     = rt.NewEvent[dictionaries, none]("dictionary.end")
)

type dictionaryActor struct {
	values  map[int32]int
	workers []rt.Ref[dictionaries]
	ended   int
}

func (d *dictionaryActor) request(c *rt.Context, q request) error {
	tell(c, d.workers[q.worker], dictionaryResult, q.serve(d.values))
	return nil
}

func (d *dictionaryActor) end(c *rt.Context, _ none) error {
	if d.ended++; d.ended == len(d.workers) {
		c.Stop()
	}
	return nil
}

type readerActor struct {
	reader
	dictionary rt.Ref[dictionaries]
}

func (r *readerActor) begin(c *rt.Context, _ none) error {
	if q, ok := r.next(); ok {
		tell(c, r.dictionary, dictionaryRequest, q)
		return nil
	}
	tell(c, r.dictionary, dictionaryEnd, none{})
	c.Stop()
	return nil
}

func (r *readerActor) value(c *rt.Context, value int) error {
	r.check(value)
	return r.begin(c, none{})
}

func dictionaryPosthaste(n *Node, s Size) int {
	result := make(chan int, s.Actors)
	d := &dictionaryActor{values: map[int32]int{}, workers: make([]rt.Ref[dictionaries], s.Actors)}
	to := start(n, d, rt.OnTell(dictionaryRequest, (*dictionaryActor).request), rt.OnTell(dictionaryEnd, (*dictionaryActor).end))
	var state *readerActor
	kind := define(n, func() *readerActor { return state },
		rt.OnTell(dictionaryBegin, (*readerActor).begin), rt.OnTell(dictionaryResult, (*readerActor).value))
	for i := range d.workers {
		state = &readerActor{newReader(i, s, result), to}
		d.workers[i] = spawn(n, kind)
	}
	for _, w := range d.workers {
		tell(outside, w, dictionaryBegin, none{})
	}
	n.wait()
	return sum(result, s.Actors)
}

func dictionaryChan(s Size) int {
	result := make(chan int, s.Actors)
	requests := make(chan request, s.Actors)
	replies := make([]chan int, s.Actors)
	var alive sync.WaitGroup
	for i := range replies {
		replies[i] = make(chan int, 1)
		alive.Go(func() {
			r := newReader(i, s, result)
			for q, ok := r.next(); ok; q, ok = r.next() {
				requests <- q
				r.check(<-replies[i])
			}
		})
	}
	go func() {
		alive.Wait()
		close(requests)
	}()
	values := map[int32]int{}
	for q := range requests {
		replies[q.worker] <- q.serve(values)
	}
	return sum(result, s.Actors)
}

type anyValue struct{ value int }

type anyDictionary struct {
	values  map[int32]int
	workers []anyactor.Ref
	ended   int
}

func (d *anyDictionary) Receive(c anyactor.Context, m any) {
	switch m := m.(type) {
	case request:
		c.Send(d.workers[m.worker], anyValue{m.serve(d.values)})
	case anyDone:
		if d.ended++; d.ended == len(d.workers) {
			c.Stop()
		}
	}
}

type anyReader struct {
	reader
	dictionary anyactor.Ref
}

func (r *anyReader) Receive(c anyactor.Context, m any) {
	if v, ok := m.(anyValue); ok {
		r.check(v.value)
	}
	if q, ok := r.next(); ok {
		c.Send(r.dictionary, q)
		return
	}
	c.Send(r.dictionary, anyDone{})
	c.Stop()
}

func dictionaryLibrary(sys anyactor.System, s Size) int {
	result := make(chan int, s.Actors)
	d := &anyDictionary{values: map[int32]int{}, workers: make([]anyactor.Ref, s.Actors)}
	to := sys.Spawn(d)
	for i := range d.workers {
		d.workers[i] = sys.Spawn(&anyReader{newReader(i, s, result), to})
	}
	for _, w := range d.workers {
		sys.Send(w, anyBegin{})
	}
	sys.Wait()
	return sum(result, s.Actors)
}
