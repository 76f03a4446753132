package wire

import "strconv"

// Version is the protocol version that this package speaks.
const Version = 1

// Kind says what a frame is. It is the high nibble of a frame's first byte.
type Kind uint8

// The kinds, with their numbers on the wire. 14 is reserved: a receiver answers
// it with GOAWAY.
const (
	KindHello   Kind = 0  // capabilities; the first frame of each side
	KindTell    Kind = 1  // a request without reply
	KindAsk     Kind = 2  // a request with one reply
	KindReply   Kind = 3  // the answer to an ask
	KindError   Kind = 4  // the failure of an ask, a stream or the handshake
	KindOpen    Kind = 5  // a request that opens a stream
	KindData    Kind = 6  // a stream message, or the next fragment of any message
	KindReset   Kind = 7  // the opener gives up an ask or a stream
	KindCredit  Kind = 8  // what the peer may send on a stream, or how many asks
	KindPing    Kind = 9  // are you there?
	KindPong    Kind = 10 // yes, and this is how I am
	KindGoAway  Kind = 11 // send nothing new on this connection
	KindBatch   Kind = 12 // a compressed run of whole frames
	KindControl Kind = 13 // small notices: see [Sub]
	KindExt     Kind = 15 // extensions, ignorable unless marked
)

var kindNames = [16]string{
	"HELLO", "TELL", "ASK", "REPLY", "ERROR", "OPEN", "DATA", "RESET",
	"CREDIT", "PING", "PONG", "GOAWAY", "BATCH", "CONTROL", "KIND(14)", "EXT",
}

// String returns the kind's name in SPEC.md, such as ASK.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "KIND(" + strconv.Itoa(int(k)) + ")"
}

// Priority is the class in which a frame waits to be written. It orders frames
// of different streams; frames of one stream keep their order.
type Priority uint8

// The classes, lowest first.
const (
	Bulk    Priority = 0
	Normal  Priority = 1
	High    Priority = 2
	Control Priority = 3 // frames of the connection itself
)

// String returns bulk, normal, high or control.
func (p Priority) String() string {
	return [...]string{"bulk", "normal", "high", "control"}[p&3]
}

// Flags is the second byte of a frame. Bits 4 to 7 mean one thing on TELL, ASK
// and OPEN, and another on REPLY, DATA and EXT.
type Flags uint8

// The flags.
const (
	FlagMore       Flags = 1 << 0 // the message continues in DATA frames of the same id
	FlagEnd        Flags = 1 << 1 // OPEN, DATA: the sender sends no more on this stream
	FlagCompressed Flags = 1 << 2 // the message is in the form of [Packed]
	FlagMeta       Flags = 1 << 3 // metadata precedes the body

	// On TELL, ASK and OPEN.
	FlagDeadline   Flags = 1 << 4 // the remaining time follows
	FlagTarget     Flags = 1 << 5 // an actor is addressed
	FlagDefine     Flags = 1 << 6 // the route's name follows its number
	FlagIdempotent Flags = 1 << 7 // running the request twice does no harm

	// On REPLY and DATA.
	FlagCredit Flags = 1 << 4 // DATA: credit for the other direction follows
	FlagLoad   Flags = 1 << 5 // the sender's load byte follows
	FlagTotal  Flags = 1 << 6 // DATA: first fragment of a message; its total follows

	// On EXT.
	FlagRequired Flags = 1 << 7 // a receiver that does not know the extension must refuse it
)

// The codec field of a header: two bits that say how the body is encoded.
const (
	CodecDefault  uint8 = 0 // the connection's default codec, see [Agreed]
	CodecRaw      uint8 = 1 // the body is the value
	CodecProtobuf uint8 = 2
	CodecMeta     uint8 = 3 // the codec id stands in the metadata, under [MetaCodec]
)

// Codec ids, as HELLO and metadata carry them. 5 to 15 are reserved.
const (
	CodecIDRaw      uint8 = 1
	CodecIDMsgpack  uint8 = 2
	CodecIDProtobuf uint8 = 3
	CodecIDJSON     uint8 = 4
	CodecIDUser     uint8 = 16 // the first id for applications
)

// Compressor ids, as HELLO, BATCH and compressed bodies carry them. This
// package compresses nothing; it carries the numbers.
const (
	CompressorNone    uint8 = 0  // stored as it is
	CompressorDeflate uint8 = 1  // RFC 1951
	CompressorZstd    uint8 = 2  // RFC 8878
	CompressorS2      uint8 = 3  // S2 block format
	CompressorUser    uint8 = 16 // the first id for applications
)

// Checksum ids, as HELLO carries them.
const (
	ChecksumNone   uint8 = 0
	ChecksumCRC32C uint8 = 1
)

// Keys of the metadata map. 9 to 31 are reserved, 32 and up are free.
const (
	MetaTrace   = 1 // W3C trace context: 25 bytes, binary
	MetaTenant  = 2 // string
	MetaAttempt = 3 // integer, 0 for the first
	MetaDedupe  = 4 // bytes: the operation, for at-most-once
	MetaBaggage = 5 // map of string to string
	MetaCodec   = 6 // integer: codec id of the body
	MetaChain   = 7 // array of strings: the asks that wait for this one
	MetaFrom    = 8 // string: address of the calling actor
)

// rule is what a kind allows in its header.
type rule struct {
	plain Flags // may stand beside each other freely
	tied  Flags // may stand only beside some: see checkFlagsSlow
	id    idRule
}

type idRule uint8

const (
	idConnection idRule = iota // must be 0
	idStream                   // must not be 0
	idEither
)

const requestFlags = FlagMore | FlagCompressed | FlagMeta | FlagDeadline | FlagTarget | FlagDefine | FlagIdempotent

var rules = [16]rule{
	KindTell:   {plain: requestFlags, id: idEither},
	KindAsk:    {plain: requestFlags, id: idStream},
	KindReply:  {plain: FlagMore | FlagCompressed | FlagMeta | FlagLoad, id: idStream},
	KindError:  {id: idEither},
	KindOpen:   {plain: requestFlags, tied: FlagEnd, id: idStream},
	KindData:   {plain: FlagMore | FlagCompressed | FlagCredit | FlagLoad, tied: FlagEnd | FlagTotal, id: idStream},
	KindReset:  {id: idStream},
	KindCredit: {id: idEither},
	KindExt:    {plain: 0xFF, id: idEither},
}
