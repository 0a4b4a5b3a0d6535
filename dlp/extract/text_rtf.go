package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Bounds of RTF. It is read as it comes; what is kept is bounded by these and by maxHeld.
const (
	maxGroups  = 10_000 // in one another; deeper ones have the state of this one
	maxFonts   = 4096
	maxWord    = 32 // letters of a control word
	maxRTFName = 256
)

// readRTF reads Rich Text Format (specification 1.9.1): what is shown, by paragraphs, and beside it what is not: hidden and deleted text, comments, notes,
// properties, instructions of fields, embedded objects, and what is in groups that nobody knows.
func readRTF(d *Doc) error {
	ansi, _ := codePage(1252)
	p := &rtf{d: d, r: d.r, flow: flow{t: d.Text(Location{})}, paragraph: 1, ansi: ansi, fonts: map[int]charset{}}
	p.st = rtfState{dest: destOutside, cs: ansi, uc: 1}
	if mark, err := d.r.Peek(len(utf8Mark)); err == nil && bytes.Equal(mark, utf8Mark) {
		if _, err := d.r.Discard(len(mark)); err != nil {
			return err
		}
	}
	err := p.read()
	if ferr := p.flow.end(); ferr != nil {
		return ferr
	}
	if err == nil && p.depth > 0 {
		return errMalformed
	}
	return err
}

// rtf is a document that is read.
type rtf struct {
	d         *Doc
	r         *bufio.Reader
	flow      flow
	st        rtfState
	stack     []rtfState
	depth     int // of groups, those that are not on the stack too
	paragraph int
	ansi      charset         // of the document
	fonts     map[int]charset // of each font
	font      int             // whose entry of the table is read
	deff      int             // the default one
	pending   []byte          // the beginning of a character of several bytes
	high      rune            // the first half of a surrogate pair
	skip      int             // characters that stand for one that \u gave
	name      []byte          // what was captured last: of a property, of a form field, of an attribute of a shape
	class     []byte          // of an object
	value     []byte          // of an attribute of a shape
}

// rtfState is what ends with a group.
type rtfState struct {
	dest            dest
	name            string // of the property, or the control word of an unknown destination
	cs              charset
	uc              int
	hidden, deleted bool
	star            bool // behind \*
	first           bool // the group that holds for those that read no Unicode comes next
	outer           dest // of the group around \upr
}

func (p *rtf) read() error {
	for n := 0; ; n++ {
		if n&0xfff == 0 {
			if err := p.d.Context().Err(); err != nil {
				return p.d.w.stop(err)
			}
		}
		b, err := p.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch b {
		case '{':
			err = p.begin()
		case '}':
			err = p.end()
		case '\\':
			if next, _ := p.r.Peek(1); len(p.pending) > 0 && len(next) > 0 && next[0] >= utf8.RuneSelf {
				err = p.bytes([]byte{b}) // It ends a character, and its writer did not escape it.
			} else {
				err = p.control()
			}
		case '\r', '\n', 0:
		default:
			if err = p.r.UnreadByte(); err == nil {
				err = p.run()
			}
		}
		if err != nil {
			return err
		}
	}
}

// run reads what stands up to the next character that has a meaning.
func (p *rtf) run() error {
	if p.r.Buffered() == 0 {
		if _, err := p.r.Peek(1); err != nil {
			return err
		}
	}
	text, err := p.r.Peek(p.r.Buffered())
	if err != nil {
		return err
	}
	if n := bytes.IndexAny(text, "{}\\\r\n\x00"); n >= 0 {
		text = text[:n]
	}
	n := len(text)
	cut := min(p.skip, n)
	p.skip -= cut
	if err := p.bytes(text[cut:]); err != nil {
		return err
	}
	_, err = p.r.Discard(n)
	return err
}

func (p *rtf) begin() error {
	if err := p.settle(); err != nil {
		return err
	}
	p.skip = 0
	if p.depth++; len(p.stack) < maxGroups {
		p.stack = append(p.stack, p.st)
	}
	if p.depth == 1 {
		p.st.dest = destBody
	}
	p.st.star = false
	if p.st.first {
		p.st.first, p.st.outer, p.st.dest = false, p.st.dest, destSkip
		p.stack[len(p.stack)-1].first = false
	}
	return nil
}

func (p *rtf) end() error {
	if err := p.settle(); err != nil {
		return err
	}
	p.skip = 0
	if p.depth == 0 {
		return nil
	}
	was := p.st
	if p.depth == len(p.stack) {
		p.st = p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
	}
	p.depth--
	if was.dest == destValue && p.st.dest != destValue {
		if err := p.attribute(); err != nil {
			return err
		}
	}
	if was.dest == destVariable && p.st.dest == destVariable {
		return p.out([]byte(": "))
	}
	if was.dest != p.st.dest {
		p.flow.close()
	}
	return nil
}

// attribute gives out the value of an attribute of a shape, such as its description, unless it is a number.
func (p *rtf) attribute() error {
	value := string(p.value)
	p.value = p.value[:0]
	for i := range len(value) {
		if b := value[i]; b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80 {
			return p.flow.aside(Location{Part: PartAltText, Paragraph: p.paragraph, Name: string(p.name)}, value)
		}
	}
	return nil
}

