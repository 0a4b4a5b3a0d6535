package extract

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

func TestOfficeTables(t *testing.T) {
	rows := `<sheetData><row r="1"><c r="B1" t="inlineStr"><is><t>Name</t></is></c><c r="C1" t="inlineStr"><is><t>Card</t></is></c><c r="E1" t="inlineStr"><is><t>Last</t></is></c></row>` +
		`<row r="2"><c r="B2" t="inlineStr"><is><t>Bob</t></is></c><c r="C2"><f>1+1</f><v>4.111111111111111E+15</v></c></row></sheetData>`
	for _, tc := range []struct {
		name, want string
		data       []byte
	}{
		{"the rows of a sheet have as many cells as its first one", "\f\tName\tCard\t\tLast\n\tBob\t4111111111111111\t\t\n=1+1\n\f", packed(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", `<workbook><sheets><sheet name="A" r:id="1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`, "xl/worksheets/sheet1.xml", `<worksheet>`+rows+`</worksheet>`)},
		{"the cells of a row of Word are one line", "before\nName\tCard\nBob\t41\n11\n\t\tlast\nafter\n\f", packed(t, "[Content_Types].xml", "<Types/>", "word/document.xml", `<w:document><w:p><w:r><w:t>before</w:t></w:r></w:p><w:tbl>`+
			`<w:tr><w:tc><w:p><w:r><w:t>Name</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Card</w:t></w:r></w:p></w:tc></w:tr>`+
			`<w:tr><w:tc><w:p><w:r><w:t>Bob</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>41</w:t></w:r></w:p><w:p><w:r><w:t>11</w:t></w:r></w:p></w:tc></w:tr>`+
			`<w:tr><w:tc><w:p/></w:tc><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>last</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p><w:r><w:t>after</w:t></w:r></w:p></w:document>`)},
		{"a sheet of OpenDocument", "\fName\tCard\nBob\t00042\nEve\t4111111111111111\n\f", packed(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", `<office:document-content><office:body><office:spreadsheet><table:table table:name="A">`+
			`<table:table-row><table:table-cell><text:p>Name</text:p></table:table-cell><table:table-cell><text:p>Card</text:p></table:table-cell></table:table-row>`+
			`<table:table-row><table:table-cell><text:p>Bob</text:p></table:table-cell><table:table-cell office:value-type="float" office:value="42"><text:p>00042</text:p></table:table-cell></table:table-row>`+
			`<table:table-row><table:table-cell><text:p>Eve</text:p></table:table-cell><table:table-cell office:value-type="float" office:value="4.111111111111111E+15"><text:p>4.11E+15</text:p></table:table-cell></table:table-row>`+
			`</table:table></office:spreadsheet></office:body></office:document-content>`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := readAll(t, tc.name, tc.data, Options{})
			if !strings.Contains(c.all(), tc.want) {
				t.Errorf("%q is not in %q", tc.want, c.all())
			}
		})
	}
}

func TestNumberFormats(t *testing.T) {
	for _, tc := range []struct{ code, raw, want string }{
		{"General", "4111111111111111", "4111111111111111"},
		{"General", "4.1111111111111111E+15", "4111111111111111"},
		{"0.00E+00", "4.1111111111111111E+15", "4111111111111111"},
		{"00000", "1234", "01234"},
		{`000\-00\-0000`, "78051120", "078-05-1120"},
		{`000\-00\-0000`, "12345678901", "12345-67-8901"},
		{`0000" "0000" "0000" "0000`, "4111111111111111", "4111 1111 1111 1111"},
		{"[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", "5551234", "5551234"},
		{"#,##0.00", "1234.5", "1234.5"},
		{"yyyy\\-mm\\-dd", "29280", "1980-02-29"},
		{"[$-409]d mmm yyyy;@", "29280.5", "1980-02-29 12:00:00"},
		{"[h]:mm", "0.5", "12:00:00"},
		{"d", "-5", "-5"},
		{"d", "1E+300", "1E+300"},
		{"0", "NaN", "NaN"},
	} {
		if got := parseFormat(tc.code).show(tc.raw, false); got != tc.want {
			t.Errorf("%s as %s: %q, want %q", tc.raw, tc.code, got, tc.want)
		}
	}
	if got := builtinFormat(14).show("27818", true); got != "1980-02-29" {
		t.Errorf("with the dates of 1904: %q", got)
	}
	for _, code := range []string{";;;", ";;", `"`, `\`, "[", "[h", "0;", `"0`, "_", "*"} {
		parseFormat(code).show("12", false)
	}
}

func TestHeaderText(t *testing.T) {
	for in, want := range map[string]string{
		`&Lleft&Ccenter&Rright`: "left\ncenter\nright", `&"Arial,Bold"&12Name && Co`: "Name & Co", `Page &P of &N`: "Page   of", `&K00-013red`: "red", "&": "&", `&"`: "",
	} {
		if got := headerText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestXMLReader(t *testing.T) {
	for in, want := range map[string]string{
		`<a b="1 &lt; 2">x &amp; &#x41;&#66; &nbsp; & y</a>`: "(a b=1 < 2)x & AB &nbsp; & y(/a)",
		`<p:a c:b='"'/>`:                                           `(a b=")(/a)`,
		`<a><![CDATA[<b>]]]]><![CDATA[>]]></a>`:                    "(a)<b>]]>(/a)",
		"\ufeff<a>ü</a>":                                           "(a)ü(/a)",
		"\xff\xfe<\x00a\x00>\x00\xfc\x00<\x00/\x00a\x00>\x00":      "(a)ü(/a)",
		"<?xml version='1.0' encoding='windows-1252'?><a>\xfc</a>": "(a)ü(/a)",
		"<?xml version='1.0' encoding='utf-16'?><a>ü</a>":          "(a)ü(/a)",
		`<!DOCTYPE a [<!ENTITY x "]>y">]><a>&x;</a>`:               `[!DOCTYPE a [<!ENTITY x "]>y">]](a)&x;(/a)`,
		`<!-- c --><a/>`:                                           "[ c ](a)(/a)",
		`<a b c=d>x</a>`:                                           "(a b= c= d=)x(/a)",
		"<a>":                                                      "(a)!malformed",
		"":                                                         "!malformed",
		"<a":                                                       "!malformed",
		"<a><![CDATA[x":                                            "(a)!malformed",
		"</b><a></c>":                                              "(a)(/a)",
		"<a>" + strings.Repeat("x", 70_000) + "</a>":             "(a)" + strings.Repeat("x", 70_000) + "(/a)",
		"<a><![CDATA[" + strings.Repeat(">", 70_000) + "]]></a>": "(a)" + strings.Repeat(">", 70_000) + "(/a)",
	} {
		x := newXMLReader(bytes.NewReader([]byte(in)))
		var b strings.Builder
	read:
		for {
			tok, err := x.next()
			if err != nil {
				b.WriteString("!" + err.Error())
				break
			}
			switch tok {
			case xmlEOF:
				break read
			case xmlStart:
				b.WriteString("(" + string(x.name))
				for _, a := range x.attrs {
					b.WriteString(" " + string(a.name) + "=" + string(a.value))
				}
				b.WriteString(")")
			case xmlEnd:
				b.WriteString("(/" + string(x.name) + ")")
			case xmlText:
				b.Write(x.text)
			case xmlComment:
				b.WriteString("[" + string(x.text) + "]")
			}
		}
		if b.String() != want {
			t.Errorf("%.80q: %.200q, want %.200q", in, b.String(), want)
		}
	}
}

func TestVariantsAreNoMismatch(t *testing.T) {
	docm := packed(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w:document/>")
	for declared, want := range map[string]bool{
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": false, "application/zip": false, "application/pdf": true,
	} {
		if got := Mismatch(File{Type: declared}, detect(docm)); got != want {
			t.Errorf("%s: mismatch %t", declared, got)
		}
	}
}

func TestOfficeZipComments(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range []string{"[Content_Types].xml", "word/document.xml"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: n, Comment: "ONE"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("<w:document/>")); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.SetComment("TWO"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c, _ := readAll(t, "a.docx", b.Bytes(), Options{})
	for _, w := range []string{"ONE", "TWO"} {
		if len(c.find(w)) == 0 {
			t.Errorf("%s is not in %q", w, c.all())
		}
	}
}
