// Package testproc tells tests of the processes of this machine, as /proc of Linux does. On other systems there are none.
package testproc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is a process: a number may be given again, with another time of start.
type Process struct {
	PID       int
	StartedAt string // in ticks since the machine started
}

// The fields that stat returns, see proc(5).
const (
	state = iota
	parent
	userTime   = 11
	systemTime = 12
	startedAt  = 19
)

// tick is the unit of times in /proc.
const tick = 10 * time.Millisecond

// stat returns what /proc tells of a process, from its state on; nil: it has ended.
func stat(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// The name, in brackets, may hold anything.
	if fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])); len(fields) > startedAt {
		return fields
	}
	return nil
}

// Children returns the children of a process that were started with an argument.
func Children(of int, argument string) (out []Process) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline") // The pattern is well formed.
	for _, name := range names {
		args, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(args, []byte("\x00"+argument+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		if f := stat(pid); f != nil && f[parent] == strconv.Itoa(of) {
			out = append(out, Process{pid, f[startedAt]})
		}
	}
	return out
}

// Runs reports whether a process is there and not only waits to be reaped.
func (p Process) Runs() bool {
	f := stat(p.PID)
	return f != nil && f[startedAt] == p.StartedAt && f[state] != "Z" && f[state] != "X"
}

// CPUTime is what a process has used so far, of all its threads; false: it has ended.
func CPUTime(pid int) (time.Duration, bool) {
	f := stat(pid)
	if f == nil {
		return 0, false
	}
	var sum time.Duration
	for _, at := range []int{userTime, systemTime} {
		ticks, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil {
			return 0, false
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, true
}
