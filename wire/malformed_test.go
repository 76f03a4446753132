package wire_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// refusal is one frame that every receiver must refuse.
type refusal struct {
	name  string
	frame []byte
	code  posthaste.Code
	text  string // part of the error
}

// TestMalformed goes through every way to break a frame. testdata/refuse holds
// the same frames for other languages.
func TestMalformed(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			_, _, err := decode(r.frame)
			if posthaste.CodeOf(err) != r.code {
				t.Fatalf("got error %v, want one with code %v", err, r.code)
			}
			if !strings.Contains(err.Error(), r.text) {
				t.Errorf("error %q does not say %q", err, r.text)
			}
			if posthaste.StatusOf(err) != posthaste.StatusNotExecuted {
				t.Errorf("status is %v", posthaste.StatusOf(err))
			}
		})
	}
}

func refusals() []refusal {
	var all []refusal
	for _, part := range [][]refusal{badHeaders(), badRequests(), badTargets(), badAnswers(), badConnections(), badHellos(), badLabels()} {
		all = append(all, part...)
	}
	return all
}

const (
	protocol = posthaste.Protocol
	tooLarge = posthaste.TooLarge
)

func badHeaders() []refusal {
	return []refusal{
		{"ReservedKind", rawFrame(wire.Header{Kind: 14}, ""), protocol, "kind 14 is reserved"},
		{"ReservedFlag", rawFrame(wire.Header{Kind: wire.KindPing, Flags: wire.FlagMeta}, "12345678"), protocol, "PING has flags 00001000"},
		{"EndOnAsk", rawFrame(wire.Header{Kind: wire.KindAsk, Flags: wire.FlagEnd, ID: firstID}, "\x05"), protocol, "ASK has flags 00000010"},
		{"EndWithMore", rawFrame(wire.Header{Kind: wire.KindOpen, Flags: wire.FlagEnd | wire.FlagMore, ID: firstID}, "\x05\x00\x00\x00"), protocol, "OPEN has END with MORE"},
		{"TotalWithoutMore", rawFrame(wire.Header{Kind: wire.KindData, Flags: wire.FlagTotal, ID: firstID}, "\x05"), protocol, "TOTAL without MORE"},
		{"CreditOnReply", rawFrame(wire.Header{Kind: wire.KindReply, Flags: wire.FlagCredit, ID: firstID}, "\x05\x05"), protocol, "REPLY has flags 00010000"},
		{"AskWithoutID", rawFrame(wire.Header{Kind: wire.KindAsk}, "\x05"), protocol, "ASK needs a stream id"},
		{"TellFragmentWithoutID", rawFrame(wire.Header{Kind: wire.KindTell, Flags: wire.FlagMore}, "\x05\x00"), protocol, "TELL with MORE needs"},
		{"PingWithID", rawFrame(wire.Header{Kind: wire.KindPing, ID: firstID}, "12345678"), protocol, "its id is 0, not 3"},
		{"SlotZero", rawFrame(wire.Header{Kind: wire.KindReset, ID: 1<<20 | 1}, "\x01"), protocol, "slot 0"},
	}
}

