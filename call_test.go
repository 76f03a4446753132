package posthaste_test

import (
	"testing"

	"github.com/posthaste-go/posthaste"
)

func TestVerbString(t *testing.T) {
	for verb, want := range map[posthaste.Verb]string{
		posthaste.VerbAsk: "ask", posthaste.VerbTell: "tell", posthaste.VerbOpen: "open", 3: "Verb(3)", 255: "Verb(255)",
	} {
		if got := verb.String(); got != want {
			t.Errorf("Verb(%d).String() = %q, want %q", uint8(verb), got, want)
		}
	}
}
