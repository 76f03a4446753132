//go:build unix

package eventloop

import (
	"log/slog"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

func discardLog() gnetLog { return gnetLog{slog.New(slog.DiscardHandler)} }

// rawWrite writes to the socket of gc until all is written.
func rawWrite(gc gnet.Conn) func([]byte) {
	fd := gc.Fd()
	return func(p []byte) {
		for len(p) > 0 {
			n, err := unix.Write(fd, p)
			if err != nil && err != unix.EAGAIN {
				panic(err)
			}
			p = p[max(n, 0):]
		}
	}
}

// cpuTime returns the processor time that the process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
