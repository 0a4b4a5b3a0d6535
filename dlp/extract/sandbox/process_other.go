//go:build !linux && !darwin

package sandbox

import (
	"os"
	"syscall"
)

func self() (string, error) { return os.Executable() }

func attributes(bool) *syscall.SysProcAttr { return nil }

func dieWithParent() *syscall.SysProcAttr { return nil }

func widen(*os.File) {}

func killGroup(p *os.Process) { _ = p.Kill() } // It may have ended.

func signalled(*os.ProcessState) syscall.Signal { return 0 }

const sigXCPU = syscall.Signal(24)
