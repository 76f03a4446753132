package fragment

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-go/posthaste"
)

// step is one call of an Assembler in a table test.
type step struct {
	begin bool
	id    uint32
	total uint64
	piece string
	more  bool
	at    time.Duration
	code  posthaste.Code
	whole string
}

func begin(id uint32, total uint64, piece string) step {
	return step{begin: true, id: id, total: total, piece: piece, more: true}
}
func add(id uint32, piece string) step         { return step{id: id, piece: piece, more: true} }
func last(id uint32, piece, whole string) step { return step{id: id, piece: piece, whole: whole} }

func (s step) fails(c posthaste.Code) step { s.code = c; return s }
func (s step) after(d time.Duration) step  { s.at = d; return s }

// run carries s out.
func (s step) run(t *testing.T, a *Assembler) {
	t.Helper()
	var whole []byte
	var err error
	if s.begin {
		err = a.Begin(s.id, s.total, []byte(s.piece), int64(s.at))
	} else {
		whole, err = a.Add(s.id, []byte(s.piece), s.more, int64(s.at))
	}
	if posthaste.CodeOf(err) != s.code {
		t.Fatalf("%+v: %v", s, err)
	}
	if s.code == posthaste.OK && !s.more && (string(whole) != s.whole || whole == nil) {
		t.Fatalf("%+v: whole is %q", s, whole)
	}
	if a.Has(s.id) != (s.more && s.code == posthaste.OK) {
		t.Fatalf("%+v: open is %t", s, a.Has(s.id))
	}
}

func TestAssembler(t *testing.T) {
	const (
		tooLarge = posthaste.TooLarge
		noRoom   = posthaste.ResourceExhausted
		timeout  = posthaste.FragmentTimeout
		protocol = posthaste.Protocol
		gap      = 10 * time.Second
	)
	tests := []struct {
		name  string
		steps []step
	}{
		{"declared", []step{begin(1, 5, "ab"), add(1, "cd"), last(1, "e", "abcde")}},
		{"not declared", []step{begin(1, 0, "ab"), add(1, "cd"), last(1, "e", "abcde")}},
		{"an empty end", []step{begin(1, 2, "ab"), last(1, "", "ab")}},
		{"all empty", []step{begin(1, 0, ""), last(1, "", "")}},
		{"an id is free again", []step{begin(1, 2, "a"), last(1, "b", "ab"), begin(1, 2, "c"), last(1, "d", "cd")}},
		{"interleaved", []step{begin(1, 2, "a"), begin(2, 2, "x"), last(2, "y", "xy"), last(1, "b", "ab")}},

		{"declares too much", []step{begin(1, 101, "a").fails(tooLarge)}},
		{"declares beyond any memory", []step{begin(1, 1<<64-1, "a").fails(tooLarge)}},
		{"begins too large", []step{begin(1, 0, strings.Repeat("a", 101)).fails(tooLarge)}},
		{"grows too large", []step{begin(1, 0, strings.Repeat("a", 100)), add(1, "b").fails(tooLarge)}},
		{"just not too large", []step{begin(1, 0, strings.Repeat("a", 99)), last(1, "b", strings.Repeat("a", 99)+"b")}},

		{"room is set aside", []step{begin(1, 100, "a"), begin(2, 100, "a"), begin(3, 51, "a").fails(noRoom), begin(3, 50, "a")}},
		{"and given back", []step{begin(1, 2, "a"), begin(2, 100, "a"), begin(4, 100, "a"), begin(3, 50, "a").fails(noRoom), last(1, "b", "ab"), begin(3, 50, "a")}},
		{"no room for an unknown size", []step{begin(1, 100, "a"), begin(2, 100, "a"), begin(3, 0, "").fails(noRoom)}},
		{"too many", []step{begin(1, 1, ""), begin(2, 1, ""), begin(3, 1, ""), begin(4, 1, ""), begin(5, 1, "").fails(noRoom)}},

		{"never began", []step{last(1, "a", "").fails(protocol)}},
		{"ended before", []step{begin(1, 2, "a"), last(1, "b", "ab"), last(1, "c", "").fails(protocol)}},
		{"begins twice", []step{begin(1, 2, "a"), begin(1, 2, "a").fails(protocol), last(1, "b", "").fails(protocol)}},
		{"longer at once", []step{begin(1, 2, "abc").fails(protocol)}},
		{"longer than declared", []step{begin(1, 2, "ab"), add(1, "c").fails(protocol)}},
		{"shorter than declared", []step{begin(1, 3, "a"), last(1, "b", "").fails(protocol)}},

		{"just in time", []step{begin(1, 2, "a"), last(1, "b", "ab").after(gap)}},
		{"too late", []step{begin(1, 2, "a"), last(1, "b", "").after(gap + 1).fails(timeout)}},
		{"each piece buys time", []step{begin(1, 3, "a"), add(1, "b").after(gap), last(1, "c", "abc").after(2 * gap)}},
		{"an empty one buys none", []step{begin(1, 2, "a"), add(1, "").after(gap), last(1, "b", "").after(gap + 1).fails(timeout)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := NewAssembler(Limits{Message: 100, Conn: 250, Partials: 4})
			for _, s := range test.steps {
				s.run(t, a)
			}
		})
	}
}

