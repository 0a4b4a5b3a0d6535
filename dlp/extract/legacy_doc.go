package extract

import (
	"encoding/binary"
	"sort"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// docPiece is a stretch of characters that lie together in the WordDocument stream, [MS-DOC] 2.8.35.
type docPiece struct {
	cp, end uint32 // character positions
	fc      int64  // byte offset
	wide    bool   // UTF-16, else one byte each
}

// docRun is a stretch of bytes whose characters are deleted or hidden.
type docRun struct {
	from, to        int64
	deleted, hidden bool
}

// docFile is an open Word document.
type docFile struct {
	main, table []byte
	pieces      []docPiece
	runs        []docRun
}

// The numbers of the (offset, length) pairs of FibRgFcLcb97, [MS-DOC] 2.5.6.
const (
	docPlcAtn    = 4
	docPlcHdd    = 11
	docPlcChpx   = 12
	docBookmarks = 21
	docAssoc     = 32
	docClx       = 33
	docAuthors   = 36
)

func readDOC(d *Doc, s *storage) error {
	main, err := s.read("WordDocument")
	if err != nil {
		return err
	}
	if len(main) >= 12 && binary.LittleEndian.Uint16(main[10:])&0x0100 != 0 {
		if err := readCommon(d, s); err != nil { // The macros are not encrypted.
			return err
		}
		return errEncrypted
	}
	f := docFile{main: main}
	rerr := f.read(d, s)
	if d.w.fatal != nil {
		return d.w.fatal
	}
	// Names, bookmarks, variables and alternative texts lie in the tables and beside the pictures.
	for _, st := range s.streams {
		if n := strings.ToLower(st.name); n == "0table" || n == "1table" || n == "data" {
			b, err := st.bytes()
			if err != nil {
				return err
			}
			if err := scrape(d, Location{Part: PartMetadata, Name: st.path()}, b, scrapeWide); err != nil {
				return err
			}
		}
	}
	if err := readCommon(d, s); err != nil {
		return err
	}
	return rerr
}

func (f *docFile) read(d *Doc, s *storage) error {
	if len(f.main) < 0x1A {
		return f.broken(d)
	}
	nFib := binary.LittleEndian.Uint16(f.main[2:])
	if nFib < 0xC0 { // Word 6 and 95: one byte each, unless it was saved fast.
		return f.readOld(d, s)
	}
	if len(f.main) < 154+8*(docAuthors+1) {
		return f.broken(d)
	}
	name := "0Table"
	if binary.LittleEndian.Uint16(f.main[10:])&0x0200 != 0 {
		name = "1Table"
	}
	var err error
	if f.table, err = s.read(name); err != nil {
		return err
	}
	f.readPieces(f.at(docClx))
	if len(f.pieces) == 0 {
		return f.broken(d)
	}
	if err := d.keep(int64(len(f.pieces)) * 32); err != nil {
		return err
	}
	f.readRuns(d)
	return f.readParts(d)
}

// broken gives out what reads as text where the tables do not tell.
func (f *docFile) broken(d *Doc) error {
	if err := scrape(d, Location{}, f.main, scrapeBoth); err != nil {
		return err
	}
	return errMalformed
}

func (f *docFile) readOld(d *Doc, s *storage) error {
	from, to := int64(0), int64(0)
	if len(f.main) >= 0x20 {
		from, to = int64(binary.LittleEndian.Uint32(f.main[0x18:])), int64(binary.LittleEndian.Uint32(f.main[0x1C:]))
	}
	if f.main[10]&4 != 0 || from >= to || from < 0x20 || to > int64(len(f.main)) {
		return scrape(d, Location{}, f.main, scrapeBoth)
	}
	f.pieces = []docPiece{{end: uint32(to - from), fc: from}}
	return f.part(d, "", 0, uint32(to-from), nil)
}

// at gives the bytes of a table by its number.
func (f *docFile) at(i int) []byte {
	p := 154 + 8*i
	if p+8 > len(f.main) {
		return nil
	}
	fc, n := int64(binary.LittleEndian.Uint32(f.main[p:])), int64(binary.LittleEndian.Uint32(f.main[p+4:]))
	if fc >= int64(len(f.table)) {
		return nil
	}
	return f.table[fc:min(fc+n, int64(len(f.table)))]
}

// readPieces reads the piece table out of the Clx, [MS-DOC] 2.9.38.
func (f *docFile) readPieces(b []byte) {
	for len(b) >= 5 && b[0] == 1 {
		n := 3 + int(binary.LittleEndian.Uint16(b[1:]))
		b = b[min(n, len(b)):]
	}
	if len(b) < 5+4+12 || b[0] != 2 {
		return
	}
	b = b[5:]
	n := (len(b) - 4) / 12
	left := int64(len(f.main)) // Pieces may not share their bytes many times over.
	for i := range n {
		cp, end := binary.LittleEndian.Uint32(b[4*i:]), binary.LittleEndian.Uint32(b[4*i+4:])
		v := binary.LittleEndian.Uint32(b[4*(n+1)+8*i+2:])
		p := docPiece{cp: cp, end: end, fc: int64(v & 0x3FFFFFFF), wide: v&0x40000000 == 0}
		width := int64(2)
		if !p.wide {
			p.fc, width = p.fc/2, 1
		}
		if end <= cp || p.fc >= int64(len(f.main)) || i > 0 && cp < f.lastCP() {
			continue
		}
		if most := (int64(len(f.main)) - p.fc) / width; int64(end-cp) > most {
			p.end = cp + uint32(most)
		}
		if left -= int64(p.end-p.cp) * width; left < 0 {
			break
		}
		f.pieces = append(f.pieces, p)
	}
}

func (f *docFile) lastCP() uint32 {
	if len(f.pieces) == 0 {
		return 0
	}
	return f.pieces[len(f.pieces)-1].end
}

// readRuns finds what is deleted or hidden by the character properties, [MS-DOC] 2.9.33.
func (f *docFile) readRuns(d *Doc) {
	plc := f.at(docPlcChpx)
	n := (len(plc) - 4) / 8
	for i := range max(min(n, len(f.main)/512), 0) { // Each page once.
		pn := int64(binary.LittleEndian.Uint32(plc[4*(n+1)+4*i:])&0x3FFFFF) * 512
		if pn+512 > int64(len(f.main)) || d.Context().Err() != nil || d.keep(40*101) != nil {
			break
		}
		page := f.main[pn : pn+512]
		runs := int(page[511])
		for r := range runs {
			if 4*(runs+1)+r >= 511 {
				break
			}
			at := 2 * int(page[4*(runs+1)+r])
			if at == 0 || at+1 >= 511 {
				continue
			}
			run := docRun{from: int64(binary.LittleEndian.Uint32(page[4*r:])), to: int64(binary.LittleEndian.Uint32(page[4*r+4:]))}
			run.deleted, run.hidden = docSprms(page[at+1 : min(at+1+int(page[at]), 511)])
			if (run.deleted || run.hidden) && run.from < run.to {
				f.runs = append(f.runs, run)
			}
		}
	}
	sort.Slice(f.runs, func(i, j int) bool { return f.runs[i].from < f.runs[j].from })
}

// docSprms reads the properties of a run, [MS-DOC] 2.6.
func docSprms(b []byte) (deleted, hidden bool) {
	for len(b) >= 3 {
		op := binary.LittleEndian.Uint16(b)
		switch op {
		case 0x0800: // sprmCFRMarkDel
			deleted = b[2] == 1
		case 0x083C: // sprmCFVanish
			hidden = b[2] == 1
		}
		n := 2 + [8]int{1, 1, 2, 4, 2, 2, 0, 3}[op>>13]
		if op>>13 == 6 {
			n = 3 + int(b[2])
		}
		b = b[min(n, len(b)):]
	}
	return deleted, hidden
}

// readParts gives out the documents that follow one another in the text: the main one, footnotes, headers and so on, [MS-DOC] 2.3.
func (f *docFile) readParts(d *Doc) error {
	at := uint32(0)
	last := f.lastCP()
	for _, p := range []struct {
		part string
		ccp  int
	}{{"", 0x4C}, {PartNote, 0x50}, {PartHeader, 0x54}, {"", 0x58}, {PartComment, 0x5C}, {PartNote, 0x60}, {PartTextBox, 0x64}, {PartTextBox, 0x68}} {
		n := binary.LittleEndian.Uint32(f.main[p.ccp:])
		end := at + min(n, last-at)
		var starts []uint32
		if p.part == PartHeader {
			for plc := f.at(docPlcHdd); len(plc) >= 4 && len(starts) < 1<<16; plc = plc[4:] {
				starts = append(starts, binary.LittleEndian.Uint32(plc))
			}
		}
		if err := f.part(d, p.part, at, end, starts); err != nil {
			return err
		}
		if p.part == PartComment {
			if err := f.authors(d); err != nil {
				return err
			}
		}
		at = end
	}
	return f.part(d, "", at, last, nil) // What no count speaks of.
}

// authors gives out who wrote comments, [MS-DOC] 2.7.4.
func (f *docFile) authors(d *Doc) error {
	t := d.Text(Location{Part: PartComment, Name: "author"})
	for b := f.at(docAuthors); len(b) >= 2; {
		n := 2 + 2*int(binary.LittleEndian.Uint16(b))
		if n > len(b) {
			break
		}
		if err := t.WriteString("author: " + utf16String(b[2:n]) + "\n"); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// part gives out the characters from one position to another as paragraphs. starts are those of the headers and footers, of which 6 belong to a section
// after the first 6.
func (f *docFile) part(d *Doc, part string, from, to uint32, starts []uint32) error {
	if from >= to {
		return nil
	}
	w := docWriter{d: d, t: d.Text(Location{Part: part}), part: part, paragraph: 1}
	first := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].end > from })
	story := 0
	for _, p := range f.pieces[min(first, len(f.pieces)):] {
		if p.cp >= to {
			break
		}
		width := int64(1)
		if p.wide {
			width = 2
		}
		fc := p.fc + int64(max(from, p.cp)-p.cp)*width
		run := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].to > fc })
		for cp := max(from, p.cp); cp < min(to, p.end); cp++ {
			for story+1 < len(starts) && cp-from >= starts[story+1] {
				story++
			}
			if part == PartHeader && story >= 6 {
				kind := PartHeader
				if k := (story - 6) % 6; k == 2 || k == 3 || k == 5 {
					kind = PartFooter
				}
				if kind != w.part {
					if err := w.flush(); err != nil {
						return err
					}
					w.part, w.paragraph = kind, 1
				}
			}
			for run < len(f.runs) && f.runs[run].to <= fc {
				run++
			}
			var is docRun
			if run < len(f.runs) && f.runs[run].from <= fc {
				is = f.runs[run]
			}
			var c uint16
			if p.wide {
				c = binary.LittleEndian.Uint16(f.main[fc:])
			} else {
				c = uint16(charmap.Windows1252.DecodeByte(f.main[fc]))
			}
			if err := w.char(c, is.deleted, is.hidden); err != nil {
				return err
			}
			fc += width
		}
	}
	return w.flush()
}
