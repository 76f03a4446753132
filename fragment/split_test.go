package fragment

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSplit(t *testing.T) {
	tests := []struct {
		name         string
		body         string
		first, limit int
		want         []string
	}{
		{"empty", "", 3, 4, []string{""}},
		{"empty without room", "", 0, 4, []string{""}},
		{"in one piece", "abc", 3, 1, []string{"abc"}},
		{"one byte over", "abcd", 3, 4, []string{"abc", "d"}},
		{"no room in the first", "abcd", 0, 4, []string{"", "abcd"}},
		{"the last is full", "abcdefg", 1, 3, []string{"a", "bcd", "efg"}},
		{"the last is short", "abcdefgh", 1, 3, []string{"a", "bcd", "efg", "h"}},
		{"bytes", "abc", 1, 1, []string{"a", "b", "c"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			var mores []bool
			for piece, more := range Split([]byte(test.body), test.first, test.limit) {
				if got, mores = append(got, string(piece)), append(mores, more); cap(piece) != len(piece) {
					t.Errorf("appending to piece %q would overwrite the next", piece)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if i := slices.Index(mores, false); i != len(mores)-1 {
				t.Errorf("more is %v", mores)
			}
		})
	}
}

func TestSplitStops(t *testing.T) {
	n := 0
	for range Split(make([]byte, 100), 10, 10) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d pieces after a break", n)
	}
}

func TestSplitWithoutRoomPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"Next":                 func() { Next(nil, 0) },
		"Split":                func() { Split(nil, 1, 0) },
		"Split with no first":  func() { Split(nil, -1, 1) },
		"Split below all that": func() { Split(nil, 0, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSplitDoesNotAllocate(t *testing.T) {
	body := make([]byte, 1<<20)
	if n := testing.AllocsPerRun(100, func() {
		for piece, more := range Split(body, 1000, 16<<10) {
			_, _ = piece, more
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSplit sends any body in pieces of any size through an Assembler.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("hello, world"), 3, 4, true)
	f.Add([]byte{}, 0, 1, false)
	f.Fuzz(func(t *testing.T, body []byte, first, limit int, declared bool) {
		first, limit = abs(first)%70_000, 1+abs(limit)%70_000
		a := NewAssembler(Limits{})
		total := uint64(0)
		if declared {
			total = uint64(len(body))
		}
		whole, begun := []byte(nil), false
		for piece, more := range Split(body, first, limit) {
			var err error
			switch {
			case !begun && !more:
				whole = piece
			case !begun:
				err = a.Begin(3, total, piece, 0)
			default:
				whole, err = a.Add(3, piece, more, 0)
			}
			if begun = true; err != nil || (whole == nil) != more && len(body) > 0 {
				t.Fatalf("piece of %d bytes, more %t: %v", len(piece), more, err)
			}
		}
		if !bytes.Equal(whole, body) || a.Open() != 0 || a.Buffered() != 0 {
			t.Fatalf("%d bytes became %d; %d open, %d buffered", len(body), len(whole), a.Open(), a.Buffered())
		}
	})
}

func abs(n int) int { return n & (1<<31 - 1) }

func BenchmarkSplit(b *testing.B) {
	body := make([]byte, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		for piece := range Split(body, 16<<10-20, 16<<10) {
			_ = piece
		}
	}
}

func BenchmarkAssemble(b *testing.B) {
	body := make([]byte, 1<<20)
	for _, bench := range []struct {
		name  string
		total uint64
	}{{"declared", 1 << 20}, {"undeclared", 0}} {
		b.Run(bench.name, func(b *testing.B) {
			a := NewAssembler(Limits{})
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				first, rest := Next(body, 16<<10)
				_ = a.Begin(1, bench.total, first, 0)
				for piece, more := range Split(rest, 16<<10, 16<<10) {
					_, _ = a.Add(1, piece, more, 0)
				}
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	a := NewAssembler(Limits{Message: 1 << 40})
	piece := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if a.Buffered()%(1<<20) == 0 {
			a.Drop(1)
			_ = a.Begin(1, 1<<20+64, piece, 0)
		}
		_, _ = a.Add(1, piece, true, int64(time.Second))
	}
}
