//go:build unix

package eventloop

import "golang.org/x/sys/unix"

// spareFiles is how many descriptors are left for everything but connections.
const spareFiles = 1024

// fileLimit returns how many connections the process has descriptors for.
func fileLimit() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return maxDefaultConns
	}
	n := int(min(uint64(r.Cur), 2*maxDefaultConns)) // Cur may be infinite; on some systems it is signed
	return max(n-spareFiles, n/2)
}
