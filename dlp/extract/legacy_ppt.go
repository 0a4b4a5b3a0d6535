package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Types of records of [MS-PPT] 2.13.24 and [MS-ODRAW].
const (
	pptDocument     = 0x03E8
	pptSlide        = 0x03EE
	pptNotes        = 0x03F0
	pptNotesAtom    = 0x03F1
	pptSlidePersist = 0x03F3
	pptMaster       = 0x03F8
	pptSlideInfo    = 0x03F9
	pptHyperlink    = 0x0FD7
	pptHeaders      = 0x0FD9
	pptList         = 0x0FF0
	pptUserEdit     = 0x0FF5
	pptChars        = 0x0FA0
	pptBytes        = 0x0FA8
	pptString       = 0x0FBA
	pptHandout      = 0x0FC9
	pptObject       = 0x1011
	pptTagBlob      = 0x138B
	pptDirectory    = 0x1772
	pptComment      = 0x2EE0
	pptCrypt        = 0x2F14
	pptShapeText    = 0xF00B // OfficeArtFOPT
	pptShapeText3   = 0xF122
)

// maxPPTDepth bounds the containers in one another.
const maxPPTDepth = 48

// pptRecord is the head of a record.
type pptRecord struct {
	ver, inst int
	typ       uint16
	body      []byte
}

// pptNext reads the record that b begins with, and what is behind it.
func pptNext(b []byte) (r pptRecord, rest []byte, ok bool) {
	if len(b) < 8 {
		return r, nil, false
	}
	v := binary.LittleEndian.Uint16(b)
	r = pptRecord{ver: int(v & 15), inst: int(v >> 4), typ: binary.LittleEndian.Uint16(b[2:])}
	n := min(int64(binary.LittleEndian.Uint32(b[4:])), int64(len(b)-8))
	r.body = b[8 : 8+n]
	return r, b[8+n:], true
}

// pptSlideRef is what is known of a slide before its text comes.
type pptSlideRef struct {
	number int
	hidden bool
}

type pptReader struct {
	d      *Doc
	t      *Text
	slides map[uint32]pptSlideRef // by the offset of their record
	ids    map[uint32]pptSlideRef // by the slide's id
	list   []pptSlideRef          // in the order of the document
	object int
}

func readPPT(d *Doc, s *storage) error {
	b, err := s.read("PowerPoint Document")
	if err != nil {
		return err
	}
	user, err := s.read("Current User")
	if err != nil {
		return err
	}
	if len(user) >= 16 && binary.LittleEndian.Uint32(user[12:]) == 0xF3D1C4DF {
		if err := readCommon(d, s); err != nil { // The macros are not encrypted.
			return err
		}
		return errEncrypted
	}
	p := &pptReader{d: d, t: d.Text(Location{}), slides: map[uint32]pptSlideRef{}, ids: map[uint32]pptSlideRef{}}
	if len(user) >= 20 {
		if err := p.index(b, binary.LittleEndian.Uint32(user[16:])); err != nil {
			return err
		}
	}
	rerr := p.top(b)
	if d.w.fatal != nil {
		return d.w.fatal
	}
	if st := s.stream("Pictures"); st != nil {
		pics, err := st.bytes()
		if err != nil {
			return err
		}
		if err := officePictures(d, pics); err != nil {
			return err
		}
	}
	if err := readCommon(d, s); err != nil {
		return err
	}
	return rerr
}

