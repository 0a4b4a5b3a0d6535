package extract

import (
	"slices"
	"testing"

	"github.com/outband/outband/fixtures/documents"
)

// pdfDocuments are those of the generator.
func pdfDocuments(t testing.TB) (out []documents.Document) {
	all, err := documents.All(7)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Format == "pdf" {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		t.Fatal("no documents")
	}
	return out
}

func TestPDFPlants(t *testing.T) {
	for _, doc := range pdfDocuments(t) {
		c, rep := readAll(t, doc.Name, doc.Data, Options{})
		if rep.Format != "pdf" {
			t.Errorf("%s: read as %q", doc.Name, rep.Format)
		}
		for _, p := range doc.Plants {
			want := Location(p.Where)
			want.Line, want.Column = 0, 0 // counted by who scans
			if got := c.find(p.Value); !slices.Contains(got, want) {
				t.Errorf("%s: %s: found at %v, want %v", doc.Name, p.Place, got, want)
			}
		}
		var gaps []string
		for _, g := range rep.Gaps {
			gaps = append(gaps, g.Reason)
		}
		if !slices.Equal(gaps, doc.Gaps) {
			t.Errorf("%s: gaps %v, want %v", doc.Name, gaps, doc.Gaps)
		}
	}
}
