package extract

import (
	"bytes"
	"context"
	"slices"
	"strings"
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

// pdfSizes says the first line of the images that it is given.
type pdfSizes struct{ heads []string }

func (r *pdfSizes) Recognize(_ context.Context, image []byte) (string, error) {
	head, _, _ := bytes.Cut(image, []byte("\n"))
	r.heads = append(r.heads, string(head))
	return "recognized words", nil
}

func TestPDFImages(t *testing.T) {
	page := "<< /Type /Page /Contents 4 0 R /Resources << /XObject << /A 5 0 R >> >> >>"
	show := pdfStreamOf("", "q 600 0 0 700 0 0 cm /A Do Q")
	for _, tc := range []struct{ name, image, head, gap string }{
		{"gray", pdfStreamOf("/Subtype /Image /Width 60 /Height 60 /ColorSpace /DeviceGray", strings.Repeat("a", 3600)), "P5 60 60 255", ""},
		{"one bit", pdfStreamOf("/Subtype /Image /Width 64 /Height 60 /BitsPerComponent 1 /ImageMask true", strings.Repeat("a", 480)), "P5 64 60 255", ""},
		{"a palette", pdfStreamOf("/Subtype /Image /Width 60 /Height 60 /ColorSpace [/Indexed /DeviceRGB 1 <000000ffffff>]", strings.Repeat("\x01", 3600)), "P5 60 60 255", ""},
		{"fewer pixels than are declared", pdfStreamOf("/Subtype /Image /Width 60 /Height 6000 /ColorSpace /DeviceRGB", strings.Repeat("\x01", 1800)), "P5 60 10 255", ""},
		{"JPEG", pdfStreamOf("/Subtype /Image /Width 60 /Height 60 /Filter /DCTDecode", "\xff\xd8\xff\n"), "\xff\xd8\xff", ""},
		{"fax", pdfStreamOf("/Subtype /Image /Width 60 /Height 60 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 60 >>", "fax"), "II*\x00\x08\x00\x00\x00\t\x00\x00\x01\x04\x00\x01\x00\x00\x00<\x00\x00\x00\x01\x01\x04\x00\x01\x00\x00\x00<\x00\x00\x00\x02\x01\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00\x03\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x06\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00z\x00\x00\x00\x15\x01\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00<\x00\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00fax", ""},
		{"JBIG2", pdfStreamOf("/Subtype /Image /Width 60 /Height 60 /Filter /JBIG2Decode", "x"), "", ReasonImage},
		{"too many pixels", pdfStreamOf("/Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceGray", "x"), "", ReasonPixels},
	} {
		r := &pdfSizes{}
		c, rep := readAll(t, tc.name, pdfOf(pdfTestRoot, pdfTestTree, page, show, tc.image), Options{OCR: true, Recognizer: r})
		if tc.gap != "" {
			if len(rep.Gaps) != 1 || rep.Gaps[0].Reason != tc.gap || len(r.heads) > 0 {
				t.Errorf("%s: gaps %v, want %s; %d images were read", tc.name, rep.Gaps, tc.gap, len(r.heads))
			}
			continue
		}
		if len(r.heads) != 1 || r.heads[0] != tc.head {
			t.Errorf("%s: images %q, want %q", tc.name, r.heads, tc.head)
		}
		if got := c.find("recognized words"); !slices.Equal(got, []Location{{Part: PartImage, Page: 1}}) || len(rep.Gaps) > 0 {
			t.Errorf("%s: text at %v, gaps %v", tc.name, got, rep.Gaps)
		}
	}
}

func TestPDFEncodings(t *testing.T) {
	for _, tc := range []struct {
		encoding pdfName
		code     byte
		want     string
	}{
		{"StandardEncoding", 0xa7, "§"}, {"StandardEncoding", 0xae, "fi"}, {"StandardEncoding", 0xd0, "—"}, {"StandardEncoding", 0xfb, "ß"}, {"StandardEncoding", 0xe8, "Ł"},
		{"WinAnsiEncoding", 0x80, "€"}, {"WinAnsiEncoding", 0xe9, "é"}, {"MacRomanEncoding", 0x8e, "é"}, {"PDFDocEncoding", 0xa0, "€"}, {"PDFDocEncoding", 0x9e, "ž"},
		{"SymbolEncoding", 0x61, "α"}, {"SymbolEncoding", 0x7e, "∼"},
	} {
		if got := pdfEncoding(tc.encoding)[tc.code]; got != tc.want {
			t.Errorf("%s: %#x is %q, want %q", tc.encoding, tc.code, got, tc.want)
		}
	}
	for name, want := range map[string]string{"A": "A", "uni00410042": "AB", "u1F600": "😀", "f_f_i": "ffi", "a.alt": "a", "underscore": "_", "afii10017": "А", "ffi": "ffi", "nothing": ""} {
		if got := pdfGlyphText(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
