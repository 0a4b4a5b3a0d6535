package dlp_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/outband/outband/dlp"
)

var update = flag.Bool("update", false, "rewrite docs/detectors.md")

const docsPath = "../docs/detectors.md"

// The page about detectors is made from their files; go test ./dlp -run TestDocs -update rewrites it.
func TestDocs(t *testing.T) {
	all := builtin(t)
	slices.SortFunc(all, func(a, b dlp.Detector) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	b.WriteString("# Detectors\n\nMade from `dlp/detectors/*.yaml` by `go test ./dlp -run TestDocs -update`. Do not edit.\n\n")
	b.WriteString("Confidence runs from 0 to 1: low from 0.2, medium from 0.4, high from 0.6, very high from 0.85. The base is raised by a checksum and by\n")
	b.WriteString("context words within 60 characters, and lowered by words that speak against it. Published examples and placeholders stay below low.\n\n")
	fmt.Fprintf(&b, "%d detectors.\n", len(all))
	family := ""
	for _, d := range all {
		if f, _, _ := strings.Cut(d.ID, "."); f != family {
			family = f
			fmt.Fprintf(&b, "\n## %s\n\n| id | title | kind | severity | validator | references |\n|---|---|---|---|---|---|\n", family)
		}
		title := d.Title
		if d.Optional {
			title += " (optional)"
		}
		refs := make([]string, len(d.References))
		for i, r := range d.References {
			refs[i] = fmt.Sprintf("[%d](%s)", i+1, r)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", d.ID, title, d.Kind, d.Severity, d.Validator, strings.Join(refs, " "))
	}
	if *update {
		if err := os.WriteFile(docsPath, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("docs/detectors.md is stale; run go test ./dlp -run TestDocs -update")
	}
}
