//go:build !unix

package corpus

import "time"

var started = time.Now()

// CPUTime is the time since the process started: this system does not tell how much of it the process has had.
func CPUTime() time.Duration { return time.Since(started) }
