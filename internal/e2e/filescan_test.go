package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sources is a folder of made-up source files.
type sources struct {
	folder string
	want   []string          // "path:line detector" of each secret, sorted
	values map[string]string // the same -> the secret
}

// random makes text that looks like a key; the same source gives the same text.
func random(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// writeSources writes n files in nested folders. Every 25th holds a secret; others hold what only looks like one.
func writeSources(t *testing.T, n int, secrets bool) sources {
	t.Helper()
	const alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	r := rand.New(rand.NewPCG(1, 2))
	out := sources{folder: t.TempDir(), values: map[string]string{}}
	for i := range n {
		ext := []string{"go", "py", "ts", "yaml", "md"}[i%5]
		name := filepath.Join(fmt.Sprintf("service%02d", i%17), fmt.Sprintf("part%d", i%3), fmt.Sprintf("file%04d.%s", i, ext))
		var lines []string
		for j := range 20 + r.IntN(40) {
			lines = append(lines, fmt.Sprintf("value_%d = compute(%d, \"step %d\") // rev %s", j, r.IntN(1000), j, random(r, "0123456789abcdef", 8)))
		}
		at := r.IntN(len(lines))
		switch {
		case secrets && i%25 == 0:
			kinds := []struct{ detector, name, value string }{
				{"secret.aws_access_key_id", "aws_access_key_id", "AKIA" + random(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)},
				{"secret.stripe_secret_key", "stripe_key", "sk_" + "live_" + random(r, alnum, 24)},
				{"secret.gitlab_pat", "token", "glpat-" + random(r, alnum, 20)},
			}
			k := kinds[i/25%len(kinds)]
			lines[at] = fmt.Sprintf("%s = %q", k.name, k.value)
			key := fmt.Sprintf("%s:%d %s", filepath.Join(out.folder, name), at+1, k.detector)
			out.want, out.values[key] = append(out.want, key), k.value
		case i%4 == 0:
			lines[at] = "commit = \"" + random(r, "0123456789abcdef", 40) + "\""
		case i%4 == 1:
			lines[at] = "api_key = \"${API_KEY}\"  # aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE"
		}
		path := filepath.Join(out.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out.want)
	return out
}

type fileFinding struct {
	Path       string  `json:"path"`
	Detector   string  `json:"detector"`
	Title      string  `json:"title"`
	Start      int     `json:"start"`
	End        int     `json:"end"`
	Line       int     `json:"line"`
	Confidence float64 `json:"confidence"`
	Masked     string  `json:"masked"`
}

func fileFindings(t *testing.T, ndjson string) (out []fileFinding) {
	t.Helper()
	for line := range strings.Lines(ndjson) {
		var f fileFinding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		out = append(out, f)
	}
	return out
}

func TestScanOfAThousandSourceFiles(t *testing.T) {
	t.Parallel()
	src := writeSources(t, 1000, true)
	stdout, stderr, code := command(t, "", "scan", "--format", "json", src.folder)
	if code != 1 || stderr != "" {
		t.Errorf("exit %d, standard error %q", code, stderr)
	}
	var got []string
	for _, f := range fileFindings(t, stdout) {
		key := fmt.Sprintf("%s:%d %s", f.Path, f.Line, f.Detector)
		got = append(got, key)
		raw, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Start < 0 || f.End > len(raw) || f.Start > f.End || string(raw[f.Start:f.End]) != src.values[key] {
			t.Errorf("%s: bytes %d to %d are not the secret", key, f.Start, f.End)
		}
		if f.Confidence <= 0 || f.Confidence > 1 || f.Title == "" || f.Masked == "" || strings.Contains(f.Masked, src.values[key]) {
			t.Errorf("finding %+v", f)
		}
	}
	slices.Sort(got)
	if d := cmp.Diff(src.want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	for _, format := range []string{"json", "text", "sarif"} {
		stdout, _, code := command(t, "", "scan", "--format", format, src.folder)
		if code != 1 {
			t.Errorf("%s: exit %d", format, code)
		}
		for key, value := range src.values {
			if strings.Contains(stdout, value) {
				t.Errorf("%s prints the secret of %s", format, key)
			}
			place, _, _ := strings.Cut(key, " ")
			path, line, _ := strings.Cut(place, ":")
			if format == "text" && !(strings.Contains(stdout, path+":"+line) && strings.Contains(stdout, strings.Fields(key)[1])) {
				t.Errorf("text does not name %s", key)
			}
		}
		if format == "sarif" {
			checkSARIF(t, stdout, len(src.want))
		}
	}
}

func checkSARIF(t *testing.T, text string, want int) {
	t.Helper()
	var s struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID    string `json:"ruleId"`
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	decode(t, []byte(text), &s)
	if s.Version != "2.1.0" || len(s.Runs) != 1 || len(s.Runs[0].Results) != want {
		t.Fatalf("SARIF %s with %d runs", s.Version, len(s.Runs))
	}
	for _, x := range s.Runs[0].Results {
		if x.RuleID == "" || len(x.Locations) != 1 || x.Locations[0].PhysicalLocation.ArtifactLocation.URI == "" || x.Locations[0].PhysicalLocation.Region.StartLine < 1 {
			t.Errorf("SARIF result %+v", x)
		}
	}
}

func TestScanExitCodes(t *testing.T) {
	t.Parallel()
	clean := writeSources(t, 50, false)
	dirty := writeSources(t, 50, true)
	some := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(some, 0o600); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, v := range dirty.values {
		first = v
	}
	type run struct {
		name, stdin string
		args        []string
		code        int
		stderr      string // part of it
	}
	runs := []run{
		{"a clean folder", "", []string{clean.folder}, 0, ""},
		{"a folder with secrets", "", []string{dirty.folder}, 1, ""},
		{"no path", "", nil, 2, "nothing to scan"},
		{"a path that does not exist", "", []string{filepath.Join(clean.folder, "gone")}, 2, "gone"},
		{"a path that does not exist beside secrets", "", []string{dirty.folder, filepath.Join(clean.folder, "gone")}, 2, "gone"},
		{"a pipe with a name", "", []string{some}, 2, some},
		{"standard input with a secret", "token = \"" + first + "\"\n", []string{"-"}, 1, ""},
		{"standard input without", "hello\n", []string{"-"}, 0, ""},
		{"empty standard input", "", []string{"-"}, 0, ""},
		{"an unknown format", "", []string{"--format", "xml", clean.folder}, 2, "xml"},
		{"an unknown profile", "", []string{"--profile", "everything", clean.folder}, 2, "profile"},
		{"an unknown flag", "", []string{"--colour", clean.folder}, 2, "colour"},
	}
	if os.Geteuid() != 0 { // Permission bits do not bind root.
		closed := writeSources(t, 5, true)
		if err := os.Chmod(closed.folder, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Chmod(closed.folder, 0o700); err != nil {
				t.Error(err)
			}
		})
		runs = append(runs, run{"a folder that may not be read", "", []string{closed.folder}, 2, "permission"})
	}
	for _, tc := range runs {
		t.Run(tc.name, func(t *testing.T) {
			stdout, stderr, code := command(t, tc.stdin, append([]string{"scan", "--format", "json"}, tc.args...)...)
			if code != tc.code || !strings.Contains(stderr, tc.stderr) {
				t.Errorf("exit %d, want %d; standard error %q, want %q in it", code, tc.code, stderr, tc.stderr)
			}
			if n := len(fileFindings(t, stdout)); (n > 0) != (tc.code == 1 || slices.Contains(tc.args, dirty.folder)) {
				t.Errorf("%d findings with exit %d", n, code)
			}
		})
	}
}
