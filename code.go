package posthaste

import "strconv"

// Code says what kind of thing went wrong. The numbers are stable: they cross
// the wire and belong in dashboards. 0 to 16 are gRPC's; 32 to 1023 are
// posthaste's; 1024 and up belong to applications.
type Code uint32

// The codes that gRPC defines, with its meanings.
const (
	OK                 Code = 0
	Canceled           Code = 1  // the caller gave up
	Unknown            Code = 2  // a handler returned an error without a code
	InvalidArgument    Code = 3  // the request is wrong whatever the state
	DeadlineExceeded   Code = 4  // the caller's time ran out
	NotFound           Code = 5  // the thing asked for does not exist
	AlreadyExists      Code = 6  // the thing to create exists
	PermissionDenied   Code = 7  // the caller is known and may not
	ResourceExhausted  Code = 8  // a quota or a size limit
	FailedPrecondition Code = 9  // the state is wrong for this request
	Aborted            Code = 10 // a conflict; the caller may try the whole again
	OutOfRange         Code = 11 // past the end
	Unimplemented      Code = 12 // no handler for this method
	Internal           Code = 13 // a handler panicked, or a bug
	Unavailable        Code = 14 // transient; try another endpoint
	DataLoss           Code = 15 // unrecoverable loss or corruption
	Unauthenticated    Code = 16 // the caller is not known
)

// The codes that posthaste adds.
const (
	Overloaded          Code = 32 // shed before the handler; try another node, or later
	MailboxFull         Code = 33 // the actor's mailbox is at its bound
	RateLimited         Code = 34 // over a rate; RetryAfter says when
	Draining            Code = 35 // the node is shutting down; try another
	ActorNotFound       Code = 36 // no actor of that name or number
	StaleIncarnation    Code = 37 // the node restarted since the address was made
	WrongNode           Code = 38 // the actor lives elsewhere
	ActorStopped        Code = 39 // the actor stopped with the message queued or running
	NoEndpoint          Code = 40 // no node serves the name
	CircuitOpen         Code = 41 // a breaker refused the call here
	ConnectFailed       Code = 42 // no connection to the node could be made
	LocalLimit          Code = 43 // a limit of this node refused the call here
	ConnLost            Code = 44 // the connection ended before the reply
	ExpiredInQueue      Code = 45 // the deadline passed before the handler started
	DuplicateInProgress Code = 46 // the same operation is running
	TooLarge            Code = 47 // a message is over a size limit
	FragmentTimeout     Code = 48 // the rest of a message never came
	BadChecksum         Code = 49 // a frame was damaged on the way
	CodecFailed         Code = 50 // a body could not be encoded or decoded
	Protocol            Code = 51 // the peer broke the wire protocol
	ResumeRejected      Code = 52 // a session could not be resumed
	AddressDenied       Code = 53 // the peer's address may not connect
	AskCycle            Code = 54 // the ask would wait for itself

	// FirstApplication is the lowest code for applications to define.
	FirstApplication Code = 1024
)

// Status says whether the handler of a failed call ran, which decides whether a
// retry can do harm.
type Status uint8

// The three states of knowledge about a failed call.
const (
	StatusUnknown     Status = 0 // it may have run
	StatusNotExecuted Status = 1 // it did not run: a retry is safe
	StatusExecuted    Status = 2 // it ran and answered this error
)

// String returns UNKNOWN, NOT_EXECUTED or EXECUTED.
func (s Status) String() string {
	switch s {
	case StatusNotExecuted:
		return "NOT_EXECUTED"
	case StatusExecuted:
		return "EXECUTED"
	}
	return "UNKNOWN"
}

// RetryHint says where a retry of a failed call may go.
type RetryHint uint8

// The hints, with their numbers on the wire.
const (
	RetryNever RetryHint = 0 // not at all
	RetrySame  RetryHint = 1 // the same endpoint
	RetryOther RetryHint = 2 // another endpoint
	RetryAfter RetryHint = 3 // anywhere, once RetryAfter has passed
)

type codeInfo struct {
	name   string
	status Status
	retry  RetryHint
}

