package posthaste_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
)

// codes pins what crosses the wire and stands in dashboards. A row may be added,
// never changed.
var codes = []struct {
	code   posthaste.Code
	number uint32
	name   string
	status posthaste.Status
	retry  posthaste.RetryHint
}{
	{posthaste.OK, 0, "OK", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.Canceled, 1, "CANCELED", posthaste.StatusUnknown, posthaste.RetryNever},
	{posthaste.Unknown, 2, "UNKNOWN", posthaste.StatusUnknown, posthaste.RetryNever},
	{posthaste.InvalidArgument, 3, "INVALID_ARGUMENT", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.DeadlineExceeded, 4, "DEADLINE_EXCEEDED", posthaste.StatusUnknown, posthaste.RetryNever},
	{posthaste.NotFound, 5, "NOT_FOUND", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.AlreadyExists, 6, "ALREADY_EXISTS", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.PermissionDenied, 7, "PERMISSION_DENIED", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.ResourceExhausted, 8, "RESOURCE_EXHAUSTED", posthaste.StatusNotExecuted, posthaste.RetryAfter},
	{posthaste.FailedPrecondition, 9, "FAILED_PRECONDITION", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.Aborted, 10, "ABORTED", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.OutOfRange, 11, "OUT_OF_RANGE", posthaste.StatusExecuted, posthaste.RetryNever},
	{posthaste.Unimplemented, 12, "UNIMPLEMENTED", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.Internal, 13, "INTERNAL", posthaste.StatusUnknown, posthaste.RetryNever},
	{posthaste.Unavailable, 14, "UNAVAILABLE", posthaste.StatusUnknown, posthaste.RetryOther},
	{posthaste.DataLoss, 15, "DATA_LOSS", posthaste.StatusUnknown, posthaste.RetryNever},
	{posthaste.Unauthenticated, 16, "UNAUTHENTICATED", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.Overloaded, 32, "OVERLOADED", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.MailboxFull, 33, "MAILBOX_FULL", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.RateLimited, 34, "RATE_LIMITED", posthaste.StatusNotExecuted, posthaste.RetryAfter},
	{posthaste.Draining, 35, "DRAINING", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.ActorNotFound, 36, "ACTOR_NOT_FOUND", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.StaleIncarnation, 37, "STALE_INCARNATION", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.WrongNode, 38, "WRONG_NODE", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.ActorStopped, 39, "ACTOR_STOPPED", posthaste.StatusUnknown, posthaste.RetryOther},
	{posthaste.NoEndpoint, 40, "NO_ENDPOINT", posthaste.StatusNotExecuted, posthaste.RetryAfter},
	{posthaste.CircuitOpen, 41, "CIRCUIT_OPEN", posthaste.StatusNotExecuted, posthaste.RetryAfter},
	{posthaste.ConnectFailed, 42, "CONNECT_FAILED", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.LocalLimit, 43, "LOCAL_LIMIT", posthaste.StatusNotExecuted, posthaste.RetryAfter},
	{posthaste.ConnLost, 44, "CONN_LOST", posthaste.StatusUnknown, posthaste.RetryOther},
	{posthaste.ExpiredInQueue, 45, "EXPIRED_IN_QUEUE", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.DuplicateInProgress, 46, "DUPLICATE_IN_PROGRESS", posthaste.StatusExecuted, posthaste.RetryAfter},
	{posthaste.TooLarge, 47, "TOO_LARGE", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.FragmentTimeout, 48, "FRAGMENT_TIMEOUT", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.BadChecksum, 49, "BAD_CHECKSUM", posthaste.StatusNotExecuted, posthaste.RetryOther},
	{posthaste.CodecFailed, 50, "CODEC_FAILED", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.Protocol, 51, "PROTOCOL", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.ResumeRejected, 52, "RESUME_REJECTED", posthaste.StatusNotExecuted, posthaste.RetrySame},
	{posthaste.AddressDenied, 53, "ADDRESS_DENIED", posthaste.StatusNotExecuted, posthaste.RetryNever},
	{posthaste.AskCycle, 54, "ASK_CYCLE", posthaste.StatusNotExecuted, posthaste.RetryNever},
}

func TestCodes(t *testing.T) {
	for _, c := range codes {
		if uint32(c.code) != c.number || c.code.String() != c.name || c.code.Status() != c.status || c.code.Retry() != c.retry {
			t.Errorf("%s is %d, %s, retry %d; want %s, %d, %s, retry %d",
				c.code, uint32(c.code), c.code.Status(), c.code.Retry(), c.name, c.number, c.status, c.retry)
		}
		if c.retry != posthaste.RetryNever && c.status == posthaste.StatusExecuted && c.code != posthaste.DuplicateInProgress {
			t.Errorf("%s says that the handler ran and that a retry may help: it would run twice", c.code)
		}
	}
}

// TestCodesAreComplete reads code.go, so that a code without a name, a status
// and a row above cannot be added.
func TestCodesAreComplete(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	wordEnd := regexp.MustCompile("([a-z])([A-Z])")
	var declared []string
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name != "FirstApplication" {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Code" {
				declared = append(declared, strings.ToUpper(wordEnd.ReplaceAllString(v.Names[0].Name, "${1}_$2")))
			}
		}
		return true
	})
	if len(declared) != len(codes) {
		t.Fatalf("code.go declares %d codes, this test pins %d", len(declared), len(codes))
	}
	for i, name := range declared {
		if codes[i].name != name {
			t.Errorf("code.go declares %s where this test pins %s", name, codes[i].name)
		}
	}
}

func TestCodesOfOthers(t *testing.T) {
	for _, c := range []struct {
		code   posthaste.Code
		name   string
		status posthaste.Status
	}{
		{17, "CODE(17)", posthaste.StatusUnknown},
		{55, "CODE(55)", posthaste.StatusUnknown},
		{posthaste.FirstApplication - 1, "CODE(1023)", posthaste.StatusUnknown},
		{posthaste.FirstApplication, "CODE(1024)", posthaste.StatusExecuted},
		{1<<32 - 1, "CODE(4294967295)", posthaste.StatusExecuted},
	} {
		if c.code.String() != c.name || c.code.Status() != c.status || c.code.Retry() != posthaste.RetryNever {
			t.Errorf("%s is %s, retry %d; want %s, %s, never", c.code, c.code.Status(), c.code.Retry(), c.name, c.status)
		}
	}
}

func TestStatusString(t *testing.T) {
	for status, want := range map[posthaste.Status]string{
		posthaste.StatusUnknown: "UNKNOWN", posthaste.StatusNotExecuted: "NOT_EXECUTED", posthaste.StatusExecuted: "EXECUTED", 3: "UNKNOWN",
	} {
		if got := status.String(); got != want {
			t.Errorf("Status(%d).String() = %q, want %q", uint8(status), got, want)
		}
	}
}
