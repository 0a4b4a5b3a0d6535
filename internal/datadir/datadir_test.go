package datadir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// child is the variable that makes the test binary a server that holds the lock of a folder.
const child = "OUTBAND_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(child); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

// hold locks a folder, says how that went, and keeps it until its standard input ends.
func hold(dir string) {
	d, err := Open(dir)
	if err == nil {
		_, err = d.Lock()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("locked")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Println(err)
	}
}

// server starts a second process on the folder and returns its first line.
func server(t *testing.T, dir string) (cmd *exec.Cmd, said string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), child+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // Ends the process if the test has not.
		_ = cmd.Wait() // A killed process has an error; the test asserts what matters.
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the second process said nothing: %v", err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestOpenMakesAFolderForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := mode(t, path); got != 0o700 {
		t.Errorf("mode %o", got)
	}
	for want, got := range map[string]string{
		"outband.db": d.Database(), "temporal.db": d.TemporalDatabase(), "temporal.json": d.TemporalState(), "key": d.Key(),
	} {
		if got != filepath.Join(path, want) {
			t.Errorf("%s is at %s", want, got)
		}
	}
}

func TestOpenOfAFolderThatOthersCanRead(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string
		tight bool
	}{
		{"an empty one is closed to them", nil, true},
		{"the root of a file system is", []string{"lost+found"}, true},
		{"an Outband folder is", []string{"outband.db", "key", "notes"}, true},
		{"a folder made for something else is refused and left alone", []string{"report.docx"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := t.TempDir()
			for _, f := range tc.files {
				write(t, filepath.Join(path, f))
			}
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if tc.tight {
				if err != nil || mode(t, path) != 0o700 {
					t.Errorf("mode %o, %v", mode(t, path), err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "OB-1007: ") || mode(t, path) != 0o755 {
				t.Errorf("mode %o, %v", mode(t, path), err)
			}
		})
	}
}

func TestOpenRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	write(t, path)
	for _, p := range []string{path, filepath.Join(path, "below")} {
		if _, err := Open(p); err == nil || !strings.HasPrefix(err.Error(), "OB-1007: ") {
			t.Errorf("Open(%s): %v", p, err)
		}
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if got := mode(t, filepath.Join(dir, "lock")); got != 0o600 {
		t.Errorf("the lock has mode %o", got)
	}
	if _, said := server(t, dir); !strings.HasPrefix(said, fmt.Sprintf("OB-1004: another outband server uses this folder (pid %d): ", os.Getpid())) {
		t.Errorf("the second server said %q", said)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, said := server(t, dir); said != "locked" {
		t.Errorf("after Unlock the second server said %q", said)
	}
}

func TestAKilledServerLetsTheFolderGo(t *testing.T) {
	dir := t.TempDir()
	cmd, said := server(t, dir)
	if said != "locked" {
		t.Fatalf("the server said %q", said)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var inUse *InUseError
	if _, err := d.Lock(); !errors.As(err, &inUse) || inUse.PID != cmd.Process.Pid {
		t.Fatalf("while pid %d runs: %v", cmd.Process.Pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the killed process ended well")
	}
	lock, err := d.Lock()
	if err != nil {
		t.Fatalf("after the kill: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestALockWithoutAPidIsStillALock(t *testing.T) {
	dir := t.TempDir()
	_, said := server(t, dir)
	if said != "locked" {
		t.Fatalf("the server said %q", said)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), []byte("not a number"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); err == nil || !strings.HasPrefix(err.Error(), "OB-1004: another outband server uses this folder: ") {
		t.Errorf("Lock: %v", err)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
