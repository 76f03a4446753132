package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste/wire"
)

// TestGolden checks the vectors of testdata: the appenders make exactly these
// bytes, the parsers read exactly these fields, and both agree.
func TestGolden(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			var value any
			var again []byte
			var err error
			if v.name == "checksum" {
				value, again, err = decodeChecksum(v.frame)
			} else {
				value, again, err = decode(v.frame)
			}
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			sameBytes(t, v.frame, again)
			text := []string{v.about, wire.ParseHeader(v.frame).String()}
			checkFile(t, v.name, append(text, fields("", reflect.ValueOf(value))...), v.frame)
		})
	}
}

// TestGoldenRefusals checks the vectors of testdata/refuse, which no receiver
// may accept.
func TestGoldenRefusals(t *testing.T) {
	for _, r := range refusals() {
		if _, _, err := decode(r.frame); err != nil {
			checkFile(t, filepath.Join("refuse", r.name), []string{"Must be refused: " + err.Error()}, r.frame)
		} else {
			t.Errorf("%s was accepted", r.name)
		}
	}
}

// TestGoldenFiles finds files that no vector makes any more.
func TestGoldenFiles(t *testing.T) {
	known := map[string]bool{}
	for _, v := range vectors() {
		known[filepath.Join("testdata", v.name+".hex")] = true
	}
	for _, r := range refusals() {
		known[filepath.Join("testdata", "refuse", r.name+".hex")] = true
	}
	files, _ := filepath.Glob("testdata/*.hex")
	more, _ := filepath.Glob("testdata/refuse/*.hex")
	for _, file := range append(files, more...) {
		if !known[file] {
			t.Errorf("%s belongs to no vector; delete it", file)
		}
	}
}

// TestTruncated cuts every vector off at every byte, with the header's length
// made to match: each cut parses or is refused, and nothing panics.
func TestTruncated(t *testing.T) {
	for _, v := range vectors() {
		for n := range len(v.frame) {
			if _, _, _, ok := wire.Cut(v.frame[:n]); ok {
				t.Fatalf("%s: %d of %d bytes were cut as a whole frame", v.name, n, len(v.frame))
			}
			if n >= wire.HeaderLen {
				h := wire.ParseHeader(v.frame)
				checkFrame(t, rawFrame(h, string(v.frame[wire.HeaderLen:n])))
			}
		}
	}
}

// TestFlippedBits flips every bit of every vector.
func TestFlippedBits(t *testing.T) {
	for _, v := range vectors() {
		for bit := range len(v.frame) * 8 {
			frame := bytes.Clone(v.frame)
			frame[bit/8] ^= 1 << (bit % 8)
			h := wire.ParseHeader(frame)
			checkFrame(t, rawFrame(h, string(frame[wire.HeaderLen:])))
		}
	}
}

// checkFrame fails unless frame is either refused with an error of the right
// code, or accepted and appended again as the same bytes.
func checkFrame(t reporter, frame []byte) {
	t.Helper()
	_, again, err := decode(frame)
	if err == nil {
		sameBytes(t, frame, again)
		return
	}
	if !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrTooLarge) {
		t.Fatalf("frame % x: %v", frame, err)
	}
}

func decodeChecksum(frame []byte) (value any, again []byte, err error) {
	h, payload, err := wire.VerifyChecksum(frame)
	if err != nil {
		return nil, nil, err
	}
	value, again, err = decode(rawFrame(h, string(payload)))
	if err != nil {
		return nil, nil, err
	}
	again, err = wire.AppendChecksum(again, 0)
	return value, again, err
}

// checkFile compares the file of one vector, or writes it.
func checkFile(t *testing.T, name string, comment []string, frame []byte) {
	t.Helper()
	var b strings.Builder
	for _, line := range comment {
		fmt.Fprintf(&b, "# %s\n", line)
	}
	for row := frame; len(row) > 0; row = row[min(len(row), 16):] {
		fmt.Fprintf(&b, "% x\n", row[:min(len(row), 16)])
	}
	file := filepath.Join("testdata", name+".hex")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s differs; the wire changed, or run with -update\n was\n%s now\n%s", file, got, b.String())
	}
}

// fields lists what is set in v, one field a line.
func fields(name string, v reflect.Value) []string {
	switch {
	case v.Kind() == reflect.Struct:
		var lines []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && (f.Kind() != reflect.Slice || f.Len() > 0) {
				lines = append(lines, fields(strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), f)...)
			}
		}
		return lines
	case v.Type() == reflect.TypeFor[[]byte]():
		return []string{name + ": " + show(v.Bytes())}
	}
	text := fmt.Sprint(v)
	if _, named := v.Interface().(fmt.Stringer); named && v.CanUint() {
		text = fmt.Sprintf("%s (%d)", text, v.Uint())
	}
	return []string{strings.TrimPrefix(name+": "+text, ": ")}
}

func show(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return hex.EncodeToString(b)
		}
	}
	return fmt.Sprintf("%q", b)
}
