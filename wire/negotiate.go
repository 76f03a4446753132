package wire

import (
	"fmt"
	"slices"
	"time"
)

// Agreed is what two sides hold to after their HELLOs. Both compute the same
// from the same two HELLOs, except Credit, which is the peer's grant.
type Agreed struct {
	Version     uint8
	Codec       uint8         // what CodecDefault means: msgpack if both have it, else the lowest in Codecs
	Codecs      []uint8       // codec ids that both have, ascending
	Compressors []uint8       // compressor ids that both have, ascending
	Checksum    uint8         // ChecksumNone unless both ask for the same
	MaxFrame    uint32        // longest payload to send
	MaxMessage  uint64        // longest message to send
	MaxInFlight uint32        // most asks and streams to have open, until a LIMIT says otherwise
	Credit      Credit        // what may be sent on a stream that this side opens
	MinPing     time.Duration // send no pings at shorter intervals
	Idle        time.Duration // silence that ends the connection; 0 is none
	Features    uint64
}

// Negotiate returns what local and remote agree on: the highest common version,
// the smaller of each limit, the codecs, compressors and features that both have,
// and the longer of both ping intervals, so that no setting can make one side
// drop the other for pinging. The error has code Protocol and names what both
// sides offered: there is no common version, or no common codec.
func Negotiate(local, remote *Hello) (Agreed, error) {
	version, err := commonVersion(local, remote)
	if err != nil {
		return Agreed{}, err
	}
	a := Agreed{
		Version:     version,
		Codecs:      common(codecsOf(local), codecsOf(remote)),
		Compressors: common(local.Compressors, remote.Compressors),
		MaxFrame:    min(or(local.MaxFrame, DefaultFrame), or(remote.MaxFrame, DefaultFrame)),
		MaxMessage:  min(or(local.MaxMessage, DefaultMessage), or(remote.MaxMessage, DefaultMessage)),
		MaxInFlight: min(or(local.MaxInFlight, DefaultInFlight), or(remote.MaxInFlight, DefaultInFlight)),
		Credit:      or(remote.InitialCredit, Credit{DefaultCreditBytes, DefaultCreditMessages}),
		MinPing:     max(local.MinPing, remote.MinPing),
		Features:    local.Features & remote.Features,
	}
	if len(a.Codecs) == 0 {
		return Agreed{}, malformed("no common codec: this side has %s, the peer has %s",
			codecNames(codecsOf(local)), codecNames(codecsOf(remote)))
	}
	a.Codec = a.Codecs[0]
	if slices.Contains(a.Codecs, CodecIDMsgpack) {
		a.Codec = CodecIDMsgpack
	}
	if local.Checksum == remote.Checksum {
		a.Checksum = local.Checksum
	}
	a.Idle = idle(local.Idle, remote.Idle, a.MinPing)
	return a, nil
}

func commonVersion(local, remote *Hello) (uint8, error) {
	lmin, lmax := orVersion(local.MinVersion), orVersion(local.MaxVersion)
	rmin, rmax := orVersion(remote.MinVersion), orVersion(remote.MaxVersion)
	high := min(lmax, rmax)
	if high < max(lmin, rmin) {
		return 0, malformed("no common version: this side speaks %d to %d, the peer %d to %d", lmin, lmax, rmin, rmax)
	}
	return high, nil
}

// PingEvery returns the interval at which to ping a silent peer: want, but not
// less than MinPing, and at most half of Idle, so that the ping comes in time.
func (a *Agreed) PingEvery(want time.Duration) time.Duration {
	if a.Idle > 0 {
		want = min(want, a.Idle/2)
	}
	return max(want, a.MinPing)
}

// CodecField returns the codec field of a header for a body in codec id, and
// whether the id must also stand in the metadata, under [MetaCodec].
func (a *Agreed) CodecField(id uint8) (field uint8, meta bool) {
	switch id {
	case a.Codec:
		return CodecDefault, false
	case CodecIDRaw:
		return CodecRaw, false
	case CodecIDProtobuf:
		return CodecProtobuf, false
	}
	return CodecMeta, true
}

// CodecID returns the codec id that the codec field of a header means. It
// reports false for [CodecMeta]: then the metadata says it.
func (a *Agreed) CodecID(field uint8) (id uint8, ok bool) {
	switch field {
	case CodecDefault:
		return a.Codec, true
	case CodecRaw:
		return CodecIDRaw, true
	case CodecProtobuf:
		return CodecIDProtobuf, true
	}
	return 0, false
}

// idle returns the shorter of two idle times, of which 0 is none, but at least
// two ping intervals: a shorter one would end every quiet connection.
func idle(a, b, ping time.Duration) time.Duration {
	switch {
	case a <= 0 && b <= 0:
		return 0
	case a <= 0:
		a = b
	case b > 0:
		a = min(a, b)
	}
	return max(a, 2*ping)
}

func codecsOf(h *Hello) []uint8 {
	if len(h.Codecs) == 0 {
		return []uint8{CodecIDMsgpack}
	}
	return h.Codecs
}

// common returns the ids that stand in both a and b, ascending, without 0.
func common(a, b []uint8) []uint8 {
	var ids []uint8
	for _, id := range a {
		if id != 0 && slices.Contains(b, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func codecNames(ids []uint8) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		switch id {
		case CodecIDRaw:
			names[i] = "raw"
		case CodecIDMsgpack:
			names[i] = "msgpack"
		case CodecIDProtobuf:
			names[i] = "protobuf"
		case CodecIDJSON:
			names[i] = "json"
		default:
			names[i] = fmt.Sprint(id)
		}
	}
	return fmt.Sprint(names)
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
