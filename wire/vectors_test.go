package wire_test

import (
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

// vector is one lawful frame of testdata.
type vector struct {
	name, about string
	frame       []byte
}

var body64 = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// firstID is slot 1, generation 0, of the client.
const firstID = 3

// meta is {1: 25 bytes of trace context, 3: 0}.
var meta = append([]byte{0x82, 0x01, 0xC4, 25}, append(make([]byte, 25), 0x03, 0x00)...)

func vectors() []vector {
	var all []vector
	for _, part := range [][]vector{helloVectors(), requestVectors(), answerVectors(), streamVectors(), connectionVectors()} {
		all = append(all, part...)
	}
	return all
}

func helloVectors() []vector {
	return []vector{
		{"hello-empty", "The shortest HELLO: every field left out.", must(wire.AppendHello(nil, &wire.Hello{}))},
		{"hello-full", "A HELLO with every field.", must(wire.AppendHello(nil, &fullHello))},
	}
}

var fullHello = wire.Hello{
	MinVersion: 1, MaxVersion: 2,
	Node: "bank-7", Incarnation: 0x18C2A, Advertise: "10.0.0.7:7001", Zone: "eu-1a",
	Labels:   map[string]string{"build": "8e79f1e", "tier": "gold"},
	MaxFrame: 32 << 10, MaxMessage: 4 << 20,
	Codecs: []uint8{2, 3, 1}, Compressors: []uint8{3, 1}, Checksum: wire.ChecksumCRC32C,
	InitialCredit: wire.Credit{Bytes: 512 << 10, Messages: 128}, MaxInFlight: 8192,
	MinPing: time.Second, Idle: 30 * time.Second, Features: 5,
	AuthScheme: "bearer", AuthToken: []byte("s3cret"), SessionToken: []byte{0xDE, 0xAD},
	Epoch: 42, Clock: 1_700_000_000_000,
}

func requestVectors() []vector {
	ask := wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, ID: firstID}
	tell := wire.Header{Kind: wire.KindTell, Priority: wire.Bulk}
	open := wire.Header{Kind: wire.KindOpen, Priority: wire.High, ID: wire.MakeID(false, wire.MaxSlot, wire.MaxGeneration)}
	return []vector{
		{
			"ask", "An ask of 64 bytes on a known route with 1 s left: 75 bytes in all.",
			request(ask, wire.Request{Route: 5, Deadline: 10_000}, body64),
		},
		{
			"ask-define", "The first use of a route gives its name: 23 bytes more, once.",
			request(ask, wire.Request{Route: 5, Name: []byte("bench.EchoService/Echo"), Deadline: 10_000}, body64),
		},
		{
			"ask-inline", "Route 0 with a name is used once and not remembered. The service is empty: the target says who is meant.",
			request(ask, wire.Request{Name: []byte("/bank.deposit"), Target: wire.Target{Set: true, Kind: wire.TargetName, Name: []byte("acc-1")}}, []byte{0x64}),
		},
		{
			"ask-key", "A request for the actor that a service keeps for a key.",
			request(ask, wire.Request{Route: 200, Target: wire.Target{Set: true, Kind: wire.TargetKey, Key: []byte("alice@example")}}, []byte{0x64}),
		},
		{
			"ask-pid", "A request for one actor in one run of its node; idempotent.",
			request(ask, wire.Request{Route: 16383, Target: wire.Target{Set: true, Kind: wire.TargetPID, ID: 0x1F, Incarnation: 0x18C2A}, Idempotent: true}, nil),
		},
		{
			"ask-meta", "Metadata, and a body whose codec id stands in it.",
			request(wire.Header{Kind: wire.KindAsk, Priority: wire.Normal, Codec: wire.CodecMeta, ID: firstID},
				wire.Request{Route: 1, Meta: []byte{0x81, 0x06, 0x04}}, []byte(`{"n":1}`)),
		},
		{
			"ask-all", "Every field that an ask can have.",
			request(ask, wire.Request{
				Route: 9, Name: []byte("bank/bank.deposit"), Target: wire.Target{Set: true, Key: []byte("k")},
				Deadline: 1, Total: 1 << 20, More: true, Idempotent: true, Meta: meta,
			}, body64),
		},
		{
			"tell", "A tell of the connection: no id, no reply.",
			request(tell, wire.Request{Route: 7}, []byte{0xC0}),
		},
		{
			"tell-fragment", "The first fragment of a tell of 100 bytes. It needs an id.",
			request(wire.Header{Kind: wire.KindTell, Codec: wire.CodecRaw, ID: firstID}, wire.Request{Route: 7, More: true, Total: 100}, body64),
		},
		{
			"open", "A stream opened by the server, highest slot and generation, with credit for the answers.",
			request(open, wire.Request{Route: 11, Deadline: 600_000, Credit: wire.Credit{Bytes: 256 << 10, Messages: 64}}, []byte{0x0A}),
		},
		{
			"open-end", "A stream to which the opener sends nothing but its argument.",
			request(wire.Header{Kind: wire.KindOpen, Flags: wire.FlagEnd, ID: firstID}, wire.Request{Route: 11, Credit: wire.Credit{Bytes: 1}}, nil),
		},
	}
}

