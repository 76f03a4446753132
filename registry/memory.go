package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-go/posthaste"
)

// Memory is a [Registry] for the runtimes of one process. Nothing expires in it:
// what registers dies with it.
//
// It starts no goroutine and keeps no copy of any instance. Each watcher, on the
// goroutine that it lent to Watch, asks the states themselves when somebody
// registers or leaves, and at each heartbeat. A change costs every watcher of
// that service one call of each state.
type Memory struct {
	mu       sync.Mutex
	services map[string]*service // guarded by mu; those with a lease or a watcher
}

var _ Registry = (*Memory)(nil)

// service is what a Memory knows about one name. Guarded by Memory.mu.
type service struct {
	leases   map[string]*memoryLease // by node
	watchers int
	changed  chan struct{} // closed when leases change, and replaced
}

// memoryLease is one entry of a service.
//
// Lock order: none. Memory.mu and mu are never held together.
type memoryLease struct {
	memory   *Memory
	identity Instance      // Service, Node and Incarnation of the first state
	every    time.Duration // between two heartbeats

	mu    sync.Mutex      // held while state runs, so that Release can wait for it
	state func() Instance // guarded by mu; nil once released
}

// NewMemory makes an empty registry.
func NewMemory() *Memory { return &Memory{services: make(map[string]*service)} }

// ── Register and Release ────────────────────────────────────────────────────

// Register implements [Registry]. It does not block. The lease only sets how soon
// watchers see a new state: within a third of it, and within a second.
func (m *Memory) Register(ctx context.Context, lease time.Duration, state func() Instance) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, posthaste.Errorf(posthaste.CodeOf(err), "registry: register: %w", err)
	}
	if err := CheckLease(lease); err != nil {
		return nil, err
	}
	first := state()
	if err := first.Validate(); err != nil {
		return nil, err
	}
	l := &memoryLease{memory: m, identity: first, every: heartbeat(lease), state: state}
	replaced, err := m.add(l)
	if err != nil {
		return nil, err
	}
	if replaced != nil {
		replaced.end()
	}
	return l, nil
}

// heartbeat returns how often the state under a lease is looked at.
func heartbeat(lease time.Duration) time.Duration {
	return min(max(lease/3, 10*time.Millisecond), time.Second)
}

// add enters l and returns the lease in whose place it stands now.
func (m *Memory) add(l *memoryLease) (replaced *memoryLease, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.serviceLocked(l.identity.Service)
	old := s.leases[l.identity.Node]
	if old != nil && old.identity.Incarnation > l.identity.Incarnation {
		return nil, posthaste.Errorf(posthaste.StaleIncarnation,
			"registry: node %s serves %s as run %d; run %d has ended and may not register",
			l.identity.Node, l.identity.Service, old.identity.Incarnation, l.identity.Incarnation)
	}
	s.leases[l.identity.Node] = l
	s.announceLocked()
	return old, nil
}

// Release implements [Lease]. It waits for a state that is running, and for
// nothing else; ctx is not looked at.
func (l *memoryLease) Release(context.Context) error {
	l.memory.remove(l)
	l.end()
	return nil
}

// remove takes l out, unless another lease stands in its place.
func (m *Memory) remove(l *memoryLease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.services[l.identity.Service]
	if s == nil || s.leases[l.identity.Node] != l {
		return
	}
	delete(s.leases, l.identity.Node)
	s.announceLocked()
	m.tidyLocked(l.identity.Service)
}

func (l *memoryLease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = nil
}

// read returns the instance as it is now, unless the lease has ended.
func (l *memoryLease) read() (i Instance, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == nil {
		return Instance{}, false
	}
	i = l.state()
	i.Service, i.Node, i.Incarnation = l.identity.Service, l.identity.Node, l.identity.Incarnation
	i.Labels = maps.Clone(i.Labels)
	return i, true
}

// ── Watch ───────────────────────────────────────────────────────────────────

// Watch implements [Registry]. Its error, for a name that cannot be one, has code
// [posthaste.InvalidArgument].
func (m *Memory) Watch(ctx context.Context, name string, emit func([]Instance)) error {
	if err := posthaste.CheckName(name); err != nil {
		return err
	}
	m.enter(name)
	defer m.leave(name)
	var last []Instance
	for first := true; ctx.Err() == nil; first = false {
		leases, changed := m.look(name)
		now := snapshot(leases)
		if first || !slices.EqualFunc(last, now, Instance.Equal) {
			last = slices.Clone(now)
			emit(now)
		}
		wait(ctx, changed, leases)
	}
	return nil
}

// enter counts a watcher, so that its service is kept.
func (m *Memory) enter(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serviceLocked(name).watchers++
}

func (m *Memory) leave(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.services[name].watchers--
	m.tidyLocked(name)
}

// look returns the leases of a watched service, and a channel that is closed when
// they are no longer these.
func (m *Memory) look(name string) ([]*memoryLease, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.services[name]
	return slices.Collect(maps.Values(s.leases)), s.changed
}

// snapshot reads the states under leases, ordered by node.
func snapshot(leases []*memoryLease) []Instance {
	now := make([]Instance, 0, len(leases))
	for _, l := range leases {
		if i, ok := l.read(); ok {
			now = append(now, i)
		}
	}
	slices.SortFunc(now, func(a, b Instance) int { return cmp.Compare(a.Node, b.Node) })
	return now
}

// wait returns when leases have changed, a heartbeat of one of them has passed,
// or ctx has ended.
func wait(ctx context.Context, changed <-chan struct{}, leases []*memoryLease) {
	var beat <-chan time.Time // without leases there is no state to look at
	if len(leases) > 0 {
		shortest := slices.MinFunc(leases, func(a, b *memoryLease) int { return cmp.Compare(a.every, b.every) })
		timer := time.NewTimer(shortest.every)
		defer timer.Stop()
		beat = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-beat:
	}
}

// ── with Memory.mu held ─────────────────────────────────────────────────────

// serviceLocked returns the service of that name, made if it was not known.
func (m *Memory) serviceLocked(name string) *service {
	s := m.services[name]
	if s == nil {
		s = &service{leases: make(map[string]*memoryLease), changed: make(chan struct{})}
		m.services[name] = s
	}
	return s
}

// tidyLocked forgets a service that nobody serves and nobody watches, so that
// names that come and go do not add up.
func (m *Memory) tidyLocked(name string) {
	if s := m.services[name]; len(s.leases) == 0 && s.watchers == 0 {
		delete(m.services, name)
	}
}

// announceLocked wakes the watchers. Each of them holds the channel that was
// current when it copied the leases, under the same lock; so a change that it has
// not seen closes just that channel.
func (s *service) announceLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}