func badRequests() []refusal {
	ask := func(flags wire.Flags, payload string) []byte {
		return rawFrame(wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, Flags: flags, ID: firstID}, payload)
	}
	const define = wire.FlagDefine
	return []refusal{
		{"RouteMissing", ask(0, ""), protocol, "ASK route is cut off"},
		{"RouteCutOff", ask(0, "\x80"), protocol, "ASK route is cut off after 1 bytes"},
		{"RouteOverLimit", ask(0, "\x80\x80\x01"), protocol, "ASK route is 16384; the limit is 16383"},
		{"RouteNotShortest", ask(0, "\x85\x00"), protocol, "ASK route is 5 in 2 bytes, which is not the shortest form"},
		{"RouteOver64Bits", ask(0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), protocol, "ASK route is over 64 bits"},
		{"RouteElevenBytes", ask(0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), protocol, "ASK route is over 64 bits"},
		{"RouteZeroWithoutName", ask(0, "\x00"), protocol, "route 0 without a name"},
		{"EmptyName", ask(define, "\x05\x00"), protocol, "ASK route name is empty"},
		{"OversizedName", ask(define, "\x05"+block(strings.Repeat("n", 256))), tooLarge, "ASK route name has 256 bytes; the limit is 255"},
		{"NameBeyondPayload", ask(define, "\x05\xc8\x01ab"), protocol, "ASK route name needs 200 bytes; 2 remain"},
		{"HostileNameLength", ask(define, "\x05"+hostile+"ab"), tooLarge, "ASK route name has 18446744073709551615 bytes"},
		{"NameWithNewline", ask(define, "\x05"+block("a/b\nc")), protocol, `has '\n' at byte 3`},
		{"DeadlineZero", ask(wire.FlagDeadline, "\x05\x00"), protocol, "deadline is 0"},
		{"DeadlineOver32Bits", ask(wire.FlagDeadline, "\x05\x80\x80\x80\x80\x10"), protocol, "ASK deadline is 4294967296; the limit is 4294967295"},
		{"TotalMissing", ask(wire.FlagMore, "\x05"), protocol, "ASK total is cut off"},
		{"TotalBelowFragment", ask(wire.FlagMore, "\x05\x02abc"), protocol, "total is 2, but the first fragment has 3"},
		{"MetaEmpty", ask(wire.FlagMeta, "\x05\x00"), protocol, "ASK metadata is empty"},
		{"MetaBeyondPayload", ask(wire.FlagMeta, "\x05\x7f\x80"), protocol, "ASK metadata needs 127 bytes; 1 remain"},
		{"HostileMetaLength", ask(wire.FlagMeta, "\x05"+hostile), tooLarge, "the limit is 65535"},
		{"OpenWithoutCredit", rawFrame(wire.Header{Kind: wire.KindOpen, ID: firstID}, "\x05"), protocol, "OPEN credit bytes is cut off"},
	}
}

func badTargets() []refusal {
	ask := func(payload string) []byte {
		return rawFrame(wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, Flags: wire.FlagTarget, ID: firstID}, "\x05"+payload)
	}
	return []refusal{
		{"TargetMissing", ask(""), protocol, "ASK target kind needs 1 bytes; 0 remain"},
		{"TargetKindUnknown", ask("\x03"), protocol, "ASK target kind is 3; the highest is 2"},
		{"TargetKeyEmpty", ask("\x00\x00"), protocol, "ASK target key is empty"},
		{"OversizedTargetKey", ask("\x00" + block(strings.Repeat("k", 256))), tooLarge, "ASK target key has 256 bytes"},
		{"TargetPIDZero", ask("\x01\x00\x07"), protocol, "target pid is 0"},
		{"TargetPIDCutOff", ask("\x01\x07"), protocol, "ASK target incarnation is cut off"},
		{"TargetNameEmpty", ask("\x02\x00"), protocol, "ASK target name is empty"},
		{"TargetNameWithSpace", ask("\x02" + block("a b")), protocol, "has ' ' at byte 1"},
	}
}

func badAnswers() []refusal {
	frame := func(k wire.Kind, flags wire.Flags, payload string) []byte {
		return rawFrame(wire.Header{Kind: k, Priority: wire.Normal, Flags: flags, ID: firstID}, payload)
	}
	return []refusal{
		{"ReplyLoadMissing", frame(wire.KindReply, wire.FlagLoad, ""), protocol, "REPLY load needs 1 bytes"},
		{"ReplyTotalBelowFragment", frame(wire.KindReply, wire.FlagMore, "\x01ab"), protocol, "REPLY total is 1"},
		{"ReplyMetaEmpty", frame(wire.KindReply, wire.FlagMeta, "\x00"), protocol, "REPLY metadata is empty"},
		{"ErrorEmpty", frame(wire.KindError, 0, ""), protocol, "ERROR code is cut off"},
		{"ErrorCodeOK", frame(wire.KindError, 0, "\x00\x00\x00"), protocol, "ERROR code is 0"},
		{"ErrorCodeOver32Bits", frame(wire.KindError, 0, "\x80\x80\x80\x80\x10\x00\x00"), protocol, "ERROR code is 4294967296"},
		{"ErrorStatusReserved", frame(wire.KindError, 0, "\x20\x03\x00"), protocol, "disposition 00000011"},
		{"ErrorDispositionReserved", frame(wire.KindError, 0, "\x20\x11\x00"), protocol, "disposition 00010001"},
		{"ErrorRetryAfterMissing", frame(wire.KindError, 0, "\x20\x0d"), protocol, "ERROR retry after is cut off"},
		{"ErrorMessageMissing", frame(wire.KindError, 0, "\x20\x01"), protocol, "ERROR message is cut off"},
		{"OversizedErrorMessage", frame(wire.KindError, 0, "\x20\x01"+block(strings.Repeat("m", 4097))), tooLarge, "ERROR message has 4097 bytes; the limit is 4096"},
		{"OversizedErrorDetails", frame(wire.KindError, 0, "\x20\x01\x00"+strings.Repeat("d", 8193)), tooLarge, "ERROR details have 8193 bytes; the limit is 8192"},
		{"DataTotalBelowFragment", frame(wire.KindData, wire.FlagTotal|wire.FlagMore, "\x01ab"), protocol, "DATA total is 1"},
		{"DataCreditCutOff", frame(wire.KindData, wire.FlagCredit, "\x05"), protocol, "DATA credit messages is cut off"},
		{"ResetEmpty", frame(wire.KindReset, 0, ""), protocol, "RESET code is cut off"},
		{"ResetTrailingBytes", frame(wire.KindReset, 0, "\x01ab"), protocol, "RESET has 2 bytes too many"},
		{"CreditTrailingBytes", frame(wire.KindCredit, 0, "\x01\x02\x03"), protocol, "CREDIT has 1 bytes too many"},
	}
}

