package extract

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Records of the binary workbook ([MS-XLSB] 2.3) that hold text or cells.
const (
	brtRowHdr        = 0
	brtCellBlank     = 1
	brtCellRk        = 2
	brtCellError     = 3
	brtCellBool      = 4
	brtCellReal      = 5
	brtCellSt        = 6
	brtCellIsst      = 7
	brtFmlaString    = 8
	brtFmlaNum       = 9
	brtFmlaBool      = 10
	brtFmlaError     = 11
	brtSSTItem       = 19
	brtFmt           = 44
	brtXF            = 47
	brtColInfo       = 60
	brtCellRString   = 62
	brtWbProp        = 153
	brtBundleSh      = 156
	brtBeginCellXFs  = 617
	brtEndCellXFs    = 618
	brtCommentAuthor = 632
	brtBeginComment  = 635
	brtCommentText   = 637
	brtHLink         = 494
)

// itoa is strconv.Itoa, by a name that reads.
func itoa(n int) string { return strconv.Itoa(n) }

// records reads a binary part record by record; one record is held, of at most xmlTag bytes.
func (p *parcel) records(f *zip.File, each func(kind int, b record) error) error {
	p.read[f] = true
	r, err := p.d.part(f)
	if err != nil {
		return p.d.partGap(err)
	}
	return p.d.partGap(func() error {
		in := bufio.NewReaderSize(r, 64<<10)
		var buf []byte
		for {
			kind, err := varint(in, 2)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			size, err := varint(in, 4)
			if err != nil {
				return malformedEOF(err)
			}
			if size > xmlTag {
				return errMemory
			}
			buf = buf[:0]
			for len(buf) < size { // It grows by what is there.
				n := min(size-len(buf), 64<<10)
				buf = append(buf, make([]byte, n)...)
				if _, err := io.ReadFull(in, buf[len(buf)-n:]); err != nil {
					return malformedEOF(err)
				}
			}
			if err := each(kind, record(buf)); err != nil {
				return err
			}
		}
	}())
}

// varint reads a number of seven bits a byte.
func varint(r *bufio.Reader, most int) (int, error) {
	n := 0
	for i := range most {
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 {
				err = errMalformed
			}
			return 0, err
		}
		n |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			break
		}
	}
	return n, nil
}

// record is the content of one; what lies beyond its end reads as zero.
type record []byte

func (r record) u32(at int) uint32 {
	if at < 0 || at+4 > len(r) {
		return 0
	}
	return binary.LittleEndian.Uint32(r[at:])
}

func (r record) u16(at int) int { return int(r.u32n(at, 2)) }

func (r record) u8(at int) int { return int(r.u32n(at, 1)) }

func (r record) u32n(at, n int) (v uint32) {
	for i := n - 1; i >= 0; i-- {
		v <<= 8
		if at+i < len(r) {
			v |= uint32(r[at+i])
		}
	}
	return v
}

// wide reads a string with its length in characters before it, and returns where it ends.
func (r record) wide(at int) (string, int) {
	n := r.u32(at)
	at += 4
	if n == math.MaxUint32 || at > len(r) {
		return "", min(at, len(r))
	}
	n = min(n, uint32(len(r)-at)/2)
	return r.chars(at, int(n)), at + 2*int(n)
}

func (r record) chars(at, n int) string {
	u := make([]uint16, n)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(r[at+2*i:])
	}
	return string(utf16.Decode(u))
}

// rk is a number in four bytes ([MS-XLSB] 2.5.122).
func rk(v uint32) float64 {
	n := float64(int32(v) >> 2)
	if v&2 == 0 {
		n = math.Float64frombits(uint64(v&^3) << 32)
	}
	if v&1 != 0 {
		n /= 100
	}
	return n
}

