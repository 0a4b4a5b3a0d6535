package extract

import (
	"archive/zip"
	"bytes"
	"strings"
)

const (
	maxSheetColumns = 16384 // of Excel
	maxPadding      = 256   // tabs that one row gets for cells that are not there
)

// sheetText writes the cells of a sheet row by row. Formulas and what else hangs in cells stand behind the rows, unless they are many.
type sheetText struct {
	t       *Text
	at      Location
	diff    [maxSheetColumns + 2]int32 // changes of hidden, by column
	hidden  []bool                     // columns
	row     int
	col     int // of the cell written last in the row
	padding int
	rowOff  bool // the row is hidden
	header  int  // columns of the first row
	asides  []piece
	size    int
}

// hide notes hidden columns, from 1.
func (s *sheetText) hide(from, to int) {
	from, to = max(1, min(from, maxSheetColumns)), max(1, min(to, maxSheetColumns))
	if from <= to {
		s.diff[from]++
		s.diff[to+1]--
	}
}

// beginRow begins a row, from 1.
func (s *sheetText) beginRow(row int, hidden bool) {
	if s.hidden == nil {
		s.hidden = make([]bool, maxSheetColumns+1)
		n := int32(0)
		for i := range s.hidden {
			n += s.diff[i]
			s.hidden[i] = n > 0
		}
	}
	s.row, s.col, s.padding, s.rowOff = row, 0, 0, hidden
}

// place is that of a cell.
func (s *sheetText) place(col int) Location {
	at := s.at
	at.Cell = columnName(col) + itoa(s.row)
	at.Hidden = at.Hidden || s.rowOff || col < len(s.hidden) && s.hidden[col]
	return at
}

func (s *sheetText) pad(to int) error {
	n := min(to-s.col, 64, maxPadding-s.padding)
	if s.col == 0 {
		n = min(to-1, 64)
	}
	s.col = to
	if n <= 0 {
		return nil
	}
	s.padding += n
	return s.t.WriteString(tabs[:n])
}

var tabs = strings.Repeat("\t", 64)

// cell writes a cell. Its line ends stay, for keys of several lines; its tabs do not, so that they end no cell.
func (s *sheetText) cell(at Location, col int, text []byte) error {
	s.t.At(at)
	if err := s.pad(col); err != nil {
		return err
	}
	if bytes.IndexByte(text, '\t') >= 0 {
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	}
	if bytes.Contains(text, softHyphen) {
		text = bytes.ReplaceAll(text, softHyphen, nil)
	}
	_, err := s.t.Write(text)
	return err
}

// aside keeps what hangs in a cell.
func (s *sheetText) aside(at Location, text string) {
	if text = strings.TrimRight(text, " \t\r\n"); text != "" {
		s.asides = append(s.asides, piece{at, text})
		s.size += len(text) + 128
	}
}

func (s *sheetText) endRow() error {
	if s.col > 0 {
		if s.header == 0 {
			s.header = s.col
		}
		if s.col < s.header { // As many cells as the header has.
			if err := s.pad(s.header); err != nil {
				return err
			}
		}
		if err := s.t.WriteString("\n"); err != nil {
			return err
		}
		s.col = 0
	}
	if s.size > paragraphBytes {
		return s.flush()
	}
	return nil
}

func (s *sheetText) flush() error {
	for _, a := range s.asides {
		if err := s.t.Put(a.at, a.text); err != nil {
			return err
		}
	}
	s.asides, s.size = s.asides[:0], 0
	return nil
}

// sheetReader reads the XML of a sheet as it comes.
type sheetReader struct {
	*sheetText
	w       *workbook
	source  string
	other   labels
	inData  bool
	lastRow int
	// The cell that is read.
	col     int
	at      Location
	kind    byte // s, i (inline), b, e, d, t (text of a formula), n
	style   int
	value   []byte
	formula []byte
	ruby    int
	inCell  bool
	text    []byte // of what is no cell
	sqref   string
}

func (w *workbook) sheet(f *zip.File, at Location) error {
	s := &sheetReader{sheetText: &sheetText{t: w.p.d.Text(at), at: at}, w: w, source: partKey(f.Name)}
	s.other = labels{t: s.t, at: at, short: true}
	err := w.p.xml(f, s.token)
	if err != nil {
		return err
	}
	if err := s.endCell(); err != nil { // A part that broke off keeps what it had.
		return err
	}
	if err := s.endRow(); err != nil {
		return err
	}
	return s.flush()
}

func (s *sheetReader) token(x *xmlReader, tok xmlToken) error {
	if !s.inData {
		return s.outside(x, tok)
	}
	switch tok {
	case xmlStart:
		switch string(x.name) {
		case "c":
			s.beginCell(x)
		case "row":
			n := atoi(x.attr("r"))
			if n <= 0 {
				n = s.lastRow + 1
			}
			if err := s.endRow(); err != nil {
				return err
			}
			s.lastRow, s.col = n, 0
			s.beginRow(n, x.on("hidden"))
		case "rPh":
			s.ruby++
		}
	case xmlText:
		return s.chars(x)
	case xmlEnd:
		switch string(x.name) {
		case "c":
			return s.endCell()
		case "row":
			return s.endRow()
		case "rPh":
			s.ruby = max(0, s.ruby-1)
		case "sheetData":
			s.inData = false
			return s.flush()
		}
	case xmlEOF, xmlComment:
	}
	return nil
}

func (s *sheetReader) chars(x *xmlReader) error {
	to := &s.value
	switch {
	case x.within("f"):
		to = &s.formula
	case x.within("v") || x.within("t") && s.ruby == 0:
	case len(bytes.TrimSpace(x.text)) > 0:
		s.aside(s.at, string(x.text))
		return nil
	default:
		return nil
	}
	if len(*to)+len(x.text) > xmlTag {
		return errMemory
	}
	*to = append(*to, x.text...)
	return nil
}

