package runtime

import (
	"sync"
	"sync/atomic"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// outRoutes numbers the routes that this side uses on one connection: a name
// crosses the wire once, its number from then on. Finding a number is two array
// loads, by the service's and by the method's number in this process.
type outRoutes struct {
	columns atomic.Pointer[[]*routeColumn] // by service number; grows under mu

	mu    sync.Mutex // guards following, and growing
	next  uint32
	names int // bytes of the names of all numbers
}

// routeColumn holds the routes of one service, by method number.
type routeColumn struct {
	cells atomic.Pointer[[]*atomic.Uint32] // number<<1, plus 1 once the peer knows it
}

// find returns the number of a route, and whether the peer knows it. If not, the
// frame must define it with the name, and known must be called once it is queued.
// Number 0 means that there are too many routes: the name goes with each frame.
func (r *outRoutes) find(far *remote, m *method) (number uint32, known bool) {
	if c := r.cell(far.number(), m.id); c != nil {
		v := c.Load()
		return v >> 1, v&1 == 1
	}
	return r.assign(far.number(), m.id, len(far.routeName(m)))
}

// known says that a frame that defines the route has been queued: frames queued
// later reach the peer after it.
func (r *outRoutes) known(far *remote, m *method) {
	if c := r.cell(far.number(), m.id); c != nil {
		if v := c.Load(); v > 1 {
			c.Store(v | 1)
		}
	}
}

func (r *outRoutes) cell(service, method uint32) *atomic.Uint32 {
	columns := r.columns.Load()
	if columns == nil || int(service) >= len(*columns) || (*columns)[service] == nil {
		return nil
	}
	cells := (*columns)[service].cells.Load()
	if cells == nil || int(method) >= len(*cells) {
		return nil
	}
	return (*cells)[method]
}

func (r *outRoutes) assign(service, method uint32, name int) (number uint32, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cell(service, method); c != nil { // somebody was faster
		v := c.Load()
		return v >> 1, v&1 == 1
	}
	if r.next+1 >= wire.MaxRoutes || r.names+name > wire.MaxRouteNames {
		return 0, false
	}
	r.next++
	r.names += name
	columns := grownTo(r.columns.Load(), int(service)+1)
	if columns[service] == nil {
		columns[service] = &routeColumn{}
	}
	cells := grownTo(columns[service].cells.Load(), int(method)+1)
	cells[method] = new(atomic.Uint32)
	cells[method].Store(r.next << 1)
	columns[service].cells.Store(&cells)
	r.columns.Store(&columns)
	return r.next, false
}

// grownTo returns a copy of *s with at least n elements.
func grownTo[T any](s *[]*T, n int) []*T {
	var old []*T
	if s != nil {
		old = *s
	}
	grown := make([]*T, max(n, len(old)))
	copy(grown, old)
	return grown
}

// inRoute is a route that the peer has defined: what its number stands for. It is
// owned by the connection's loop.
type inRoute struct {
	name    string
	service string
	method  string
	served  *served // the service, once it was found

	// The handler, for the kind of actor that it was resolved for last.
	kind    *kind
	handler *handler
}

// resolve returns the handler of the route's method in actors of kind k, or nil.
func (r *inRoute) resolve(k *kind) *handler {
	if r.kind != k {
		r.kind, r.handler = k, k.byName[r.method]
	}
	return r.handler
}

// inRoutes are the routes that the peer has defined. It is owned by the
// connection's loop.
type inRoutes struct {
	routes []*inRoute
	names  int // bytes of all names
}

// find returns the route of a request, which it defines if the request does. An
// error breaks the connection.
func (r *inRoutes) find(q *wire.Request) (*inRoute, error) {
	n := int(q.Route)
	if len(q.Name) == 0 {
		if n >= len(r.routes) || r.routes[n] == nil {
			return nil, posthaste.Errorf(posthaste.Protocol, "route %d was never defined on this connection", n)
		}
		return r.routes[n], nil
	}
	if n < len(r.routes) && r.routes[n] != nil {
		if route := r.routes[n]; route.name != string(q.Name) {
			return nil, posthaste.Errorf(posthaste.Protocol, "route %d is %q and cannot become %q", n, route.name, q.Name)
		}
		return r.routes[n], nil
	}
	route, err := newInRoute(q.Name)
	if err != nil || n == 0 {
		return route, err
	}
	if r.names += len(q.Name); r.names > wire.MaxRouteNames {
		return nil, posthaste.Errorf(posthaste.Protocol, "the names of the routes on this connection exceed %d bytes", wire.MaxRouteNames)
	}
	if n >= len(r.routes) {
		r.routes = append(r.routes, make([]*inRoute, n+1-len(r.routes))...)
	}
	r.routes[n] = route
	return route, nil
}

// undefine forgets a number, which may then be defined anew.
func (r *inRoutes) undefine(n uint32) {
	if int(n) < len(r.routes) && r.routes[n] != nil {
		r.names -= len(r.routes[n].name)
		r.routes[n] = nil
	}
}

func newInRoute(name []byte) (*inRoute, error) {
	service, method, ok := wire.SplitRoute(name)
	if !ok {
		return nil, posthaste.Errorf(posthaste.Protocol, "route name %q is not service/method", name)
	}
	return &inRoute{name: string(name), service: string(service), method: string(method)}, nil
}