// openBinary reads the workbook's own parts.
func (w *workbook) openBinary(f *zip.File) error {
	p := w.p
	err := p.records(f, func(kind int, b record) error {
		switch kind {
		case brtWbProp:
			w.date1904 = b.u32(0)&1 != 0
		case brtBundleSh:
			if len(w.sheets) < maxRelations {
				id, at := b.wide(8)
				name, _ := b.wide(at)
				w.sheets = append(w.sheets, sheetRef{name, id, b.u32(0) != 0})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, g := range p.related(w.source, "styles") {
		codes, in := map[int]numberFormat{}, false
		err := p.records(g, func(kind int, b record) error {
			switch {
			case kind == brtFmt && len(codes) < maxRelations:
				code, _ := b.wide(2)
				codes[b.u16(0)] = parseFormat(code)
			case kind == brtBeginCellXFs || kind == brtEndCellXFs:
				in = kind == brtBeginCellXFs
			case kind == brtXF && in && len(w.formats) < maxRelations:
				n, ok := codes[b.u16(2)]
				if !ok {
					n = builtinFormat(b.u16(2))
				}
				w.formats = append(w.formats, n)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	s := &w.strings
	for _, g := range p.related(w.source, "sharedStrings") {
		err := p.records(g, func(kind int, b record) error {
			if kind != brtSSTItem {
				return nil
			}
			text, _ := b.wide(1)
			if err := s.grow(p.d, len(text)); err != nil {
				return err
			}
			s.text = append(s.text, text...)
			s.ends, s.used = append(s.ends, len(s.text)), append(s.used, false)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sheetBinary reads the cells of a sheet. Formulas are stored as tokens there: their results are read, and the strings in them.
func (w *workbook) sheetBinary(f *zip.File, at Location) error {
	s := &sheetText{t: w.p.d.Text(at), at: at}
	err := w.p.records(f, func(kind int, b record) error {
		switch kind {
		case brtColInfo:
			if b.u8(16)&1 != 0 {
				s.hide(int(min(b.u32(0), maxSheetColumns))+1, int(min(b.u32(4), maxSheetColumns))+1)
			}
			return nil
		case brtRowHdr:
			if err := s.endRow(); err != nil {
				return err
			}
			s.beginRow(int(b.u32(0)&0xfffff)+1, b.u8(11)&0x10 != 0)
			return nil
		case brtHLink:
			link := at
			link.Part, link.Cell = PartLink, columnName(int(min(b.u32(8), maxSheetColumns))+1)+itoa(int(b.u32(0)&0xfffff)+1)
			id, next := b.wide(16)
			if err := s.t.Put(link, w.p.link(partKey(f.Name), id)); err != nil {
				return err
			}
			for range 3 { // location, tooltip, what is shown
				var text string
				text, next = b.wide(next)
				if err := s.t.Put(link, text); err != nil {
					return err
				}
			}
			return nil
		}
		return w.cellBinary(s, kind, b)
	})
	if err != nil {
		return err
	}
	if err := s.endRow(); err != nil {
		return err
	}
	return s.flush()
}

func (w *workbook) cellBinary(s *sheetText, kind int, b record) error {
	if kind <= brtRowHdr || kind > brtFmlaError && kind != brtCellRString || kind == brtCellBlank || len(b) < 9 {
		return nil
	}
	col := int(min(b.u32(0), maxSheetColumns-1)) + 1
	var format numberFormat
	if i := int(b.u32n(4, 3)); i < len(w.formats) {
		format = w.formats[i]
	}
	at := s.place(col)
	at.Hidden = at.Hidden || format.hidden
	text := ""
	switch kind {
	case brtCellSt, brtFmlaString:
		text, _ = b.wide(8)
	case brtCellRString:
		text, _ = b.wide(9)
	case brtCellIsst:
		text = string(w.strings.get(int(b.u32(8))))
	case brtCellRk, brtCellReal, brtFmlaNum:
		v := rk(b.u32(8))
		if kind != brtCellRk {
			v = math.Float64frombits(uint64(b.u32(8)) | uint64(b.u32(12))<<32)
		}
		text = format.show(strconv.FormatFloat(v, 'g', -1, 64), w.date1904)
	case brtCellBool, brtFmlaBool:
		text = map[bool]string{true: "TRUE", false: "FALSE"}[b.u8(8) != 0]
	case brtCellError, brtFmlaError:
		return nil
	}
	if kind >= brtFmlaString && kind <= brtFmlaError {
		f := at
		f.Part = PartFormula
		for _, v := range formulaStrings(b, kind) {
			s.aside(f, v)
		}
	}
	if text == "" {
		return nil
	}
	return s.cell(at, col, []byte(text))
}

// formulaStrings are the strings in the tokens of a formula that look like text: PtgStr is 17, the length in characters, and these.
func formulaStrings(b record, kind int) (out []string) {
	at := 8
	switch kind {
	case brtFmlaString:
		_, at = b.wide(8)
	case brtFmlaNum:
		at = 16
	default:
		at = 9
	}
	for i := at; i+3 < len(b); i++ {
		n := b.u16(i + 1)
		if b[i] != 0x17 || n == 0 || i+3+2*n > len(b) || n > 255 {
			continue
		}
		s := record(b).chars(i+3, n)
		printable := true
		for _, c := range s {
			printable = printable && c >= ' ' && c != 0xfffd
		}
		if printable {
			out = append(out, s)
			i += 2 + 2*n
		}
	}
	return out
}

// commentsBinary reads the notes of a sheet.
func (w *workbook) commentsBinary(f *zip.File, at Location) error {
	at.Part = PartComment
	t := w.p.d.Text(at)
	var authors []string
	who := ""
	return w.p.records(f, func(kind int, b record) error {
		switch kind {
		case brtCommentAuthor:
			if len(authors) < maxRelations {
				name, _ := b.wide(0)
				authors = append(authors, name)
			}
		case brtBeginComment:
			who = ""
			if i := b.u32(0); int64(i) < int64(len(authors)) {
				who = authors[i] + ": "
			}
			at.Cell = columnName(int(min(b.u32(12), maxSheetColumns))+1) + itoa(int(b.u32(4)&0xfffff)+1)
		case brtCommentText:
			text, _ := b.wide(1)
			return t.Put(at, who+text)
		}
		return nil
	})
}

// isRecords reports whether a part of a binary workbook is made of records.
func isRecords(key string) bool {
	return strings.HasPrefix(key, "xl/") && path.Ext(key) == ".bin" && !quietly(key) && !strings.Contains(key, "vbaproject") && !strings.Contains(key, "/embeddings/")
}

// wide gives out the runs of text in the records of a part that has no reader of its own: tables, connections, pivot caches, links.
func (p *parcel) wide(f *zip.File) error {
	at := Location{Name: display(f.Name)}
	t := p.d.Text(at)
	return p.records(f, func(_ int, b record) error {
		for i := 0; i+2 <= len(b); {
			n := 0
			for i+2*n+2 <= len(b) && printable(b.u16(i+2*n)) {
				n++
			}
			if n < 4 {
				i++
				continue
			}
			if err := t.Put(at, b.chars(i, n)); err != nil {
				return err
			}
			i += 2 * n
		}
		return nil
	})
}

// printable reports whether a UTF-16 unit is a character of a language with an alphabet.
func printable(c int) bool { return c >= ' ' && c < 0x7f || c >= 0xa0 && c < 0x590 }
