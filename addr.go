package posthaste

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameLen is the longest name of an actor, a service or a method, in bytes.
const MaxNameLen = 255

// Endpoint is where a node answers. The zero Endpoint means "this node".
//
// Its text form is the bare address for TCP ("127.0.0.1:7001") and
// "network:address" for every other network ("unix:/run/bank.sock", "mem:a"), and
// for a TCP host that bears the name of a network ("tcp:mem:7001").
// Endpoints are comparable and safe as map keys.
type Endpoint struct {
	Network string // "tcp", "unix" or "mem"; "" only in the zero Endpoint
	Address string
}

// ParseEndpoint reads the text form of an [Endpoint]. An empty string is the
// zero Endpoint. A TCP address needs a port number; the host may be empty
// (":7001"). No address has control characters or bytes that are not UTF-8. The
// error is an [*Error] with code [InvalidArgument].
func ParseEndpoint(s string) (Endpoint, error) {
	if s == "" {
		return Endpoint{}, nil
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return Endpoint{}, Errorf(InvalidArgument, "endpoint %q has control characters or is not UTF-8", s)
	}
	for _, network := range [...]string{"unix", "mem"} {
		if rest, ok := strings.CutPrefix(s, network+":"); ok {
			if rest == "" {
				return Endpoint{}, Errorf(InvalidArgument, "endpoint %q has no address after %q", s, network+":")
			}
			return Endpoint{Network: network, Address: rest}, nil
		}
	}
	address := strings.TrimPrefix(s, "tcp:")
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return Endpoint{}, Errorf(InvalidArgument, "endpoint %q is not host:port, unix:path or mem:name", s)
	}
	return Endpoint{Network: "tcp", Address: address}, nil
}

// IsZero reports whether e is the zero Endpoint, this node.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// String returns the text form, which [ParseEndpoint] reads.
func (e Endpoint) String() string {
	if e.IsZero() {
		return ""
	}
	if host, _, _ := strings.Cut(e.Address, ":"); e.Network == "tcp" && host != "tcp" && host != "unix" && host != "mem" {
		return e.Address
	}
	return e.Network + ":" + e.Address
}

// MarshalText implements [encoding.TextMarshaler].
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (e *Endpoint) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEndpoint(string(b))
	return err
}

// Addr names one actor on one node. It is a value: copy it, compare it, put it
// in a message.
//
// An Addr with a Name reaches whichever actor bears that name when the message
// arrives. An Addr with an ID reaches exactly one actor in one run of its node:
// after the actor stops, or the node restarts, calls fail with [ActorNotFound]
// or [StaleIncarnation] instead of reaching a successor.
//
// The text form is name, then #id.incarnation in hexadecimal if there is an ID,
// then @endpoint unless the actor is local:
//
//	acc-1
//	acc-1@10.0.0.7:7001
//	#1f.18c2a@unix:/run/bank.sock
//	acc-1#1f.18c2a@10.0.0.7:7001
type Addr struct {
	Node        Endpoint // where the actor's node answers; zero means this node
	Name        string   // name on that node, "" for an anonymous actor
	ID          uint64   // number on that node, 0 to address by Name
	Incarnation uint64   // run of the node that ID belongs to
}

// ParseAddr reads the text form of an [Addr]. The error is an [*Error] with
// code [InvalidArgument] that quotes what is wrong.
func ParseAddr(s string) (Addr, error) {
	var a Addr
	rest, node, remote := strings.Cut(s, "@")
	if remote {
		var err error
		if a.Node, err = ParseEndpoint(node); err != nil {
			return Addr{}, err
		}
		if a.Node.IsZero() {
			return Addr{}, Errorf(InvalidArgument, "address %q has no endpoint after @", s)
		}
	}
	name, number, numbered := strings.Cut(rest, "#")
	a.Name = name
	if numbered {
		id, incarnation, _ := strings.Cut(number, ".")
		var err1, err2 error
		a.ID, err1 = strconv.ParseUint(id, 16, 64)
		a.Incarnation, err2 = strconv.ParseUint(incarnation, 16, 64)
		if err1 != nil || err2 != nil || a.ID == 0 {
			return Addr{}, Errorf(InvalidArgument, "address %q needs #id.incarnation in hexadecimal", s)
		}
	}
	switch {
	case strings.TrimPrefix(name, "$") == "" && (name != "" || !numbered):
		return Addr{}, Errorf(InvalidArgument, "address %q names no actor", s)
	case name != "":
		if err := checkName(name, "$"); err != nil {
			return Addr{}, err
		}
	}
	return a, nil
}

// IsZero reports whether a names nothing.
func (a Addr) IsZero() bool { return a == Addr{} }

// String returns the text form, which [ParseAddr] reads.
func (a Addr) String() string {
	var b strings.Builder
	b.WriteString(a.Name)
	if a.ID != 0 {
		fmt.Fprintf(&b, "#%x.%x", a.ID, a.Incarnation)
	}
	if !a.Node.IsZero() {
		b.WriteByte('@')
		b.WriteString(a.Node.String())
	}
	return b.String()
}

// MarshalText implements [encoding.TextMarshaler].
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *Addr) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*a = Addr{}
		return nil
	}
	*a, err = ParseAddr(string(b))
	return err
}

// CheckName reports whether s can name an actor, a service or a method: 1 to
// [MaxNameLen] bytes of letters, digits, dot, underscore, slash and hyphen. Names
// that begin with $ belong to the runtime and are refused here. The error is an
// [*Error] with code [InvalidArgument].
func CheckName(s string) error { return checkName(s, "") }

// checkName is CheckName for a name that may begin with prefix.
func checkName(s, prefix string) error {
	if s == "" {
		return Errorf(InvalidArgument, "a name is empty; it needs 1 to %d characters", MaxNameLen)
	}
	if len(s) > MaxNameLen {
		return Errorf(InvalidArgument, "name %.20q… has %d bytes; the limit is %d", s, len(s), MaxNameLen)
	}
	start := len(s) - len(strings.TrimPrefix(s, prefix))
	for i, r := range s[start:] {
		if !nameRune(r) {
			return Errorf(InvalidArgument, "name %q has %q at byte %d; allowed are letters, digits and . _ / -", s, r, start+i)
		}
	}
	return nil
}

func nameRune(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r == '.' || r == '_' || r == '/' || r == '-'
}
