package posthaste_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
)

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct {
		text string
		want posthaste.Endpoint
		back string // what String returns, if not text
	}{
		{text: ""},
		{text: "127.0.0.1:7001", want: posthaste.Endpoint{Network: "tcp", Address: "127.0.0.1:7001"}},
		{text: ":7001", want: posthaste.Endpoint{Network: "tcp", Address: ":7001"}},
		{text: "[::1]:7001", want: posthaste.Endpoint{Network: "tcp", Address: "[::1]:7001"}},
		{text: "tcp:n2.example:0", want: posthaste.Endpoint{Network: "tcp", Address: "n2.example:0"}, back: "n2.example:0"},
		{text: "unix:/run/bank.sock", want: posthaste.Endpoint{Network: "unix", Address: "/run/bank.sock"}},
		{text: "unix:@bank", want: posthaste.Endpoint{Network: "unix", Address: "@bank"}},
		{text: "mem:a", want: posthaste.Endpoint{Network: "mem", Address: "a"}},
		// Hosts that are named like a network keep the prefix.
		{text: "tcp:unix:7001", want: posthaste.Endpoint{Network: "tcp", Address: "unix:7001"}},
		{text: "tcp:mem:7001", want: posthaste.Endpoint{Network: "tcp", Address: "mem:7001"}},
		{text: "tcp:tcp:7001", want: posthaste.Endpoint{Network: "tcp", Address: "tcp:7001"}},
	} {
		got, err := posthaste.ParseEndpoint(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseEndpoint(%q) = %#v, %v; want %#v", c.text, got, err, c.want)
		}
		if c.back == "" {
			c.back = c.text
		}
		if s := got.String(); s != c.back {
			t.Errorf("ParseEndpoint(%q).String() = %q, want %q", c.text, s, c.back)
		}
		if got.IsZero() != (c.text == "") {
			t.Errorf("ParseEndpoint(%q).IsZero() = %t", c.text, got.IsZero())
		}
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.0.0.1:", "::1:7001", "tcp:", "tcp:7001", "unix:", "mem:",
		"http://127.0.0.1:7001", "UNIX:/run/bank.sock", "quic:/7001", // a network we do not know is no host
		"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 7001",
		"a\nb:7001", "unix:/run/\x00", "mem:\x7f", "mem:\xff", // they would end up in keys, logs and JSON
	} {
		got, err := posthaste.ParseEndpoint(text)
		if !got.IsZero() || posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("ParseEndpoint(%q) = %#v, %v; want an INVALID_ARGUMENT", text, got, err)
		}
	}
}

func TestParseAddr(t *testing.T) {
	tcp := posthaste.Endpoint{Network: "tcp", Address: "10.0.0.7:7001"}
	for _, c := range []struct {
		text string
		want posthaste.Addr
	}{
		{"acc-1", posthaste.Addr{Name: "acc-1"}},
		{"$metrics", posthaste.Addr{Name: "$metrics"}},
		{"bank/Eu_1.0", posthaste.Addr{Name: "bank/Eu_1.0"}},
		{"acc-1@10.0.0.7:7001", posthaste.Addr{Name: "acc-1", Node: tcp}},
		{"#1f.18c2a", posthaste.Addr{ID: 0x1f, Incarnation: 0x18c2a}},
		{"#1.0@mem:a", posthaste.Addr{ID: 1, Node: posthaste.Endpoint{Network: "mem", Address: "a"}}},
		{"#ffffffffffffffff.ffffffffffffffff", posthaste.Addr{ID: 1<<64 - 1, Incarnation: 1<<64 - 1}},
		{"acc-1#1f.18c2a@10.0.0.7:7001", posthaste.Addr{Name: "acc-1", ID: 0x1f, Incarnation: 0x18c2a, Node: tcp}},
		{"a@unix:@b", posthaste.Addr{Name: "a", Node: posthaste.Endpoint{Network: "unix", Address: "@b"}}},
		{strings.Repeat("n", posthaste.MaxNameLen), posthaste.Addr{Name: strings.Repeat("n", posthaste.MaxNameLen)}},
	} {
		got, err := posthaste.ParseAddr(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseAddr(%q) = %#v, %v; want %#v", c.text, got, err, c.want)
		}
		if s := c.want.String(); s != c.text {
			t.Errorf("%#v.String() = %q, want %q", c.want, s, c.text)
		}
		if got.IsZero() {
			t.Errorf("ParseAddr(%q).IsZero() = true", c.text)
		}
	}
}

