package extract

import (
	"slices"
	"testing"

	"github.com/outband/outband/fixtures/documents"
)

// checkDocuments reads the generated documents of the formats, and demands every plant at its place and every gap, and no other gap.
func checkDocuments(t *testing.T, formats ...string) {
	t.Helper()
	for seed := range uint64(3) {
		docs, err := documents.All(seed)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, doc := range docs {
			if !slices.Contains(formats, doc.Format) {
				continue
			}
			seen[doc.Format] = true
			c, rep := readAll(t, doc.Name, doc.Data, Options{})
			if rep.Format == "" {
				t.Errorf("%s: no format reads %s", doc.Name, rep.Type)
			}
			for _, p := range doc.Plants {
				w := p.Where
				want := Location{Path: w.Path, Part: w.Part, Page: w.Page, Slide: w.Slide, Sheet: w.Sheet, Cell: w.Cell, Row: w.Row, Paragraph: w.Paragraph, Message: w.Message, Name: w.Name, Hidden: w.Hidden}
				if got := c.find(p.Value); !slices.Contains(got, want) {
					t.Errorf("%s: %s: want %+v, got %+v", doc.Name, p.Place, want, got)
				}
			}
			var gaps []string
			for _, g := range rep.Gaps {
				gaps = append(gaps, g.Reason)
			}
			if !slices.Equal(gaps, doc.Gaps) {
				t.Errorf("%s: gaps %v, want %v", doc.Name, reasons(rep), doc.Gaps)
			}
		}
		for _, f := range formats {
			if !seen[f] {
				t.Errorf("no document of format %s", f)
			}
		}
	}
}

func TestArchiveDocuments(t *testing.T) {
	checkDocuments(t, "zip", "tar", "gzip", "bzip2", "xz", "zstd", "compress", "7z", "rar", "ar", "cpio")
}

// fuzzDocuments adds the generated documents of the formats as seeds, and reads what the fuzzer makes of them.
func fuzzDocuments(f *testing.F, formats ...string) {
	docs, err := documents.All(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, doc := range docs {
		if slices.Contains(formats, doc.Format) {
			f.Add(doc.Data)
		}
	}
	limits := Limits{File: 1 << 20, Item: 4 << 20, Text: 4 << 20, Memory: 256 << 20, Entries: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, rep := readAll(t, "a", data, Options{Limits: limits})
		if rep.Text > limits.Text || rep.Bytes > limits.Item+limits.File+1<<20 || int64(len(c.all())) > 2*limits.Text {
			t.Errorf("%d bytes of text from %d", rep.Text, rep.Bytes)
		}
	})
}

func FuzzArchive(f *testing.F) {
	fuzzDocuments(f, "zip", "tar", "gzip", "bzip2", "xz", "zstd", "compress", "7z", "rar", "ar", "cpio")
}
