package codec

import "encoding/json"

// JSON is encoding/json, for peers that speak nothing else and for reading
// along. To encode costs as much as with [Msgpack], to decode two or three times
// as much. The zero JSON is ready.
type JSON struct {
	// Limits bound what Decode accepts; the zero value means the defaults. An
	// empty array or object counts as one element.
	Limits Limits
}

var _ Codec = JSON{}

// ID returns [IDJSON].
func (JSON) ID() uint8 { return IDJSON }

// Name returns "json".
func (JSON) Name() string { return "json" }

// Append encodes as [Codec] says, without the escapes that HTML needs and
// without a newline at the end.
func (JSON) Append(dst []byte, v any) ([]byte, error) {
	out := appender{b: dst}
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, refuse("encoding %T as json: %w", v, err)
	}
	return out.b[:len(out.b)-1], nil
}

// Decode decodes as [Codec] says. Unlike msgpack it refuses a number that the
// receiving integer cannot hold. Fields are matched as encoding/json does,
// also in another case.
func (j JSON) Decode(src []byte, v any) (err error) {
	if err := checkJSON(src, j.Limits.effective()); err != nil {
		return err
	}
	defer caught(&err, "json", v)
	if err := json.Unmarshal(src, v); err != nil {
		return refuse("decoding json into %T: %w", v, err)
	}
	return nil
}

// checkJSON measures b against l in one pass without allocating. It counts
// brackets and commas outside strings and leaves it to the decoder, which looks
// at the whole document before it builds anything, to find b malformed.
func checkJSON(b []byte, l Limits) error {
	depth, deepest, elements := 0, 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = closingQuote(b, i+1)
		case '[', '{':
			depth++
			elements++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		case ',':
			elements++
		}
	}
	if deepest > l.Depth {
		return l.tooDeep("json")
	}
	if elements > l.Elements {
		return l.tooMany("json")
	}
	return nil
}

// closingQuote returns where the string ends whose content begins at i; past
// the end of b if it does not.
func closingQuote(b []byte, i int) int {
	for i < len(b) && b[i] != '"' {
		if b[i] == '\\' {
			i++
		}
		i++
	}
	return i
}