func badConnections() []refusal {
	frame := func(k wire.Kind, payload string) []byte {
		return rawFrame(wire.Header{Kind: k, Priority: wire.Control}, payload)
	}
	return []refusal{
		{"LimitOverSlots", frame(wire.KindCredit, "\x80\x80\x20"), protocol, "CREDIT limit is 524288; the limit is 524287"},
		{"PingShort", frame(wire.KindPing, "1234567"), protocol, "PING opaque needs 8 bytes; 7 remain"},
		{"PingLong", frame(wire.KindPing, "123456789"), protocol, "PING has 1 bytes too many"},
		{"PongWithoutLoad", frame(wire.KindPong, "12345678"), protocol, "PONG queue delay is cut off"},
		{"GoAwayPhaseZero", frame(wire.KindGoAway, "\x00\x33\x00\x00\x00"), protocol, "phase is 0"},
		{"GoAwayPhaseUnknown", frame(wire.KindGoAway, "\x03\x33\x00\x00\x00"), protocol, "phase is 3"},
		{"OversizedSuccessor", frame(wire.KindGoAway, "\x01\x23\x00\x00"+block(strings.Repeat("s", 256))), tooLarge, "GOAWAY successor has 256 bytes"},
		{"BatchRawOverLimit", frame(wire.KindBatch, "\x01\x81\x80\x10"), tooLarge, "BATCH raw length is 262145; the limit is 262144"},
		{"BatchStoredLength", frame(wire.KindBatch, "\x00\x05abc"), protocol, "raw length is 5, but 3 bytes are stored"},
		{"ControlEmpty", frame(wire.KindControl, ""), protocol, "CONTROL sub needs 1 bytes"},
		{"ControlAckTrailingBytes", frame(wire.KindControl, "\x01\x05\x05"), protocol, "CONTROL has 1 bytes too many"},
		{"ControlAuthWithoutScheme", frame(wire.KindControl, "\x02\x00token"), protocol, "CONTROL scheme is empty"},
		{"OversizedToken", frame(wire.KindControl, "\x02\x01b"+strings.Repeat("t", 4097)), tooLarge, "CONTROL token has 4097 bytes"},
		{"UndefineZero", frame(wire.KindControl, "\x03\x00"), protocol, "takes back route 0"},
		{"UndefineOverLimit", frame(wire.KindControl, "\x03\x80\x80\x01"), protocol, "CONTROL route is 16384"},
		{"OversizedConfig", frame(wire.KindControl, "\x04"+strings.Repeat("c", 4097)), tooLarge, "CONTROL config has 4097 bytes"},
		{"ConfigDuplicateField", frame(wire.KindControl, "\x04"+field(18, "\x01")+field(18, "\x02")), protocol, "CONTROL has field 18 twice"},
		{"LoadCutOff", frame(wire.KindControl, "\x05\x01\x02"), protocol, "CONTROL connections is cut off"},
		{"ExtKindCutOff", frame(wire.KindExt, "\x01"), protocol, "EXT kind needs 2 bytes; 1 remain"},
	}
}

// hostile is the length 2^64-1.
const hostile = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"

const preface = "\x8aRTM\x01\x01\x00\x00"

func hello(payload string) []byte {
	return rawFrame(wire.Header{Priority: wire.Control, Codec: wire.CodecRaw}, payload)
}

