package wire

import "strings"

// MagicLen is how many bytes from the start of a connection tell posthaste from
// every other protocol.
const MagicLen = HeaderLen + len(magic)

// magic opens the payload of HELLO. Its first byte is not ASCII and does not
// begin any UTF-8 rune.
const magic = "\x8aRTM"

// IsMagic reports whether first, the first bytes that a peer sent, begin a HELLO
// frame, as far as they reach. One byte tells posthaste from TLS and HTTP;
// [MagicLen] bytes tell it from all else. No bytes are not magic.
func IsMagic(first []byte) bool {
	if len(first) == 0 {
		return false
	}
	var want [MagicLen]byte
	helloHeader.Put(want[:])
	copy(want[HeaderLen:], magic)
	for i, b := range first[:min(len(first), MagicLen)] {
		if i != 2 && i != 3 && b != want[i] { // 2 and 3 are the length
			return false
		}
	}
	return true
}

// Sniff names the protocol that first, the first bytes that a peer sent, belong
// to: "posthaste", "TLS", "HTTP" or "unknown". It is for the text of errors and
// for choosing among protocols on one port; one byte is enough for a guess.
func Sniff(first []byte) string {
	switch {
	case IsMagic(first):
		return "posthaste"
	case len(first) > 0 && first[0] == 0x16 && (len(first) == 1 || first[1] == 3):
		return "TLS"
	case isHTTP(string(first[:min(len(first), 8)])):
		return "HTTP"
	}
	return "unknown"
}

// isHTTP reports whether s begins like a request or an answer of HTTP/1, or like
// the preface of HTTP/2, as far as it reaches.
func isHTTP(s string) bool {
	if s == "" {
		return false
	}
	for _, word := range [...]string{
		"GET ", "PUT ", "POST ", "HEAD ", "PATCH ", "TRACE ", "DELETE ", "OPTIONS ", "CONNECT ", "PRI ", "HTTP/",
	} {
		if strings.HasPrefix(s, word) || strings.HasPrefix(word, s) {
			return true
		}
	}
	return false
}