func TestParseAddrRefuses(t *testing.T) {
	for text, quoted := range map[string]string{
		"":                     `""`,
		"@10.0.0.7:7001":       `"@10.0.0.7:7001"`,
		"acc-1@":               `"acc-1@"`,
		"acc-1@n2":             `"n2"`,
		"acc 1":                `' '`,
		"compté":               `'é'`,
		"$":                    `"$"`,
		"$$a":                  `'$'`,
		"a$":                   `'$'`,
		"#":                    `"#"`,
		"#1":                   `"#1"`,
		"#1.":                  `"#1."`,
		"#.1":                  `"#.1"`,
		"#0.1":                 `"#0.1"`,
		"#1.2.3":               `"#1.2.3"`,
		"#+1.1":                `"#+1.1"`,
		"#0x1.1":               `"#0x1.1"`,
		"#1.\n":                `"#1.\n"`,
		"#1.1#2.2":             `"#1.1#2.2"`,
		"#10000000000000000.1": `"#10000000000000000.1"`,
		strings.Repeat("n", posthaste.MaxNameLen+1):     `"nnnn`,
		"$" + strings.Repeat("n", posthaste.MaxNameLen): `"$nnn`,
	} {
		got, err := posthaste.ParseAddr(text)
		if !got.IsZero() || posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("ParseAddr(%q) = %#v, %v; want an INVALID_ARGUMENT", text, got, err)
			continue
		}
		if !strings.Contains(err.Error(), quoted) {
			t.Errorf("ParseAddr(%q): %v; want the error to quote %s", text, err, quoted)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "azAZ09._/-": true, strings.Repeat("n", posthaste.MaxNameLen): true,
		"": false, "$a": false, "a b": false, "a\n": false, "a#b": false, "a@b": false, "a:b": false, "é": false, "\xff": false, "a*": false,
		strings.Repeat("n", posthaste.MaxNameLen+1): false,
	} {
		err := posthaste.CheckName(name)
		if (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
		if err != nil && posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("CheckName(%q) = %v, want an INVALID_ARGUMENT", name, err)
		}
	}
}

// TestAddrInJSON shows that addresses travel in messages and serve as keys, and
// that the zero values survive.
func TestAddrInJSON(t *testing.T) {
	type message struct {
		To, Nobody posthaste.Addr
		At, Here   posthaste.Endpoint
		Seen       map[posthaste.Endpoint]int
	}
	node := posthaste.Endpoint{Network: "tcp", Address: "10.0.0.7:7001"}
	sent := message{To: posthaste.Addr{Node: node, Name: "acc-1"}, At: node, Seen: map[posthaste.Endpoint]int{node: 3}}
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"To":"acc-1@10.0.0.7:7001","Nobody":"","At":"10.0.0.7:7001","Here":"","Seen":{"10.0.0.7:7001":3}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var got message
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.To != sent.To || got.At != sent.At || got.Seen[node] != 3 || !got.Nobody.IsZero() || !got.Here.IsZero() {
		t.Errorf("got %#v, want %#v", got, sent)
	}
	for _, bad := range []string{`{"To":"a b"}`, `{"At":"nowhere"}`} {
		if err := json.Unmarshal([]byte(bad), &got); posthaste.CodeOf(err) != posthaste.InvalidArgument {
			t.Errorf("Unmarshal(%s): %v, want an INVALID_ARGUMENT", bad, err)
		}
	}
}

// checkRefusal fails t unless err can be shown to the person who wrote text.
func checkRefusal(t *testing.T, text string, err error) {
	if code := posthaste.CodeOf(err); code != posthaste.InvalidArgument {
		t.Errorf("%q is refused with %v", text, code)
	}
	if strings.ContainsAny(err.Error(), "\n\x00") {
		t.Errorf("the error about %q is not one line: %q", text, err.Error())
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"", "127.0.0.1:7001", "[::1]:7001", "tcp:a:1", "tcp:unix:1", "tcp:tcp:1", "unix:/a", "mem:a", "UNIX:/a", "a\n:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := posthaste.ParseEndpoint(s)
		if err != nil {
			checkRefusal(t, s, err)
			return
		}
		if e.IsZero() != (s == "") {
			t.Errorf("ParseEndpoint(%q) = %#v", s, e)
		}
		again, err := posthaste.ParseEndpoint(e.String())
		if err != nil || again != e {
			t.Errorf("ParseEndpoint(%q) = %#v, whose text %q reads as %#v, %v", s, e, e.String(), again, err)
		}
		if back := again.String(); back != e.String() {
			t.Errorf("%#v has two texts, %q and %q", e, e.String(), back)
		}
	})
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"", "a", "$a", "a@b:1", "#1f.2", "a#1f.2@unix:/b", "a@tcp:mem:1", "a#1.\n", "a@@", "$", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := posthaste.ParseAddr(s)
		if err != nil {
			checkRefusal(t, s, err)
			return
		}
		if a.Name == "" && a.ID == 0 || len(a.Name) > posthaste.MaxNameLen {
			t.Errorf("ParseAddr(%q) = %#v", s, a)
		}
		again, err := posthaste.ParseAddr(a.String())
		if err != nil || again != a {
			t.Errorf("ParseAddr(%q) = %#v, whose text %q reads as %#v, %v", s, a, a.String(), again, err)
		}
	})
}
