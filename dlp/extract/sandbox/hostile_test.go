package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/fixtures/hostile"
	"github.com/outband/outband/internal/testproc"
)

// What a run over hostile files has to hold.
const (
	hostileFiles = 500              // OUTBAND_HOSTILE is another number
	hostileCPU   = 20 * time.Second // of one file
	hostileFound = 0.99             // of the planted values
)

// finder looks for planted values in a text as it comes, of one byte a letter or of two.
type finder struct {
	tail  []byte
	found map[string]bool
	leak  bool
	bytes int64
}

const (
	plantMark = "ghp_"
	plantSize = 40
)

// passwdMark stands in /etc/passwd, which some of the files ask for.
var passwdMark = []byte("root:x:0:0:")

func (f *finder) take(t *Text) error {
	f.tail = f.tail[:0]
	buf := make([]byte, 64<<10)
	for {
		n, err := t.Read(buf)
		f.bytes += int64(n)
		f.look(buf[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *finder) look(p []byte) {
	b := append(f.tail, bytes.ReplaceAll(p, []byte{0}, nil)...)
	f.leak = f.leak || bytes.Contains(b, passwdMark)
	for at := 0; ; at += len(plantMark) {
		i := bytes.Index(b[at:], []byte(plantMark))
		if i < 0 {
			break
		}
		if at += i; at+plantSize <= len(b) {
			f.found[string(b[at:at+plantSize])] = true
		}
	}
	f.tail = append([]byte(nil), b[max(0, len(b)-plantSize):]...)
}

// tally is what came of the files of a family.
type tally struct {
	files, planted, found int
	deaths                map[string]int // reason of the gap, or what the child said at its end
	cpu, wall             time.Duration  // of the slowest
	slowest               string
	largest               int64 // bytes of text
}

// hostileRun is what the workers of a run share.
type hostileRun struct {
	mu       sync.Mutex
	families map[string]*tally
}

func (r *hostileRun) of(family string) *tally {
	t := r.families[family]
	if t == nil {
		t = &tally{deaths: map[string]int{}}
		r.families[family] = t
	}
	return t
}

// TestHostileFiles sends hostile files of every family through a pool: this process lives, each file ends within its limits, what can be read of it is
// found, what cannot has a reason, and no file of this machine is read. A child may die; each death is printed.
func TestHostileFiles(t *testing.T) {
	if raceEnabled {
		t.Skip("children have no limit of memory under the race detector; run without it")
	}
	n := hostileFiles
	if s := os.Getenv("OUTBAND_HOSTILE"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	run := &hostileRun{families: map[string]*tally{}}
	type job struct {
		i    int
		file hostile.File
	}
	jobs := make(chan job)
	var workers sync.WaitGroup
	begun := time.Now()
	for range 2 {
		// A pool of one child for each worker, so that the processor time of a file is that of its child.
		p := newPool(t, Configuration{Children: 1})
		workers.Go(func() {
			for j := range jobs {
				if err := run.one(t, p, j.i, j.file); err != nil {
					t.Errorf("%s %d: %v", j.file.Family, j.i, err)
				}
			}
		})
	}
	i := 0
	for f, err := range hostile.Files(1, n) {
		if err != nil {
			t.Error(err)
			break
		}
		jobs <- job{i, f}
		i++
	}
	close(jobs)
	workers.Wait()
	run.report(t, n, time.Since(begun))
}

// one sends one file, and holds what came of it to what the file asks for.
func (r *hostileRun) one(t *testing.T, p *Pool, i int, f hostile.File) error {
	ctx := context.Background()
	child, err := warmed(ctx, p)
	if err != nil {
		return err
	}
	before := cpuTime(child)
	found := &finder{found: map[string]bool{}}
	var decide func([32]byte, int64) bool
	if i%2 == 1 {
		decide = keep
	}
	start := time.Now()
	res, err := p.Read(ctx, extract.File{Name: f.Name}, f.Reader(), decide, found.take)
	wall := time.Since(start)
	if err != nil {
		return fmt.Errorf("Read: %w", err)
	}
	cpu := cpuTime(child) - before
	death := deathOf(child, res)
	r.mu.Lock()
	defer r.mu.Unlock()
	ty := r.of(f.Family)
	ty.files++
	if death != "" {
		ty.deaths[death]++
		t.Logf("%s %d %s: the child died: %s", f.Family, i, f.Name, death)
	}
	if cpu > ty.cpu || ty.slowest == "" {
		ty.cpu, ty.slowest = cpu, fmt.Sprintf("%d %s", i, f.Name)
	}
	ty.wall, ty.largest = max(ty.wall, wall), max(ty.largest, found.bytes)
	// The limit is in whole seconds of what the process used, and is seen a moment later.
	if cpu > hostileCPU+2*time.Second {
		t.Errorf("%s %d %s took %v of processor time", f.Family, i, f.Name, cpu)
	}
	if found.leak {
		t.Errorf("%s %d %s: the text holds a file of this machine", f.Family, i, f.Name)
	}
	var lost []string
	for _, v := range f.Plants {
		ty.planted++
		if found.found[v] {
			ty.found++
		} else {
			lost = append(lost, v)
		}
	}
	var reasons []string
	for _, g := range res.Gaps {
		if !slices.Contains(reasons, g.Reason) {
			reasons = append(reasons, g.Reason)
		}
	}
	if len(lost) > 0 {
		t.Logf("%s %d %s (%s, %s): %d of %d values were not found; gaps %v", f.Family, i, f.Name, res.Type, res.Format, len(lost), len(f.Plants), reasons)
	}
	if len(f.Reasons) == 0 || death != "" {
		return nil
	}
	if len(reasons) == 0 {
		return fmt.Errorf("%s was read without a gap", f.Name)
	}
	for _, g := range reasons {
		if !slices.Contains(f.Reasons, g) {
			return fmt.Errorf("%s has a gap that does not fit: %s", f.Name, g)
		}
	}
	return nil
}

// report prints a line for each family, and fails if too little was found.
func (r *hostileRun) report(t *testing.T, n int, took time.Duration) {
	var b strings.Builder
	var all tally
	all.deaths = map[string]int{}
	fmt.Fprintf(&b, "%-16s %6s %6s %13s %9s %9s %10s  %s\n", "family", "files", "deaths", "found", "cpu", "wall", "text", "slowest")
	for _, name := range hostile.Families() {
		f := r.of(name)
		if n >= len(hostile.Families()) && f.files == 0 {
			t.Errorf("%s: no file", name)
		}
		died := 0
		for reason, n := range f.deaths {
			died += n
			all.deaths[name+": "+reason] += n
		}
		fmt.Fprintf(&b, "%-16s %6d %6d %6d/%-6d %9s %9s %10d  %s\n", name, f.files, died, f.found, f.planted, f.cpu.Round(time.Millisecond), f.wall.Round(time.Millisecond), f.largest, f.slowest)
		all.files, all.planted, all.found = all.files+f.files, all.planted+f.planted, all.found+f.found
	}
	t.Logf("%d files in %v, %d of %d planted values found\n%s", all.files, took.Round(time.Second), all.found, all.planted, b.String())
	for _, d := range slices.Sorted(maps.Keys(all.deaths)) {
		t.Logf("deaths: %d %s", all.deaths[d], d)
	}
	if all.files != n {
		t.Errorf("%d of %d files were read", all.files, n)
	}
	if float64(all.found) < hostileFound*float64(all.planted) {
		t.Errorf("%d of %d planted values were found", all.found, all.planted)
	}
}

// warmed is the child that the pool's next file goes to.
func warmed(ctx context.Context, p *Pool) (*process, error) {
	for range 3 {
		c, err := p.take(ctx)
		if err != nil {
			return nil, err
		}
		p.give(c, true)
		p.mu.Lock()
		idle := slices.Contains(p.idle, c)
		p.mu.Unlock()
		if idle && c.alive() {
			return c, nil
		}
	}
	return nil, errors.New("no child stays warm")
}

// cpuTime is what a child used of the processor, from its end if it has ended. 0: the system does not tell.
func cpuTime(c *process) time.Duration {
	if !c.alive() {
		return c.state.UserTime() + c.state.SystemTime()
	}
	used, _ := testproc.CPUTime(c.cmd.Process.Pid)
	return used
}

// deathOf says what a child died of; "": it lives, or the pool ended it because it was old or large.
func deathOf(c *process, res Result) string {
	if c.alive() {
		return ""
	}
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	if errors.Is(cause, errIdle) && (signalled(c.state) == syscall.SIGKILL || c.state.ExitCode() == exitOK) {
		return "" // It was ended after its work. A child that ended before has a state of its own.
	}
	reason := "no gap"
	if len(res.Gaps) > 0 {
		reason = res.Gaps[len(res.Gaps)-1].Reason
	}
	said, _, _ := strings.Cut(c.stderr.String(), "\n")
	return fmt.Sprintf("%s (%s; %v; %.120s)", reason, c.state, cause, said)
}
