package filescan_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/filescan"
)

func TestAProfileReportsFilesThatMeetIt(t *testing.T) {
	dir := t.TempDir()
	person := "mail ann.meier@brightwater-logistics.com\nphone +49 30 9018 2735\ndate of birth: 1984-03-17\n"
	write(t, dir, "record.txt", person)
	write(t, dir, "far.txt", strings.Replace(person, "date", strings.Repeat("nothing of note here\n", 100)+"date", 1))
	write(t, dir, "profiles.yaml", "profiles:\n  - id: pii\n    title: Two kinds anywhere\n    detectors: [\"contact.*\", \"contact.date*\"]\n    min_confidence: 0.4\n    min_kinds: 2\n")
	write(t, dir, "bad.yaml", "profiles:\n  - id: pii\n    title: Two\n    detectors: [\"none.*\"]\n")
	record, far := filepath.Join(dir, "record.txt"), filepath.Join(dir, "far.txt")
	for _, tc := range []struct {
		name  string
		cfg   filescan.Configuration
		files []string
		err   string
	}{
		{"a record near each other", filescan.Configuration{Profile: "pii"}, []string{record}, ""},
		{"a profile of a file, in place of the built-in one", filescan.Configuration{Profile: "pii", ProfileFile: filepath.Join(dir, "profiles.yaml")}, []string{far, record}, ""},
		{"the only profile of a file", filescan.Configuration{ProfileFile: filepath.Join(dir, "profiles.yaml")}, []string{far, record}, ""},
		{"a built-in profile beside a file", filescan.Configuration{Profile: "pci", ProfileFile: filepath.Join(dir, "profiles.yaml")}, nil, ""},
		{"a profile that names nothing", filescan.Configuration{ProfileFile: filepath.Join(dir, "bad.yaml")}, nil, "bad.yaml:4:17: profile pii: detectors.0: no detector has an id like"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Paths, tc.cfg.Format = []string{far, record}, "json"
			r := run(t, tc.cfg, "")
			if !strings.Contains(r.err, tc.err) || tc.err == "" && r.err != "" {
				t.Errorf("errors %q, want %q", r.err, tc.err)
			}
			found := map[string]int{}
			for _, f := range r.findings {
				found[f.Path]++
			}
			if len(found) != len(tc.files) {
				t.Errorf("found in %v, want %v", found, tc.files)
			}
			for _, f := range tc.files {
				if found[f] < 3 {
					t.Errorf("%d matches in %s: all of a file that meets the profile are reported", found[f], f)
				}
			}
		})
	}
}

func TestExplainSaysWhyInJSON(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "card.txt", "visa card number 4111 1111 1111 1111\n")
	r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json", Explain: true}, "")
	if len(r.findings) != 1 || r.findings[0].Why == nil {
		t.Fatalf("findings %+v, errors %q", r.findings, r.err)
	}
	why := r.findings[0].Why
	sum := 0.0
	for _, s := range why.Steps {
		sum += s.Delta
	}
	if len(why.Context) == 0 || len(why.Checks) == 0 || why.DetectorVersion == "" || int(sum*100+0.5) != int(r.findings[0].Confidence*100+0.5) {
		t.Errorf("why is %+v of a confidence of %v", why, r.findings[0].Confidence)
	}
	if r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "text", Explain: true}, ""); r.code != filescan.ExitFailed || !strings.Contains(r.err, "--explain goes with --format json") {
		t.Errorf("code %d, errors %q", r.code, r.err)
	}
	if r := run(t, filescan.Configuration{Paths: []string{dir}, Format: "json"}, ""); strings.Contains(r.out, `"why"`) {
		t.Error("why is told unasked")
	}
}
