package docscan_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/fixtures/documents"
)

// grownSize is about how large a grown document is, in bytes of the text that it holds.
const grownSize = 1 << 20

// BenchmarkDocuments scans the documents of each format one by one through a warm pool, with all built-in detectors: as they are made, which is small, and
// grown to about a MiB where a format can be grown by repeating. MB/s are those of the files as they are uploaded, compressed ones as well.
func BenchmarkDocuments(b *testing.B) {
	docs, err := documents.All(1)
	if err != nil {
		b.Fatal(err)
	}
	s := newScanner(b, sandbox.Configuration{})
	var formats []string
	of := map[string][]documents.Document{}
	add := func(format string, d documents.Document) {
		if of[format] == nil {
			formats = append(formats, format)
		}
		of[format] = append(of[format], d)
	}
	for _, d := range docs {
		add(d.Format, d)
		if g := grown(b, d); g != nil && of[d.Format+"-grown"] == nil {
			add(d.Format+"-grown", documents.Document{Name: d.Name, Data: g})
		}
	}
	for _, f := range formats {
		b.Run(f, func(b *testing.B) {
			size := 0
			for _, d := range of[f] {
				size += len(d.Data)
			}
			b.SetBytes(int64(size))
			var text int64
			for b.Loop() {
				text = 0
				for _, d := range of[f] {
					res, err := s.Scan(b.Context(), extract.File{Name: d.Name}, bytes.NewReader(d.Data), nil)
					if err != nil {
						b.Fatal(err)
					}
					text += res.Text
				}
			}
			n := float64(len(of[f])) * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(n, "files/s")
			b.ReportMetric(float64(text)*float64(b.N)/b.Elapsed().Seconds()/1e6, "text-MB/s")
		})
	}
}

// grown is a document whose content comes again and again; nil: its format does not allow that.
func grown(t testing.TB, d documents.Document) []byte {
	t.Helper()
	switch d.Format {
	case "text", "csv", "ndjson", "mbox", "html":
		return append(bytes.Clone(d.Data), repeated(d, string(d.Data))...)
	case "docx":
		return regrown(t, d, "word/document.xml", "<w:body>", "</w:body>")
	case "xlsx":
		return regrown(t, d, "xl/worksheets/sheet1.xml", "<sheetData>", "</sheetData>")
	case "pptx":
		return regrown(t, d, "ppt/slides/slide1.xml", "<p:spTree>", "</p:spTree>")
	case "odt":
		return regrown(t, d, "content.xml", "<office:text>", "</office:text>")
	}
	return nil
}

// repeated is a part of a document again and again, with words where values were planted: a real document does not hold one in each line.
func repeated(d documents.Document, part string) string {
	for _, p := range d.Plants {
		part = strings.ReplaceAll(part, p.Value, "the quarterly report of the north harbor")
	}
	return strings.Repeat(part, 1+grownSize/max(len(part), 1))
}

// regrown repeats what stands between two tags of a member of a zip file; nil: they are not there.
func regrown(t testing.TB, d documents.Document, member, from, to string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(d.Data), int64(len(d.Data)))
	if err != nil {
		return nil // It is encrypted or broken, as it should be.
	}
	var buf bytes.Buffer
	out, done := zip.NewWriter(&buf), false
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			return nil
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil
		}
		head, rest, ok := strings.Cut(string(b), from)
		inner, tail, ok2 := strings.Cut(rest, to)
		if f.Name == member && ok && ok2 {
			b, done = []byte(head+from+inner+repeated(d, inner)+to+tail), true
		}
		w, err := out.Create(f.Name)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if !done {
		return nil
	}
	return buf.Bytes()
}
