package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthaste-go/posthaste"
)

const (
	// MaxErrorText is the longest text in ERROR and GOAWAY, in bytes.
	MaxErrorText = 4 << 10
	// MaxDetails is the longest details of an ERROR, in bytes.
	MaxDetails = 8 << 10
)

// Failure is the payload of ERROR: how an ask or a stream failed.
//
// After [Failure.Parse] the slices alias the payload and die with it.
type Failure struct {
	Code       posthaste.Code // not OK
	Status     posthaste.Status
	Retry      posthaste.RetryHint
	RetryAfter time.Duration // crosses only if Retry is posthaste.RetryAfter; whole milliseconds, at most 49 days
	Message    []byte        // UTF-8
	Details    []byte        // msgpack, not looked into
}

// FailureOf returns what to tell the peer about err, which a handler returned or
// the runtime made. A [*posthaste.Error] keeps its code, status and RetryAfter;
// any other error gets the code of [posthaste.CodeOf] and EXECUTED, since a
// handler returned it. An error that says OK becomes Unknown. The text is Msg of
// an Error that is not wrapped, and else all that err says; causes do not cross.
func FailureOf(err error) Failure {
	f := Failure{Code: posthaste.CodeOf(err), Status: posthaste.StatusExecuted}
	if f.Code == posthaste.OK {
		f.Code = posthaste.Unknown
	}
	f.Retry = f.Code.Retry()
	if e, ok := errors.AsType[*posthaste.Error](err); ok {
		f.Status = e.Status
		if e.RetryAfter > 0 {
			f.Retry, f.RetryAfter = posthaste.RetryAfter, e.RetryAfter
		}
		if err == error(e) {
			f.Message = []byte(e.Msg)
			return f
		}
	}
	if err != nil {
		f.Message = []byte(err.Error())
	}
	return f
}

// Err returns f as the error that the caller sees. It copies what it keeps.
func (f *Failure) Err() *posthaste.Error {
	return &posthaste.Error{
		Code:       f.Code,
		Status:     f.Status,
		RetryAfter: f.RetryAfter,
		Msg:        strings.ToValidUTF8(string(f.Message), "\uFFFD"),
	}
}

// AppendFailure appends an ERROR frame for id; id 0 is the connection, during
// the handshake. It cannot fail: a message over [MaxErrorText] is cut between
// two runes, details over [MaxDetails] are left out, a code of OK becomes
// Unknown, a status or a hint that does not exist becomes 0.
func AppendFailure(dst []byte, id uint32, f *Failure) []byte {
	code, status, retry := f.Code, f.Status, f.Retry
	if code == posthaste.OK {
		code = posthaste.Unknown
	}
	if status > posthaste.StatusExecuted {
		status = posthaste.StatusUnknown
	}
	if retry > posthaste.RetryAfter {
		retry = posthaste.RetryNever
	}
	start := len(dst)
	dst = binary.AppendUvarint(begin(dst), uint64(code))
	dst = append(dst, byte(status)|byte(retry)<<2)
	if retry == posthaste.RetryAfter {
		dst = binary.AppendUvarint(dst, millis(f.RetryAfter))
	}
	dst = appendBlock(dst, clip(f.Message, MaxErrorText))
	if len(f.Details) <= MaxDetails {
		dst = append(dst, f.Details...)
	}
	return Header{Kind: KindError, Priority: Normal, ID: id}.close(dst, start)
}

// Parse reads the payload of an ERROR frame after resetting f, on the terms of
// [Request.Parse].
func (f *Failure) Parse(payload []byte) error {
	*f = Failure{}
	c := cursor{b: payload, kind: KindError}
	f.Code = posthaste.Code(c.u32("code"))
	disposition := c.u8("disposition")
	f.Status = posthaste.Status(disposition & 3)
	f.Retry = posthaste.RetryHint(disposition >> 2 & 3)
	switch {
	case c.err != nil:
	case f.Code == posthaste.OK:
		c.fail(malformed("ERROR code is 0, which is no error"))
	case disposition > 15 || f.Status > posthaste.StatusExecuted:
		c.fail(malformed("ERROR disposition %08b has a reserved value", disposition))
	}
	if f.Retry == posthaste.RetryAfter {
		f.RetryAfter = time.Duration(c.u32("retry after")) * time.Millisecond
	}
	f.Message = c.block("message", MaxErrorText)
	f.Details = c.rest()
	if len(f.Details) > MaxDetails {
		c.fail(tooLarge("ERROR details have %d bytes; the limit is %d", len(f.Details), MaxDetails))
	}
	return c.err
}

// millis returns d in milliseconds, rounded up, between 0 and 32 bits.
func millis(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return min((uint64(d)+uint64(time.Millisecond)-1)/uint64(time.Millisecond), math.MaxUint32)
}

// clip cuts text to at most n bytes, between two runes if it is UTF-8.
func clip(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return text[:i]
		}
	}
	return text[:n]
}
