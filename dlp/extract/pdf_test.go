package extract

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

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

// readPDFOnly reads as readAll does, for at most so long, and demands that text stays within bounds.
func readPDFOnly(t testing.TB, name string, data []byte) (*collected, Report) {
	t.Helper()
	testHookPanic = func(p any, stack []byte) { t.Fatalf("%s: panic: %v\n%s", name, p, stack) }
	defer func() { testHookPanic = nil }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := &collected{}
	opt := Options{Limits: Limits{Text: 8 << 20, Memory: 64 << 20, Item: 64 << 20}}
	rep, err := Read(ctx, File{Name: name}, bytes.NewReader(data), opt, c)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c, rep
}

func FuzzPDF(f *testing.F) {
	for _, doc := range pdfDocuments(f) {
		f.Add(doc.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		data = append([]byte("%PDF-1.7\n"), data...)
		start := time.Now()
		readPDFOnly(t, "fuzz.pdf", data)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v for %d bytes", d, len(data))
		}
	})
}