// index finds the slides in their order: by the last edit of the user, the directory of what was saved, and the list in the document.
func (p *pptReader) index(b []byte, edit uint32) error {
	persist := map[uint32]uint32{}
	doc := uint32(0)
	for range 1000 {
		if int64(edit)+36 > int64(len(b)) {
			break
		}
		r, _, _ := pptNext(b[edit:])
		if r.typ != pptUserEdit || len(r.body) < 28 {
			break
		}
		if doc == 0 {
			doc = binary.LittleEndian.Uint32(r.body[16:])
		}
		if dir := int64(binary.LittleEndian.Uint32(r.body[12:])); dir+8 <= int64(len(b)) {
			if err := p.directory(b[dir:], persist); err != nil {
				return err
			}
		}
		before := binary.LittleEndian.Uint32(r.body[8:])
		if before == 0 || before >= edit { // Edits go back.
			break
		}
		edit = before
	}
	at, ok := persist[doc]
	if !ok || int64(at)+8 > int64(len(b)) {
		return nil
	}
	r, _, _ := pptNext(b[at:])
	hidden := map[uint32]bool{} // A document may name one slide, which is long, a million times,
	steps := maxPPTSteps        // or many that lie in one another.
	for rest := r.body; len(rest) >= 8; {
		var l pptRecord
		if l, rest, ok = pptNext(rest); !ok || l.typ != pptList || l.inst != 0 {
			continue
		}
		for in := l.body; len(in) >= 8; {
			var a pptRecord
			if a, in, ok = pptNext(in); !ok || a.typ != pptSlidePersist || len(a.body) < 16 {
				continue
			}
			ref := pptSlideRef{number: len(p.list) + 1}
			off, ok := persist[binary.LittleEndian.Uint32(a.body)]
			if ok && int64(off)+8 <= int64(len(b)) {
				known := false
				if ref.hidden, known = hidden[off]; !known {
					ref.hidden = pptHidden(b[off:], &steps)
					hidden[off] = ref.hidden
				}
				p.slides[off] = ref
			}
			p.ids[binary.LittleEndian.Uint32(a.body[12:])] = ref
			p.list = append(p.list, ref)
		}
	}
	return nil
}

// directory reads a PersistDirectoryAtom, [MS-PPT] 2.3.4. What was known before is newer.
func (p *pptReader) directory(b []byte, persist map[uint32]uint32) error {
	r, _, _ := pptNext(b)
	if r.typ != pptDirectory {
		return nil
	}
	if err := p.d.keep(int64(len(r.body)) * 8); err != nil {
		return err
	}
	for e := r.body; len(e) >= 4; {
		v := binary.LittleEndian.Uint32(e)
		e = e[4:]
		for id := v & 0xFFFFF; v>>20 > 0 && len(e) >= 4; id++ {
			if _, ok := persist[id]; !ok {
				persist[id] = binary.LittleEndian.Uint32(e)
			}
			e = e[4:]
			v -= 1 << 20
		}
	}
	return nil
}

// maxPPTSteps is how many records of slides are looked at for whether the slide is hidden. Slides have some tens of them.
const maxPPTSteps = 2_000_000

// pptHidden tells whether a slide is left out of the show, as far as the steps go.
func pptHidden(b []byte, steps *int) bool {
	r, _, _ := pptNext(b)
	if r.typ != pptSlide {
		return false
	}
	for rest := r.body; len(rest) >= 8 && *steps > 0; *steps-- {
		var a pptRecord
		if a, rest, _ = pptNext(rest); a.typ == pptSlideInfo && len(a.body) >= 12 {
			return a.body[10]&4 != 0
		}
	}
	return false
}

// top reads the records of the stream. What the last save left out is still in it: text of slides as they were before.
func (p *pptReader) top(b []byte) error {
	whole := b
	for len(b) >= 8 {
		at := uint32(len(whole) - len(b))
		r, rest, _ := pptNext(b)
		if int64(binary.LittleEndian.Uint32(b[4:])) > int64(len(b)-8) {
			p.d.Gap(ReasonMalformed)
		}
		b = rest
		loc := Location{}
		switch r.typ {
		case pptCrypt:
			return errEncrypted
		case pptSlide:
			ref, ok := p.slides[at]
			loc = Location{Slide: ref.number, Hidden: ref.hidden || !ok && len(p.slides) > 0}
		case pptNotes:
			loc.Part = PartNote
			for in := r.body; len(in) >= 8; {
				var a pptRecord
				if a, in, _ = pptNext(in); a.typ == pptNotesAtom && len(a.body) >= 4 {
					ref := p.ids[binary.LittleEndian.Uint32(a.body)]
					loc.Slide, loc.Hidden = ref.number, ref.hidden
				}
			}
		case pptMaster, pptHandout:
			loc.Part = PartMaster
		}
		p.t = p.d.Text(loc)
		if err := p.record(r, loc, 0); err != nil {
			return err
		}
	}
	return nil
}