func badHellos() []refusal {
	fields := func(fields ...string) []byte { return hello(preface + strings.Join(fields, "")) }
	return []refusal{
		{"WrongMagic", hello("\x8aRTN\x01\x01\x00\x00"), protocol, "HELLO magic is 8a 52 54 4e, not 8a 52 54 4d"},
		{"MagicCutOff", hello("\x8aRT"), protocol, "HELLO magic needs 4 bytes; 3 remain"},
		{"VersionZero", hello("\x8aRTM\x00\x01\x00\x00"), protocol, "versions are 0 to 1"},
		{"VersionsReversed", hello("\x8aRTM\x02\x01\x00\x00"), protocol, "versions are 2 to 1"},
		{"HelloFlagsCutOff", hello("\x8aRTM\x01\x01\x00"), protocol, "HELLO flags needs 2 bytes; 1 remain"},
		{"HelloWithID", rawFrame(wire.Header{Priority: wire.Control, Codec: wire.CodecRaw, ID: firstID}, preface), protocol, "its id is 0"},
		{"OversizedHello", fields(field(1000, strings.Repeat("x", 4096))), tooLarge, "the limit is 4096"},
		{"FieldZero", fields(field(0, "x")), protocol, "HELLO has field 0"},
		{"DuplicateField", fields(field(6, "\x80\x80\x01"), field(6, "\x80\x80\x01")), protocol, "HELLO has field 6 twice"},
		{"DuplicateUnknownField", fields(field(99, "x"), field(99, "x")), protocol, "HELLO has field 99 twice"},
		{"FieldsOutOfOrder", fields(field(4, "eu"), field(1, "n")), protocol, "HELLO has field 1 after field 4"},
		{"FieldBeyondPayload", fields("\x01\x05ab"), protocol, "HELLO field needs 5 bytes; 2 remain"},
		{"HostileFieldLength", fields("\x01" + hostile), tooLarge, "HELLO field has 18446744073709551615 bytes"},
		{"OversizedNode", fields(field(1, strings.Repeat("n", 256))), tooLarge, "HELLO node has 256 bytes; the limit is 255"},
		{"NodeNotUTF8", fields(field(1, "\xff")), protocol, `HELLO node "\xff" is not UTF-8`},
		{"IncarnationTrailingBytes", fields(field(2, "\x01\x02")), protocol, "HELLO incarnation has 1 bytes too many"},
		{"IncarnationEmpty", fields(field(2, "")), protocol, "HELLO incarnation is cut off"},
		{"AdvertiseNoEndpoint", fields(field(3, "nowhere")), protocol, `HELLO advertise is "nowhere"`},
		{"MaxFrameTooSmall", fields(field(6, "\xff\x1f")), protocol, "HELLO max frame is 4095; the limits are 4096 and 65535"},
		{"MaxFrameTooLarge", fields(field(6, "\x80\x80\x04")), protocol, "HELLO max frame is 65536"},
		{"ChecksumOver8Bits", fields(field(10, "\x80\x02")), protocol, "HELLO checksum is 256; the limit is 255"},
		{"InFlightOverSlots", fields(field(12, "\x80\x80\x20")), protocol, "HELLO max in flight is 524288"},
		{"AuthWithoutScheme", fields(field(16, "\x00token")), protocol, "HELLO auth scheme is empty"},
	}
}

func badLabels() []refusal {
	var many strings.Builder
	for i := range wire.MaxLabels + 1 {
		many.WriteString(block(fmt.Sprintf("k%02d", i)) + block(""))
	}
	labels := func(value string) []byte { return hello(preface + field(5, value)) }
	return []refusal{
		{"LabelKeyEmpty", labels(block("") + block("v")), protocol, "HELLO label key is empty"},
		{"LabelValueMissing", labels(block("k")), protocol, "HELLO label value is cut off"},
		{"LabelTwice", labels(block("k") + block("v") + block("k") + block("w")), protocol, `label key "k" does not come after "k"`},
		{"LabelsOutOfOrder", labels(block("k") + block("v") + block("a") + block("w")), protocol, `label key "a" does not come after "k"`},
		{"TooManyLabels", labels(many.String()), tooLarge, "HELLO labels are over 64"},
	}
}

// block returns s behind its length.
func block(s string) string {
	return string(binary.AppendUvarint(nil, uint64(len(s)))) + s
}

// field returns a field of HELLO.
func field(number uint64, value string) string {
	return string(binary.AppendUvarint(nil, number)) + block(value)
}
