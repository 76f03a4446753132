package runtime

import (
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
)

// table finds actors by number and by name. A number is a place in a page and a
// generation that tells the actor from those that had the place before; it is
// what other nodes address. Lookups by number are lock-free.
type table struct {
	pages atomic.Pointer[[]*tablePage]

	mu     sync.Mutex // guards following, and growing
	closed bool
	used   uint32
	free   []uint32

	named sync.RWMutex     // guards names
	names map[string]*cell // not a sync.Map: that would allocate to look up bytes
}

const tablePageLen = 1024

type tablePage [tablePageLen]tablePlace

type tablePlace struct {
	cell       atomic.Pointer[cell]
	generation uint32 // guarded by table.mu
}

// add gives a its number, and its name if it has one. The error is AlreadyExists,
// or Draining once the table is closed.
func (t *table) add(a *cell) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return posthaste.Errorf(posthaste.Draining, "spawn %q: the runtime is stopping", a.name)
	}
	i := t.used
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
	}
	place := t.placeLocked(i)
	a.id = uint64(place.generation+1)<<32 | uint64(i) // before anybody can find it by name
	if a.name != "" {
		if err := t.take(a); err != nil {
			return err
		}
	}
	if n := len(t.free); n > 0 {
		t.free = t.free[:n-1]
	} else {
		t.used++
	}
	place.generation++
	place.cell.Store(a)
	return nil
}

// placeLocked returns a place, which may be the first of a new page.
func (t *table) placeLocked(i uint32) *tablePlace {
	pages := t.pages.Load()
	if pages == nil || int(i/tablePageLen) >= len(*pages) {
		var grown []*tablePage
		if pages != nil {
			grown = append(grown, *pages...)
		}
		grown = append(grown, new(tablePage))
		pages = &grown
		t.pages.Store(pages)
	}
	return &(*pages)[i/tablePageLen][i%tablePageLen]
}

// close refuses all further actors and returns those that are there.
func (t *table) close() (actors []*cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.each(func(a *cell) { actors = append(actors, a) })
	return actors
}

// take gives a its name.
func (t *table) take(a *cell) error {
	t.named.Lock()
	defer t.named.Unlock()
	if t.names[a.name] != nil {
		return posthaste.Errorf(posthaste.AlreadyExists, "an actor named %q lives here already; stop it first, or choose another name", a.name)
	}
	if t.names == nil {
		t.names = map[string]*cell{}
	}
	t.names[a.name] = a
	return nil
}

// remove takes a's number and name back.
func (t *table) remove(a *cell) {
	if a.name != "" {
		t.named.Lock()
		delete(t.names, a.name)
		t.named.Unlock()
	}
	i := uint32(a.id)
	t.mu.Lock()
	t.placeLocked(i).cell.Store(nil)
	t.free = append(t.free, i)
	t.mu.Unlock()
}

// byID returns the actor with the number, or nil.
func (t *table) byID(id uint64) *cell {
	i := uint32(id)
	pages := t.pages.Load()
	if pages == nil || int(i/tablePageLen) >= len(*pages) {
		return nil
	}
	a := (*pages)[i/tablePageLen][i%tablePageLen].cell.Load()
	if a == nil || a.id != id {
		return nil
	}
	return a
}

// byName returns the actor with the name, or nil.
func (t *table) byName(name []byte) *cell {
	t.named.RLock()
	defer t.named.RUnlock()
	return t.names[string(name)]
}

// each calls f for every actor, in no order.
func (t *table) each(f func(*cell)) {
	pages := t.pages.Load()
	if pages == nil {
		return
	}
	for _, page := range *pages {
		for i := range page {
			if a := page[i].cell.Load(); a != nil {
				f(a)
			}
		}
	}
}
