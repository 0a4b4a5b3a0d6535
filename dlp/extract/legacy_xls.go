package extract

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// xlsSheet is what a BOUNDSHEET record tells.
type xlsSheet struct {
	name   string
	hidden bool
}

// xlsReader reads the records of a workbook.
type xlsReader struct {
	d      *Doc
	t      *Text
	old    bool // BIFF5 and before: strings are bytes
	page   int
	sst    []string
	sheets map[uint32]xlsSheet // by the offset of their BOF
	sheet  xlsSheet
	row    int  // of the cell before; -1: none
	open   bool // a cell was written and its line goes on
	depth  int  // of BOF
	// cell is where the last formula stands, whose result may come as a STRING record.
	cell Location
	rows map[int]bool // hidden ones of the sheet
	cols map[int]bool
	obj  int            // id of the last OBJ
	text map[int]string // of TXO, by the id of the object
}

func readXLS(d *Doc, s *storage) error {
	name := "Workbook"
	if s.stream(name) == nil {
		name = "Book"
	}
	b, err := s.read(name)
	if err != nil {
		return err
	}
	x := &xlsReader{d: d, t: d.Text(Location{}), page: 1252, sheets: map[uint32]xlsSheet{}, row: -1}
	rerr := x.read(b)
	if d.w.fatal != nil {
		return d.w.fatal
	}
	if name == "Workbook" && rerr == nil && s.has("Book") { // A second workbook for Excel 5.
		if b, err = s.read("Book"); err != nil {
			return err
		}
		y := &xlsReader{d: d, t: d.Text(Location{}), page: 1252, sheets: map[uint32]xlsSheet{}, row: -1}
		if rerr = y.read(b); d.w.fatal != nil {
			return d.w.fatal
		}
	}
	if err := readCommon(d, s); err != nil {
		return err
	}
	return rerr
}

func (x *xlsReader) read(b []byte) error {
	if len(b) < 8 || b[1] > 8 || b[0] != 9 {
		if err := scrape(x.d, Location{}, b, scrapeBoth); err != nil {
			return err
		}
		return errMalformed
	}
	end := false
	for at := 0; ; {
		r, next, ok := biffNext(b, at)
		if !ok {
			break
		}
		at = next
		if r.typ == 0 && len(r.first()) == 0 && x.depth == 0 { // Zeros up to the end of the sector.
			end = true
			continue
		}
		if err := x.record(r); err != nil {
			return err
		}
		end = x.depth == 0
	}
	if err := x.leave(); err != nil {
		return err
	}
	if !end {
		return errMalformed
	}
	return nil
}

func (x *xlsReader) record(r biffRecord) error {
	b := r.first()
	switch r.typ {
	case 0x809, 0x409, 0x209, 0x009: // BOF
		return x.begin(r)
	case 0x0A: // EOF
		x.depth = max(0, x.depth-1)
		if x.depth == 0 {
			return x.leave()
		}
		return nil
	case 0x2F: // FILEPASS
		return errEncrypted
	case 0x42: // CODEPAGE
		if len(b) >= 2 {
			x.page = int(binary.LittleEndian.Uint16(b))
		}
		return nil
	case 0x85: // BOUNDSHEET
		if len(b) > 6 {
			s := xlsSheet{name: biffShort(b[6:], 1, x.old, x.page), hidden: b[4]&3 != 0}
			if err := x.d.keep(int64(len(s.name)) + 100); err != nil {
				return err
			}
			x.sheets[binary.LittleEndian.Uint32(b)] = s
			return x.t.Put(Location{Part: PartName, Sheet: s.name, Hidden: s.hidden}, s.name)
		}
	case 0xFC: // SST
		var err error
		x.sst, err = biffSST(x.d, r)
		return err
	case 0x7D: // COLINFO
		if len(b) >= 10 && b[8]&1 != 0 {
			for c := binary.LittleEndian.Uint16(b); c <= binary.LittleEndian.Uint16(b[2:]) && c < 256; c++ {
				x.cols[int(c)] = true
			}
		}
		return nil
	case 0x208: // ROW
		if len(b) >= 16 && b[12]&0x20 != 0 {
			x.rows[int(binary.LittleEndian.Uint16(b))] = true
		}
		return nil
	case 0x14, 0x15: // HEADER, FOOTER
		part := PartHeader
		if r.typ == 0x15 {
			part = PartFooter
		}
		if len(b) > 1 {
			return x.aside(Location{Part: part}, headerText(biffShort(b, x.width(), x.old, x.page)))
		}
		return nil
	case 0x1C: // NOTE
		return x.note(b)
	case 0x5D: // OBJ
		if len(b) >= 8 {
			x.obj = int(binary.LittleEndian.Uint16(b[6:]))
		}
		return nil
	case 0x1B6: // TXO
		return x.textObject(r)
	case 0x1B8: // HLINK
		if len(b) > 32 {
			at := x.place(int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[4:])))
			at.Part = PartLink
			return x.scrape(at, r, 32, scrapeBoth)
		}
		return nil
	case 0x18, 0x218: // NAME
		return x.name(b)
	case 0x31, 0x231, 0x41E, 0x1E, 0x293, 0xE0, 0x43, 0x896, 0x3C, 0x200, 0xD7, 0x20B, 0xFF, 0x92, 0x99, 0xE1, 0x13D, 0x4D:
		return nil // Fonts, number formats, styles, extents, the printer: of the look.
	case 0xEB, 0xEC, 0xED: // Drawings, with the bytes of pictures.
		return x.scrape(Location{Part: PartAltText}, r, 0, scrapeWide)
	default:
		if done, err := x.cells(r); done || err != nil {
			return err
		}
		return x.scrape(Location{Part: PartMetadata}, r, 0, scrapeBoth)
	}
	return nil
}