// codes holds, for each code, its name and what holds unless an error says
// otherwise. The reasons stand in wire/SPEC.md, section 7.
var codes = map[Code]codeInfo{
	OK:                  {"OK", StatusExecuted, RetryNever},
	Canceled:            {"CANCELED", StatusUnknown, RetryNever},
	Unknown:             {"UNKNOWN", StatusUnknown, RetryNever},
	InvalidArgument:     {"INVALID_ARGUMENT", StatusExecuted, RetryNever},
	DeadlineExceeded:    {"DEADLINE_EXCEEDED", StatusUnknown, RetryNever},
	NotFound:            {"NOT_FOUND", StatusExecuted, RetryNever},
	AlreadyExists:       {"ALREADY_EXISTS", StatusExecuted, RetryNever},
	PermissionDenied:    {"PERMISSION_DENIED", StatusNotExecuted, RetryNever},
	ResourceExhausted:   {"RESOURCE_EXHAUSTED", StatusNotExecuted, RetryAfter},
	FailedPrecondition:  {"FAILED_PRECONDITION", StatusExecuted, RetryNever},
	Aborted:             {"ABORTED", StatusExecuted, RetryNever},
	OutOfRange:          {"OUT_OF_RANGE", StatusExecuted, RetryNever},
	Unimplemented:       {"UNIMPLEMENTED", StatusNotExecuted, RetryOther},
	Internal:            {"INTERNAL", StatusUnknown, RetryNever},
	Unavailable:         {"UNAVAILABLE", StatusUnknown, RetryOther},
	DataLoss:            {"DATA_LOSS", StatusUnknown, RetryNever},
	Unauthenticated:     {"UNAUTHENTICATED", StatusNotExecuted, RetryNever},
	Overloaded:          {"OVERLOADED", StatusNotExecuted, RetryOther},
	MailboxFull:         {"MAILBOX_FULL", StatusNotExecuted, RetryOther},
	RateLimited:         {"RATE_LIMITED", StatusNotExecuted, RetryAfter},
	Draining:            {"DRAINING", StatusNotExecuted, RetryOther},
	ActorNotFound:       {"ACTOR_NOT_FOUND", StatusNotExecuted, RetryOther},
	StaleIncarnation:    {"STALE_INCARNATION", StatusNotExecuted, RetryOther},
	WrongNode:           {"WRONG_NODE", StatusNotExecuted, RetryOther},
	ActorStopped:        {"ACTOR_STOPPED", StatusUnknown, RetryOther},
	NoEndpoint:          {"NO_ENDPOINT", StatusNotExecuted, RetryAfter},
	CircuitOpen:         {"CIRCUIT_OPEN", StatusNotExecuted, RetryAfter},
	ConnectFailed:       {"CONNECT_FAILED", StatusNotExecuted, RetryOther},
	LocalLimit:          {"LOCAL_LIMIT", StatusNotExecuted, RetryAfter},
	ConnLost:            {"CONN_LOST", StatusUnknown, RetryOther},
	ExpiredInQueue:      {"EXPIRED_IN_QUEUE", StatusNotExecuted, RetryNever},
	DuplicateInProgress: {"DUPLICATE_IN_PROGRESS", StatusExecuted, RetryAfter},
	TooLarge:            {"TOO_LARGE", StatusNotExecuted, RetryNever},
	FragmentTimeout:     {"FRAGMENT_TIMEOUT", StatusNotExecuted, RetryOther},
	BadChecksum:         {"BAD_CHECKSUM", StatusNotExecuted, RetryOther},
	CodecFailed:         {"CODEC_FAILED", StatusNotExecuted, RetryNever},
	Protocol:            {"PROTOCOL", StatusNotExecuted, RetryNever},
	ResumeRejected:      {"RESUME_REJECTED", StatusNotExecuted, RetrySame},
	AddressDenied:       {"ADDRESS_DENIED", StatusNotExecuted, RetryNever},
	AskCycle:            {"ASK_CYCLE", StatusNotExecuted, RetryNever},
}

// String returns the code's name, or CODE(n) for one that has none.
func (c Code) String() string {
	if i, ok := codes[c]; ok {
		return i.name
	}
	return "CODE(" + strconv.FormatUint(uint64(c), 10) + ")"
}

// Status returns the execution status that c means unless an error says
// otherwise. Application codes mean EXECUTED; other unknown codes UNKNOWN.
func (c Code) Status() Status {
	if i, ok := codes[c]; ok {
		return i.status
	}
	if c >= FirstApplication {
		return StatusExecuted
	}
	return StatusUnknown
}

// Retry returns where a retry may go unless an error says otherwise.
func (c Code) Retry() RetryHint { return codes[c].retry }
