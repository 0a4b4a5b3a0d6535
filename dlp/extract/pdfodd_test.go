package extract

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func pdfDeflate(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(s)) // A buffer takes all.
	w.Close()
	return b.String()
}

// pdfOf is a file without a table, of these objects.
func pdfOf(objects ...string) []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer << /Root 1 0 R >>\n%%EOF\n")
	return []byte(b.String())
}

func pdfStreamOf(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

const (
	pdfTestRoot = "<< /Type /Catalog /Pages 2 0 R >>"
	pdfTestTree = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	pdfTestPage = "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> /XObject << /A 4 0 R /B 5 0 R >> >> >>"
)

func TestPDFOdd(t *testing.T) {
	bomb := pdfDeflate(pdfDeflate(strings.Repeat("\x00", 100<<20)))
	show := "BT /F 9 Tf (the planted value) Tj ET "
	many := strings.Repeat
	for _, tc := range []struct {
		name string
		data []byte
		want bool   // the planted value is found
		gap  string // that must be there
	}{
		{"a page tree that is its own kid", pdfOf(pdfTestRoot, "<< /Type /Pages /Kids [2 0 R 3 0 R 2 0 R] >>", pdfTestPage, pdfStreamOf("", show)), true, ""},
		{"a length that refers to itself", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, "<< /Length 4 0 R >>\nstream\n"+show+"\nendstream"), true, ""},
		{"a length beyond the file", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, "<< /Length 999999999999 >>\nstream\n"+show+"\nendstream"), true, ""},
		{"forms that show one another", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("/Subtype /Form", show+many("/A Do /B Do ", 50)), pdfStreamOf("/Subtype /Form", many("/A Do /B Do ", 50))), true, ""},
		{"a bomb in two layers", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("/Filter [/FlateDecode /FlateDecode]", bomb)), false, ReasonRatio},
		{"arrays in arrays", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", many("[", 1<<20)+many("]", 1<<20)+show)), true, ""},
		{"strings without an end", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", show+many("(\n", 1<<20))), true, ""},
		{"dictionaries without an end", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", show), many("<< /A ", 1<<20)), true, ""},
		{"saves without restores", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", many("q ", 1<<20)+show)), true, ""},
		{"objects without an end", append(pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", show)), many("7 0 obj << /K [ ", 1<<17)...), true, ""},
		{"streams without an end", append(pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", show)), many("7 0 obj << /Length 5 >> stream\n", 1<<16)...), true, ""},
		{"a list of filters without an end", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("/Filter ["+many("/FlateDecode ", 1<<16)+"]", show)), false, ReasonMalformed},
		{"an outline that goes round", pdfOf("<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>", pdfTestTree, pdfTestPage, pdfStreamOf("", show), "<< /First 6 0 R >>", "<< /Title (t) /First 6 0 R /Next 6 0 R >>"), true, ""},
		{"fields in one another", pdfOf("<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>", pdfTestTree, pdfTestPage, pdfStreamOf("", show), "<< /T (a) /Kids [5 0 R 5 0 R] /Parent 5 0 R >>"), true, ""},
		{"a name tree that goes round", pdfOf("<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles 5 0 R >> >>", pdfTestTree, pdfTestPage, pdfStreamOf("", show), "<< /Kids [5 0 R 5 0 R] >>"), true, ""},
		{"a table that is its own older one", []byte(string(pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", show))) + "xref\n0 999999999\ntrailer << /Size 999999999 /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF"), true, ""},
		{"a huge font map", pdfOf(pdfTestRoot, pdfTestTree, "<< /Type /Page /Contents 4 0 R /Resources << /Font << /F << /Subtype /Type0 /Encoding /Identity-H /ToUnicode 5 0 R /DescendantFonts [<< /W [0 [1] 5 99999999 7] >>] >> >> >> >>",
			pdfStreamOf("", "BT /F 9 Tf <00010002> Tj ET"), pdfStreamOf("", "1 beginbfrange <00000000> <ffffffff> <0041> endbfrange "+many("1 beginbfrange <0000> <ffff> <0041> endbfrange ", 1<<15))), false, ""},
		{"matrices of no number", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("", many("1e99 99999999999999999999 99999999999999999999 99999999999999999999 0 0 cm ", 100)+show)), true, ""},
		{"a wrong filter before the right one", pdfOf(pdfTestRoot, pdfTestTree, pdfTestPage, pdfStreamOf("/Filter /FlateDecode", pdfDeflate(show)[:30])), false, ""},
		{"nothing but a header", []byte("%PDF-1.4\n"), false, ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			c, rep := readPDFOnly(t, tc.name, tc.data)
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
			if got := strings.Contains(c.all(), "the planted value"); got != tc.want {
				t.Errorf("value found: %v, want %v", got, tc.want)
			}
			if tc.gap != "" && !slices.ContainsFunc(rep.Gaps, func(g Gap) bool { return g.Reason == tc.gap }) {
				t.Errorf("gaps %v, want %s", rep.Gaps, tc.gap)
			}
		})
	}
}

func TestPDFTruncated(t *testing.T) {
	for _, doc := range pdfDocuments(t) {
		for i := range 100 {
			readPDFOnly(t, doc.Name, doc.Data[:len(doc.Data)*i/100])
		}
	}
	// Cut before its table, a file still gives the pages before.
	doc := pdfDocuments(t)[0]
	c, _ := readPDFOnly(t, doc.Name, doc.Data[:bytes.LastIndex(doc.Data, []byte("xref\n0 1"))])
	if got := c.find(doc.Plants[0].Value); len(got) == 0 {
		t.Errorf("%s: nothing found without its table", doc.Name)
	}
}

func TestPDFReal(t *testing.T) {
	for file, want := range map[string][]string{
		"chromium.pdf":    {"ghp_ChromiumPlain0123456789abcdefABCDEF12", "ghp_ChromiumSpaced012345678abcdefABCDEF12", "office fluff ghp_ChromiumSerif1234567890bcdefABCDEF12 affects waffles"},
		"libreoffice.pdf": {"waffles", "ghp_ChromiumSpaced012345678abcdefABCDEF12", "db ghp_ChromiumTable12345678901cdefABCDEF12"},
		"reportlab.pdf":   {"Token ghp_Reportlab0123456789abcdefABCDEF1234", "pw: ghp_ReportField23456789abcdefABCDEF1234", "ghp_ReportNote23456789abcdefABCDEF123456"},
		"qpdf-aes256.pdf": {"Token ghp_Reportlab0123456789abcdefABCDEF1234", "pw: ghp_ReportField23456789abcdefABCDEF1234"},
		"qpdf-r5.pdf":     {"Token ghp_Reportlab0123456789abcdefABCDEF1234"},
		"qpdf-rc4.pdf":    {"Token ghp_Reportlab0123456789abcdefABCDEF1234"},
		"pikepdf.pdf":     {"Token ghp_Reportlab0123456789abcdefABCDEF1234", "ghp_PikeAttach0123456789abcdefABCDEF12"},
		"fpdf2.pdf":       {"ghp_Fpdf0123456789abcdefghijABCDEF123456"},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", "pdf", file))
		if err != nil {
			t.Fatal(err)
		}
		c, rep := readAll(t, file, data, Options{})
		for _, v := range want {
			if !strings.Contains(c.all(), v) {
				t.Errorf("%s: no %q in\n%s", file, v, c.all())
			}
		}
		if len(rep.Gaps) > 0 {
			t.Errorf("%s: gaps %v", file, rep.Gaps)
		}
	}
}
