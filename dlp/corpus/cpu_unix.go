//go:build unix

package corpus

import (
	"syscall"
	"time"
)

// CPUTime is the time that this process has had on all cores. Unlike wall time it does not depend on what else the machine does.
func CPUTime() time.Duration {
	var u syscall.Rusage
	// The call fails for a wrong argument only.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
