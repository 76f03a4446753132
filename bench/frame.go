package main

import (
	"encoding/binary"
	"fmt"
)

// The raw baselines speak the smallest protocol that can correlate: a frame is
// a little-endian body length, a call id chosen by the client, and the body. The
// server answers with the same id. Two ids are not calls.
const (
	frameHead = 8        // bytes before the body
	frameMax  = 64 << 20 // longest body a peer accepts

	idTell uint32 = 0 // no reply; the server counts it
	idTold uint32 = 1 // the reply is the count, eight bytes
	idCall uint32 = 2 // the smallest id of a call
)

// appendHead appends the head of a frame whose body has n bytes.
func appendHead(b []byte, id uint32, n int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	return binary.LittleEndian.AppendUint32(b, id)
}

// parseHead reads the head that b begins with; b has at least frameHead bytes.
func parseHead(b []byte) (id uint32, n int, err error) {
	size := binary.LittleEndian.Uint32(b)
	if size > frameMax {
		return 0, 0, fmt.Errorf("frame of %d bytes: the limit is %d", size, frameMax)
	}
	return binary.LittleEndian.Uint32(b[4:]), int(size), nil
}
