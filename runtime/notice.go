package runtime

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/codec"
	"github.com/posthaste-go/posthaste/wire"
)

// notice takes in a frame that no call waits for. An error breaks the connection.
// What is only parsed here, nothing depends on yet.
func (s *session) notice(h wire.Header, payload []byte) error {
	switch h.Kind {
	case wire.KindGoAway:
		return s.goAway(payload)
	case wire.KindCredit:
		if h.ID == 0 {
			_, err := wire.ParseLimit(payload)
			return err
		}
		var c wire.Credit
		return c.Parse(payload)
	case wire.KindControl:
		return s.controlled(payload)
	case wire.KindExt:
		var e wire.Ext
		if err := e.Parse(h, payload); err != nil {
			return err
		}
		if e.Required {
			return posthaste.Errorf(posthaste.Protocol, "EXT of kind %#x is required, and not known here", e.Kind)
		}
	}
	return nil
}

func (s *session) controlled(payload []byte) error {
	var f wire.ControlFrame
	if err := f.Parse(payload); err != nil {
		return err
	}
	if f.Sub == wire.SubUndefine {
		s.in.routes.undefine(f.Route)
	}
	return nil
}

// reset takes in that the peer gives up a request of its own, or what this side has
// asked it.
func (s *session) reset(id uint32, payload []byte) error {
	code, err := wire.ParseReset(payload)
	switch {
	case err != nil:
		return err
	case wire.IDFromClient(id) == s.pending.client:
		s.in.partials.drop(id)
		if w, _ := s.pending.take(id); w != nil {
			e := posthaste.Errorf(max(code, posthaste.Canceled), "the peer gave up the request")
			e.Peer = s.conn.Remote()
			w.fail(e)
		}
		return nil
	}
	if in := s.in.partials.drop(id); in != nil {
		s.refuse(in, posthaste.Errorf(posthaste.Canceled, "its sender gave up before its end"))
		return nil
	}
	s.cancelServing(id)
	return nil
}

// goAway takes in that the peer wants the connection to end.
func (s *session) goAway(payload []byte) error {
	var g wire.GoAway
	if err := g.Parse(payload); err != nil {
		return err
	}
	s.rt.pool.Drop(s.conn)
	s.rt.services.part(s)
	switch {
	case g.Phase != wire.PhaseFinal:
	case g.Code == posthaste.Draining:
		s.cut.Store(g.Accepted + 1)
		s.pending.cut(g.Accepted, s.shutDown())
	default: // it says that this side broke the protocol, and answers nothing more
		why := posthaste.Errorf(posthaste.ConnLost, "%v ended the connection: %v: %s",
			s.conn.Remote(), g.Code, strings.ToValidUTF8(string(g.Message), "\uFFFD"))
		s.conn.Close(why)
		s.end(why)
	}
	return nil
}

// shutDown is the end of a request that a node did not take in before it left.
func (s *session) shutDown() *posthaste.Error {
	e := posthaste.Errorf(posthaste.Draining, "%v shut down before it took the request in", s.conn.Remote())
	e.Peer = s.conn.Remote()
	return e
}

// farewell waits for the answer to an ask that means nothing, which says that the
// peer has taken in all that was sent before, and this side all that the peer had
// sent by then.
type farewell struct{ *sync.WaitGroup }

func (f farewell) fail(error)            { f.Done() } // whatever the answer
func (f farewell) sentAfter(uint64) bool { return false }

// askFarewell adds the answer of a peer to what f waits for.
func (s *session) askFarewell(f farewell) {
	f.Add(1)
	id, err := s.pending.add(f)
	if err != nil {
		f.Done()
		return
	}
	o := outgoing{kind: wire.KindAsk, id: id, method: &leave, far: s.rt.services.nodeOf(), codec: codec.IDRaw}
	if s.send(&o) != nil {
		if w, _ := s.pending.take(id); w != nil {
			f.Done()
		}
	}
	s.conn.Flush()
}

// leave is what farewell asks. No node binds it: the answer is an error.
var leave = makeMethod("$leave", posthaste.VerbAsk, nil)

// end lets go of everything that depends on the connection. It runs on the loop, as
// soon as nothing more can come: the connection itself may linger until the peer
// has read the last bytes.
func (s *session) end(err error) {
	if s.in.over {
		return
	}
	s.in.over = true
	s.rt.pool.Drop(s.conn) // before anybody is woken, who may call again at once
	s.rt.services.part(s)
	e, ok := err.(*posthaste.Error)
	if !ok || e.Code != posthaste.ConnLost {
		level := slog.LevelWarn
		if ok && e.Code == posthaste.Draining {
			level = slog.LevelDebug // this node stops
		}
		s.rt.log.Log(context.Background(), level, "a connection ended with an error", "peer", s.conn.Remote().String(), "error", err)
		e = posthaste.Errorf(posthaste.ConnLost, "the connection to %v ended: %w", s.conn.Remote(), err)
	}
	lost := *e
	lost.Status, lost.Peer = posthaste.StatusUnknown, s.conn.Remote() // who was asked may have run
	s.pending.failAll(&lost)
	s.loseServing(&lost)
	s.in.partials.close()
}
