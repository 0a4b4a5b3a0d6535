package dlp

import (
	"syscall"
	"time"
)

// threadTime is the time that this thread has had: unlike wall time it does not depend on what else the machine or the process does.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD of getrusage(2)
	var u syscall.Rusage
	// The call fails for a wrong argument only.
	_ = syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
