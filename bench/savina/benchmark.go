package savina

import "github.com/posthaste-go/posthaste/bench/anyactor"

// A Benchmark is one program of the suite.
type Benchmark struct {
	Name  string
	About string // one line; "per ..." says what an operation is
	Size  Size   // of a lap

	Ops  func(Size) int // operations in a lap
	Want func(Size) int // the result of a lap

	// Posthaste, Chan and Library run a lap and return its result.
	Posthaste func(*Node, Size) int
	Chan      func(Size) int
	Library   func(anyactor.System, Size) int
}

// A Size says how much there is to do in a lap.
type Size struct {
	Actors int
	Work   int // for all, or for each actor: see the benchmark
}

// Small returns a size for tests: at most a hundred things to do.
func (s Size) Small() Size { return Size{min(s.Actors, 20), min(s.Work, 100)} }

// All returns the benchmarks.
func All() []*Benchmark {
	return []*Benchmark{
		&pingPong, &counting, &forkJoinThroughput, &forkJoinCreate, &threadRing, &big, // messages alone
		&chameneos, &dictionary, &buffer, &philosophers, &barber, &banking, // contention
		&trapezoid, &sieve, // parallelism
	}
}

// random is a linear congruential generator: fast, and the same everywhere.
type random uint64

// below returns a number from 0 to n-1.
func (r *random) below(n int) int {
	*r = *r*6364136223846793005 + 1442695040888963407
	return int(uint64(*r>>33) * uint64(n) >> 31)
}

// sum returns the sum of n values from a channel.
func sum(from <-chan int, n int) (total int) {
	for range n {
		total += <-from
	}
	return total
}
