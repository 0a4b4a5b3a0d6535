package extract

import (
	"strings"
	"unicode/utf16"
)

// docWriter makes paragraphs of the characters of a Word document. What is deleted, and the codes of fields, come behind the paragraph in which they stand,
// so that they do not tear apart a value around them.
type docWriter struct {
	d         *Doc
	t         *Text
	part      string
	paragraph int
	line      []uint16
	hidden    bool // line is
	deleted   []uint16
	codes     []uint16
	fields    []bool // of the fields that are open: whether their result has begun
	cell      bool   // the last mark was that of a cell
}

// maxParagraph is how much of a paragraph is kept before it is written, in UTF-16 units.
const maxParagraph = 32 << 10

func (w *docWriter) char(c uint16, deleted, hidden bool) error {
	switch c {
	case 0x13:
		if len(w.fields) < 64 {
			w.fields = append(w.fields, false)
		}
		if len(w.codes) > 0 {
			w.codes = append(w.codes, '\n')
		}
		return nil
	case 0x14:
		if n := len(w.fields); n > 0 {
			w.fields[n-1] = true
		}
		return nil
	case 0x15:
		if n := len(w.fields); n > 0 {
			w.fields = w.fields[:n-1]
		}
		return nil
	case 0x0D, 0x0C, 0x07:
		w.line = append(w.line, docBreak(c, w.cell))
		w.cell = c == 0x07
		return w.end()
	case 0x0B:
		c = '\n'
	case 0x1E:
		c = '-'
	case 0x1F, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08:
		return nil // Marks of objects and references, and the soft hyphen.
	}
	if c < ' ' && c != '\t' && c != '\n' {
		c = ' '
	}
	w.cell = false
	if n := len(w.fields); n > 0 && !w.fields[n-1] {
		w.codes = append(w.codes, c)
		if len(w.codes) > maxParagraph {
			return w.after()
		}
		return nil
	}
	if deleted {
		w.deleted = append(w.deleted, c)
		if len(w.deleted) > maxParagraph {
			return w.after()
		}
		return nil
	}
	if hidden != w.hidden || len(w.line) > maxParagraph && !utf16.IsSurrogate(rune(c)) {
		if err := w.write(); err != nil {
			return err
		}
		w.hidden = hidden
	}
	w.line = append(w.line, c)
	return nil
}

// docBreak is what stands for the end of a paragraph: a tab between the cells of a row, whose last one has a mark more.
func docBreak(c uint16, cell bool) uint16 {
	if c == 0x07 && !cell {
		return '\t'
	}
	return '\n'
}

// write gives out what is kept of the line.
func (w *docWriter) write() error {
	if len(w.line) == 0 {
		return nil
	}
	w.t.At(Location{Part: w.part, Paragraph: w.paragraph, Hidden: w.hidden})
	s := string(utf16.Decode(w.line))
	w.line = w.line[:0]
	return w.t.WriteString(s)
}

// end ends a paragraph.
func (w *docWriter) end() error {
	if err := w.write(); err != nil {
		return err
	}
	if err := w.after(); err != nil {
		return err
	}
	w.hidden = false
	w.paragraph++
	return nil
}

// after gives out what was kept for the end of the paragraph.
func (w *docWriter) after() error {
	if len(w.deleted) > 0 {
		s := string(utf16.Decode(w.deleted))
		w.deleted = w.deleted[:0]
		if err := w.t.Put(Location{Part: PartDeleted, Paragraph: w.paragraph}, s); err != nil {
			return err
		}
	}
	if len(w.codes) > 0 {
		codes := string(utf16.Decode(w.codes))
		w.codes = w.codes[:0]
		for code := range strings.SplitSeq(codes, "\n") {
			part := PartField
			if strings.HasPrefix(strings.TrimSpace(code), "HYPERLINK") {
				part = PartLink
			}
			if err := w.t.Put(Location{Part: part, Paragraph: w.paragraph}, code); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush ends a part of the document.
func (w *docWriter) flush() error {
	if len(w.line) > 0 {
		w.line = append(w.line, '\n')
	}
	return w.end()
}