func (s *sheetReader) beginCell(x *xmlReader) {
	s.kind, s.style, s.value, s.formula, s.inCell, s.ruby = 'n', -1, s.value[:0], s.formula[:0], true, 0
	name := ""
	for _, a := range x.attrs {
		switch string(a.name) {
		case "r":
			name = string(a.value)
		case "s":
			s.style = atoi(string(a.value))
		case "t":
			switch v := string(a.value); v {
			case "inlineStr":
				s.kind = 'i'
			case "str":
				s.kind = 't'
			case "s", "b", "e", "d", "n":
				s.kind = v[0]
			}
		}
	}
	next := s.col + 1
	if firstCell(name) == name && name != "" {
		next = cellColumn(name)
	}
	s.col = next
	s.at = s.place(next)
}

// endCell writes the cell that was read.
func (s *sheetReader) endCell() error {
	if !s.inCell {
		return nil
	}
	s.inCell = false
	value := s.value
	var format numberFormat
	if s.style >= 0 && s.style < len(s.w.formats) {
		format = s.w.formats[s.style]
	}
	at := s.at
	at.Hidden = at.Hidden || format.hidden
	switch s.kind {
	case 's':
		i := atoi(string(value))
		value = s.w.strings.get(i)
		if r := s.w.strings.phonetic[i]; r != "" {
			s.aside(at, r)
		}
	case 'b':
		if string(bytes.TrimSpace(value)) == "1" {
			value = []byte("TRUE")
		} else if len(value) > 0 {
			value = []byte("FALSE")
		}
	case 'n':
		if len(value) > 0 && len(value) < 64 {
			value = []byte(format.show(string(value), s.w.date1904))
		}
	}
	if len(s.formula) > 0 {
		f := at
		f.Part = PartFormula
		s.aside(f, "="+string(s.formula))
	}
	if len(value) == 0 {
		return nil
	}
	return s.cell(at, s.col, value)
}

// outside reads what stands before and behind the cells.
func (s *sheetReader) outside(x *xmlReader, tok xmlToken) error {
	switch tok {
	case xmlStart:
		s.text = s.text[:0]
		switch string(x.name) {
		case "sheetData":
			s.inData = true
			return nil
		case "col":
			if x.on("hidden") {
				s.hide(atoi(x.attr("min")), atoi(x.attr("max")))
			}
			return nil
		case "hyperlink":
			at := s.at0(PartLink, x.attr("ref"))
			for _, v := range []string{s.w.p.link(s.source, x.rel("id")), x.attr("location"), x.attr("tooltip"), x.attr("display")} {
				if err := s.t.Put(at, v); err != nil {
					return err
				}
			}
			return nil
		case "dataValidation", "conditionalFormatting":
			s.sqref = x.attr("sqref")
			return s.attributes(x, PartField, s.sqref, "promptTitle", "prompt", "errorTitle", "error")
		case "cfRule":
			return s.attributes(x, PartFormula, s.sqref, "text")
		case "scenario":
			return s.attributes(x, PartProperty, "", "name", "user", "comment")
		case "inputCells":
			return s.attributes(x, "", x.attr("r"), "val")
		case "pageMargins", "sheetView", "sheetFormatPr":
			return nil
		case "customPr", "protectedRange", "control", "cellSmartTagPr", "webPublishItem":
			return s.attributes(x, PartProperty, x.attr("sqref"), "name", "val", "title", "destinationFile")
		}
		return s.other.token(x, tok)
	case xmlText:
		switch x.above(0) {
		case "formula", "formula1", "formula2", "f", "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter", "sqref":
			if len(s.text)+len(x.text) > xmlTag {
				return errMemory
			}
			s.text = append(s.text, x.text...)
			return nil
		}
		return s.other.token(x, tok)
	case xmlEnd:
		text := string(s.text)
		s.text = s.text[:0]
		if text == "" {
			return s.other.token(x, tok)
		}
		switch name := string(x.name); {
		case strings.HasSuffix(name, "Header"):
			return s.t.Put(s.at0(PartHeader, ""), headerText(text))
		case strings.HasSuffix(name, "Footer"):
			return s.t.Put(s.at0(PartFooter, ""), headerText(text))
		case name == "sqref":
		default:
			return s.t.Put(s.at0(PartFormula, s.sqref), text)
		}
	case xmlEOF, xmlComment:
	}
	return nil
}

// at0 is the place of something outside of the cells that is about some of them.
func (s *sheetReader) at0(part, ref string) Location {
	at := s.sheetText.at
	at.Part, at.Cell = part, firstCell(ref)
	return at
}

// attributes gives out those of an element that hold text.
func (s *sheetReader) attributes(x *xmlReader, part, ref string, names ...string) error {
	at := s.at0(part, ref)
	for _, n := range names {
		if err := s.t.Put(at, x.attr(n)); err != nil {
			return err
		}
	}
	return nil
}

// headerText is a header or footer of a sheet without its codes (ECMA-376 part 1, 18.3.1.46), its three parts on lines of their own.
func headerText(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '&' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '&':
			b.WriteByte('&')
		case c == 'L' || c == 'C' || c == 'R':
			b.WriteByte('\n')
		case c == '"':
			if n := strings.IndexByte(s[i+1:], '"'); n >= 0 {
				i += n + 1
			}
		case c == 'K':
			i = min(i+6, len(s))
		case c >= '0' && c <= '9':
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				i++
			}
		case strings.IndexByte("PNDTAFZGBIUESXYHO", c) >= 0:
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}
