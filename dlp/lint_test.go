package dlp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

const head = "detectors:\n  - id: custom.x\n    title: X\n    severity: low\n    confidence: 0.5\n"

func TestLintRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, yaml   string
		line, column int
		reason       string
	}{
		{"a star", head + "    kind: pattern\n    pattern: 'key-[a-z]*'\n", 7, 24, "unbounded"},
		{"an open brace", head + "    kind: pattern\n    pattern: 'key-[a-z]{2,}'\n", 7, 24, "unbounded"},
		{"a plus in a bare scalar", head + "    kind: pattern\n    pattern: key-x+\n", 7, 19, "unbounded"},
		{"nothing to anchor on", head + "    kind: pattern\n    pattern: '[a-z]{3,9}'\n", 7, 15, "anchor"},
		{"an anchor in one alternative only", head + "    kind: pattern\n    pattern: 'secret|[a-z]{4}'\n", 7, 15, "anchor"},
		{"too long a match", head + "    kind: pattern\n    pattern: 'key.{0,1000}'\n", 7, 15, "longest match"},
		{"too much work", head + "    kind: pattern\n    pattern: 'key(?:[a-z][0-9]{0,9}){0,90}'\n", 7, 15, "cost"},
		{"nested counts", head + "    kind: pattern\n    pattern: 'key(?:(?:a{1,30}){1,30}){1,30}'\n", 7, 25, "repeat"},
		{"an edge", head + "    kind: pattern\n    pattern: '^secret'\n", 7, 15, "window"},
		{"a keyword that the pattern does not hold", head + "    kind: pattern\n    keywords: [other]\n    pattern: 'secret-[a-z]{3}'\n", 7, 15, "without any"},
		{"a broken expression", head + "    kind: pattern\n    pattern: 'secret(('\n", 7, 0, "invalid expression"},
		{"a short prefix", head + "    kind: token\n    prefixes: [ab]\n    charset: hex\n    length: {min: 3, max: 9}\n", 7, 16, "prefix"},
		{"a class that is none", head + "    kind: token\n    prefixes: [abc_]\n    charset: z-a\n    length: {min: 3, max: 9}\n", 8, 14, "charset"},
		{"no bounds", head + "    kind: token\n    prefixes: [abc_]\n    charset: hex\n", 2, 5, "length"},
		{"an unknown validator", head + "    kind: token\n    prefixes: [abc_]\n    charset: hex\n    length: {min: 3, max: 9}\n    validator: none\n", 10, 16, "unknown validator"},
		{"an unknown kind", head + "    kind: magic\n", 6, 11, "kind"},
		{"an unknown field", head + "    kind: token\n    colour: red\n", 7, 1, "colour"},
		{"an unknown scanner", head + "    kind: scanner\n    scanner: none\n", 7, 14, "scanner"},
		{"a short keyword", head + "    kind: assignment\n    keywords: [ab]\n    charset: hex\n    length: {min: 3, max: 9}\n", 7, 16, "keyword"},
		{"a bad id", strings.Replace(head, "custom.x", "X", 1), 2, 9, "family.name"},
		{"an allow-list without bounds", head + "    kind: token\n    prefixes: [abc_]\n    charset: hex\n    length: {min: 3, max: 9}\n    allow: ['/a.*/']\n", 10, 0, "unbounded"},
		{"no YAML", "{", 1, 1, ""},
		{"an empty file", "", 1, 1, "empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := dlp.Load("x.yaml", []byte(tc.yaml))
			var lint *dlp.LintError
			if !errors.As(err, &lint) {
				t.Fatalf("error %v", err)
			}
			if lint.Line != tc.line || tc.column > 0 && lint.Column != tc.column || !strings.Contains(lint.Reason, tc.reason) {
				t.Errorf("%d:%d: %s; want %d:%d: %s", lint.Line, lint.Column, lint.Reason, tc.line, tc.column, tc.reason)
			}
		})
	}
}

const custom = head + `    kind: pattern
    pattern: 'emp-(?P<value>[0-9]{6})'
    examples:
      match: ["a emp-«123456»", "b: emp-«123457»", "{\"c\":\"emp-«123458»\"}", "d=emp-«123459»", "e emp-«123450»."]
      no_match: ["emp-12345", "emp 123456", "xemp_123456", "emp-1234567", "temp-"]
`

func TestLoadChecksExamples(t *testing.T) {
	if _, err := dlp.Load("x.yaml", []byte(custom)); err != nil {
		t.Error(err)
	}
	for name, change := range map[string][2]string{
		"the span is another":   {"emp-«123456»", "«emp-123456»"},
		"a match is not found":  {"emp-«123456»", "emp-«12345x»"},
		"a value is not marked": {"emp-«123456»", "emp-123456"},
		"too few examples":      {"\"temp-\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var lint *dlp.LintError
			if _, err := dlp.Load("x.yaml", []byte(strings.Replace(custom, change[0], change[1], 1))); !errors.As(err, &lint) || lint.Line < 7 {
				t.Errorf("error %v", err)
			}
		})
	}
	sure := strings.Replace(strings.Replace(custom, "confidence: 0.5", "confidence: 0.9", 1), `"temp-"`, `"emp-999999 is one after all"`, 1)
	if _, err := dlp.Load("x.yaml", []byte(sure)); err == nil {
		t.Error("a no_match that matches is accepted")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(custom)
	f.Add(head + "    kind: token\n    prefixes: [abc_]\n    charset: a-z\n    length: {min: 3, max: 9}\n")
	f.Add("detectors: [{id: [}]")
	f.Add(head + "    kind: scanner\n    scanner: number\n    shapes: [{shape: '##-A~#'}]\n")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		ds, err := dlp.Parse("f.yaml", []byte(s)) // As Load does, but for the probe, which would take all of the time.
		for _, d := range ds {
			err = errors.Join(append(dlp.Check(d), err)...)
		}
		var lint *dlp.LintError
		if err != nil && (!errors.As(err, &lint) || lint.Line < 1 || lint.Column < 1) {
			t.Fatalf("error %v is no LintError with a place", err)
		}
		for _, d := range ds {
			if d.ID == "" && err == nil {
				t.Fatal("a detector without an id passed")
			}
		}
	})
}

// A pattern of alternatives is looked for by the words of each; what it finds does not depend on which is written first.
func TestAlternatives(t *testing.T) {
	for _, pattern := range []string{
		"alpha [0-9]{2}|[a-z]{2} beta|(?:gamma|delta) x|[|(]bars", "(?i)(?:alpha [0-9]{2}|[a-z]{2} beta|(?:gamma|delta) x|[|(]bars)",
		"(?:alpha [0-9]{2}|[a-z]{2} beta|(?:gamma|delta) x|[|(]bars)", "(?:alpha) [0-9]{2}|(?:[a-z]{2} beta)|(?:gamma|delta) x|[|(]bars",
	} {
		d, err := dlp.Parse("x.yaml", []byte(head+"    kind: pattern\n    pattern: '"+pattern+"'\n"))
		if err != nil {
			t.Fatal(err)
		}
		e, err := dlp.New(d, dlp.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		text := "alpha 12, no beta, delta x; |bars; alpha beta gamma"
		var got []string
		for _, m := range scan(t, e, text) {
			got = append(got, text[m.Start:m.End])
		}
		if diff := cmp.Diff([]string{"alpha 12", "no beta", "delta x", "|bars"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}
