package dlp

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the time that this thread has had: unlike wall time it does not depend on what else the machine or the process does.
func threadTime() time.Duration {
	var t unix.Timespec
	// The call fails for a wrong argument only.
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}
