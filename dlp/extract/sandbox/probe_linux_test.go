package sandbox

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attempts are what a child must not be able to do. Each succeeds in a process that is not held.
var attempts = []struct {
	name string
	try  func() error
}{
	{"open a file", func() error { return opened("/etc/passwd", os.O_RDONLY) }},
	{"open a folder", func() error { return opened("/", os.O_RDONLY) }},
	{"open a program", func() error { return opened("/usr/bin/env", os.O_RDONLY) }},
	{"make a file", func() error { return opened("/tmp/outband-sandbox-file", os.O_CREATE|os.O_RDWR) }},
	{"make a folder", func() error { return os.Mkdir("/tmp/outband-sandbox-folder", 0o700) }},
	{"look at a file", func() error { _, err := os.Stat("/etc/passwd"); return err }},
	{"TCP socket", func() error { return socket(unix.AF_INET, unix.SOCK_STREAM) }},
	{"UDP socket", func() error { return socket(unix.AF_INET6, unix.SOCK_DGRAM) }},
	{"Unix socket", func() error { return socket(unix.AF_UNIX, unix.SOCK_STREAM) }},
	{"netlink socket", func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW) }},
	{"pair of sockets", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	{"listen", func() error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			l.Close()
		}
		return err
	}},
	{"start a program", func() error { return exec.Command("/usr/bin/env").Run() }},
	{"fork", func() error {
		pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		if pid == 0 {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		return nil
	}},
	{"user namespace", func() error { return unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWUSER) }},
	{"memory that is code", func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}},
	{"trace", func() error { return unix.PtraceSeize(os.Getppid()) }},
	{"signal another process", func() error { return unix.Kill(max(os.Getppid(), 1), 0) }},
	{"more memory", func() error {
		var l unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_DATA, &l); err != nil {
			return err
		}
		if l.Max == unix.RLIM_INFINITY {
			return unix.EPERM // With the race detector there is no limit that could be raised.
		}
		l.Max++
		return unix.Setrlimit(unix.RLIMIT_DATA, &l)
	}},
	{"file in memory", func() error { _, err := unix.MemfdCreate("x", 0); return err }},
	{"perf event", func() error { _, err := unix.PerfEventOpen(&unix.PerfEventAttr{}, 0, -1, -1, 0); return err }},
	{"BPF", func() error { _, _, e := unix.Syscall(unix.SYS_BPF, 0, 0, 0); return errno(e) }},
	{"io_uring", func() error { _, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0); return errno(e) }},
	{"keys", func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }},
	{"another filter", func() error { _, _, e := unix.Syscall(unix.SYS_SECCOMP, 0, 1, 0); return errno(e) }},
}

func errno(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func opened(name string, flag int) error {
	f, err := os.OpenFile(name, flag, 0o600)
	if err == nil {
		f.Close()
	}
	return err
}

func socket(family, kind int) error {
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// probe tries all of them and says what came of it: a line each.
func probe() string {
	var out strings.Builder
	for _, a := range attempts {
		got := "done"
		if err := a.try(); err != nil {
			got = err.Error()
		}
		fmt.Fprintf(&out, "%s: %s\n", a.name, got)
	}
	dir, err := os.Getwd()
	fmt.Fprintf(&out, "environment: %q\nfolder: %q %v\n", os.Environ(), dir, err)
	time.Sleep(flushAfter)
	return out.String()
}
