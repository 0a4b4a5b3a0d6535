package extract

import (
	"slices"
	"testing"

	"github.com/outband/outband/fixtures/documents"
)

// formatsOfLegacy are the formats of the documents that these tests are about.
var formatsOfLegacy = []string{"doc", "xls", "ppt", "msg", "tnef", "vba", "ole", "eml", "mbox", "mhtml"}

func legacyDocuments(t testing.TB) (out []documents.Document) {
	t.Helper()
	docs, err := documents.All(11)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		if slices.Contains(formatsOfLegacy, d.Format) {
			out = append(out, d)
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d documents", len(out))
	}
	return out
}

func TestEveryHidingPlaceOfMailAndOldOfficeFiles(t *testing.T) {
	for _, d := range legacyDocuments(t) {
		t.Run(d.Name, func(t *testing.T) {
			c, rep := readAll(t, d.Name, d.Data, Options{})
			for _, p := range d.Plants {
				want := placeOf(p.Where)
				found := c.find(p.Value)
				if !slices.Contains(found, want) {
					t.Errorf("%s: not at %+v but at %+v", p.Place, want, found)
				}
			}
			var gaps []string
			for _, g := range rep.Gaps {
				gaps = append(gaps, g.Reason)
			}
			if !slices.Equal(gaps, d.Gaps) {
				t.Errorf("gaps %v, not %v", rep.Gaps, d.Gaps)
			}
		})
	}
}

// placeOf is the location that a reader tells: lines and columns come from the offsets of its bytes.
func placeOf(w documents.Where) Location {
	return Location{Path: w.Path, Part: w.Part, Page: w.Page, Slide: w.Slide, Sheet: w.Sheet, Cell: w.Cell, Row: w.Row, Paragraph: w.Paragraph,
		Message: w.Message, Name: w.Name, Hidden: w.Hidden}
}
