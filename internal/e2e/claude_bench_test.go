package e2e

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/claudesim"
	"github.com/outband/outband/fixtures/claudesim/tenant"
	"github.com/outband/outband/internal/testproc"
)

// profiling makes a program that writes a CPU profile of its whole run; the tree itself never holds it.
func profiling(profile string) mutant {
	const run = "\tcode := run(ctx, os.Args[1:], os.Stdout, os.Stderr)\n"
	return mutant{"cmd/outband/main.go", run, fmt.Sprintf("\tif os.Args[1] == \"serve\" {\n\t\tf, err := os.Create(%q)\n\t\tif err == nil {\n\t\t\terr = pprof.StartCPUProfile(f)\n\t\t}\n"+
		"\t\tif err != nil {\n\t\t\tpanic(err)\n\t\t}\n\t}\n", profile) + run + "\tpprof.StopCPUProfile()\n"}
}

// BenchmarkWholeTenant reads a tenant of 60,000 messages through the built program and reports the processor time of the program, of all its threads, for a
// million messages. The simulator is in the process of the test and not counted. Where the time goes is printed.
func BenchmarkWholeTenant(b *testing.B) {
	size := tenant.Size{People: 200, Chats: 5000, Messages: 60_000, Files: 1000}
	profile := filepath.Join(b.TempDir(), "cpu")
	program := profiling(profile).buildWith(b, "\t\"runtime/debug\"\n", "\t\"runtime/debug\"\n\t\"runtime/pprof\"\n")
	for b.Loop() {
		x := newTenant(b, claudesim.Options{Seed: 34, Epoch: orgEpoch, IndexLag: -1, Size: size})
		s := serve(b, program, filepath.Join(b.TempDir(), "data"), "")
		before, began := processorTime(b, s.cmd.Process.Pid), time.Now()
		id := s.connect(x.url, claudesim.DemoKey, orgEpoch.Add(-orgBackfill))
		s.scanUntilDone(x, id)
		used, took := processorTime(b, s.cmd.Process.Pid)-before, time.Since(began)
		messages := 0
		for u, n := range s.ledger(id) {
			if u.Unit == "message" {
				messages += n
			}
		}
		s.stop()
		if messages < 50_000 {
			b.Fatalf("%d messages were read, want 50,000 at least", messages)
		}
		million := used.Minutes() / float64(messages) * 1e6
		b.ReportMetric(million, "core-min/Mmsg")
		b.ReportMetric(float64(messages)/took.Seconds(), "msg/s")
		b.ReportMetric(float64(messages), "msg")
		if million > 60 {
			b.Errorf("a million messages take %.0f minutes of one core, want 60 at most", million)
		}
		top(b, program, profile)
	}
}

// processorTime is what a process has used so far, of all threads.
func processorTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	used, ok := testproc.CPUTime(pid)
	if !ok {
		t.Fatal("the process has ended")
	}
	return used
}

// top prints where the processor time went.
func top(b *testing.B, program, profile string) {
	out, err := exec.Command("go", "tool", "pprof", "-top", "-cum", "-nodecount=60", program, profile).Output()
	if err != nil {
		b.Logf("the profile cannot be read: %v", err)
		return
	}
	s := bufio.NewScanner(strings.NewReader(string(out)))
	for s.Scan() {
		b.Log(s.Text())
	}
}
