package extract

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// counting is a Sink that only counts.
type counting struct{ bytes, marks int }

func (c *counting) Begin(bool) error    { return nil }
func (c *counting) Mark(Location) error { c.marks++; return nil }
func (c *counting) Source(int64) error  { return nil }
func (c *counting) Write(p []byte) error {
	c.bytes += len(p)
	return nil
}

// FuzzOffice changes the parts of documents, not the bytes of the zip file around them: name tells the part that data takes the place of.
func FuzzOffice(f *testing.F) {
	var bases [][]byte
	for _, d := range officeDocuments(f, 1) {
		z, err := zip.NewReader(bytes.NewReader(d.Data), int64(len(d.Data)))
		if err != nil {
			f.Fatal(err)
		}
		for i, p := range z.File {
			r, err := p.Open()
			if err != nil {
				f.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(len(bases)), uint8(i), b)
		}
		bases = append(bases, d.Data)
	}
	f.Fuzz(func(t *testing.T, base, part uint8, data []byte) {
		in := bases[int(base)%len(bases)]
		z, err := zip.NewReader(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i, p := range z.File {
			if i != int(part)%len(z.File) {
				if err := w.Copy(p); err != nil {
					t.Fatal(err)
				}
				continue
			}
			to, err := w.CreateHeader(&zip.FileHeader{Name: p.Name, Method: zip.Store})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := to.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		mustStayInBounds(t, b.Bytes())
	})
}

// FuzzOfficeZip changes the bytes of the documents.
func FuzzOfficeZip(f *testing.F) {
	for _, d := range officeDocuments(f, 1) {
		f.Add(d.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { mustStayInBounds(t, data) })
}

// mustStayInBounds reads a document: no panic, an end, and no more text than the document can hold.
func mustStayInBounds(t *testing.T, data []byte) (*counting, Report) {
	t.Helper()
	testHookPanic = func(p any, stack []byte) { t.Errorf("panic: %v\n%s", p, stack) }
	defer func() { testHookPanic = nil }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := &counting{}
	rep, err := Read(ctx, File{}, bytes.NewReader(data), Options{Limits: Limits{File: 8 << 20, Item: 32 << 20, Text: 64 << 20}}, c)
	if err != nil {
		t.Fatal(err)
	}
	if most := 100*rep.Bytes + 1<<20; int64(c.bytes) > most {
		t.Errorf("%d bytes of text out of %d", c.bytes, rep.Bytes)
	}
	return c, rep
}

func TestOfficeCutAnywhere(t *testing.T) {
	for _, d := range officeDocuments(t, 5) {
		for n := 0; n < len(d.Data); n += max(1, len(d.Data)/25) {
			mustStayInBounds(t, d.Data[:n])
		}
	}
}

// packed makes a document of parts.
func packed(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is text that hardly becomes smaller in a zip file.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuv"[r.IntN(32)]
	}
	return string(b)
}

func TestOfficeHostile(t *testing.T) {
	laughs := `<!DOCTYPE w [<!ENTITY a "lol">`
	for c := 'b'; c <= 'm'; c++ {
		laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat("&"+string(c-1)+";", 10))
	}
	para := func(s string) string {
		return `<w:document><w:body><w:p><w:r><w:t>` + s + `</w:t></w:r></w:p></w:body></w:document>`
	}
	sheet := func(rows string) []byte {
		return packed(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", `<workbook><sheets><sheet name="A" r:id="1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="1" Type="x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="2" Type="x/sharedStrings" Target="s.xml"/></Relationships>`,
			"xl/s.xml", `<sst count="4000000000" uniqueCount="4000000000"><si><t>VALUE</t></si></sst>`, "xl/worksheets/sheet1.xml", `<worksheet>`+rows+`</worksheet>`)
	}
	word := func(document string, more ...string) []byte {
		return packed(t, append([]string{"[Content_Types].xml", "<Types/>", "word/document.xml", document}, more...)...)
	}
	table := func(s string) []byte {
		return packed(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", `<office:document-content><office:body><office:spreadsheet><table:table table:name="A">`+s+`</table:table></office:spreadsheet></office:body></office:document-content>`)
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string // a text that comes out
		gaps string
	}{
		{"a document type that grows", word(laughs + `]>` + para("VALUE &m;")), "VALUE &m;", ""},
		{"an external entity", word(`<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + para("VALUE &x;")), "VALUE &x;", ""},
		{"elements in one another", word(`<w:document>` + strings.Repeat("<w:p>", 200_000)), "", "too_deep"},
		{"text boxes in one another", word(para(strings.Repeat(`</w:t><w:txbxContent><w:p><w:r><w:t>a`, 2000) + "VALUE")), "VALUE", "malformed"},
		{"alternatives in one another", word(`<w:document><w:p>` + strings.Repeat(`<mc:AlternateContent><mc:Choice><w:t>VALUE</w:t>`, 3000)), "VALUE", "malformed"},
		{"an alternative across paragraphs", word(`<w:document><mc:AlternateContent><w:p><w:r><w:t>` + "aaaaa" + `</w:t></w:r><mc:Choice></w:p><w:p><w:r><w:t>aaaaaaaaaa</w:t><w:del><w:t>VALUE</w:t></w:del></mc:Choice></w:r></w:p>` +
			`<mc:Choice><w:p><w:r><w:t>0123456789</w:t></mc:Choice><mc:Fallback><w:t>0123456789</w:t></mc:Fallback></mc:AlternateContent></w:document>`), "VALUE", "malformed"},
		{"a long paragraph in an alternative", word(`<w:document><mc:AlternateContent><w:p><w:r><w:t>ab</w:t><mc:Choice><w:t>` + noise(3<<20) + `</w:t><w:del><w:t>VALUE</w:t></w:del></mc:Choice></w:r></w:p></mc:AlternateContent></w:document>`), "VALUE", ""},
		{"no end", word(`<w:document><w:p><w:r><w:t>VALUE`), "VALUE", "malformed"},
		{"wrong end tags", word(`<w:document><w:p><w:r><w:t>VALUE</w:x></w:y></w:p></w:z>`), "VALUE", ""},
		{"an attribute without end", word(`<w:document><w:p w:x="` + noise(5<<20)), "", "over_memory_limit"},
		{"relationships in a circle", word(para("VALUE"), "_rels/.rels", `<Relationships><Relationship Id="1" Type="x/officeDocument" Target="word/document.xml"/></Relationships>`,
			"word/_rels/document.xml.rels", `<Relationships><Relationship Id="1" Type="x/header" Target="document.xml"/><Relationship Id="2" Type="x/glossaryDocument" Target="../word/document.xml"/><Relationship Id="3" Type="x/chart" Target="/../../x"/></Relationships>`), "VALUE", ""},
		{"a part that is much more than it takes", word(para(strings.Repeat("a", 4<<20))), "", "compression_ratio"},
		{"the same name twice", word(para("one"), "word/document.xml", para("VALUE")), "VALUE", ""},
		{"shared strings that are not there", sheet(`<sheetData><row r="1"><c t="s"><v>99</v></c><c t="s"><v>-1</v></c><c t="s"><v>0</v></c></row></sheetData>`), "VALUE", ""},
		{"columns beyond the last one", sheet(`<cols><col min="-5" max="99999999" hidden="1"/></cols><sheetData><row r="999999999999"><c r="ZZZZZ1" t="s"><v>0</v></c><c r="XFD1" t="s"><v>0</v></c><c r="ZZZ9" t="s"><v>0</v></c><c t="s"><v>0</v></c></row></sheetData>`), "VALUE", ""},
		{"rows and cells that repeat", table(`<table:table-row table:number-rows-repeated="2147483647"><table:table-cell table:number-columns-repeated="2147483647"><text:p>VALUE</text:p></table:table-cell></table:table-row>` +
			`<table:table-row table:number-rows-repeated="9223372036854775807"><table:table-cell><text:s text:c="2147483647"/><text:p><text:s text:c="2147483647"/></text:p></table:table-cell></table:table-row>`), "VALUE", ""},
		{"tables in a cell", table(strings.Repeat(`<table:table-row><table:table-cell><table:table>`, 3000) + `<text:p>VALUE</text:p>`), "VALUE", "malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mustStayInBounds(t, tc.data)
			c, rep := readAll(t, tc.name, tc.data, Options{})
			if !strings.Contains(c.all(), tc.want) {
				t.Errorf("%q is not in %.200q", tc.want, c.all())
			}
			gaps := map[string]bool{}
			for _, g := range rep.Gaps {
				gaps[g.Reason] = true
			}
			if len(gaps) > 1 || tc.gaps != "" && !gaps[tc.gaps] || tc.gaps == "" && len(gaps) > 0 {
				t.Errorf("gaps %v, want %q", rep.Gaps, tc.gaps)
			}
			if len(c.all()) > 8<<20 {
				t.Errorf("%d bytes of text", len(c.all()))
			}
		})
	}
}
