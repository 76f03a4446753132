package codec

import "github.com/posthaste-go/posthaste"

// reserved names the codecs whose ids are posthaste's.
var reserved = [FirstUserID]string{
	IDRaw:      "raw",
	IDMsgpack:  "msgpack",
	IDProtobuf: "protobuf",
	IDJSON:     "json",
}

// Set is the codecs that a node speaks, by id and by name. It does not change
// once made, so many goroutines may use it. The zero Set is empty.
type Set struct {
	byID   [256]Codec
	byName map[string]Codec
}

// NewSet returns a set of codecs. It refuses, with code InvalidArgument, a nil
// codec, an id or a name that occurs twice, a codec without a name, and an id
// below [FirstUserID] under any other than posthaste's name for it.
func NewSet(codecs ...Codec) (*Set, error) {
	s := &Set{byName: make(map[string]Codec, len(codecs))}
	for i, c := range codecs {
		if c == nil {
			return nil, posthaste.Errorf(posthaste.InvalidArgument, "codec %d of %d is nil", i+1, len(codecs))
		}
		if err := s.add(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) add(c Codec) error {
	id, name := c.ID(), c.Name()
	if name == "" {
		return posthaste.Errorf(posthaste.InvalidArgument, "codec %d (%T) has no name", id, c)
	}
	if id < FirstUserID && name != reserved[id] {
		return posthaste.Errorf(posthaste.InvalidArgument,
			"codec %q has id %d, which is reserved; take one from %d on", name, id, FirstUserID)
	}
	if other := s.byID[id]; other != nil {
		return posthaste.Errorf(posthaste.InvalidArgument, "codecs %q and %q have the same id %d", other.Name(), name, id)
	}
	if other := s.byName[name]; other != nil {
		return posthaste.Errorf(posthaste.InvalidArgument, "codecs %d and %d have the same name %q", other.ID(), id, name)
	}
	s.byID[id], s.byName[name] = c, c
	return nil
}

// ByID returns the codec with that id, nil if there is none. It is one look
// into an array.
func (s *Set) ByID(id uint8) Codec { return s.byID[id] }

// ByName returns the codec of that name, nil if there is none.
func (s *Set) ByName(name string) Codec { return s.byName[name] }