func TestNoRoomToGrow(t *testing.T) {
	a := NewAssembler(Limits{Message: 15_000, Conn: 20_000})
	begin(1, 12_000, "a").run(t, a)
	begin(2, 0, "a").run(t, a)
	add(2, strings.Repeat("b", 3000)).run(t, a)
	add(2, strings.Repeat("b", 3000)).fails(posthaste.ResourceExhausted).run(t, a)
	last(1, strings.Repeat("b", 11_999), "a"+strings.Repeat("b", 11_999)).run(t, a)
	if a.Open() != 0 || a.Buffered() != 0 || a.taken != 0 {
		t.Errorf("%d open, %d buffered, %d taken", a.Open(), a.Buffered(), a.taken)
	}
}

func TestErrorsNameTheLimitAndTheSetting(t *testing.T) {
	a := NewAssembler(Limits{})
	err := a.Begin(7, 20<<20, nil, 0)
	const want = "TOO_LARGE: fragment: message 7 has 20971520 bytes or more; the limit is 16777216 (fragment.Limits.Message); send less, or use a stream"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := a.Late(); posthaste.CodeOf(err) != posthaste.FragmentTimeout || !strings.Contains(err.Error(), "within 10s (fragment.Limits.Gap)") {
		t.Errorf("Late = %v", err)
	}
}

func TestSweep(t *testing.T) {
	a := NewAssembler(Limits{Gap: time.Second})
	for id := range uint32(4) {
		begin(id, 10, "abc").after(time.Duration(id)*time.Millisecond).run(t, a)
	}
	var swept []uint32
	a.Sweep(int64(time.Second+2), func(id uint32) {
		if swept = append(swept, id); a.Has(id) {
			t.Errorf("message %d is open while it is reported", id)
		}
		begin(9, 10, "again").after(time.Second).run(t, a) // each may use the Assembler
	})
	a.Sweep(int64(time.Second+time.Millisecond+2), func(id uint32) { swept = append(swept, id) })
	if want := []uint32{0, 1}; !slices.Equal(swept, want) || a.Open() != 3 {
		t.Errorf("swept %v, want %v; %d open", swept, want, a.Open())
	}
}

// TestBombsCostWhatTheySend opens as many messages as it can, declares the most,
// and sends next to nothing.
func TestBombsCostWhatTheySend(t *testing.T) {
	a := NewAssembler(Limits{})
	held := 0
	for id := range uint32(1000) {
		_ = a.Begin(id, 0, []byte("x"), 0)
		held += capOf(a, id)
	}
	if a.Open() != 128 || held > 128<<minClass {
		t.Errorf("%d messages hold %d bytes", a.Open(), held)
	}
	a = NewAssembler(Limits{})
	for id := range uint32(1000) {
		_ = a.Begin(id, 16<<20, []byte("x"), 0)
	}
	if a.Open() != 4 {
		t.Errorf("%d messages of 16 MiB are open; room is for 4", a.Open())
	}
}

