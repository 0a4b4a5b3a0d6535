package dlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/corpus"
)

// The benchmarks run on one core and count the process's own time: MB/s-core is what one core does, whatever else the machine does meanwhile.
// Rates of two machines, or of two runs, cannot be compared; ratios of one run can.

const benchSize = 8 << 20

func documents(tb testing.TB, size int, clean bool) []corpus.Document {
	tb.Helper()
	c, err := corpus.New(builtin(tb), corpus.Configuration{Size: size, Seed: 1, Clean: clean})
	if err != nil {
		tb.Fatal(err)
	}
	return c.Documents
}

func raw(docs []corpus.Document) [][]byte {
	out := make([][]byte, len(docs))
	for i, d := range docs {
		out[i] = d.Text
	}
	return out
}

// decoded is the texts, of a conversation those of its messages, as a connector gives them to the engine.
func decoded(tb testing.TB, docs []corpus.Document) [][]byte {
	out := raw(docs)
	for i, d := range docs {
		if d.Form != corpus.FormChat {
			continue
		}
		var chat struct {
			Messages []struct {
				Text string `json:"text"`
			} `json:"messages"`
		}
		if err := json.Unmarshal(d.Text, &chat); err != nil {
			tb.Fatal(err)
		}
		var b bytes.Buffer
		for _, m := range chat.Messages {
			b.WriteString(m.Text)
			b.WriteByte('\n')
		}
		out[i] = b.Bytes()
	}
	return out
}

func size(docs [][]byte) (n int) {
	for _, d := range docs {
		n += len(d)
	}
	return n
}

func secrets(tb testing.TB) []dlp.Detector {
	return slices.DeleteFunc(builtin(tb), func(d dlp.Detector) bool { return !strings.HasPrefix(d.ID, "secret.") })
}

func compile(tb testing.TB, detectors []dlp.Detector) *dlp.Engine {
	tb.Helper()
	e, err := dlp.New(detectors, dlp.Configuration{})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func scanAll(tb testing.TB, e *dlp.Engine, docs [][]byte) {
	for _, d := range docs {
		if _, err := e.Scan(d, testKeys); err != nil {
			tb.Fatal(err)
		}
	}
}

// perCore runs f until the benchmark is done and reports the bytes of a round by the time of the process.
func perCore(b *testing.B, bytes int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	var spent time.Duration
	for b.Loop() {
		start := corpus.CPUTime()
		f()
		spent += corpus.CPUTime() - start
	}
	b.ReportMetric(float64(bytes)*float64(b.N)/1e6/spent.Seconds(), "MB/s-core")
}

func BenchmarkScan(b *testing.B) {
	docs := documents(b, benchSize, false)
	text, whole := decoded(b, docs), raw(docs)
	all, few := compile(b, builtin(b)), compile(b, secrets(b))
	b.Run("all", func(b *testing.B) { perCore(b, size(text), func() { scanAll(b, all, text) }) })
	b.Run("secrets", func(b *testing.B) { perCore(b, size(text), func() { scanAll(b, few, text) }) })
	b.Run("raw JSON", func(b *testing.B) { perCore(b, size(whole), func() { scanAll(b, all, whole) }) })
	b.Run("JSON decode and scan", func(b *testing.B) { perCore(b, size(whole), func() { scanAll(b, all, decoded(b, docs)) }) })
	clean := decoded(b, documents(b, benchSize, true))
	b.Run("clean", func(b *testing.B) { perCore(b, size(clean), func() { scanAll(b, all, clean) }) })
}

// BenchmarkNew compiles all built-in detectors, and reports how much memory they take for as long as the engine lives.
func BenchmarkNew(b *testing.B) {
	detectors := builtin(b)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // Pools are emptied by the second.
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	e := compile(b, detectors)
	scanAll(b, e, raw(documents(b, 1<<10, false))) // What a first text makes belongs to it.
	resident := float64(heap()) - float64(before)
	runtime.KeepAlive(e)
	b.ReportAllocs()
	for b.Loop() {
		compile(b, detectors)
	}
	b.ReportMetric(resident/1e6, "MB-resident")
	b.ReportMetric(float64(len(detectors)), "detectors")
}

// against times the engine and the naive loop in turns on the same documents and returns how many times faster the engine is, by the best round of each.
func against(tb testing.TB, detectors []dlp.Detector, docs [][]byte, rounds int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e := compile(tb, detectors)
	slow := newNaive(tb, e.Detectors())
	const times = 20 // One round of the engine is too short for the clock.
	var fast, reference time.Duration
	best := func(d *time.Duration, f func()) {
		start := corpus.CPUTime()
		f()
		if took := corpus.CPUTime() - start; *d == 0 || took < *d {
			*d = took
		}
	}
	found := 0
	for range rounds {
		best(&fast, func() {
			for range times {
				scanAll(tb, e, docs)
			}
		})
		best(&reference, func() {
			for _, d := range docs {
				found += slow.scan(d)
			}
		})
	}
	if found == 0 {
		tb.Fatal("the naive loop found nothing")
	}
	return float64(reference) * times / float64(fast)
}

func BenchmarkNaive(b *testing.B) {
	docs := decoded(b, documents(b, 512<<10, false))
	for name, detectors := range map[string][]dlp.Detector{"all": builtin(b), "secrets": secrets(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(against(b, detectors, docs, 2), "x-naive")
			b.ReportMetric(0, "ns/op") // The rounds are counted, not the loop.
		})
	}
}

