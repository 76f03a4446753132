package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// TestRingFaults wants a ring to notice what a peer does to its message.
func TestRingFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		hops []uint64 // as the second of three receivers sees them
		want error
	}{
		{"right", []uint64{1, 4, 7}, nil},
		{"repeated", []uint64{1, 4, 4}, errOrder},
		{"lost", []uint64{1, 7}, errOrder},
		{"astray", []uint64{2}, errOrder},
	} {
		r := newRings(1, 3, 0)
		s := r.stage(0, 1)
		for _, hop := range c.hops {
			s.pass(hop)
		}
		r.ended <- struct{}{}
		if err := r.stop(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRingsEnd(t *testing.T) {
	r := newRings(2, 1, 0)
	a, b := r.stage(0, 0), r.stage(1, 0)
	if !a.pass(0) || !b.pass(0) {
		t.Error("a message was stopped before the end")
	}
	r.closing.Store(true)
	if a.pass(1) || b.pass(1) {
		t.Error("a message was passed on after the end")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestLostMessage wants traffic that never ends to become an error.
func TestLostMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFan(1)
		if err := f.stop(); err == nil || !strings.Contains(err.Error(), "1 of 1 messages were lost") {
			t.Errorf("got %v", err)
		}
	})
}

// TestFanRounds wants exactly the last leaf of a round to begin the next, and
// whatever number of leaves to be counted.
func TestFanRounds(t *testing.T) {
	for _, n := range []int{1, leavesPerBranch, 2*leavesPerBranch + 7} {
		f := newFan(n)
		var leaves []leaf
		for i := range n {
			leaves = append(leaves, f.leaf(i))
		}
		for round := range uint64(3) {
			for i := range leaves {
				if last := leaves[i].handle(round); last != (i == n-1) {
					t.Fatalf("%d leaves: leaf %d of round %d is last: %v", n, i, round, last)
				}
			}
		}
		if got := f.done(); got != uint64(3*n) {
			t.Errorf("%d leaves: %d messages in 3 rounds", n, got)
		}
		leaves[0].handle(7)
		if !f.fault.Load() {
			t.Errorf("%d leaves: a wrong round was not noticed", n)
		}
	}
}
