package fragment_test

import (
	"fmt"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/fragment"
)

func Example() {
	body := []byte("a message that is larger than a frame")
	a := fragment.NewAssembler(fragment.Limits{})
	begun := false
	for piece, more := range fragment.Split(body, 10, 16) { // on one node …
		if !begun { // … and on the other
			begun = true
			_ = a.Begin(1, uint64(len(body)), piece, 0)
			continue
		}
		whole, err := a.Add(1, piece, more, 0)
		fmt.Printf("%q %v\n", whole, err)
	}
	// Output:
	// "" <nil>
	// "a message that is larger than a frame" <nil>
}

func ExampleAssembler_Begin() {
	a := fragment.NewAssembler(fragment.Limits{Message: 1 << 20})
	err := a.Begin(1, 5<<30, []byte("a lie"), 0)
	fmt.Println(posthaste.CodeOf(err), a.Buffered())
	// Output: TOO_LARGE 0
}

func ExampleNext() {
	rest := [][]byte{[]byte("bulkbulkbulk"), []byte("small")}
	for len(rest) > 0 { // one piece of each message per turn
		piece, remaining := fragment.Next(rest[0], 4)
		fmt.Printf("%s ", piece)
		if rest = rest[1:]; len(remaining) > 0 {
			rest = append(rest, remaining)
		}
	}
	// Output: bulk smal bulk l bulk
}
