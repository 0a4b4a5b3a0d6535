package policy

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

var update = flag.Bool("update", false, "rewrite the table of built-in policies in docs/policies.md")

const docsPath = "../../docs/policies.md"

// TestDocs keeps the table of built-in policies in the documentation equal to the policies.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), "-update`. -->\n")
	old, after, ok2 := strings.Cut(rest, "<!-- built-in policies: end -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", docsPath)
	}
	var table strings.Builder
	table.WriteString("| policy | severity | what it finds |\n|---|---|---|\n")
	for _, p := range builtin(t) {
		fmt.Fprintf(&table, "| `%s` | %s | **%s.** %s |\n", p.ID, p.Severity, p.Title, p.Description)
	}
	if *update {
		text := before + "-update`. -->\n" + table.String() + "<!-- built-in policies: end -->" + after
		if err := os.WriteFile(docsPath, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), old); diff != "" {
		t.Errorf("the table in %s is old; run go test ./dlp/policy -run TestDocs -update (-want +got):\n%s", docsPath, diff)
	}
}

// TestDocsNameTheLanguage keeps the documentation from missing a variable, and its example from being wrong.
func TestDocsNameTheLanguage(t *testing.T) {
	data, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, v := range variables {
		if !strings.Contains(text, "`"+v.name+"`") {
			t.Errorf("%s does not name the variable %s", docsPath, v.name)
		}
	}
	for _, f := range []string{fnCount, fnDistinct, fnKinds, fnConfidence, fnProfile, fnTotal, fnRecent, fnField, fnText, fnEntries, fnOlder, fnStanding, fnUpdated, fnOldValue, fnNewValue} {
		if !strings.Contains(text, "`"+strings.TrimPrefix(f, "@")+"(") {
			t.Errorf("%s does not name the function %s", docsPath, f)
		}
	}
	blocks := regexp.MustCompile("(?s)```(yaml|cel)\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 4 {
		t.Fatalf("%s has %d examples, want 4", docsPath, len(blocks))
	}
	for _, block := range blocks {
		if strings.Contains(block[2], "\ndetectors: ") {
			if _, err := dlp.ParseProfile(docsPath, []byte(block[2])); err != nil {
				t.Error(err)
			}
			continue
		}
		if severity, ok := strings.CutPrefix(block[2], "severity: "); ok {
			compiledSet(t, nil, graded(strings.TrimSpace(severity), ""))
			continue
		}
		if block[1] == "yaml" {
			compiledSet(t, nil, block[2])
			continue
		}
		for line := range strings.Lines(block[2]) {
			compiledSet(t, nil, file("content.example", `items: ["*"]`, strings.TrimSpace(line)))
		}
	}
}
