package sandbox

import (
	"os"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowed are the system calls of a Go program that reads and writes pipes. Names that an architecture does not have are left out.
var allowed = []string{
	"read", "write", "readv", "writev", "close", "fstat", "fcntl", "dup3", "pipe2",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "brk", "membarrier",
	"futex", "sched_yield", "sched_getaffinity", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "tgkill", "kill", "setitimer",
	"timer_create", "timer_settime", "timer_delete",
	"clone", "set_robust_list", "set_tid_address", "rseq", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
	"exit", "exit_group", "getrusage", "getrandom", "uname", "sysinfo", "prlimit64",
}

// allowedOCR are those that starting Tesseract needs besides, and its own. Landlock says which files.
var allowedOCR = []string{
	"execve", "wait4", "waitid", "vfork", "fork", "pidfd_open", "pidfd_send_signal", "prctl", "arch_prctl", "setpgid", "chdir", "dup", "dup2",
	"open", "openat", "access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "readlink", "readlinkat", "getdents64",
	"pread64", "lseek", "getcwd", "ioctl", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
	"getrlimit", "getpgrp", "getpgid", "fadvise64", "times", "pipe",
}

const (
	enosys     = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)
	namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
)

// filterCalls allows this process, and all that it starts, no other system call. The refused ones fail with EPERM.
//
// A call whose arguments count has a filter of its own: the strictest of all filters wins, and the assembler of a filter that looks at arguments loses
// the number of the call on its way to the next name.
func filterCalls(ocr bool) error {
	info, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	known := func(names []string) (out []string) {
		for _, n := range names {
			if _, ok := info.SyscallNames[n]; ok {
				out = append(out, n)
			}
		}
		return out
	}
	names := allowed
	if ocr {
		names = append(append([]string{}, allowed...), allowedOCR...)
	}
	deny := func(name string, sets ...seccomp.ArgumentConditions) seccomp.Policy {
		group := seccomp.SyscallGroup{Action: seccomp.ActionErrno}
		for _, s := range sets {
			group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: s})
		}
		return seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{group}}
	}
	is := func(arg uint32, op seccomp.Operation, value uint64) seccomp.ArgumentConditions {
		return seccomp.ArgumentConditions{{Argument: arg, Operation: op, Value: value}}
	}
	pid := uint64(os.Getpid())
	policies := []seccomp.Policy{
		deny("prlimit64", is(0, seccomp.NotEqual, 0), is(1, seccomp.NotEqual, unix.RLIMIT_CPU)), // its own time only
	}
	if ocr {
		policies = []seccomp.Policy{deny("clone", is(0, seccomp.BitsSet, namespaces))} // programs start, but in these namespaces
	} else {
		policies = append(policies,
			deny("clone", is(0, seccomp.BitsNotSet, unix.CLONE_THREAD), is(0, seccomp.BitsSet, namespaces)), // threads only
			deny("mmap", is(2, seccomp.BitsSet, unix.PROT_EXEC)),                                            // no new code
			deny("mprotect", is(2, seccomp.BitsSet, unix.PROT_EXEC)),
			deny("tgkill", is(0, seccomp.NotEqual, pid)), // signals to itself only
			deny("kill", is(0, seccomp.NotEqual, pid)))
	}
	policies = append(policies, seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{
		{Action: seccomp.ActionAllow, Names: append(known(names), "seccomp")}, // The last filter takes seccomp itself away.
		{Action: enosys, Names: known([]string{"clone3"})},                    // The C library then takes clone.
	}}, seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: []string{"seccomp"}}}})
	for _, p := range policies {
		if err := seccomp.LoadFilter(seccomp.Filter{Flag: seccomp.FilterFlagTSync, Policy: p}); err != nil {
			return err
		}
	}
	return nil
}
