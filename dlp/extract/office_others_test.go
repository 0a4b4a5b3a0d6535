package extract

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestOfficeWrittenByOthers(t *testing.T) {
	para := func(n int, part string) Location { return Location{Part: part, Paragraph: n} }
	prop := func(name string) Location { return Location{Part: PartProperty, Name: name} }
	cell := func(part, cell string) Location { return Location{Part: part, Sheet: "Data", Cell: cell} }
	slide := func(part string) Location { return Location{Part: part, Slide: 1} }
	text := map[string]Location{
		"TITLE-0001": prop("title"), "DESC-0002": prop("description"), "CUSTOM-0003": prop("Deploy"), "HEADING-0007": para(1, ""), "SPLIT-0008": para(2, ""), "INSERTED-0009": para(3, ""),
		"DELETED-0006": para(3, PartDeleted), "FOOTNOTE-0010": para(4, PartNote), "ENDNOTE-0011": para(4, PartNote), "Ann: COMMENT-0012": para(5, PartComment),
		"HIDDEN-0013": {Paragraph: 5, Hidden: true}, "LINK-0014": para(6, PartLink), "TEXTBOX-0015": para(7, PartTextBox), "CELL-0018": para(11, ""), "BOOKMARK-0020": para(13, PartName),
	}
	sheet := map[string]Location{
		"TITLE-0001": prop("title"), "CUSTOM-0003": prop("Deploy"), "Name": cell("", "A1"), "CELL-0018": cell("", "A2"), "Ann: COMMENT-0012": cell(PartComment, "A2"), "00001234": cell("", "C2"),
		"HIDDENCOL-0023": {Sheet: "Data", Cell: "D2", Hidden: true}, "HIDDENROW-0024": {Sheet: "Data", Cell: "A3", Hidden: true}, "FORMULA-0025": cell("", "A4"), `ULA-0025")`: cell(PartFormula, "A4"),
		"LINK-0014": cell(PartLink, "B4"), "HIDDENSHEET-0026": {Sheet: "Secret", Cell: "A1", Hidden: true}, "NAMED-0027": {Part: PartFormula, Name: "Key"},
	}
	slides := map[string]Location{
		"TITLE-0001": prop("title"), "SLIDE-0031": slide(""), "LINK-0014": slide(PartLink), "CELL-0018": slide(""), "NOTES-0032": slide(PartNote), "Ann: COMMENT-0012": slide(PartComment),
		"HIDDENSLIDE-0033": {Slide: 2, Hidden: true},
	}
	for _, tc := range []struct {
		file string
		all  map[string]Location
		more map[string]Location
	}{
		{"doc.docx", text, map[string]Location{"HEADER-0004": para(1, PartHeader), "FOOTER-0005": para(1, PartFooter), "SECTION-0019": para(12, "")}},
		{"doc.odt", text, map[string]Location{"HEADER-0004": {Part: PartHeader}, "FOOTER-0005": {Part: PartFooter}, "SECTION-0019": {Paragraph: 12, Hidden: true}, "ALTTITLE-0016": para(7, PartAltText), "ALTDESC-0017": para(7, PartAltText)}},
		{"sheet.xlsx", sheet, map[string]Location{"4111111111111110": cell("", "B2"), "LISTA-0021": cell(PartFormula, "C2"), "HELP-0022": cell(PartField, "C2")}},
		{"sheet.ods", sheet, map[string]Location{"4111111111111111": cell("", "B2"), "LISTA-0021": {Part: PartField, Name: "condition"}, "HELP-0022": {}}},
		{"slides.pptx", slides, nil},
		{"slides.odp", slides, map[string]Location{"ALTDESC-0017": slide(PartAltText)}},
		{"openpyxl.xlsx", nil, map[string]Location{
			"Ann: COMMENT-0012": cell(PartComment, "A2"), "4111111111111111": cell("", "B2"), "000-00-0123": cell("", "D4"), "1980-02-29": cell("", "B6"), "LINK-0014": cell(PartLink, "A5"),
			"HIDDENROW-0024": {Sheet: "Data", Cell: "A7", Hidden: true}, "HIDDENSHEET-0026": {Sheet: "Secret", Cell: "B2", Hidden: true}, `FORMULA-"&"0025`: cell(PartFormula, "C3"), "NAMED-0027": {Part: PartFormula, Name: "Key"},
		}},
		{"xlsxwriter.xlsx", nil, map[string]Location{
			"CELL-0018": cell("", "A2"), "FORMULA-0025": cell("", "C3"), "TEXTBOX-0015": cell(PartTextBox, ""), "LISTA-0021": cell(PartFormula, "B5"), "HEADER-0004": cell(PartHeader, ""),
			"CHART-0035": cell("", ""),
		}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata/office", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			c, rep := readAll(t, tc.file, b, Options{})
			for _, want := range []map[string]Location{tc.all, tc.more} {
				for word, at := range want {
					found := c.find(word)
					found = slices.DeleteFunc(found, func(l Location) bool {
						return word == "FORMULA-0025" && l.Part == PartFormula || word == "Name" && l.Cell == ""
					})
					if len(found) != 1 || found[0] != at {
						t.Errorf("%s: found at %+v, want %+v", word, found, at)
					}
				}
			}
			if len(rep.Gaps) > 0 {
				t.Errorf("gaps %v", rep.Gaps)
			}
		})
	}
}
