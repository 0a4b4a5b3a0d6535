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

// What a detector of one's own finds does not wait for a profile that does not name it.
func TestDetectorsBesideAProfileAreReported(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "mail ann.meier@brightwater-logistics.com about ACME-271828\n")
	write(t, dir, "own.yaml", "detectors:\n  - id: custom.ticket\n    title: Ticket of ours\n    kind: pattern\n    severity: high\n    confidence: 0.7\n    pattern: 'ACME-(?P<value>[0-9]{6})'\n"+
		"    examples: {match: [\"ACME-«123456»\", \"ACME-«223456»\", \"ACME-«323456»\", \"ACME-«423456»\", \"ACME-«523456»\"], no_match: [\"ACME-12345\", \"ACME-\", \"acme-123456\", \"ACME 123456\", \"ACM-123456\"]}\n")
	write(t, dir, "two.yaml", "profiles:\n  - id: two\n    title: Two tickets\n    detectors: [\"custom.*\"]\n    min_matches: 2\n")
	for _, tc := range []struct {
		name string
		cfg  filescan.Configuration
		want string
	}{
		{"beside a profile that is not met", filescan.Configuration{Profile: "pii"}, "custom.ticket"},
		{"with all", filescan.Configuration{}, "contact.email custom.ticket"},
		{"named by a profile that is not met", filescan.Configuration{ProfileFile: filepath.Join(dir, "two.yaml")}, ""},
	} {
		tc.cfg.Paths, tc.cfg.Format, tc.cfg.Detectors = []string{filepath.Join(dir, "a.txt")}, "json", []string{filepath.Join(dir, "own.yaml")}
		r := run(t, tc.cfg, "")
		var got []string
		for _, f := range r.findings {
			got = append(got, f.Detector)
		}
		if strings.Join(got, " ") != tc.want || r.err != "" {
			t.Errorf("%s: found %v, want %s; errors %q", tc.name, got, tc.want, r.err)
		}
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