// TestPoolsAreNotShared has one message outgrow its buffer while another gets it.
func TestPoolsAreNotShared(t *testing.T) {
	a := NewAssembler(Limits{})
	mark := func(id uint32) string { return strings.Repeat(string(rune('a'+id)), 5000) }
	wholes := make([][]byte, 8)
	for round := range 4 {
		for id := range uint32(8) {
			if round == 0 {
				begin(id, 0, mark(id)).run(t, a)
			} else if whole, err := a.Add(id, []byte(mark(id)), round < 3, 0); err != nil {
				t.Fatal(err)
			} else {
				wholes[id] = whole
			}
		}
	}
	for id, whole := range wholes {
		if string(whole) != strings.Repeat(mark(uint32(id)), 4) {
			t.Errorf("message %d holds the bytes of another", id)
		}
		if cap(whole) != len(whole) {
			t.Errorf("message %d lets the caller see %d bytes of others", id, cap(whole)-len(whole))
		}
	}
}

func capOf(a *Assembler, id uint32) int {
	p := a.partials[id]
	return cap(p.data())
}

func TestWholeBelongsToTheCaller(t *testing.T) {
	a := NewAssembler(Limits{})
	piece := []byte("abc")
	_ = a.Begin(1, 6, piece, 0)
	copy(piece, "xyz")
	whole, _ := a.Add(1, piece, false, 0)
	copy(piece, "???")
	_ = a.Begin(1, 6, piece, 0)
	if string(whole) != "abcxyz" {
		t.Errorf("whole = %q", whole)
	}
}

func TestAddDoesNotAllocateWhilePiecesFit(t *testing.T) {
	a := NewAssembler(Limits{})
	if err := a.Begin(1, 1<<20, make([]byte, 600<<10), 0); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() { _, _ = a.Add(1, piece, true, 0) }); n != 0 {
		t.Errorf("%v allocations for a piece", n)
	}
	if n := testing.AllocsPerRun(1000, func() { a.Sweep(0, nil) }); n != 0 {
		t.Errorf("%v allocations for a sweep that finds nothing", n)
	}
}

// ── model ───────────────────────────────────────────────────────────────────

// assemblerModel drives an Assembler with honest and broken messages and compares
// it with a map of what has been sent. The property test and the fuzz target
// share it.
type assemblerModel struct {
	a    *Assembler
	l    Limits
	now  int64
	open map[uint32]*sent
}

// sent is what the model knows of an open message.
type sent struct {
	data  []byte
	total uint64
	since int64
}

func newAssemblerModel(t *rapid.T) *assemblerModel {
	l := Limits{Message: 20_000, Conn: 50_000, Partials: 4, Gap: time.Second}
	return &assemblerModel{a: NewAssembler(l), l: l, open: make(map[uint32]*sent)}
}

func (m *assemblerModel) piece(t *rapid.T) []byte {
	n := rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(0, 12_000)).Draw(t, "size")
	return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
}

func (m *assemblerModel) Begin(t *rapid.T) {
	id := rapid.Uint32Range(0, 6).Draw(t, "id")
	total := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 25_000), rapid.Uint64()).Draw(t, "total")
	first := m.piece(t)
	_, known := m.open[id]
	err := m.a.Begin(id, total, first, m.now)
	size := uint64(len(first))
	valid := !known && max(size, total) <= m.l.Message && (total == 0 || size <= total) && len(m.open) < m.l.Partials
	switch {
	case err == nil && !valid:
		t.Fatalf("a broken beginning was accepted")
	case err != nil && valid && posthaste.CodeOf(err) != posthaste.ResourceExhausted:
		t.Fatalf("an honest beginning was refused: %v", err)
	case err == nil:
		m.open[id] = &sent{data: first, total: total, since: m.now}
	case known:
		delete(m.open, id)
	}
}

