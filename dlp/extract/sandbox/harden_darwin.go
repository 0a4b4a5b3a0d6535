package sandbox

import "golang.org/x/sys/unix"

func getCPULimit(l *unix.Rlimit) error { return unix.Getrlimit(unix.RLIMIT_CPU, l) }
func setCPULimit(l *unix.Rlimit) error { return unix.Setrlimit(unix.RLIMIT_CPU, l) }

// closeInherited closes nothing: the system does not tell what is the runtime's.
func closeInherited() bool { return false }

// harden sets the limits that the system has.
func harden(s setup) (g Guards) {
	limits(s, &g)
	return g
}