// TestEngineBeatsTheNaiveLoop is the gate: a change that costs the engine its lead fails. It measured far above the bound when it was set.
func TestEngineBeatsTheNaiveLoop(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector slows the two unequally")
	}
	docs := decoded(t, documents(t, 128<<10, false))
	for _, tc := range []struct {
		name      string
		detectors []dlp.Detector
		least     float64
	}{
		{"all detectors", builtin(t), 60},
		{"secrets only", secrets(t), 40}, // The loop does best here: nearly all have a keyword.
	} {
		ratio := against(t, tc.detectors, docs, 3)
		t.Logf("%s: %.0f times the naive loop", tc.name, ratio)
		if ratio < tc.least {
			t.Errorf("%s: %.1f times the naive loop; at least %.0f are wanted", tc.name, ratio, tc.least)
		}
	}
}

const gitleaksVersion = "v8.30.1"

// BenchmarkGitleaks runs gitleaks, as it comes, over the same documents as files. It is installed into a scratch folder, or taken from GITLEAKS.
func BenchmarkGitleaks(b *testing.B) {
	tool, err := gitleaks(b)
	if err != nil {
		b.Skipf("SKIPPED: gitleaks %s cannot be installed: %v", gitleaksVersion, err)
	}
	docs := raw(documents(b, 4<<20, false))
	folder := b.TempDir()
	for i, d := range docs {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%05d.txt", i)), d, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	e := compile(b, secrets(b))
	var theirs, ours time.Duration
	rounds := 0
	for b.Loop() {
		cmd := exec.Command(tool, "dir", "--no-banner", "--exit-code", "0", "--log-level", "error", "--report-format", "json", "--report-path", filepath.Join(b.TempDir(), "report"), folder)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		theirs += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		start := corpus.CPUTime()
		scanAll(b, e, docs)
		ours += corpus.CPUTime() - start
		rounds++
	}
	b.ReportMetric(float64(size(docs)*rounds)/1e6/theirs.Seconds(), "MB/s-core-gitleaks")
	b.ReportMetric(float64(size(docs)*rounds)/1e6/ours.Seconds(), "MB/s-core")
	b.ReportMetric(float64(theirs)/float64(ours), "x-gitleaks")
}

func gitleaks(b *testing.B) (string, error) {
	if tool := os.Getenv("GITLEAKS"); tool != "" {
		return tool, nil
	}
	folder := b.TempDir()
	cmd := exec.Command("go", "install", "github.com/zricethezav/gitleaks/v8@"+gitleaksVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out[:min(len(out), 200)])
	}
	return filepath.Join(folder, "gitleaks"), nil
}
