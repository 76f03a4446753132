package eventloop

import (
	"errors"
	"time"
)

// link carries bytes for one [Conn]. Inbound, it calls the Conn: opened first,
// then receive for every read, then doom, and gone last, never two of them at a
// time. Outbound it offers what follows; the holder of the writer role (see
// outQueue) is the only one to call write, stallWriter and closeWrite.
//
// A link over TLS fits between Conn and socket: write encrypts into a buffer of
// its own that it keeps until the socket takes it, and receive is given what
// comes out of the decryption. Nothing else knows.
type link interface {
	// write gives p to the transport as far as it takes it without waiting. A
	// short count means that it is full now. An error means that the
	// connection is lost; it is errClosed after close or gone. p is not kept.
	write(p []byte) (int, error)

	// stallWriter returns a blocking writer to the same connection. The link
	// closes it when the connection is lost, which ends a Write in progress.
	stallWriter() (stallWriter, error)

	// closeWrite tells the peer that nothing follows what was written.
	closeWrite() error

	// close drops the connection, from any goroutine and any number of times.
	// It does not wait: gone follows.
	close()
}

// stallWriter writes to a connection that takes bytes slower than they come.
// One goroutine uses it, and closes it.
type stallWriter interface {
	Write(p []byte) (int, error) // blocks until all is taken, or with an error
	SetWriteDeadline(t time.Time) error
	Close() error // of this writer, not of the connection
}

// errClosed is what a link's methods return once the connection is closed. It
// stays within this package.
var errClosed = errors.New("connection closed")
