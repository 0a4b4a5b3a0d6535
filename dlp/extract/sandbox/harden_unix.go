//go:build linux || darwin

package sandbox

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limit lowers a limit for good.
func limit(resource int, to uint64) bool {
	var now unix.Rlimit
	if unix.Getrlimit(resource, &now) != nil {
		return false
	}
	now.Max = min(now.Max, to)
	now.Cur = now.Max
	return unix.Setrlimit(resource, &now) == nil
}

// limits sets the limits that both systems have.
func limits(s setup, g *Guards) {
	if s.Memory > 0 {
		// Only Linux counts what the runtime maps.
		g.Memory = limit(unix.RLIMIT_DATA, uint64(s.Memory)) && runtime.GOOS == "linux"
	}
	g.FileSize = limit(unix.RLIMIT_FSIZE, 0)
	g.Core = limit(unix.RLIMIT_CORE, 0)
	g.Folder = os.Chdir("/") == nil
	g.CPU = limitCPU(time.Hour) == nil // Each file sets its own.
	closed := closeInherited()
	g.OpenFiles = limit(unix.RLIMIT_NOFILE, s.OpenFiles) && closed
}

// limitCPU lets the process work so much longer, in whole seconds. Then it gets SIGXCPU.
func limitCPU(more time.Duration) error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	total := time.Duration(used.Utime.Nano()+used.Stime.Nano()) + more
	var now unix.Rlimit
	if err := getCPULimit(&now); err != nil {
		return err
	}
	seconds := uint64((total + time.Second - 1) / time.Second)
	now.Cur = min(max(seconds, 1), now.Max)
	return setCPULimit(&now)
}

// watchSignals ends the process when its time is over. It lives through the signals that a service manager sends to a whole group: its parent ends it.
func watchSignals() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	over := make(chan os.Signal, 1)
	signal.Notify(over, syscall.SIGXCPU)
	go func() {
		<-over
		os.Exit(exitTime)
	}()
}
