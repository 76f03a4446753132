package runtime

import (
	"runtime"
	"unsafe"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/eventloop"
	"github.com/posthaste-go/posthaste/mailbox"
	"github.com/posthaste-go/posthaste/wire"
)

// incoming is the half of a session that its connection's loop owns.
type incoming struct {
	routes   inRoutes
	partials partials // shared with the sweeper
	now      int64    // clock reading of this read batch, 0 before it is needed
	over     bool     // the connection has ended, or is about to: see end

	// A run of messages for one actor goes into its mailbox in one piece.
	run  []envelope
	cell *cell
	lane mailbox.Lane

	settled []*call // answered by this batch, to be woken at its end
	refused bool    // this batch has queued answers, to be flushed at its end
}

// links is what the connections of a runtime call.
type links struct{ rt *Runtime }

var _ eventloop.Handler = links{}

// Opened implements eventloop.Handler.
func (l links) Opened(conn *eventloop.Conn) {
	s := l.rt.newSession(conn)
	conn.SetContext(s)
	l.rt.sessions.Store(s, nil)
	l.rt.pool.Adopt(conn)
	l.rt.services.join(s)
}

// Frame implements eventloop.Handler.
func (links) Frame(conn *eventloop.Conn, h wire.Header, payload []byte) {
	s := sessionOf(conn)
	var err error
	switch {
	case h.Flags&wire.FlagCompressed != 0 && h.Kind <= wire.KindData, h.Kind == wire.KindBatch:
		err = posthaste.Errorf(posthaste.Protocol, "%v is compressed, which was not agreed on", h.Kind)
	default:
		err = s.frame(h, payload)
	}
	if err != nil {
		why := violation(err)
		conn.Fail(why)
		s.end(why)
	}
}

// frame takes in one frame. An error breaks the connection.
func (s *session) frame(h wire.Header, payload []byte) (err error) {
	switch h.Kind {
	case wire.KindAsk, wire.KindTell, wire.KindOpen:
		err = s.request(h, payload)
	case wire.KindReply:
		err = s.replied(h, payload)
	case wire.KindError:
		err = s.failed(h, payload)
	case wire.KindData:
		err = s.data(h, payload)
	case wire.KindReset:
		err = s.reset(h.ID, payload)
	default:
		err = s.notice(h, payload)
	}
	return err
}

// Idle implements eventloop.Handler.
func (links) Idle(conn *eventloop.Conn) {
	s := sessionOf(conn)
	s.deliver()
	s.in.now = 0
	for i, a := range s.in.settled {
		a.settle()
		s.in.settled[i] = nil
	}
	woken := len(s.in.settled) > 0
	s.in.settled = s.in.settled[:0]
	if s.in.refused {
		s.in.refused = false
		conn.Flush() // not without need: callers gather their frames meanwhile
	}
	if woken {
		// The loop is about to poll again. Those that were just woken go first:
		// a lone caller is a system call sooner on its way.
		runtime.Gosched()
	}
}

// Closed implements eventloop.Handler.
func (l links) Closed(conn *eventloop.Conn, err error) {
	s := sessionOf(conn)
	for _, a := range s.in.settled {
		a.settle()
	}
	s.in.settled = nil
	s.deliver()
	l.rt.sessions.Delete(s)
	s.end(err)
	close(s.gone)
}

// request takes in an ask, a tell or the opening of a stream, or its first
// fragment.
func (s *session) request(h wire.Header, payload []byte) error {
	var q wire.Request
	if err := q.Parse(h, payload); err != nil {
		return err
	}
	route, err := s.in.routes.find(&q)
	if err != nil {
		return err
	}
	in := inbounds.Get().(*inbound)
	in.session, in.id, in.route, in.priority = s, h.ID, route, h.Priority
	in.verb, in.deadline = verbOf(h.Kind), 0
	if q.Deadline != 0 {
		in.deadline = s.now() + int64(wire.DeadlineDuration(q.Deadline))
	}
	if in.verb != posthaste.VerbTell {
		if err := s.take(in); err != nil {
			in.free()
			return err
		}
	}
	if in.codec, err = s.codecID(h, q.Meta); err != nil {
		s.refuse(in, err)
		return nil
	}
	a, err := s.find(route, &q.Target)
	if err != nil {
		s.refuse(in, err)
		return nil
	}
	if q.More {
		return s.beginPartial(in, a, &q)
	}
	if len(q.Body) > 0 {
		in.body = s.conn.Keep(q.Body)
	}
	s.accept(a, in)
	return nil
}

