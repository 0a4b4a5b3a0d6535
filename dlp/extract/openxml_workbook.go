package extract

import (
	"archive/zip"
	"bytes"
	"strconv"
	"strings"
)

// workbook is what the sheets of a workbook share.
type workbook struct {
	p        *parcel
	source   string
	sheets   []sheetRef
	date1904 bool
	formats  []numberFormat // of the cell styles
	strings  sharedStrings
	people   map[string]string
}

type sheetRef struct {
	name, id string
	hidden   bool
}

// sharedStrings are the strings of a workbook that cells refer to by number.
type sharedStrings struct {
	text     []byte
	ends     []int
	used     []bool
	phonetic map[int]string
	held     int64
}

func (s *sharedStrings) get(i int) []byte {
	if i < 0 || i >= len(s.ends) {
		return nil
	}
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	s.used[i] = true
	return s.text[from:s.ends[i]]
}

// grow counts the memory of n more bytes of text and one more string.
func (s *sharedStrings) grow(d *Doc, n int) error {
	const one = 8 + 1
	if err := d.hold(int64(n+one) * 2); err != nil { // What grows by doubling may be half empty.
		return err
	}
	s.held += int64(n+one) * 2
	return nil
}

// readWorkbook reads a workbook of Excel ([MS-XLSX], ECMA-376 part 1, 12 and 18; [MS-XLSB]).
func readWorkbook(d *Doc, z *zip.Reader) error {
	p := newParcel(d, z)
	if err := p.loadRelations(z); err != nil {
		return err
	}
	main := p.related("", "officeDocument")
	for _, n := range []string{"xl/workbook.xml", "xl/workbook.bin"} {
		if f := p.part(n); len(main) == 0 && f != nil {
			main = append(main, f)
		}
	}
	for _, f := range main {
		if err := p.workbook(f); err != nil {
			return err
		}
	}
	if err := p.allProperties(); err != nil {
		return err
	}
	return p.rest(z, p.knownMarkup)
}

func (p *parcel) workbook(f *zip.File) error {
	w := &workbook{p: p, source: partKey(f.Name)}
	w.strings.phonetic = map[int]string{}
	defer func() { p.d.release(w.strings.held) }()
	open := w.open
	if !p.isXML(f) {
		p.binary = true
		open = w.openBinary
	}
	if err := open(f); err != nil {
		return err
	}
	var err error
	if w.people, err = p.people(w.source, "person"); err != nil {
		return err
	}
	for _, s := range w.sheets {
		r, _ := p.target(w.source, s.id)
		g := p.part(r.target)
		at := Location{Sheet: display(s.name), Hidden: s.hidden}
		name := at
		name.Part = PartName
		if err := p.d.Text(name).Put(name, s.name); err != nil {
			return err
		}
		if r.external || g == nil {
			continue
		}
		if p.isXML(g) {
			err = w.sheet(g, at)
		} else {
			err = w.sheetBinary(g, at)
		}
		if err != nil {
			return err
		}
		if err := w.around(partKey(g.Name), at); err != nil {
			return err
		}
	}
	if err := w.unused(); err != nil {
		return err
	}
	return p.links(w.source, Location{})
}

func (p *parcel) isXML(f *zip.File) bool {
	_, is := p.root(f)
	return is
}

