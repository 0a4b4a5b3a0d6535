package extract

import (
	"strings"
	"testing"

	"github.com/outband/outband/fixtures/documents"
)

// officeDocuments are those of fixtures/documents that the kinds of zip files read.
func officeDocuments(tb testing.TB, seed uint64) (out []documents.Document) {
	docs, err := documents.All(seed)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range docs {
		switch d.Format {
		case "docx", "xlsx", "xlsb", "pptx", "opc", "odt", "ods", "odp", "odg":
			out = append(out, d)
		}
	}
	if len(out) < 11 {
		tb.Fatalf("%d documents", len(out))
	}
	return out
}

func TestOfficePlants(t *testing.T) {
	for _, d := range officeDocuments(t, 3) {
		t.Run(d.Name, func(t *testing.T) {
			c, rep := readAll(t, d.Name, d.Data, Options{})
			if rep.Format != d.Format {
				t.Errorf("read as %q (%s), not as %s", rep.Format, rep.Type, d.Format)
			}
			checkPlants(t, c, d)
			var gaps []string
			for _, g := range rep.Gaps {
				gaps = append(gaps, g.Reason)
			}
			if strings.Join(gaps, " ") != strings.Join(d.Gaps, " ") {
				t.Errorf("gaps %v, want %v", rep.Gaps, d.Gaps)
			}
		})
	}
}

// checkPlants demands every value whole within one text, once, and where it stands.
func checkPlants(t *testing.T, c *collected, d documents.Document) {
	t.Helper()
	for _, p := range d.Plants {
		want := Location(p.Where)
		var got []Location
		for _, text := range c.texts {
			whole := ""
			for _, s := range text {
				whole += s.text
			}
			for from := 0; ; {
				i := strings.Index(whole[from:], p.Value)
				if i < 0 {
					break
				}
				at := from + i
				from = at + len(p.Value)
				for _, s := range text {
					if at < len(s.text) {
						got = append(got, s.at)
						break
					}
					at -= len(s.text)
				}
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: found at %+v, want %+v", p.Place, got, want)
		}
	}
}