// bytes reads text in the charset of the font.
func (p *rtf) bytes(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	p.high = 0
	cm, single := p.st.cs.enc.(*charmap.Charmap)
	for len(b) > 0 {
		n := 0
		for n < len(b) && b[n] < utf8.RuneSelf {
			n++
		}
		if n > 0 && len(p.pending) == 0 {
			if err := p.out(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		if single {
			if err := p.out(utf8.AppendRune(nil, cm.DecodeByte(b[0]))); err != nil {
				return err
			}
			b = b[1:]
			continue
		}
		p.pending = append(p.pending, b[0])
		b = b[1:]
		if w := p.st.cs.width(p.pending); len(p.pending) >= w && (len(p.pending) > 1 || w == 1) {
			if err := p.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle ends a character of several bytes.
func (p *rtf) settle() error {
	if len(p.pending) == 0 {
		return nil
	}
	text, err := p.st.cs.enc.NewDecoder().Bytes(p.pending)
	p.pending = p.pending[:0]
	if err != nil {
		text = []byte("\uFFFD")
	}
	return p.out(text)
}

// control reads what stands behind a backslash.
func (p *rtf) control() error {
	b, err := p.r.ReadByte()
	if err != nil {
		return ignoreEnd(err)
	}
	if b|0x20 >= 'a' && b|0x20 <= 'z' {
		return p.word(b)
	}
	if b != '\'' {
		if err := p.settle(); err != nil {
			return err
		}
		if p.skip > 0 && b != '*' {
			p.skip--
			return nil
		}
	}
	switch b {
	case '\'':
		digits, err := p.r.Peek(2)
		if err != nil {
			return ignoreEnd(err)
		}
		high, low := hexDigit(digits[0]), hexDigit(digits[1])
		if high < 0 || low < 0 {
			return nil
		}
		if _, err := p.r.Discard(2); err != nil {
			return err
		}
		if p.skip > 0 {
			p.skip--
			return nil
		}
		return p.bytes([]byte{byte(high<<4 | low)})
	case '*':
		p.st.star = true
	case '~':
		return p.out([]byte("\u00a0"))
	case '_':
		return p.out([]byte("-"))
	case '\\', '{', '}':
		return p.out([]byte{b})
	case '\r', '\n':
		return p.command("par", 0, false)
	case '\t':
		return p.out([]byte("\t"))
	}
	return nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// word reads a control word and its number.
func (p *rtf) word(b byte) error {
	var buf [maxWord]byte
	n, err := 0, error(nil)
	for ; b|0x20 >= 'a' && b|0x20 <= 'z'; b, err = p.r.ReadByte() {
		if n < maxWord {
			buf[n] = b
			n++
		}
	}
	word, number, has, minus := string(buf[:n]), 0, false, false
	if err == nil && b == '-' {
		minus = true
		b, err = p.r.ReadByte()
	}
	for digits := 0; err == nil && b >= '0' && b <= '9' && digits < 10; digits++ {
		number, has = number*10+int(b-'0'), true
		b, err = p.r.ReadByte()
	}
	if minus {
		number = -number
	}
	if err == nil && b != ' ' {
		err = p.r.UnreadByte()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if word == "bin" {
		return p.binary(number)
	}
	if p.skip > 0 && word != "u" {
		p.skip--
		return nil
	}
	return p.command(word, number, has)
}

// binary leaves out n bytes.
func (p *rtf) binary(n int) error {
	for n > 0 {
		m, err := p.r.Discard(min(n, chunk))
		if err != nil {
			return ignoreEnd(err)
		}
		n -= m
	}
	return nil
}

// unicode reads \u: a character, and how many of those behind it stand for it elsewhere.
func (p *rtf) unicode(n int) error {
	p.skip = max(0, p.st.uc)
	r := rune(uint16(n))
	switch {
	case p.high != 0:
		both := utf16.DecodeRune(p.high, r)
		p.high = 0
		r = both
	case utf16.IsSurrogate(r):
		p.high = r
		return nil
	}
	return p.out(utf8.AppendRune(nil, r))
}

// out writes text where it belongs.
func (p *rtf) out(text []byte) error {
	st := &p.st
	at := Location{Paragraph: p.paragraph, Hidden: st.hidden}
	switch st.dest {
	case destSkip:
		return nil
	case destCapture:
		p.name = append(p.name, text[:min(len(text), maxRTFName-len(p.name))]...)
		if len(p.name) < maxRTFName {
			return nil
		}
		at = Location{Part: PartName}
	case destClass:
		p.class = append(p.class, text[:min(len(text), maxRTFName-len(p.class))]...)
		return nil
	case destValue:
		if len(p.value) < maxHeld {
			p.value = append(p.value, text...)
			return nil
		}
		at.Part = PartAltText
	case destBody:
		if st.deleted {
			at.Part = PartDeleted
		}
		if !st.hidden && !st.deleted {
			return p.flow.body(at, text, -1)
		}
	case destOutside:
		at = Location{Hidden: true}
	case destUnknown:
		at.Hidden, at.Name = true, st.name
	case destHidden:
		at.Hidden = true
	default:
		d := destinationPlaces[st.dest]
		at.Part = d.part
		if !d.hangs {
			at.Paragraph = 0
		}
		at.Hidden = at.Hidden || d.hidden
		if d.named {
			at.Name = st.name
			p.label(at)
		}
	}
	return p.flow.beside(at, text)
}

// label puts the name before the value that begins.
func (p *rtf) label(at Location) {
	if n := len(p.flow.sides); n > 0 && p.flow.sides[n-1].open && p.flow.sides[n-1].at == at || at.Name == "" {
		return
	}
	// An error here is that of the sink, which the next write returns as well.
	_ = p.flow.beside(at, []byte(at.Name+": "))
}