func answerVectors() []vector {
	h := wire.Header{Priority: wire.Normal, ID: firstID}
	return []vector{
		{"reply", "The reply to the ask: 72 bytes in all.", reply(h, wire.Reply{}, body64)},
		{"reply-load", "A reply with a load byte and metadata.", reply(h, wire.Reply{HasLoad: true, Load: 128, Meta: []byte{0x80}}, []byte{0x01})},
		{
			"reply-fragment", "The first fragment of a reply of unknown length, compressed.",
			reply(wire.Header{Priority: wire.Normal, Flags: wire.FlagCompressed, ID: firstID}, wire.Reply{More: true}, append([]byte{wire.CompressorS2, 0x80, 0x08}, body64...)),
		},
		{
			"error", "Overloaded, not executed, again after 5 ms, no text: 12 bytes in all.",
			wire.AppendFailure(nil, firstID, &wire.Failure{Code: posthaste.Overloaded, Status: posthaste.StatusNotExecuted, Retry: posthaste.RetryAfter, RetryAfter: 5 * time.Millisecond}),
		},
		{
			"error-details", "An application's error with text and details.",
			wire.AppendFailure(nil, firstID, &wire.Failure{Code: 1024, Status: posthaste.StatusExecuted, Message: []byte("no such account: Zoë"), Details: []byte{0x81, 0xA1, 'n', 0x07}}),
		},
		{
			"error-handshake", "The server refuses the handshake.",
			wire.AppendFailure(nil, 0, &wire.Failure{Code: posthaste.Unauthenticated, Status: posthaste.StatusNotExecuted, Message: []byte("token expired")}),
		},
	}
}

func streamVectors() []vector {
	h := wire.Header{Priority: wire.Normal, ID: firstID}
	compressed := wire.Header{Priority: wire.Normal, Flags: wire.FlagCompressed, ID: firstID}
	return []vector{
		{"data", "A stream message, or the last fragment of one: header and body, nothing else.", data(h, wire.Data{}, []byte{0x2A})},
		{"data-first", "The first fragment of a stream message of 100 bytes.", data(h, wire.Data{First: true, More: true, Total: 100}, body64)},
		{"data-next", "A fragment that is neither first nor last.", data(h, wire.Data{More: true}, body64)},
		{"data-end", "Half-close without a message.", data(h, wire.Data{End: true}, nil)},
		{
			"data-credit", "A message with credit for the other direction and a load byte.",
			data(h, wire.Data{HasCredit: true, Credit: wire.Credit{Bytes: 1 << 20, Messages: 300}, HasLoad: true, Load: 255}, []byte{0x2A}),
		},
		{
			"data-compressed", "A compressed message: compressor, raw length, bytes.",
			data(compressed, wire.Data{}, []byte{wire.CompressorDeflate, 0x04, 0x4B, 0x4C, 0x4A, 0x4E, 0x01, 0x00}),
		},
		{"reset", "The caller gave up.", wire.AppendReset(nil, firstID, posthaste.Canceled)},
		{
			"credit", "A stream may now carry 512 KiB and 200 messages, counted from its start.",
			wire.AppendCredit(nil, firstID, wire.Credit{Bytes: 512 << 10, Messages: 200}),
		},
	}
}

