package filescan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/filescan"
)

const benchDetectors = `detectors:
  - id: custom.badge
    title: Badge
    severity: low
    kind: pattern
    pattern: 'badge-[0-9]{6}'
    confidence: 0.7
    examples:
      match: ["a «badge-{digits:6}»", "b: «badge-{digits:6}»", "{\"c\":\"«badge-{digits:6}»\"}", "d=«badge-{digits:6}»", "e «badge-{digits:6}»."]
      no_match: ["badge-12345", "badge 123456", "xbadge_123456", "badge-1234567", "badge-"]
`

func TestBench(t *testing.T) {
	name := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(name, []byte(benchDetectors), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := filescan.DefaultBenchConfiguration()
	cfg.File, cfg.MiB, cfg.Format = name, 1, "json"
	var out bytes.Buffer
	if err := filescan.Bench(&out, cfg); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Bytes     int     `json:"bytes"`
		Sensitive int     `json:"sensitive_bytes"`
		Rate      float64 `json:"mb_per_second"`
		Clean     float64 `json:"mb_per_second_clean"`
		Decoys    int     `json:"decoys"`
		Detectors []struct {
			ID        string  `json:"id"`
			Matches   int     `json:"matches"`
			Planted   int     `json:"planted"`
			Recall    float64 `json:"recall"`
			Precision float64 `json:"precision"`
		} `json:"detectors"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Bytes < 1<<20 || got.Rate <= 0 || got.Clean <= 0 || got.Decoys == 0 || len(got.Detectors) != 1 {
		t.Fatalf("bench gave %+v", got)
	}
	// Every value is found; it takes twelve bytes, and one byte in a hundred is planted.
	if d := got.Detectors[0]; d.ID != "custom.badge" || d.Planted != got.Sensitive/12 || d.Planted < 400 || d.Recall != 1 || d.Precision != 1 || d.Matches != d.Planted {
		t.Errorf("the detector is measured as %+v", d)
	}
	out.Reset()
	cfg.Format = "text"
	if err := filescan.Bench(&out, cfg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"custom.badge\n", "1 detectors, compiled in", "decoys matched", "MB/s on one core"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		change func(*filescan.BenchConfiguration)
		code   int
		says   string
	}{
		"an unknown format":    {func(c *filescan.BenchConfiguration) { c.Format = "xml" }, filescan.ExitFailed, "text, json"},
		"no size":              {func(c *filescan.BenchConfiguration) { c.MiB = 0 }, filescan.ExitFailed, "MiB"},
		"a size beyond memory": {func(c *filescan.BenchConfiguration) { c.MiB = 1 << 20 }, filescan.ExitFailed, "MiB"},
		"a file that is not":   {func(c *filescan.BenchConfiguration) { c.File = filepath.Join(folder, "none") }, filescan.ExitFailed, "none"},
		"a detector that is refused": {func(c *filescan.BenchConfiguration) {
			c.File = write("bad.yaml", strings.Replace(benchDetectors, "{6}'", "+'", 1))
		}, filescan.ExitFindings, "unbounded"},
		"no detector": {func(c *filescan.BenchConfiguration) { c.File = write("empty.yaml", "detectors: []\n") }, filescan.ExitFindings, "no detector"},
	} {
		cfg := filescan.DefaultBenchConfiguration()
		tc.change(&cfg)
		err := filescan.Bench(&bytes.Buffer{}, cfg)
		var exit *filescan.ExitError
		if !errors.As(err, &exit) || exit.Code != tc.code || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
