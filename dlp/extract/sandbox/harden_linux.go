package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// The system calls behind unix.Setrlimit differ by architecture; the filter knows prlimit64.
func getCPULimit(l *unix.Rlimit) error { return unix.Prlimit(0, unix.RLIMIT_CPU, nil, l) }
func setCPULimit(l *unix.Rlimit) error { return unix.Prlimit(0, unix.RLIMIT_CPU, l, nil) }

// closeInherited closes what the parent's parent left open: all but three pipes and what the runtime waits with.
func closeInherited() bool {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return false
	}
	for _, e := range all {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || strings.HasPrefix(to, "anon_inode:") {
			continue // It is gone, or the runtime's.
		}
		// A descriptor that does not close is none.
		_ = unix.Close(fd)
	}
	return true
}

// harden gives up every right that reading a document does not need. What the host refuses is missing in the result.
func harden(s setup) (g Guards) {
	limits(s, &g)
	g.ParentDies = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) == nil
	if s.UserIsolated {
		// In a user namespace it counts this process's threads alone.
		_ = limit(unix.RLIMIT_NPROC, 256)
	}
	g.Files, g.Network = landlocked(s)
	g.Traced = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) == nil
	g.NewPrivs = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == nil
	g.Calls = g.NewPrivs && filterCalls(s.OCR) == nil
	return g
}

// landlocked takes away the file system and the network, as far as the kernel can.
func landlocked(s setup) (files, network bool) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1) // 1: tell the version
	if errno != 0 || abi < 1 {
		return false, false
	}
	var rules []landlock.Rule
	if s.OCR {
		rules = append(rules, landlock.RODirs("/usr", "/lib", "/lib64", "/sys/devices/system/cpu", filepath.Dir(s.Tesseract)).IgnoreIfMissing(),
			landlock.ROFiles("/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo").IgnoreIfMissing(), landlock.RWFiles("/dev/null").IgnoreIfMissing())
		if s.Data != "" {
			rules = append(rules, landlock.RODirs(s.Data).IgnoreIfMissing())
		}
	}
	if landlock.V6.BestEffort().Restrict(rules...) != nil {
		return false, false
	}
	return true, abi >= 4
}