func connectionVectors() []vector {
	load := wire.Load{QueueDelay: 1500 * time.Microsecond, CPU: 64, Conns: 300}
	inner := request(wire.Header{Kind: wire.KindTell}, wire.Request{Route: 7}, []byte{0xC0})
	summed := request(wire.Header{Kind: wire.KindTell}, wire.Request{Route: 7}, []byte{0xC0})
	return []vector{
		{"limit", "CREDIT of the connection: at most 100 asks and streams open.", wire.AppendLimit(nil, 100)},
		{"ping", "Eight bytes of the sender's own.", wire.AppendPing(nil, 0x0807060504030201)},
		{"pong", "The answer, with load and accepted ordinal.", wire.AppendPong(nil, &wire.Pong{Opaque: 0x0807060504030201, Load: load, Accepted: 1000})},
		{
			"goaway-stop", "Begin nothing new here; go there.",
			wire.AppendGoAway(nil, &wire.GoAway{Phase: wire.PhaseStop, Code: posthaste.Draining, Message: []byte("restart"), Successor: []byte("10.0.0.8:7001")}),
		},
		{
			"goaway-final", "Requests after number 1000 did not and will not run.",
			wire.AppendGoAway(nil, &wire.GoAway{Phase: wire.PhaseFinal, Code: posthaste.Protocol, Accepted: 1000}),
		},
		{
			"batch", "A run of one frame, stored as it is.",
			append(must(wire.AppendBatch(nil, &wire.Packed{Raw: uint64(len(inner))}, len(inner))), inner...),
		},
		{
			"batch-deflate", "A run of frames, compressed; the compressed bytes are made up.",
			append(must(wire.AppendBatch(nil, &wire.Packed{Compressor: wire.CompressorDeflate, Raw: wire.MaxBatch}, 3)), 1, 2, 3),
		},
		{"control-ack", "Every request up to number 1000 was delivered or answered.", wire.AppendAck(nil, 1000)},
		{"control-auth", "A fresh token.", must(wire.AppendAuth(nil, "bearer", []byte("n3w")))},
		{"control-undefine", "Route 5 is free again.", wire.AppendUndefine(nil, 5)},
		{
			"control-config", "Labels, epoch and clock anew.",
			must(wire.AppendConfig(nil, &wire.Hello{Labels: map[string]string{"tier": "silver"}, Epoch: 43, Clock: 1_700_000_001_000})),
		},
		{"control-load", "A load report.", wire.AppendLoad(nil, load)},
		{"control-unknown", "A notice of some later version: ignored.", rawFrame(wire.Header{Kind: wire.KindControl, Priority: wire.Control}, "\x63abc")},
		{
			"ext", "An extension that may be ignored.",
			append(must(wire.AppendExt(nil, wire.Header{}, &wire.Ext{Kind: 0x1234}, 2)), "hi"...),
		},
		{
			"ext-required", "An extension that a receiver must know.",
			must(wire.AppendExt(nil, wire.Header{}, &wire.Ext{Kind: 1, Required: true}, 0)),
		},
		{"checksum", "The frame of vector tell with a checksum, which a parser is to cut off first.", must(wire.AppendChecksum(summed, 0))},
	}
}

func must(frame []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return frame
}

func request(h wire.Header, r wire.Request, body []byte) []byte {
	return append(must(wire.AppendRequest(nil, h, &r, len(body))), body...)
}

func reply(h wire.Header, r wire.Reply, body []byte) []byte {
	return append(must(wire.AppendReply(nil, h, &r, len(body))), body...)
}

func data(h wire.Header, d wire.Data, body []byte) []byte {
	return append(must(wire.AppendData(nil, h, &d, len(body))), body...)
}
