package extract

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realFile reads a file of testdata.
func realFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestOldOfficeFilesAndMailOfOtherSoftware(t *testing.T) {
	para := func(part string, n int) Location { return Location{Part: part, Paragraph: n} }
	cell := func(c string) Location { return Location{Sheet: "People", Cell: c} }
	file := "schlüssel-sehr-lang-" + strings.Repeat("x", 60) + ".txt"
	for name, want := range map[string]map[string]Location{
		"libreoffice.doc": {
			"VALUE01": {Part: PartProperty, Name: "title"}, "VALUE02": {Part: PartProperty, Name: "Ticket"}, "VALUE03": {Part: PartProperty, Name: "comments"},
			"VALUE04": para(PartHeader, 1), "VALUE05": para(PartFooter, 1), "VALUE06": para(PartDeleted, 4), "VALUE07 with Жук": para("", 1),
			"VALUE08": para(PartNote, 1), "VALUE09": para(PartNote, 1), "VALUE10": para(PartComment, 1), "VALUE11": {Paragraph: 5, Hidden: true},
			"VALUE12": para(PartLink, 6), "VALUE13": para("", 8), "VALUE14": para(PartTextBox, 1), "Ann Author": {Part: PartComment, Name: "author"},
		},
		"libreoffice.xls": {
			"VALUE01": {Part: PartProperty, Name: "title"}, "VALUE02": {Sheet: "People", Part: PartHeader}, "VALUE03 Жук": cell("B1"),
			"Ann: comm VALUE04": {Sheet: "People", Cell: "A2", Part: PartComment}, "4111111111111111": cell("B2"), "12345678": cell("C2"), "0.25": cell("D2"),
			"VALUE05": {Sheet: "People", Cell: "A3", Hidden: true}, "pre VALUE06": cell("A4"), "VALUE07": {Sheet: "People", Cell: "B4", Part: PartLink},
			"VALUE08": {Sheet: "Secret", Cell: "A1", Hidden: true}, "VALUE09": {Part: PartFormula, Name: "Key"},
		},
		"libreoffice.ppt.gz": {
			"VALUE01": {Part: PartProperty, Name: "title"}, "VALUE02": {Slide: 1, Part: PartComment}, "VALUE03 Жук": {Slide: 1}, "VALUE04": {Part: PartLink},
			"VALUE06": {Slide: 1, Part: PartNote}, "VALUE07": {Slide: 2, Hidden: true},
		},
		"python.eml": {
			"VALUE01": {Part: PartHeader, Name: "Subject"}, "ääää VALUE02": {Part: PartHeader, Name: "Subject"}, "ünï VALUE03": {Message: "1.1"},
			"ünï VALUE04": {Message: "1.2"}, "VALUE05": {Message: "2", Path: file}, "VALUE06": {Message: "3", Path: "message.eml", Part: PartHeader, Name: "Subject"},
			"VALUE07": {Message: "3.1", Path: "message.eml"}, "текст VALUE08": {Message: "4", Path: "koi.txt"},
		},
		"python.mbox": {
			"VALUE10": {Message: "1", Part: PartHeader, Name: "Subject"}, "From here VALUE20": {Message: "1.1"},
			"VALUE11": {Message: "2", Part: PartHeader, Name: "Subject"}, "From here VALUE21": {Message: "2.1"},
		},
	} {
		c, rep := readAll(t, name, realFile(t, name), Options{})
		if rep.Gaps != nil {
			t.Errorf("%s: gaps %v", name, rep.Gaps)
		}
		for value, at := range want {
			if found := c.find(value); !slices.Contains(found, at) {
				t.Errorf("%s: %s: not at %+v but at %+v", name, value, at, found)
			}
		}
	}
}