func verbOf(k wire.Kind) posthaste.Verb {
	switch k {
	case wire.KindTell:
		return posthaste.VerbTell
	case wire.KindOpen:
		return posthaste.VerbOpen
	}
	return posthaste.VerbAsk
}

// now returns the time of this read batch.
func (s *session) now() int64 {
	if s.in.now == 0 {
		s.in.now = s.rt.clock.Now()
	}
	return s.in.now
}

// find returns the actor that a request is for.
func (s *session) find(route *inRoute, t *wire.Target) (*cell, error) {
	if s.rt.refusing.Load() {
		return nil, posthaste.Errorf(posthaste.Draining, "%s is shutting down; call another node", s.rt.name)
	}
	if !t.Set {
		if route.served == nil {
			if route.served = s.rt.services.servedBy(route.service); route.served == nil {
				return nil, posthaste.Errorf(posthaste.NoEndpoint, "%s does not serve %q; publish it there with rt.Serve", s.rt.name, route.service)
			}
		}
		return route.served.actor()
	}
	switch t.Kind {
	case wire.TargetPID:
		return s.rt.lookup(posthaste.Addr{ID: t.ID, Incarnation: t.Incarnation})
	case wire.TargetName:
		if a := s.rt.actors.byName(t.Name); a != nil {
			return a, nil
		}
		return nil, s.rt.notFound(posthaste.Addr{Name: string(t.Name)})
	}
	return nil, posthaste.Errorf(posthaste.Unimplemented, "this node has no keyed actors")
}

// accept puts a whole request on its way to the actor's mailbox.
func (s *session) accept(a *cell, in *inbound) {
	in.handler = in.route.resolve(a.kind)
	if in.handler == nil || in.handler.method.verb != in.verb {
		s.refuse(in, a.kind.unimplemented(in.route.method))
		return
	}
	if err := in.hold(); err != nil {
		s.refuse(in, err)
		return
	}
	e := envelope{method: in.handler.method, form: formInbound}
	e.body.p = unsafe.Pointer(in)
	lane := laneOf(in.priority)
	if a != s.in.cell || lane != s.in.lane {
		s.deliver()
		s.in.cell, s.in.lane = a, lane
	}
	s.in.run = append(s.in.run, e)
}

// refuse answers a request with an error on the loop. The answer leaves with the
// others of the batch.
func (s *session) refuse(in *inbound, err error) {
	if in.answer(nil, err) {
		s.in.refused = true
	}
}

// deliver pushes the run of messages that has come together.
func (s *session) deliver() {
	run := s.in.run
	if len(run) == 0 {
		return
	}
	a := s.in.cell
	n, woken, _ := a.box.PushAll(s.in.lane, run)
	if woken {
		a.rt.executor.Schedule(&a.task, nil)
	}
	for i := n; i < len(run); i++ { // refused, or for the policy to decide
		if err := a.push(&run[i], s.in.lane, nil); err != nil {
			s.refuse((*inbound)(run[i].body.p), err)
		}
	}
	clear(run)
	s.in.run, s.in.cell = run[:0], nil
}

// beginPartial keeps the first fragment of a request.
func (s *session) beginPartial(in *inbound, a *cell, q *wire.Request) error {
	if in.id == 0 {
		s.refuse(in, posthaste.Errorf(posthaste.Protocol, "a fragmented tell needs an id"))
		return posthaste.Errorf(posthaste.Protocol, "a fragmented tell needs an id")
	}
	if s.in.partials.has(in.id) { // a tell: take has looked after the others
		return posthaste.Errorf(posthaste.Protocol, "message %#x begins again before its end", in.id)
	}
	if h := in.route.resolve(a.kind); h == nil || h.method.verb != in.verb { // before all of it has come
		s.refuse(in, a.kind.unimplemented(in.route.method))
		return nil
	}
	in.actor = a
	if err := s.in.partials.begin(in.id, in, q.Total, q.Body, s.now()); err != nil {
		s.refuse(in, err)
		return nil // the rest is for an id that is not open: ignored
	}
	s.rt.watch.wake() // should it never end
	return nil
}