// open reads the workbook's own parts.
func (w *workbook) open(f *zip.File) error {
	p := w.p
	at := Location{Name: display(f.Name)}
	t := p.d.Text(at)
	l := labels{t: t, at: at, short: true}
	var name Location
	var formula []byte
	err := p.xml(f, func(x *xmlReader, tok xmlToken) error {
		switch {
		case tok == xmlStart && string(x.name) == "sheet":
			if len(w.sheets) < maxRelations {
				state := x.attr("state")
				w.sheets = append(w.sheets, sheetRef{x.attr("name"), x.rel("id"), state == "hidden" || state == "veryHidden"})
			}
			return nil
		case tok == xmlStart && string(x.name) == "workbookPr":
			w.date1904 = x.on("date1904")
		case tok == xmlStart && string(x.name) == "definedName":
			name, formula = Location{Part: PartFormula, Name: display(x.attr("name")), Hidden: x.on("hidden")}, append(formula[:0], x.attr("name")+": "...)
			return t.Put(Location{Part: PartFormula, Name: name.Name, Hidden: name.Hidden}, x.attr("comment"))
		case tok == xmlText && x.within("definedName"):
			if len(formula)+len(x.text) > xmlTag {
				return errMemory
			}
			formula = append(formula, x.text...)
			return nil
		case tok == xmlEnd && string(x.name) == "definedName":
			return t.Put(name, string(formula))
		}
		return l.token(x, tok)
	})
	if err != nil {
		return err
	}
	for _, g := range p.related(w.source, "styles") {
		if err := w.styles(g); err != nil {
			return err
		}
	}
	for _, g := range p.related(w.source, "sharedStrings") {
		if err := w.loadStrings(g); err != nil {
			return err
		}
	}
	return nil
}

// styles reads how the cells show numbers.
func (w *workbook) styles(f *zip.File) error {
	codes := map[int]numberFormat{}
	return w.p.peek(f, func(x *xmlReader, tok xmlToken) error {
		if tok != xmlStart {
			return nil
		}
		switch {
		case string(x.name) == "numFmt" && len(codes) < maxRelations:
			codes[atoi(x.attr("numFmtId"))] = parseFormat(x.attr("formatCode"))
		case string(x.name) == "xf" && x.above(1) == "cellXfs" && len(w.formats) < maxRelations:
			id := atoi(x.attr("numFmtId"))
			n, ok := codes[id]
			if !ok {
				n = builtinFormat(id)
			}
			w.formats = append(w.formats, n)
		}
		return nil
	})
}

// atoi is a number of a document, -1 if it is none.
func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return -1
	}
	return n
}

// loadStrings reads the shared strings into memory, under its limit.
func (w *workbook) loadStrings(f *zip.File) error {
	s := &w.strings
	var phonetic []byte
	inPhonetic := 0
	return w.p.xml(f, func(x *xmlReader, tok xmlToken) error {
		switch tok {
		case xmlStart:
			if string(x.name) == "rPh" {
				inPhonetic++
			}
		case xmlText:
			if !x.within("t") {
				return nil
			}
			if inPhonetic > 0 {
				if len(phonetic)+len(x.text) <= paragraphBytes {
					phonetic = append(phonetic, x.text...)
				}
				return nil
			}
			if err := s.grow(w.p.d, len(x.text)); err != nil {
				return err
			}
			s.text = append(s.text, x.text...)
		case xmlEnd:
			switch string(x.name) {
			case "rPh":
				inPhonetic = max(0, inPhonetic-1)
			case "si":
				if err := s.grow(w.p.d, len(phonetic)); err != nil {
					return err
				}
				if len(phonetic) > 0 {
					s.phonetic[len(s.ends)] = string(phonetic)
					phonetic = phonetic[:0]
				}
				s.ends, s.used = append(s.ends, len(s.text)), append(s.used, false)
			}
		case xmlEOF, xmlComment:
		}
		return nil
	})
}

// unused gives out the shared strings that no cell shows: those of cells that were emptied may be left.
func (w *workbook) unused() error {
	at := Location{Name: "sharedStrings", Hidden: true}
	t := w.p.d.Text(at)
	for i := range w.strings.ends {
		if w.strings.used[i] {
			continue
		}
		if err := t.Put(at, string(w.strings.get(i))); err != nil {
			return err
		}
		if err := t.Put(at, w.strings.phonetic[i]); err != nil {
			return err
		}
	}
	return nil
}