func (m *assemblerModel) Add(t *rapid.T) {
	id := rapid.Uint32Range(0, 6).Draw(t, "id")
	piece, more := m.piece(t), rapid.Bool().Draw(t, "more")
	s, known := m.open[id]
	if known && s.total != 0 && rapid.Bool().Draw(t, "honest") {
		piece, more = make([]byte, s.total-uint64(len(s.data))), false
	}
	whole, err := m.a.Add(id, piece, more, m.now)
	if !known {
		if posthaste.CodeOf(err) != posthaste.Protocol {
			t.Fatalf("a piece of nothing: %v", err)
		}
		return
	}
	delete(m.open, id)
	if want := m.expect(s, piece, more); posthaste.CodeOf(err) != want {
		if s.total != 0 || posthaste.CodeOf(err) != posthaste.ResourceExhausted {
			t.Fatalf("Add = %v, want %v", err, want)
		}
	}
	if err != nil {
		return
	}
	if len(piece) > 0 {
		s.since = m.now
	}
	s.data = append(s.data, piece...)
	if (whole == nil) != more || whole != nil && !bytes.Equal(whole, s.data) {
		t.Fatalf("more %t, whole of %d bytes, want %d", more, len(whole), len(s.data))
	}
	if more {
		m.open[id] = s
	}
}

// expect returns the code of adding piece to s, room apart.
func (m *assemblerModel) expect(s *sent, piece []byte, more bool) posthaste.Code {
	size := uint64(len(s.data) + len(piece))
	switch {
	case m.now-s.since > int64(m.l.Gap):
		return posthaste.FragmentTimeout
	case size > m.l.Message:
		return posthaste.TooLarge
	case s.total != 0 && (size > s.total || size < s.total && !more):
		return posthaste.Protocol
	}
	return posthaste.OK
}

func (m *assemblerModel) Drop(t *rapid.T) {
	id := rapid.Uint32Range(0, 6).Draw(t, "id")
	m.a.Drop(id)
	delete(m.open, id)
}

func (m *assemblerModel) Wait(t *rapid.T) {
	m.now += rapid.Int64Range(0, int64(2*m.l.Gap)).Draw(t, "for")
}

func (m *assemblerModel) Sweep(t *rapid.T) {
	m.a.Sweep(m.now, func(id uint32) {
		if s := m.open[id]; s == nil || m.now-s.since <= int64(m.l.Gap) {
			t.Fatalf("message %d was swept and should not be", id)
		}
		delete(m.open, id)
	})
	for id, s := range m.open {
		if m.now-s.since > int64(m.l.Gap) {
			t.Fatalf("message %d was not swept", id)
		}
	}
}

// Check compares after every step.
func (m *assemblerModel) Check(t *rapid.T) {
	buffered, taken := uint64(0), uint64(0)
	for id, s := range m.open {
		p := m.a.partials[id]
		data := p.data()
		if !m.a.Has(id) || !bytes.Equal(data, s.data) {
			t.Fatalf("message %d has %d bytes, want %d", id, len(data), len(s.data))
		}
		if c := cap(data); c > max(2*len(s.data), 1<<minClass) {
			t.Fatalf("message %d holds %d bytes for %d received", id, c, len(s.data))
		}
		buffered += uint64(len(s.data))
		taken += p.taken
	}
	if m.a.Open() != len(m.open) || m.a.Buffered() != buffered || m.a.taken != taken || taken > m.l.Conn {
		t.Fatalf("%d open, %d buffered, %d taken; want %d, %d, %d", m.a.Open(), m.a.Buffered(), m.a.taken, len(m.open), buffered, taken)
	}
}

func runAssemblerModel(t *rapid.T) {
	m := newAssemblerModel(t)
	t.Repeat(map[string]func(*rapid.T){
		"begin": m.Begin, "add": m.Add, "drop": m.Drop, "wait": m.Wait, "sweep": m.Sweep, "": m.Check,
	})
}

func TestAssemblerModel(t *testing.T) { rapid.Check(t, runAssemblerModel) }

func FuzzAssembler(f *testing.F) { f.Fuzz(rapid.MakeFuzz(runAssemblerModel)) }
