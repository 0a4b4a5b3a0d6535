//go:build linux || darwin

package sandbox

import (
	"os"
	"syscall"
)

// killGroup ends a child and what it started.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // It may have ended.
	_ = p.Kill()
}

// signalled is the signal that ended a process; 0: none.
func signalled(s *os.ProcessState) syscall.Signal {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return 0
}

const sigXCPU = syscall.SIGXCPU
