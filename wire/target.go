package wire

import (
	"encoding/binary"
	"math"
)

// TargetKind says how a request names its actor.
type TargetKind uint8

// The kinds of target.
const (
	TargetKey  TargetKind = 0 // a key that the service maps to an actor
	TargetPID  TargetKind = 1 // one actor in one run of its node
	TargetName TargetKind = 2 // whichever actor bears the name
)

// Target is the actor that a request is for. The zero Target names none: the
// route's service decides.
type Target struct {
	Kind        TargetKind
	Set         bool   // false: no target
	Key         []byte // TargetKey: any 1 to MaxName bytes
	ID          uint64 // TargetPID: the actor's number on its node, not 0
	Incarnation uint64 // TargetPID: the run of the node
	Name        []byte // TargetName: a name
}

func (t *Target) check() error {
	if !t.Set {
		return nil
	}
	switch t.Kind {
	case TargetKey:
		if len(t.Key) == 0 {
			return invalid("target key is empty")
		}
		if len(t.Key) > MaxName {
			return tooLarge("target key has %d bytes; the limit is %d", len(t.Key), MaxName)
		}
		return nil
	case TargetPID:
		if t.ID == 0 {
			return invalid("target pid is 0, which names no actor")
		}
		return nil
	case TargetName:
		return checkName("target name", t.Name)
	}
	return invalid("target kind is %d; the highest is %d", t.Kind, TargetName)
}

func (t *Target) append(dst []byte) []byte {
	dst = append(dst, byte(t.Kind))
	switch t.Kind {
	case TargetKey:
		return appendBlock(dst, t.Key)
	case TargetPID:
		return binary.AppendUvarint(binary.AppendUvarint(dst, t.ID), t.Incarnation)
	}
	return appendBlock(dst, t.Name)
}

func (t *Target) size() int {
	switch t.Kind {
	case TargetKey:
		return 1 + blockLen(t.Key)
	case TargetPID:
		return 1 + uvarintLen(t.ID) + uvarintLen(t.Incarnation)
	}
	return 1 + blockLen(t.Name)
}

func (t *Target) parse(c *cursor) {
	t.Set = true
	t.Kind = TargetKind(c.u8("target kind"))
	switch t.Kind {
	case TargetKey:
		t.Key = c.some("target key", MaxName)
	case TargetPID:
		t.ID = c.uvarint("target pid", math.MaxUint64)
		t.Incarnation = c.u64("target incarnation")
		if t.ID == 0 {
			c.fail(malformed("%v target pid is 0, which names no actor", c.kind))
		}
	case TargetName:
		t.Name = c.name("target name")
	default:
		c.fail(malformed("%v target kind is %d; the highest is %d", c.kind, t.Kind, TargetName))
	}
}
