package savina

import "testing"

// TestLaps wants every benchmark to have the right result, again and again on one
// node. What libraries do is tested in package main, which has them.
func TestLaps(t *testing.T) {
	n, err := NewNode()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, b := range All() {
		s := b.Size.Small()
		laps := map[string]func() int{
			"posthaste": func() int { return b.Posthaste(n, s) },
			"chan":      func() int { return b.Chan(s) },
		}
		for peer, lap := range laps {
			t.Run(b.Name+"/"+peer, func(t *testing.T) {
				for range 3 {
					if got, want := lap(), b.Want(s); got != want {
						t.Fatalf("the result is %d, want %d", got, want)
					}
				}
			})
		}
	}
	if left := n.rt.Stats().Actors; left > 1 {
		t.Errorf("%d actors left", left)
	}
}

// TestWant checks the results that are computed against ones that are known.
func TestWant(t *testing.T) {
	if got := countPrimes(Size{Work: 100_000}); got != 9591 { // and 2
		t.Errorf("%d odd primes below 100,000", got)
	}
	s := trapezoid.Size
	fine, coarse := trapezoidArea(s), trapezoidArea(Size{s.Actors, s.Work / 10})
	if diff := fine - coarse; diff < -100 || diff > 100 {
		t.Errorf("the area is %d, or %d", fine, coarse)
	}
}
