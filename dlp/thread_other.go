//go:build !linux

package dlp

import "time"

var started = time.Now()

// threadTime is the time since the process started: this system does not tell what a thread has had.
func threadTime() time.Duration { return time.Since(started) }
