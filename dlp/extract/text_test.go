package extract

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outband/outband/fixtures/documents"
)

func TestTextIsGivenAsItIs(t *testing.T) {
	c, rep := readAll(t, "a.txt", []byte("one\ntwo\n"), Options{})
	if c.all() != "one\ntwo\n\f" || !c.raw[0] || rep.Type != "text/plain" || rep.Format != "text" || rep.Mismatch || rep.Bytes != 8 || rep.Text != 8 || rep.Gaps != nil {
		t.Errorf("got %q, %+v", c.all(), rep)
	}
}

// textMakers' formats of fixtures/documents.
var textDocuments = set("text binary csv ndjson html ipynb rtf")

// located is where a value stands: the location of the span that it begins in, with the line and column that the scanner adds where a text is raw, and the column
// where its lines are marked.
func located(c *collected, head []byte, value string) (out []Location) {
	for i, spans := range c.texts {
		var text strings.Builder
		for _, s := range spans {
			text.WriteString(s.text)
		}
		all := text.String()
		if c.raw[i] {
			all = readable(all)
		}
		for from := 0; ; {
			n := strings.Index(all[from:], value)
			if n < 0 {
				break
			}
			n += from
			from = n + 1
			at := spans[0].at
			end := 0
			for _, s := range spans {
				part := s.text
				if c.raw[i] {
					part = readablePart(s.text, all)
				}
				if end <= n {
					at = s.at
				}
				end += len(part)
			}
			line := strings.LastIndexByte(all[:n], '\n') + 1
			if c.raw[i] {
				at.Line = 1 + strings.Count(all[:n], "\n")
			}
			if at.Line > 0 {
				at.Column = 1 + utf8.RuneCountInString(all[line:n])
			}
			out = append(out, at)
		}
	}
	return out
}

func TestTextDocuments(t *testing.T) {
	docs, err := documents.All(7)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, doc := range docs {
		if !textDocuments[doc.Format] {
			continue
		}
		t.Run(doc.Format+"/"+doc.Name, func(t *testing.T) {
			c, rep := readAll(t, doc.Name, doc.Data, Options{})
			for _, p := range doc.Plants {
				seen++
				if got := located(c, doc.Data, p.Value); !slices.Contains(got, Location(p.Where)) {
					t.Errorf("%s: at %+v, want %+v; type %s, format %s", p.Place, got, Location(p.Where), rep.Type, rep.Format)
				}
			}
			var gaps []string
			for _, g := range rep.Gaps {
				gaps = append(gaps, g.Reason)
			}
			if !slices.Equal(gaps, doc.Gaps) {
				t.Errorf("gaps %q, want %q", gaps, doc.Gaps)
			}
			if rep.Mismatch && doc.Format != "binary" {
				t.Errorf("a mismatch of the name with %s", rep.Type)
			}
			if t.Failed() && len(doc.Data) < 4000 {
				t.Logf("%q", c.all())
			}
		})
	}
	if seen < 150 {
		t.Errorf("%d values in the documents", seen)
	}
}

// readable is a raw text as the scanner reads it: UTF-16 becomes UTF-8.
func readable(s string) string {
	c := charsetOf([]byte(s[:min(len(s), headBytes)]), "", false)
	if !c.wide {
		return strings.TrimPrefix(s, "\uFEFF")
	}
	return string(c.decode([]byte(s)))
}

// readablePart is a piece of such a text, which has whole characters.
func readablePart(s, all string) string {
	if !strings.Contains(s, "\x00") || strings.Contains(all, "\x00") {
		return strings.TrimPrefix(s, "\uFEFF")
	}
	s = strings.TrimPrefix(s, "\xff\xfe")
	s = strings.TrimPrefix(s, "\xfe\xff")
	return strings.ReplaceAll(s, "\x00", "")
}
