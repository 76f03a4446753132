package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// These tests hold SPEC.md to the code, table by table.

// specRows returns the cells of the rows of one section whose first is a number.
func specRows(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n"+heading)
	if !ok {
		t.Fatalf("SPEC.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if _, err := strconv.Atoi(cells[0]); err == nil {
			rows = append(rows, cells)
		}
	}
	return rows
}

func TestSpecErrorCodes(t *testing.T) {
	retries := map[posthaste.RetryHint]string{
		posthaste.RetryNever: "never", posthaste.RetrySame: "same", posthaste.RetryOther: "other", posthaste.RetryAfter: "after",
	}
	listed := map[posthaste.Code]bool{}
	for _, row := range specRows(t, "## 7 Error codes") {
		n, _ := strconv.Atoi(row[0])
		c := posthaste.Code(n)
		listed[c] = true
		got := fmt.Sprint(row[1:4])
		if want := fmt.Sprint([]string{c.String(), c.Status().String(), retries[c.Retry()]}); got != want {
			t.Errorf("SPEC.md has code %d as %s, the code has %s", n, got, want)
		}
		if len(row) != 5 || row[4] == "" {
			t.Errorf("code %d has no reason", n)
		}
	}
	for c := range posthaste.FirstApplication {
		if named := !strings.HasPrefix(c.String(), "CODE("); named != listed[c] {
			t.Errorf("code %d, %v: named %v, in SPEC.md %v", c, c, named, listed[c])
		}
	}
}

func TestSpecKinds(t *testing.T) {
	rows := specRows(t, "### 2.1 Kinds")
	if len(rows) != 16 {
		t.Fatalf("SPEC.md has %d kinds, want 16", len(rows))
	}
	for n, row := range rows {
		k := wire.Kind(n)
		if row[0] != strconv.Itoa(n) || row[1] != k.String() && k != 14 {
			t.Errorf("SPEC.md has %s %s, want %d %v", row[0], row[1], n, k)
		}
		if k == wire.KindExt {
			continue
		}
		if got, want := specFlags(row[3]), wire.AllowedFlags(k); got != want {
			t.Errorf("SPEC.md allows %08b on %v, the code %08b", got, k, want)
		}
	}
}

func specFlags(cell string) (f wire.Flags) {
	names := map[string]wire.Flags{
		"MORE": wire.FlagMore, "END": wire.FlagEnd, "COMPRESSED": wire.FlagCompressed, "META": wire.FlagMeta,
		"DEADLINE": wire.FlagDeadline, "TARGET": wire.FlagTarget, "DEFINE": wire.FlagDefine, "IDEMPOTENT": wire.FlagIdempotent,
		"CREDIT": wire.FlagCredit, "LOAD": wire.FlagLoad, "TOTAL": wire.FlagTotal,
		"TELL": wire.AllowedFlags(wire.KindTell), // "as TELL"
	}
	for word := range strings.FieldsSeq(strings.ReplaceAll(cell, ",", "")) {
		f |= names[word]
	}
	return f
}

func TestSpecHelloFields(t *testing.T) {
	var got, want []string
	for _, row := range specRows(t, "### 5.2 HELLO") {
		got = append(got, row[0]+" "+row[1])
	}
	wire.HelloFields(func(number uint64, name string, mutable bool) {
		want = append(want, fmt.Sprint(number, " ", name))
		if in := strings.Contains("labels epoch clock", name); in != mutable {
			t.Errorf("field %s may change in CONFIG: %v in the code, %v in SPEC.md", name, mutable, in)
		}
	})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("SPEC.md has the fields\n%s\nthe code has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSpecExamples: the bytes in section 10 are those of the vectors they name.
func TestSpecExamples(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string][]byte{}
	for _, v := range vectors() {
		frames[v.name] = v.frame
	}
	_, section, _ := strings.Cut(string(text), "\n## 10 ")
	examples := regexp.MustCompile("(?s)`([a-z-]+)\\.hex`[^`]*(?:`[^`\n]+`[^`]*)*```\n(.*?)\n```").FindAllStringSubmatch(section, -1)
	if len(examples) < 6 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, e := range examples {
		got, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "", "\n", "").Replace(e[2]))
		if err != nil || !bytes.Equal(got, frames[e[1]]) {
			t.Errorf("example %s is\n% x, %v; the vector is\n% x", e[1], got, err, frames[e[1]])
		}
	}
}