// data takes in the next fragment of a message, or an item of a stream.
func (s *session) data(h wire.Header, payload []byte) error {
	var d wire.Data
	if err := d.Parse(h, payload); err != nil {
		return err
	}
	if wire.IDFromClient(h.ID) == s.pending.client {
		return s.answerData(h, &d)
	}
	whole, in, err := s.in.partials.add(h.ID, d.Body, d.More, s.now())
	switch {
	case in == nil: // there is more to come, or the message was refused
	case err != nil:
		s.refuse(in, err)
	default:
		in.body = whole
		s.accept(in.actor, in)
	}
	return nil
}

// answerData is data for the answer to something that this side has asked.
func (s *session) answerData(h wire.Header, d *wire.Data) error {
	w, open := s.pending.get(h.ID)
	if !open {
		s.rt.counters.lateReplies.Add(1)
		return nil
	}
	if r, ok := w.(*remoteStream); ok {
		return s.streamData(h, d, r)
	}
	if w == nil { // nobody waits for the reply any more, or it was too large
		s.in.partials.drop(h.ID)
		if !d.More {
			s.takeCall(h.ID)
		}
		return nil
	}
	if !s.in.partials.has(h.ID) {
		return posthaste.Errorf(posthaste.Protocol, "DATA for ask %#x came before its REPLY", h.ID)
	}
	whole, _, err := s.in.partials.add(h.ID, d.Body, d.More, s.now())
	switch {
	case !d.More:
		s.complete(h, whole, err)
	case err != nil:
		s.giveUp(h.ID, w, err)
		s.in.refused = true
	}
	return nil
}

// replied takes in the answer to an ask, or its first fragment.
func (s *session) replied(h wire.Header, payload []byte) error {
	var r wire.Reply
	if err := r.Parse(h, payload); err != nil {
		return err
	}
	if !r.More {
		id, err := s.codecID(h, r.Meta)
		return s.completeBody(h.ID, id, r.Body, err)
	}
	w, open := s.pending.get(h.ID)
	a, _ := w.(*call)
	if !open || a == nil {
		return nil // its end will free the place
	}
	id, err := s.codecID(h, r.Meta)
	if err == nil {
		a.codec = id
		err = s.in.partials.begin(h.ID, nil, r.Total, r.Body, s.now())
	}
	if err != nil {
		s.giveUp(h.ID, a, err)
		s.in.refused = true
	}
	s.rt.watch.wake() // should it never end
	return nil
}

// complete hands a whole reply that came in fragments to its asker.
func (s *session) complete(h wire.Header, whole []byte, err error) {
	if a, ok := s.takeCall(h.ID); ok {
		a.body, a.err = whole, s.unreadable(err)
		s.in.settled = append(s.in.settled, a)
	}
}

// completeBody hands a reply that came in one frame to its asker.
func (s *session) completeBody(id uint32, codec uint8, body []byte, err error) error {
	a, ok := s.takeCall(id)
	if !ok {
		return nil
	}
	a.codec, a.err = codec, s.unreadable(err)
	if len(body) > 0 {
		a.body = s.conn.Keep(body)
	}
	s.in.settled = append(s.in.settled, a)
	return nil
}

// takeCall ends the ask with an id and returns it if its asker still waits.
func (s *session) takeCall(id uint32) (*call, bool) {
	w, _ := s.pending.take(id)
	a, ok := w.(*call)
	switch {
	case ok:
	case w == nil:
		s.rt.counters.lateReplies.Add(1)
	default:
		w.fail(s.unreadable(posthaste.Errorf(posthaste.Protocol, "the peer answered a stream with a REPLY")))
	}
	return a, ok
}

// failed takes in the error that ends an ask or a stream.
func (s *session) failed(h wire.Header, payload []byte) error {
	var f wire.Failure
	if err := f.Parse(payload); err != nil {
		return err
	}
	err := f.Err()
	err.Peer = s.conn.Remote()
	if h.ID == 0 { // about the connection
		s.conn.Close(err)
		s.end(err)
		return nil
	}
	s.in.partials.drop(h.ID)
	w, _ := s.pending.take(h.ID)
	if w == nil {
		s.rt.counters.lateReplies.Add(1)
		return nil
	}
	w.fail(err)
	return nil
}

// violation returns the error that a connection ends with.
func violation(err error) *posthaste.Error {
	if e, ok := err.(*posthaste.Error); ok {
		return e
	}
	return posthaste.Errorf(posthaste.Protocol, "%w", err)
}
