package extract

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// span is a piece of text and where it stands.
type span struct {
	at     Location
	source int64
	text   string
}

// collected is a Sink that keeps everything, for tests.
type collected struct {
	texts [][]span
	raw   []bool
}

func (c *collected) Begin(raw bool) error {
	c.texts, c.raw = append(c.texts, nil), append(c.raw, raw)
	return nil
}

func (c *collected) Mark(at Location) error {
	last := &c.texts[len(c.texts)-1]
	*last = append(*last, span{at: at, source: -1})
	return nil
}

func (c *collected) Source(offset int64) error {
	last := c.texts[len(c.texts)-1]
	if s := &last[len(last)-1]; s.text == "" {
		s.source = offset
		return nil
	}
	c.texts[len(c.texts)-1] = append(last, span{at: last[len(last)-1].at, source: offset})
	return nil
}

func (c *collected) Write(p []byte) error {
	last := c.texts[len(c.texts)-1]
	last[len(last)-1].text += string(p)
	return nil
}

// find returns the locations of the spans that hold s.
func (c *collected) find(s string) (out []Location) {
	for _, t := range c.texts {
		for _, sp := range t {
			if strings.Contains(sp.text, s) {
				out = append(out, sp.at)
			}
		}
	}
	return out
}

// all is the whole text.
func (c *collected) all() string {
	var b strings.Builder
	for _, t := range c.texts {
		for _, sp := range t {
			b.WriteString(sp.text)
		}
		b.WriteString("\f")
	}
	return b.String()
}

// readAll reads a file in this process.
func readAll(t *testing.T, name string, data []byte, opt Options) (*collected, Report) {
	t.Helper()
	testHookPanic = func(p any, stack []byte) { t.Errorf("%s: panic: %v\n%s", name, p, stack) }
	defer func() { testHookPanic = nil }()
	c := &collected{}
	rep, err := Read(context.Background(), File{Name: name}, bytes.NewReader(data), opt, c)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c, rep
}
