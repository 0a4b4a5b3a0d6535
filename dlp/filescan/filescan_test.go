package filescan_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/dlp/filescan"
	"github.com/outband/outband/fixtures/documents"
)

func TestMain(m *testing.M) {
	sandbox.Child()
	goleak.VerifyTestMain(m)
}

type result struct {
	code     int
	out, err string
	findings []filescan.Finding
}

func run(t *testing.T, cfg filescan.Configuration, stdin string) result {
	t.Helper()
	var out, errs bytes.Buffer
	err := filescan.Run(context.Background(), cfg, filescan.Dependencies{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	r := result{out: out.String(), err: errs.String()}
	var exit *filescan.ExitError
	if errors.As(err, &exit) {
		r.code = exit.Code
		if exit.Err != nil {
			r.err += exit.Err.Error()
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if cfg.Format == "json" {
		for line := range strings.Lines(r.out) {
			var f filescan.Finding
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			r.findings = append(r.findings, f)
		}
	}
	return r
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestThousandSourceFiles(t *testing.T) {
	dir := t.TempDir()
	type place struct {
		Path     string
		Line     int
		Detector string
	}
	var want []place
	secrets := []struct{ macro, detector string }{
		{"ghp_{github:0}", "secret.github_pat"}, {"xoxb-{digits:12}-{digits:13}-{alnum:24}", "secret.slack_bot_token"},
		{"sk-ant-api03-{base64url:92}A", "secret.anthropic_api_key"}, {"glpat-{alnum:20}", "secret.gitlab_pat"}, {"sk_live_{alnum:24}", "secret.stripe_secret_key"},
	}
	for i := range 1000 {
		name := fmt.Sprintf("pkg%02d/file%03d.go", i/50, i)
		var b strings.Builder
		fmt.Fprintf(&b, "package p%d\n\nimport \"fmt\"\n\n", i)
		for n := range 20 + i%30 {
			fmt.Fprintf(&b, "// step%d adds %d to its argument.\nfunc step%d(v int) int {\n\tfmt.Println(\"token\", v)\n\treturn v + %d\n}\n\n", n, n*7, n, n*7)
		}
		if i%25 == 3 {
			s := secrets[i/25%len(secrets)]
			value, err := dlp.Expand(name, s.macro)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, place{filepath.Join(dir, name), strings.Count(b.String(), "\n") + 1, s.detector})
			fmt.Fprintf(&b, "const key = %q\n", value)
		}
		write(t, dir, name, b.String())
	}
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json", Workers: 2}, "")
	if r.code != filescan.ExitFindings || r.err != "" {
		t.Errorf("code %d, errors %q", r.code, r.err)
	}
	var got []place
	for _, f := range r.findings {
		got = append(got, place{f.Path, f.Line, f.Detector})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "clean.txt", "nothing here\n")
	write(t, dir, "card.txt", "one\ncard 4111 1111 1111 1111\n")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "image.png", picture.String())
	write(t, dir, "broken.png", "\x89PNG\r\n\x1a\n")
	for _, tc := range []struct {
		name  string
		cfg   filescan.Configuration
		stdin string
		code  int
		err   string
	}{
		{"a clean file", filescan.Configuration{Paths: []string{dir + "/clean.txt"}}, "", 0, ""},
		{"a finding", filescan.Configuration{Paths: []string{dir + "/card.txt"}}, "", 1, ""},
		{"standard input", filescan.Configuration{Paths: []string{"-"}}, "4111 1111 1111 1111", 1, ""},
		{"an image is skipped with its reason", filescan.Configuration{Paths: []string{dir + "/image.png"}}, "", 0, "image_without_ocr"},
		{"a broken image is not clean", filescan.Configuration{Paths: []string{dir + "/broken.png"}}, "", 2, "malformed"},
		{"a file that is not there", filescan.Configuration{Paths: []string{dir + "/none"}}, "", 2, "no such file"},
		{"findings and a file that is not there", filescan.Configuration{Paths: []string{dir + "/none", dir}}, "", 2, "no such file"},
		{"test data is left out on request", filescan.Configuration{Paths: []string{dir + "/card.txt"}, LeaveOutTestData: true}, "", 0, ""},
		{"another profile", filescan.Configuration{Paths: []string{dir + "/card.txt"}, Profile: "credentials"}, "", 0, ""},
		{"an unknown profile", filescan.Configuration{Paths: []string{dir}, Profile: "x"}, "", 2, "known are all, credentials"},
		{"an unknown format", filescan.Configuration{Paths: []string{dir}, Format: "x"}, "", 2, "known are text, json, sarif"},
		{"no path", filescan.Configuration{}, "", 2, "nothing to scan"},
		{"a file over the limit", filescan.Configuration{Paths: []string{dir + "/clean.txt"}, MaxFileBytes: 5}, "", 2, "too_big"},
		{"a device that was named", filescan.Configuration{Paths: []string{os.DevNull}}, "", 2, "not_a_regular_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, tc.cfg, tc.stdin)
			if r.code != tc.code || !strings.Contains(r.err, tc.err) || tc.err == "" && r.err != "" {
				t.Errorf("code %d, errors %q; want %d, %q", r.code, r.err, tc.code, tc.err)
			}
			if strings.Contains(r.out, "4111 1111 1111 1111") {
				t.Error("the output holds the value")
			}
		})
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root every folder can be read; a missing one stands in")
	}
	dir := t.TempDir()
	write(t, dir, "a/card.txt", "4111 1111 1111 1111")
	write(t, dir, "b/c.txt", "x")
	if err := os.Chmod(filepath.Join(dir, "b"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(filepath.Join(dir, "b"), fs.FileMode(0o755)); err != nil {
			t.Error(err)
		}
	})
	paths := []string{dir}
	if os.Geteuid() == 0 {
		paths = append(paths, filepath.Join(dir, "missing"))
	}
	r := run(t, filescan.Configuration{Paths: paths, Format: "json"}, "")
	if r.code != filescan.ExitFailed || len(r.findings) != 1 || r.err == "" {
		t.Errorf("code %d, %d findings, errors %q", r.code, len(r.findings), r.err)
	}
}

func TestLinksAndSpecialFiles(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside, "secret.txt", "4111 1111 1111 1111")
	write(t, dir, "real.txt", "5555 5555 5555 4444")
	write(t, dir, ".git/objects/ab/cdef", "4012 8888 8888 1881")
	write(t, dir, ".git/config", "[core]\n")
	for name, target := range map[string]string{"out": outside, "out.txt": outside + "/secret.txt", "in.txt": "real.txt", "broken": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json"}, "")
	if r.code != filescan.ExitFindings || len(r.findings) != 1 || r.findings[0].Path != filepath.Join(dir, "real.txt") {
		t.Errorf("code %d, findings %v", r.code, r.findings)
	}
	for name, reason := range map[string]string{"out": "symlink_out_of_tree", "out.txt": "symlink_out_of_tree", "broken": "symlink_broken", "pipe": "not_a_regular_file", ".git/objects": "git_objects"} {
		if want := fmt.Sprintf("outband: %s: %s\n", filepath.Join(dir, name), reason); !strings.Contains(r.err, want) {
			t.Errorf("%q is not in the errors %q", want, r.err)
		}
	}
	if strings.Contains(r.err, "in.txt") {
		t.Error("a link within the tree is complained about")
	}
}

func TestJSONLine(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.env", "MODE=x\nCARD=4111111111111111\n")
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json"}, "")
	want := fmt.Sprintf(`{"path":%q,"location":"line 2, column 6","detector":"financial.card","title":"Payment card number","start":12,"end":28,"line":2,"confidence":0.9,"validated":true,"masked":"************1111"}`+"\n", filepath.Join(dir, "a.env"))
	if diff := cmp.Diff(want, r.out); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestSARIF(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "x\ncard 4111111111111111\n")
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "sarif", Version: "1.2.3"}, "")
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Name, Version string }
			}
			Results []struct {
				RuleID    string
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, ByteOffset, ByteLength int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(r.out), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 1 || log.Runs[0].Tool.Driver.Version != "1.2.3" {
		t.Fatalf("log %+v", log)
	}
	res := log.Runs[0].Results[0]
	loc := res.Locations[0].PhysicalLocation
	if res.RuleID != "financial.card" || res.Level != "error" || loc.Region.StartLine != 2 || loc.Region.ByteOffset != 7 || loc.Region.ByteLength != 16 {
		t.Errorf("result %+v", res)
	}
}