// around reads what belongs to a sheet.
func (w *workbook) around(source string, at Location) error {
	p := w.p
	for _, f := range p.related(source, "comments") {
		read := w.comments
		if !p.isXML(f) {
			read = w.commentsBinary
		}
		if err := read(f, at); err != nil {
			return err
		}
	}
	for _, f := range p.related(source, "threadedComment") {
		if err := w.comments(f, at); err != nil {
			return err
		}
	}
	box := at
	box.Part = PartTextBox
	for _, kind := range []string{"drawing", "vmlDrawing", "vmlDrawingHF"} {
		for _, f := range p.related(source, kind) {
			m := p.markup(f, box, false)
			if err := m.read(f); err != nil {
				return err
			}
			inner := partKey(f.Name)
			if err := p.drawn(inner, nil, at); err != nil {
				return err
			}
			if err := p.members(inner, Location{Hidden: at.Hidden}); err != nil {
				return err
			}
			if err := p.links(inner, at); err != nil {
				return err
			}
		}
	}
	for _, kind := range []string{"table", "pivotTable", "queryTable", "slicer", "ctrlProp", "customProperty"} {
		for _, f := range p.related(source, kind) {
			if !p.isXML(f) {
				continue
			}
			if err := p.label(f, Location{Sheet: at.Sheet, Name: display(f.Name), Hidden: at.Hidden}); err != nil {
				return err
			}
			for _, g := range p.related(partKey(f.Name), "queryTable") {
				if err := p.label(g, Location{Sheet: at.Sheet, Name: display(g.Name), Hidden: at.Hidden}); err != nil {
					return err
				}
			}
		}
	}
	if err := p.members(source, Location{Hidden: at.Hidden}); err != nil {
		return err
	}
	return p.links(source, at)
}

// comments reads notes and threaded comments of a sheet, each with who wrote it.
func (w *workbook) comments(f *zip.File, at Location) error {
	at.Part = PartComment
	t := w.p.d.Text(at)
	var authors []string
	var text []byte
	var who string
	where := at
	return w.p.xml(f, func(x *xmlReader, tok xmlToken) error {
		switch tok {
		case xmlStart:
			switch string(x.name) {
			case "comment", "threadedComment":
				where.Cell = firstCell(x.attr("ref"))
				who, text = "", text[:0]
				if i := atoi(x.attr("authorId")); i >= 0 && i < len(authors) {
					who = authors[i]
				} else if id := x.attr("personId"); id != "" {
					who = w.people[id]
				}
			case "author":
				text = text[:0]
			}
		case xmlText:
			switch x.above(0) {
			case "t", "author", "text":
				if len(text)+len(x.text) > xmlTag {
					return errMemory
				}
				text = append(text, x.text...)
			}
		case xmlEnd:
			switch string(x.name) {
			case "author":
				if len(authors) < maxRelations {
					authors = append(authors, string(text))
				}
				text = text[:0]
			case "comment", "threadedComment":
				body := string(bytes.TrimSpace(text))
				if who != "" && body != "" {
					body = who + ": " + body
				}
				text = text[:0]
				return t.Put(where, body)
			}
		case xmlEOF, xmlComment:
		}
		return nil
	})
}

// firstCell is the first cell of a reference, as in B4; empty if it is none.
func firstCell(ref string) string {
	ref = strings.ReplaceAll(ref, "$", "")
	if i := strings.IndexAny(ref, ": "); i >= 0 {
		ref = ref[:i]
	}
	letters := 0
	for letters < len(ref) && ref[letters] >= 'A' && ref[letters] <= 'Z' {
		letters++
	}
	if letters == 0 || letters > 3 || len(ref)-letters > 7 || letters == len(ref) || strings.Trim(ref[letters:], "0123456789") != "" {
		return ""
	}
	return ref
}

// cellColumn is the column of a cell's name, from 1.
func cellColumn(name string) int {
	n := 0
	for i := 0; i < len(name) && name[i] >= 'A' && name[i] <= 'Z'; i++ {
		n = n*26 + int(name[i]-'A') + 1
	}
	return n
}

// columnName is the letters of a column, from 1.
func columnName(n int) string {
	var b [8]byte
	i := len(b)
	for ; n > 0 && i > 0; n = (n - 1) / 26 {
		i--
		b[i] = byte('A' + (n-1)%26)
	}
	return string(b[i:])
}
