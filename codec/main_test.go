package codec_test

import (
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-go/posthaste"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wantRefused fails unless err has the code and mentions text.
func wantRefused(t *testing.T, err error, code posthaste.Code, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want %v with %q", code, text)
	}
	if posthaste.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("got error %q; want %v with %q", err, code, text)
	}
}

// allocated returns how many bytes f takes from the heap, given back or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
