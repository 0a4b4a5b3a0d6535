package extract

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/outband/outband/fixtures/documents"
)

func TestIsTextHead(t *testing.T) {
	for _, tc := range []struct {
		name string
		head string
		want bool
	}{
		{"nothing", "", true},
		{"one letter", "a", true},
		{"one NUL", "\x00", false},
		{"NULs alone", strings.Repeat("\x00", 1000), false},
		{"a list that find -print0 wrote", "./a/b.txt\x00./a/c.txt\x00./d/e.txt\x00", true},
		{"short binary data", "\x01\x02\x03\x04abc", false},
		{"a control character in twenty bytes", "some text \x01 and more.", true},
		{"a control character in five bytes", "abcd\x01abcd\x01abcd\x01abcd\x01abcd\x01", false},
		{"Latin with a control character in each hundred bytes", strings.Repeat("gr\xfc\xdfe und k\xfcsse ", 20) + "\x01", true},
		{"numbers of four bytes", strings.Repeat("\x10\x00\x00\x00\x20\x01\x00\x00", 100), false},
		{"floats", strings.Repeat("\xcd\xcc\x8c\x3f\x00\x00\x80\x40", 100), false},
		{"a cut character", "text \xe2\x82", true},
	} {
		if got := isTextHead([]byte(tc.head)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestMismatch(t *testing.T) {
	for _, tc := range []struct {
		name, told, content string
		want                bool
	}{
		{"", "", "hello", false},
		{"a.txt", "text/plain", "hello", false},
		{"a.md", "text/markdown", "# hello", false},
		{"a.go", "application/octet-stream", "package a", false},
		{"a.ts", "video/mp2t", "export const a = 1", false},
		{"a.csv", "application/vnd.ms-excel", "a,b\n1,2\n", false},
		{"a.json", "application/json", "{\"a\": 1}", false},
		{"a.json", "application/json", "not json", false},
		{"a.html", "text/html; charset=utf-8", "<html><body>a</body></html>", false},
		{"a.txt", "", "<html><body>a</body></html>", false},
		{"a.rtf", "application/rtf", `{\rtf1 a}`, false},
		{"a.doc", "application/msword", `{\rtf1 a}`, true},
		{"a.unknown", "application/x-what", "hello", false},
		{"a.pdf", "", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", false},
		{"a.pdf", "application/pdf", "PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
		{"a.pdf", "", "hello", true},
		{"a.zip", "application/x-zip-compressed", "PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"a.txt", "", "PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
		{"a.txt", "text/plain", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", true},
		{"a.png", "image/png", "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", true},
		{"a.jpg", "image/jpg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", false},
		{"a.jpg", "text/plain", "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", true},
		{"a.png", "image/png", "hello", true},
		{"A.PNG", "", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", false},
		{"a.docx", docxType, "PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
		{"a.exe", "", "MZ and I talked.", true},
	} {
		f := File{Name: tc.name, Type: tc.told}
		if got := Mismatch(f, kind(f, tc.content)); got != tc.want {
			t.Errorf("%+v with %q (%s): %v", f, tc.content, kind(f, tc.content), got)
		}
	}
	// What zip files turn out to be is said by what reads them.
	for _, tc := range []struct {
		name, media string
		want        bool
	}{
		{"a.docx", docxType, false}, {"a.docm", docxType, false}, {"a.zip", docxType, false}, {"a.xlsx", docxType, true}, {"a.docx", xlsxType, true},
		{"a.doc", "application/msword", false}, {"a.doc", "application/x-ole-storage", false}, {"a.doc", docxType, true}, {"a.eml", "message/rfc822", false},
		{"a.sqlite", "application/vnd.sqlite3", false}, {"a.odt", "application/vnd.oasis.opendocument.text", false},
	} {
		if got := Mismatch(File{Name: tc.name}, tc.media); got != tc.want {
			t.Errorf("%s with %s: %v", tc.name, tc.media, got)
		}
	}
}

func kind(f File, content string) string {
	media := detect([]byte(content))
	if isTextType(media) {
		media = kindOfText(media, []byte(content), f.Name, f.Type)
	}
	return media
}

func TestANameChoosesBetweenKindsOfTextOnly(t *testing.T) {
	for _, tc := range []struct{ name, told, content, format string }{
		{"a.csv", "", "a\n", "csv"},
		{"a.html", "", "a <b>c</b>", "html"},
		{"", "text/html", "a <b>c</b>", "html"},
		{"a.md", "", "<h1>a</h1>", "text"},
		{"a.txt", "", "<h1>a</h1>", "html"},
		{"a.html", "", `{\rtf1 a}`, "rtf"},
		{"a.txt", "", `{"cells": [{"cell_type": "raw", "source": "a"}], "nbformat": 4}`, "ipynb"},
		{"a.csv", "text/csv", "{\"a\": 1}\n{\"a\": 2}\n", "ndjson"},
	} {
		rep, err := Read(context.Background(), File{Name: tc.name, Type: tc.told}, strings.NewReader(tc.content), Options{}, &collected{})
		if err != nil || rep.Format != tc.format {
			t.Errorf("%q, %q with %q: %s, %v", tc.name, tc.told, tc.content, rep.Format, err)
		}
	}
}

// Where a text is decoded, or a page read, what is told of the place in the file is true of every byte.
func TestSourceIsThePlaceInTheFile(t *testing.T) {
	docs, err := documents.All(3)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, doc := range docs {
		if !textDocuments[doc.Format] {
			continue
		}
		c, _ := readAll(t, doc.Name, doc.Data, Options{})
		for i, spans := range c.texts {
			for _, s := range spans {
				if s.source < 0 || s.at.Path != "" {
					continue
				}
				told[doc.Format]++
				got := doc.Data[s.source:][:len(s.text)]
				if bytes.IndexByte(doc.Data, '\x40') >= 0 && strings.HasPrefix(doc.Name, "ibm") {
					got = ebcdicText(doc.Name, got)
				}
				if string(got) != s.text {
					t.Fatalf("%s: text %d: %q is at %d, told for %q", doc.Name, i, got, s.source, s.text)
				}
			}
		}
	}
	if told["text"] < 30 || told["html"] < 30 || told["csv"] == 0 {
		t.Errorf("told so often: %v", told)
	}
}

func ebcdicText(name string, b []byte) []byte {
	var out []byte
	for _, c := range b {
		out = append(out, byte(ebcdic(name == "ibm500.txt").rune(c)))
	}
	return out
}

// endless is a text that does not end, in pieces.
type endless struct {
	text string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(e.text) <= len(p) && int64(n) < e.left {
		n += copy(p[n:], e.text)
	}
	e.left -= int64(n)
	return n, nil
}

// nothing is a Sink that keeps nothing.
type nothing struct{ bytes, marks int64 }

func (*nothing) Begin(bool) error      { return nil }
func (n *nothing) Mark(Location) error { n.marks++; return nil }
func (*nothing) Source(int64) error    { return nil }
func (n *nothing) Write(p []byte) error {
	n.bytes += int64(len(p))
	return nil
}

func TestTextIsReadInConstantMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("memory is another one with the race detector; it runs without it")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	for _, tc := range []struct{ name, head, text string }{
		{"a.txt", "", "a line of text\n"},
		{"one line.txt", "", "no line end "},
		{"a.csv", "a,b,c\n", "1,\"2\",3\n"},
		{"a cell without an end.csv", "a,b,c\n\"", "1,2,3\n"},
		{"a.ndjson", "{\"a\": 1}\n", "{\"a\": 1}\n"},
		{"windows-1251.txt", string(mustCyrillic), "\xcf\xf0\xe8\xe2\xe5\xf2 text\n"},
		{"a.html", "<html>", "<p>a <b class='abcdefgh'>b</b></p>\n"},
		{"text without a tag.html", "<html>", "no tag "},
		{"comment without an end.html", "<html><!-- ", "no end "},
		{"attribute without an end.html", "<html><a href=\"", "no end "},
		{"script without an end.html", "<html><script>", "no end "},
		{"one paragraph of comments.html", "<html>", "a<!-- b -->"},
		{"a string.ipynb", `{"cells": [{"cell_type": "code", "source": ["`, "no end "},
		{"cells.ipynb", `{"cells": [{"cell_type": "code", "source": ["x"]}`, `,{"cell_type": "code", "source": ["x"]}`},
		{"image.ipynb", `{"cells": [{"cell_type": "code", "outputs": [{"data": {"application/octet-stream": "`, "QUFB"},
		{"brackets.ipynb", `{"cells": [{"cell_type": "code", "metadata": `, "["},
		{"name.ipynb", `{"cells": [{"cell_type": "code", "`, "name "},
		{"groups.rtf", `{\rtf1`, "{"},
		{"a.rtf", `{\rtf1 `, "word {\\b bold}\\par "},
		{"one paragraph of notes.rtf", `{\rtf1 `, "a{\\footnote b}"},
		{"object.rtf", `{\rtf1{\object{\*\objdata `, "41414141"},
		{"fonts.rtf", `{\rtf1{\fonttbl`, "{\\f1 a;}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size, bound := int64(6<<20), int64(5<<20)
			if strings.Contains(tc.name, "without") { // Such a token is held up to maxToken.
				size, bound = 32<<20, 28<<20
			}
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			most := uint64(0)
			sink, reads := &nothing{}, 0
			in := io.MultiReader(strings.NewReader(tc.head), &endless{tc.text, size})
			r := readerFunc(func(p []byte) (int, error) {
				n, err := in.Read(p)
				if reads++; reads%256 == 0 {
					runtime.ReadMemStats(&after)
					most = max(most, after.HeapAlloc)
				}
				return n, err
			})
			rep, err := Read(context.Background(), File{Name: tc.name}, r, Options{Limits: Limits{Text: 1 << 40}}, sink)
			if err != nil {
				t.Fatal(err)
			}
			if rep.Bytes < size {
				t.Errorf("%d bytes were read; %+v", rep.Bytes, rep)
			}
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
			if used := int64(most) - int64(before.HeapAlloc); used > bound {
				t.Errorf("%d MiB of memory", used>>20)
			}
		})
	}
}

var mustCyrillic = bytes.Repeat([]byte("\xd1\xeb\xf3\xe6\xe5\xe1\xed\xe0\xff \xe7\xe0\xef\xe8\xf1\xea\xe0 \xe4\xeb\xff \xee\xf2\xe4\xe5\xeb\xe0 \xef\xf0\xee\xe4\xe0\xe6\n"), 4)

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Cut at any place, a document gives no panic and no other gap than that it is malformed, or of no known type.
func TestCutTexts(t *testing.T) {
	docs, err := documents.All(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		if !textDocuments[doc.Format] || len(doc.Data) > 20_000 {
			continue
		}
		cuts := 20
		if len(doc.Plants) > 1 { // A format with structure.
			cuts = 100
		}
		for n := 0; n < len(doc.Data); n += 1 + len(doc.Data)/cuts {
			_, rep := readAll(t, doc.Name, doc.Data[:n], Options{})
			for _, g := range rep.Gaps {
				if g.Reason != ReasonMalformed && g.Reason != ReasonUnsupported {
					t.Errorf("%s cut at %d: %+v", doc.Name, n, g)
				}
			}
		}
	}
}

func TestOddRTF(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		gaps       int
	}{
		{`{\rtf1 a\par b}`, "a\nb\n", 0},
		{`{\rtf1 a{\*\unknown b}c}`, "ac\nb\n", 0},
		{`{\rtf1 \u-3913?x}`, "\uf0b7x\n", 0},
		{`{\rtf1 \uc0\u65 bc}`, "Abc\n", 0},
		{`{\rtf1 \uc99999999999999999999\u65 bc}`, "A\n", 0},
		{`{\rtf1 \u55357?a}`, "a\n", 0},
		{`{\rtf1 \bin-5 a\bin999999999999 b}`, "a\n", 1},
		{`{\rtf1 \'zz\'4}`, "zz4\n", 0},
		{`{\rtf1 a}}}}b{c`, "ac\nb\n", 1},
		{`{\rtf1{\object{\*\objdata 0105000002000000ffffffff}}a}`, "object\n", 1},
		{`{\rtf1 \`, "", 1},
		{`{\rtf1{\info{\title a}{\author b}}{\upr{a}{b{\*\ud c}}}d}`, "", 0},
		{`{\rtf1\deff0{\fonttbl{\f0\fcharset128 a;}{\f1\fcharset1 b;}}\f0\'83}`, "\uFFFD\n", 0},
	} {
		c, rep := readAll(t, "a.rtf", []byte(tc.text), Options{})
		if !strings.Contains(c.all(), tc.want) || len(rep.Gaps) != tc.gaps {
			t.Errorf("%s: %q, %+v; want %q", tc.text, c.all(), rep.Gaps, tc.want)
		}
	}
}

func TestOddNotebooks(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		gaps       int
	}{
		{`{"cells": 1, "metadata": "VALUE", "cell_type": 1}`, "metadata: VALUE\n", 0},
		{`{"cells": [1, "VALUE", [2]], "nbformat": 4}`, "", 0},
		{`{"cells": [{"source": {"a": "VALUE"}, "cell_type": ["code"]}]}`, "", 0},
		{`{"cells": [{"cell_type": "code", "source": ["a", {"b": "c"}, null, 5, "VALUE"]}]}`, "VALUE\n", 0},
		{`{"cells": [{"cell_type": "code", "source": "\ud800VALUE\udc00\ud83d\ude00"}]}`, "\uFFFDVALUE\uFFFD😀\n", 0},
		{`{"cells": [{"cell_type": "code", "source": "\uZZZZ VALUE"}]}`, "VALUE", 1},
		{`{"cells": [{"cell_type": "code", "source": "a"}]} VALUE`, " VALUE", 0},
		{`{"cells": [{"cell_type": "code"}}, VALUE`, "VALUE", 1},
		{`{"cells": [{"cell_type": "code", "source": ["a", ` + "\x00" + `VALUE"]}]}`, "VALUE", 1},
		{`{"cells": [{"cell_type": "code", "metadata": [` + "\x01" + `VALUE]}]}`, "VALUE", 1},
		{`{"cells": [{"cell_type": "code", "outputs": [{"data": {"image/png": "QUJD` + "\\n" + `REVG"}}]}]}`, "ABCDEF", 0},
		{`{"cells": [{"cell_type": "code", "outputs": [{"data": {"image/png": {"a": "VALUE"}}}]}]}`, "a: VALUE\n", 0},
	} {
		c, rep := readAll(t, "a.ipynb", []byte(tc.text), Options{})
		if !strings.Contains(c.all(), tc.want) || len(rep.Gaps) != tc.gaps || rep.Format != "ipynb" {
			t.Errorf("%s: %q, %+v; want %q", tc.text, c.all(), rep, tc.want)
		}
	}
}

func TestRTFOfLibreOffice(t *testing.T) {
	data, err := os.ReadFile("testdata/libreoffice.rtf")
	if err != nil {
		t.Fatal(err)
	}
	c, rep := readAll(t, "libreoffice.rtf", data, Options{})
	if rep.Gaps != nil || rep.Mismatch || rep.Format != "rtf" {
		t.Errorf("%+v", rep)
	}
	for text, at := range map[string]Location{
		"First paragraph with ghp_bold123 in it and Schlüssel Ключ 東京.": {Paragraph: 1}, "Doc ghp_TITLE": {Part: PartProperty, Name: "title"},
		"https://example.com/?t=LINKVALUE": {Part: PartLink, Paragraph: 2}, "key\tCELLVALUE": {Paragraph: 3},
	} {
		if got := located(c, text); !slices.Contains(got, at) {
			t.Errorf("%q: at %+v, want %+v", text, got, at)
		}
	}
	if t.Failed() {
		t.Log(c.all())
	}
}

func FuzzText(f *testing.F) {
	docs, err := documents.All(9)
	if err != nil {
		f.Fatal(err)
	}
	for _, doc := range docs {
		if textDocuments[doc.Format] && len(doc.Data) < 20_000 {
			f.Add(doc.Name, doc.Data)
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		testHookPanic = func(p any, stack []byte) { panic(fmt.Sprintf("%v\n%s", p, stack)) }
		sink := &nothing{}
		rep, err := Read(context.Background(), File{Name: name}, bytes.NewReader(data), Options{}, sink)
		if err != nil {
			t.Fatal(err)
		}
		// A byte of a code page becomes three of UTF-8 at most, and an attribute has its name before it, which may be long: each piece of one name in an array of
		// a notebook has it.
		if most := 64*int64(len(data)) + 4096; textDocuments[rep.Format] && sink.bytes > most && sink.bytes > int64(len(data))*int64(len(data)) {
			t.Errorf("%d bytes of %d", sink.bytes, len(data))
		}
	})
}
