package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/outband/outband/dlp/extract"
)

// probed has a child try what it must not be able to do, and returns what came of it by name.
func probed(t *testing.T, p *Pool) map[string]string {
	t.Helper()
	out := map[string]string{}
	_, err := p.Read(context.Background(), extract.File{Name: "probe"}, strings.NewReader(""), nil, func(text *Text) error {
		b, err := io.ReadAll(text)
		for line := range strings.Lines(string(b)) {
			if name, got, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
				out[name] = got
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestChildCanDoNothing(t *testing.T) {
	t.Setenv("OUTBAND_TEST_SECRET", "it is not for children")
	p := newPool(t, Configuration{Children: 1}, "misbehave")
	g, err := p.Guards(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !g.Calls {
		t.Fatal("this host refuses seccomp; what a child can do is not tested without it")
	}
	t.Logf("not held: %v", g.Missing())
	got := probed(t, p)
	for _, a := range attempts {
		if !strings.Contains(got[a.name], "not permitted") && !strings.Contains(got[a.name], "permission denied") {
			t.Errorf("%s: %q", a.name, got[a.name])
		}
	}
	if got["environment"] != "[]" {
		t.Errorf("environment: %s", got["environment"])
	}
}

// TestAttemptsSucceedOutside tells that the attempts fail because of what holds a child.
func TestAttemptsSucceedOutside(t *testing.T) {
	for _, a := range attempts {
		switch a.name {
		case "open a file", "look at a file", "make a folder", "make a file", "TCP socket", "Unix socket", "listen", "start a program", "memory that is code", "file in memory", "pair of sockets":
			if err := a.try(); err != nil {
				t.Errorf("%s: %v", a.name, err)
			}
		}
	}
	for _, name := range []string{"/tmp/outband-sandbox-file", "/tmp/outband-sandbox-folder"} {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// TestChildSeenFromOutside looks at what the system knows of a child.
func TestChildSeenFromOutside(t *testing.T) {
	t.Setenv("OUTBAND_TEST_SECRET", "it is not for children")
	leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // Without O_CLOEXEC: a child gets it.
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	p := newPool(t, Configuration{Children: 1}, "misbehave")
	var pid int
	_, err = p.Read(context.Background(), extract.File{Name: "nothing"}, strings.NewReader(""), nil, func(text *Text) error {
		pid = text.f.child.cmd.Process.Pid
		proc := fmt.Sprintf("/proc/%d/", pid)
		env, err := os.ReadFile(proc + "environ")
		if err != nil {
			return err
		}
		for _, v := range strings.Split(strings.TrimRight(string(env), "\x00"), "\x00") {
			if name, _, _ := strings.Cut(v, "="); name != "GOMEMLIMIT" && name != "GOTRACEBACK" && name != "GOMAXPROCS" {
				t.Errorf("it was given %s", name)
			}
		}
		fds, err := os.ReadDir(proc + "fd")
		if err != nil {
			return err
		}
		for _, fd := range fds {
			to, err := os.Readlink(proc + "fd/" + fd.Name())
			if err != nil {
				return err
			}
			if !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") {
				t.Errorf("descriptor %s is %s", fd.Name(), to)
			}
		}
		if cwd, err := os.Readlink(proc + "cwd"); cwd != "/" {
			t.Errorf("folder %q, %v", cwd, err)
		}
		tasks, err := os.ReadDir(proc + "task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			status, err := os.ReadFile(proc + "task/" + task.Name() + "/status")
			if err != nil {
				continue // The thread has ended.
			}
			for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"} {
				if !strings.Contains(string(status), line) && (text.f.child.guards.Isolated || !strings.HasPrefix(line, "Cap")) {
					t.Errorf("thread %s of %d has not %q", task.Name(), len(tasks), line)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("child %d after Close: %v", pid, err)
	}
}

// TestGuardsHere is a host that allows everything but what it names.
func TestGuardsHere(t *testing.T) {
	p := newPool(t, Configuration{Children: 1})
	g, err := p.Guards(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := Guards{CPU: true, FileSize: true, Core: true, OpenFiles: true, Folder: true, NewPrivs: true, Traced: true, ParentDies: true, Calls: true,
		Memory: p.cfg.Memory > 0, Files: g.Files, Network: g.Network, Isolated: g.Isolated} // The last three depend on the host.
	if diff := cmp.Diff(want, g); diff != "" {
		t.Errorf("guards (-want +got):\n%s", diff)
	}
	if got := (Guards{}).Missing(); len(got) != 13 {
		t.Errorf("without any guard %d are missing: %v", len(got), got)
	}
}

// TestKilledFromOutside kills children in the middle of a file, as an operator or the kernel does: the caller is told to try again, and can.
func TestKilledFromOutside(t *testing.T) {
	p := newPool(t, Configuration{Children: 1})
	for name, decide := range map[string]func([32]byte, int64) bool{"as bytes come": nil, "spooled": keep} {
		long := strings.Repeat("all work and no play. ", 1<<18)
		_, err := p.Read(context.Background(), extract.File{}, strings.NewReader(long), decide, func(text *Text) error {
			if err := text.f.child.cmd.Process.Signal(syscall.SIGKILL); err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, text)
			if n == int64(len(long)) {
				t.Errorf("%s: the whole text came out of a dead child", name)
			}
			return err
		})
		if !errors.Is(err, ErrKilled) {
			t.Errorf("%s: %v", name, err)
		}
		var got []gathered
		if res, err := p.Read(context.Background(), extract.File{}, strings.NewReader(long), decide, gather(&got)); err != nil || len(res.Gaps) > 0 || len(got) != 1 || got[0].text != long {
			t.Errorf("%s: read again: %d texts, %+v, %v", name, len(got), res.Gaps, err)
		}
	}
	// While it waits for the next file.
	idle := p.idle[0]
	if err := idle.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-idle.ended
	var got []gathered
	if res, err := p.Read(context.Background(), extract.File{}, strings.NewReader("a"), nil, gather(&got)); err != nil || len(res.Gaps) > 0 || len(got) != 1 {
		t.Errorf("after the death of an idle child: %+v, %v", res, err)
	}
}

// TestSignalsOfAGroup are those that a service manager sends to all processes: a child goes on, its parent ends it.
func TestSignalsOfAGroup(t *testing.T) {
	p := newPool(t, Configuration{Children: 1}, "misbehave")
	var got []gathered
	res, err := p.Read(context.Background(), extract.File{Name: "nothing"}, strings.NewReader(""), nil, func(text *Text) error {
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			if err := text.f.child.cmd.Process.Signal(s); err != nil {
				return err
			}
		}
		time.Sleep(10 * time.Millisecond)
		return gather(&got)(text)
	})
	if err != nil || len(res.Gaps) > 0 || len(got) != 1 {
		t.Errorf("%v, %+v, %v", got, res, err)
	}
}