// record gives out the text in a record.
func (p *pptReader) record(r pptRecord, at Location, depth int) error {
	switch r.typ {
	case pptChars:
		return p.t.Put(at, pptText(utf16String(r.body)))
	case pptBytes:
		out := make([]rune, len(r.body))
		for i, c := range r.body {
			out[i] = rune(c)
		}
		return p.t.Put(at, pptText(string(out)))
	case pptString:
		if at.Part == PartHeader && r.inst == 2 {
			at.Part = PartFooter
		}
		s := utf16String(r.body)
		if strings.HasPrefix(s, "___PPT") {
			return nil
		}
		return p.t.Put(at, pptText(s))
	case pptShapeText, pptShapeText3:
		return p.shape(r, at)
	case pptObject:
		return p.embedded(r, at)
	case pptComment:
		at.Part = PartComment
	case pptHeaders:
		at.Part = PartHeader
	case pptHyperlink:
		at.Part = PartLink
	case pptList:
		return p.outline(r, at, depth)
	case pptTagBlob:
		r.ver = 15
	}
	if r.ver != 15 {
		return nil
	}
	if depth > maxPPTDepth {
		p.d.Gap(ReasonMalformed)
		return nil
	}
	return p.all(r.body, at, depth+1)
}

func (p *pptReader) all(b []byte, at Location, depth int) error {
	for len(b) >= 8 {
		var r pptRecord
		r, b, _ = pptNext(b)
		if err := p.record(r, at, depth); err != nil {
			return err
		}
	}
	return nil
}

// outline reads a list of slides with the text of their placeholders.
func (p *pptReader) outline(r pptRecord, at Location, depth int) error {
	n := 0
	for b := r.body; len(b) >= 8; {
		var in pptRecord
		in, b, _ = pptNext(b)
		if in.typ == pptSlidePersist {
			loc := Location{}
			switch r.inst {
			case 0:
				loc.Slide = n + 1
				if n < len(p.list) {
					loc.Hidden = p.list[n].hidden
				}
				n++
			case 1:
				loc.Part = PartMaster
			case 2:
				loc.Part = PartNote
			}
			at = loc
			p.t = p.d.Text(at)
			continue
		}
		if err := p.record(in, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// pptText makes lines of paragraphs and line breaks.
func pptText(s string) string {
	return strings.NewReplacer("\r", "\n", "\v", "\n", "\x00", "").Replace(s)
}

// shape gives out the texts among the properties of a shape, [MS-ODRAW] 2.3.4: WordArt, its name, its alternative text, where it links to.
func (p *pptReader) shape(r pptRecord, at Location) error {
	n := min(r.inst, len(r.body)/6)
	rest := r.body[6*n:]
	for i := range n {
		id, size := binary.LittleEndian.Uint16(r.body[6*i:]), int64(binary.LittleEndian.Uint32(r.body[6*i+2:]))
		if id&0x8000 == 0 {
			continue
		}
		size = min(size, int64(len(rest)))
		v := rest[:size]
		rest = rest[size:]
		loc := at
		switch id & 0x3FFF {
		case 0xC0: // gtextUNICODE
		case 0x380, 0x381, 0x38D: // wzName, wzDescription, wzTooltip
			loc.Part = PartAltText
		default:
			continue
		}
		if err := p.t.Put(loc, strings.TrimRight(utf16String(v), "\x00")); err != nil {
			return err
		}
	}
	return nil
}

// embedded reads an object or the macros, which lie in the stream as compound files of their own, mostly compressed.
func (p *pptReader) embedded(r pptRecord, at Location) error {
	p.object++
	m := Member{Name: fmt.Sprintf("object%d", p.object), At: at}
	m.Body = bytes.NewReader(r.body)
	if r.inst == 1 && len(r.body) > 4 {
		c := &counted{r: bytes.NewReader(r.body[4:])}
		z, err := zlib.NewReader(c)
		if err != nil {
			p.d.Gap(ReasonMalformed)
			return nil
		}
		m.Body, m.In = z, c.taken
	}
	err := p.d.Member(m)
	p.t = p.d.Text(at)
	return err
}

// officePictures hands on the pictures of a document, [MS-ODRAW] 2.2.23, which belong to its look.
func officePictures(d *Doc, b []byte) error {
	for n := 1; len(b) >= 8; n++ {
		var r pptRecord
		r, b, _ = pptNext(b)
		head := 0
		switch r.typ {
		case 0xF01D, 0xF01E, 0xF01F, 0xF029, 0xF02A: // JPEG, PNG, DIB, TIFF, JPEG in CMYK: one or two digests before a byte more
			head = 17
			if r.inst&1 == 1 {
				head = 33
			}
		default:
			continue
		}
		if len(r.body) <= head {
			continue
		}
		if err := d.Member(Member{Name: fmt.Sprintf("picture%d", n), Body: io.Reader(bytes.NewReader(r.body[head:])), Quiet: true}); err != nil {
			return err
		}
	}
	return nil
}
