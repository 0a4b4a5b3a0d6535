package filescan_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/filescan"
)

func TestConvertedRulesPassTheTestOfDetectors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rules.toml", "[[rules]]\nid = \"acme\"\nregex = '''\\bacme-[a-z0-9]{24}\\b'''\n\n[[rules]]\nid = \"any\"\nregex = '''[a-z]{30}'''\n")
	write(t, dir, "good.yaml", "recognizers:\n  - name: Badge\n    supported_entity: BADGE\n    patterns: [{name: a, regex: 'BDG-\\d{5}', score: 0.6}]\n")
	write(t, dir, "bad.toml", "rules = 3")
	rules, out := filepath.Join(dir, "rules.toml"), filepath.Join(dir, "out.yaml")
	for _, tc := range []struct {
		name        string
		cfg         filescan.Conversion
		code        int
		says, wrote string
	}{
		{"some are refused", filescan.Conversion{From: "gitleaks", File: rules, Out: out}, 1, rules + ":5: any: refused (no_anchor): nothing to anchor on", ""},
		{"all are taken, to standard output", filescan.Conversion{From: "presidio", File: filepath.Join(dir, "good.yaml")}, 0, "1 rules, 1 detectors, 0 refused", "id: presidio.badge_a"},
		{"an unknown tool", filescan.Conversion{From: "other", File: rules}, 2, `--from "other" is neither gitleaks nor presidio`, ""},
		{"no configuration", filescan.Conversion{From: "gitleaks", File: filepath.Join(dir, "bad.toml")}, 2, "it is no gitleaks configuration", ""},
		{"a file that is not there", filescan.Conversion{From: "gitleaks", File: filepath.Join(dir, "none")}, 2, "no such file", ""},
		{"a file that cannot be written", filescan.Conversion{From: "gitleaks", File: rules, Out: dir}, 2, "write the detectors", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := filescan.Convert(&stdout, &stderr, tc.cfg)
			code := 0
			var exit *filescan.ExitError
			if errors.As(err, &exit) {
				code = exit.Code
				stderr.WriteString(exit.Error())
			}
			if code != tc.code || !strings.Contains(stderr.String(), tc.says) || !strings.Contains(stdout.String(), tc.wrote) {
				t.Errorf("code %d, %q, %q; want %d, %q, %q", code, stderr.String(), stdout.String(), tc.code, tc.says, tc.wrote)
			}
		})
	}
	var stdout, stderr bytes.Buffer
	if err := filescan.Test(&stdout, &stderr, []string{out}); err != nil {
		t.Errorf("the converted file: %v, %s", err, stderr.String())
	}
}