func (x *xlsReader) width() int {
	if x.old {
		return 1
	}
	return 2
}

// begin begins a sheet, or a chart within one.
func (x *xlsReader) begin(r biffRecord) error {
	x.depth++
	if b := r.first(); len(b) >= 2 {
		x.old = r.typ != 0x809 || binary.LittleEndian.Uint16(b) < 0x600
	}
	if x.depth > 1 {
		return nil
	}
	x.rows, x.cols, x.text, x.obj = map[int]bool{}, map[int]bool{}, map[int]string{}, 0
	x.sheet = x.sheets[uint32(r.at)]
	return nil
}

// leave ends a sheet: text objects that are no comments are text boxes.
func (x *xlsReader) leave() error {
	if err := x.line(); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(x.text)) {
		if err := x.aside(Location{Part: PartTextBox}, x.text[id]); err != nil {
			return err
		}
	}
	x.text = nil
	x.row, x.sheet = -1, xlsSheet{}
	return nil
}

// line ends the line of cells.
func (x *xlsReader) line() error {
	if !x.open {
		return nil
	}
	x.open = false
	return x.t.WriteString("\n")
}

// aside gives out what stands beside the cells of the sheet.
func (x *xlsReader) aside(at Location, s string) error {
	if err := x.line(); err != nil {
		return err
	}
	at.Sheet, at.Hidden = x.sheet.name, at.Hidden || x.sheet.hidden
	return x.t.Put(at, s)
}

func (x *xlsReader) scrape(at Location, r biffRecord, from, what int) error {
	if err := x.line(); err != nil {
		return err
	}
	at.Sheet, at.Hidden = x.sheet.name, at.Hidden || x.sheet.hidden
	for i, p := range r.parts {
		if i == 0 {
			p = p[min(from, len(p)):]
		}
		if len(p) < scrapeLeast {
			continue
		}
		if err := scrape(x.d, at, p, what); err != nil {
			return err
		}
	}
	return nil
}

// place is the location of a cell; both count from 0.
func (x *xlsReader) place(row, col int) Location {
	return Location{Sheet: x.sheet.name, Cell: xlsCell(row, col), Hidden: x.sheet.hidden || x.rows[row] || x.cols[col]}
}

// xlsCell is a cell's name, as in B4; both count from 0.
func xlsCell(row, col int) string {
	name := ""
	for c := col; c >= 0; c = c/26 - 1 {
		name = string(rune('A'+c%26)) + name
	}
	return name + strconv.Itoa(row+1)
}

// put gives out a cell: those of a row stand in one line with tabs between.
func (x *xlsReader) put(row, col int, s string) error {
	if s == "" {
		return nil
	}
	if x.open && x.row != row {
		if err := x.line(); err != nil {
			return err
		}
	}
	if x.open {
		if err := x.t.WriteString("\t"); err != nil {
			return err
		}
	}
	x.row, x.open = row, true
	x.t.At(x.place(row, col))
	return x.t.WriteString(s)
}

// note gives out a comment; its text came before, in a text object of the same id, or in BIFF5 within the record.
func (x *xlsReader) note(b []byte) error {
	if len(b) < 6 {
		return nil
	}
	at := x.place(int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:])))
	at.Part = PartComment
	if x.old {
		n := int(binary.LittleEndian.Uint16(b[4:]))
		return x.aside(at, decodeANSI(b[6:min(6+n, len(b))], x.page))
	}
	if len(b) < 8 {
		return nil
	}
	id := int(binary.LittleEndian.Uint16(b[6:]))
	s := x.text[id]
	delete(x.text, id)
	if author := biffShort(b[8:], 2, false, 0); author != "" {
		s = author + ": " + s
	}
	return x.aside(at, s)
}

func (x *xlsReader) textObject(r biffRecord) error {
	b := r.first()
	if len(b) < 12 || len(r.parts) < 2 || len(r.parts[1]) < 1 {
		return nil
	}
	in := &biffReader{parts: r.parts[2:], b: r.parts[1][1:]}
	s := in.chars(int(binary.LittleEndian.Uint16(b[10:])), r.parts[1][0]&1 != 0)
	if s == "" || x.text == nil {
		return nil
	}
	if err := x.d.keep(int64(len(s)) + 64); err != nil {
		return err
	}
	x.text[x.obj] += s
	return nil
}

// name gives out a defined name and the strings of its formula.
func (x *xlsReader) name(b []byte) error {
	if len(b) < 15 {
		return nil
	}
	n, hidden := int(b[3]), b[0]&1 != 0
	var name string
	rest := b[14:]
	if x.old {
		name = decodeANSI(rest[:min(n, len(rest))], x.page)
		rest = rest[min(n, len(rest)):]
	} else {
		in := &biffReader{b: rest}
		name = in.str(n)
		rest = in.b
	}
	if b[0]&0x20 != 0 {
		name = "" // A number of a built-in name.
	}
	s := name
	if c := biffConstants(rest, x.old); c != "" {
		s = strings.TrimLeft(name+": "+c, ": ")
	}
	return x.aside(Location{Part: PartFormula, Name: name, Hidden: hidden}, s)
}