// TestSARIFNamesPlaces scans a sheet whose name is no URI, and a broken one.
func TestSARIFNamesPlaces(t *testing.T) {
	docs, err := documents.All(1)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(docs, func(d documents.Document) bool { return d.Format == "xlsx" })
	dir := t.TempDir()
	write(t, dir, "100% of #1.xlsx", string(docs[i].Data))
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "sarif"}, "")
	var log struct {
		Runs []struct {
			Results []struct {
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
					}
					LogicalLocations []struct{ FullyQualifiedName string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(r.out), &log); err != nil {
		t.Fatal(err)
	}
	seen, member := false, false
	for _, res := range log.Runs[0].Results {
		at := res.Locations[0]
		member = member || strings.HasSuffix(at.PhysicalLocation.ArtifactLocation.URI, "/100%25%20of%20%231.xlsx!/xl/embeddings/note.bin")
		if uri, err := url.Parse(at.PhysicalLocation.ArtifactLocation.URI); err != nil || !strings.HasPrefix(uri.Path, filepath.Join(dir, "100% of #1.xlsx")) || uri.Fragment != "" {
			t.Fatalf("URI %q: %v", at.PhysicalLocation.ArtifactLocation.URI, err)
		}
		if len(at.LogicalLocations) == 1 && at.LogicalLocations[0].FullyQualifiedName == "sheet Data, cell B2" {
			seen = seen || strings.Contains(res.Message.Text, " at sheet Data, cell B2 ")
		}
	}
	if !member {
		t.Error("no result is in the member of the sheet")
	}
	if !seen {
		t.Errorf("no result of %d says in its message that it is in cell B2", len(log.Runs[0].Results))
	}

	broken := t.TempDir()
	write(t, broken, "cut.xlsx", string(docs[i].Data[:500]))
	if r = run(t, filescan.Configuration{Paths: []string{broken}}, ""); strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "cut.xlsx: malformed") {
		t.Errorf("a broken sheet: %q, want one line", r.err)
	}
}

func TestCancelledScanStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	write(t, dir, "a.txt", "x")
	err := filescan.Run(ctx, filescan.Configuration{Paths: []string{dir}}, filescan.Dependencies{Stdin: nil, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestListAndTest(t *testing.T) {
	var out, errs bytes.Buffer
	if err := filescan.List(&out); err != nil || !strings.Contains(out.String(), "financial.card") {
		t.Errorf("list: %v %q", err, out.String())
	}
	if err := filescan.Test(&out, &errs, nil); err != nil || errs.Len() > 0 {
		t.Errorf("test of the built-in ones: %v %q", err, errs.String())
	}
	dir := t.TempDir()
	write(t, dir, "bad.yaml", "detectors:\n  - id: custom.bad\n    title: Bad\n    kind: pattern\n    severity: low\n    confidence: 0.5\n    pattern: 'abc[a-z]+'\n")
	err := filescan.Test(&out, &errs, []string{filepath.Join(dir, "bad.yaml")})
	var exit *filescan.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(errs.String(), "bad.yaml:7:23: detector custom.bad: unbounded repetition") {
		t.Errorf("test: %v %q", err, errs.String())
	}
	if err := filescan.Test(&out, &errs, []string{filepath.Join(dir, "none.yaml")}); !errors.As(err, &exit) || exit.Code != 2 {
		t.Errorf("test of no file: %v", err)
	}
}

// A file in UTF-16 is text without its mark too, and a value in base64 says so.
func TestEncodedText(t *testing.T) {
	dir := t.TempDir()
	text := "Zeile eins.\r\nMeine Karte: 4111 1111 1111 1111.\r\nпривет\r\n"
	for name, order := range map[string]binary.AppendByteOrder{"big": binary.BigEndian, "little": binary.LittleEndian} {
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		write(t, dir, name+".txt", string(b))
	}
	write(t, dir, "mail.txt", "see\n"+base64.StdEncoding.EncodeToString([]byte("my card: 4111 1111 1111 1111"))+"\n")
	write(t, dir, "packed.bin", "\x00\x01\x02\x03 card 4111 1111 1111 1111 \x00\x00\x00\xff")
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json"}, "")
	if r.code != filescan.ExitFindings || !strings.Contains(r.err, "packed.bin: unsupported_type") {
		t.Errorf("code %d, errors %q", r.code, r.err)
	}
	var got []string
	for _, f := range r.findings {
		got = append(got, fmt.Sprint(filepath.Base(f.Path), " ", f.Line, " ", f.Start, " ", f.End, " ", f.Encoding))
	}
	if diff := cmp.Diff([]string{"big.txt 2 52 90 []", "little.txt 2 52 90 []", "mail.txt 2 16 42 [base64]"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r := run(t, filescan.Configuration{Paths: []string{filepath.Join(dir, "mail.txt")}}, ""); !strings.Contains(r.out, ", in base64): ") {
		t.Errorf("text says %q", r.out)
	}
}

// TestNamesAreMasked packs files whose names hold a value: neither stream may show it.
func TestNamesAreMasked(t *testing.T) {
	const card = "4111 1111 1111 1111"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{card + ".txt", "locked " + card + ".bin"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte("\x00\x01 " + strings.Repeat("\xfe\xff\x00", 40)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "a.zip", b.String())
	for _, format := range []string{"text", "json", "sarif"} {
		r := run(t, filescan.Configuration{Paths: []string{dir + "/a.zip"}, Format: format}, "")
		if strings.Contains(r.out+r.err, card) || !strings.Contains(r.err, "a.zip!/") || !strings.Contains(r.out, "financial.card") {
			t.Errorf("%s: %s\n%s", format, r.out, r.err)
		}
	}
}
