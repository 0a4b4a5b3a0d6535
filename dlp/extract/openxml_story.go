package extract

import (
	"bytes"
	"hash/fnv"
	"io"
	"strings"
	"unicode/utf8"
)

// paragraphBytes is how much of one paragraph, and of what hangs in it, is held before it is given out, in bytes.
const paragraphBytes = 1 << 20

// mode is how a piece of a paragraph stands in it.
type mode byte

const (
	modeBody mode = iota
	modeInserted
	modeDeleted
	modeHidden
)

// piece is text with its place.
type piece struct {
	at   Location
	text string
}

// paragraph is one that is being read.
type paragraph struct {
	at   Location
	buf  []byte
	segs []segment

	parts int // that were given out already, since it is long
}

type segment struct {
	mode mode
	end  int // in buf; the next one begins there
}

func (p *paragraph) add(m mode, text []byte) {
	p.buf = append(p.buf, text...)
	if n := len(p.segs); n > 0 && p.segs[n-1].mode == m {
		p.segs[n-1].end = len(p.buf)
		return
	}
	p.segs = append(p.segs, segment{m, len(p.buf)})
}

// pieces are the paragraph as it is shown, in order, and behind it, each on a line of its own, what tracked changes deleted and what is whole only
// without its hidden text.
func (p *paragraph) pieces() (shown, apart []piece) {
	deleted, hidden := false, false
	from := 0
	for _, s := range p.segs {
		at := p.at
		switch s.mode {
		case modeDeleted:
			deleted, from = true, s.end
			continue
		case modeHidden:
			at.Hidden, hidden = true, true
		case modeBody, modeInserted:
		}
		shown = append(shown, piece{at, string(p.buf[from:s.end])})
		from = s.end
	}
	if deleted {
		at := p.at
		at.Part = PartDeleted
		if s := p.words(func(m mode) bool { return m != modeInserted }, modeDeleted); s != "" {
			apart = append(apart, piece{at, s})
		}
	}
	if hidden {
		if s := p.words(func(m mode) bool { return m == modeBody || m == modeInserted }, modeHidden); s != "" {
			apart = append(apart, piece{p.at, s})
		}
	}
	return shown, apart
}

// words are the words of the pieces to keep that pieces of a mode belong to, or, if those are not kept, stand within.
func (p *paragraph) words(keep func(mode) bool, of mode) string {
	var text []byte
	var marks [][2]int // of text, that the mode has
	from := 0
	for _, s := range p.segs {
		at := len(text)
		if keep(s.mode) {
			text = append(text, p.buf[from:s.end]...)
		}
		if s.mode == of {
			marks = append(marks, [2]int{at, len(text)})
		}
		from = s.end
	}
	var out []byte
	done := 0
	for _, m := range marks {
		a, b := m[0], m[1]
		if a == b && (a == 0 || a == len(text) || text[a-1] <= ' ' || text[a] <= ' ') {
			continue // It stands between words.
		}
		for a > done && text[a-1] > ' ' {
			a--
		}
		for b < len(text) && text[b] > ' ' {
			b++
		}
		if a = max(a, done); b > a {
			if len(out) > 0 && a > done {
				out = append(out, ' ')
			}
			out = append(out, text[a:b]...)
			done = b
		}
	}
	return string(bytes.TrimRight(out, " \t\r\n"))
}

// story gives out paragraphs in order, with what hangs in each of them behind it. The cells of a row of a table are one line, with tabs between them.
type story struct {
	t      *Text
	at     Location
	number bool // paragraphs with text are numbered
	n      int  // of those that ended
	some   bool // the paragraph has text, or something hangs in it
	open   []*paragraph
	boxes  []string // parts of what is around: text boxes, notes, comments
	asides [][]piece
	size   int // of asides, in bytes
	tables int // around
	line   bool
	cells  int // that ended in the row since the last text

	seen    map[uint64]bool // paragraphs of a diagram; nil: they do not matter
	picture bool            // of the diagram: what seen has is left out
}

func (s *story) enter(part string) { s.boxes = append(s.boxes, part) }

// again enters what has the part of what is around.
func (s *story) again() {
	part := s.at.Part
	if n := len(s.boxes); n > 0 {
		part = s.boxes[n-1]
	}
	s.enter(part)
}

func (s *story) leave() {
	if n := len(s.boxes); n > 0 {
		s.boxes = s.boxes[:n-1]
	}
}

// where is the place of the paragraph that is read.
func (s *story) where() Location {
	at := s.at
	if s.number {
		at.Paragraph = s.n + 1
	}
	return at
}

// begin opens a paragraph; in a text box it hangs in the one around it.
func (s *story) begin() {
	at := s.where()
	switch n := len(s.boxes); {
	case n > 0 && (at.Part == "" || s.boxes[n-1] != PartTextBox):
		at.Part = s.boxes[n-1]
	case n == 0 && len(s.open) > 0 && at.Part == "":
		at.Part = PartTextBox // a paragraph within a paragraph
	}
	s.open = append(s.open, &paragraph{at: at})
}

// add writes text into the paragraph that is open. Text outside of paragraphs makes one.
func (s *story) add(m mode, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if len(s.open) == 0 {
		s.begin()
	}
	p := s.open[len(s.open)-1]
	if len(p.buf)+len(text) > paragraphBytes {
		if err := s.part(p); err != nil {
			return err
		}
	}
	p.add(m, text)
	return nil
}

// part gives out what was read of a paragraph that is long. It may stand before the text around it.
func (s *story) part(p *paragraph) error {
	shown, apart := p.pieces()
	p.buf, p.segs, p.parts = p.buf[:0], p.segs[:0], p.parts+1
	s.some = true
	if err := s.write(shown); err != nil {
		return err
	}
	for _, a := range apart {
		if err := s.aside(a.at, a.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) write(ps []piece) error {
	for _, p := range ps {
		s.t.At(p.at)
		if err := s.t.WriteString(p.text); err != nil {
			return err
		}
		s.line = s.line || p.text != ""
	}
	return nil
}

// aside keeps what hangs in the line that is read, to stand behind it.
func (s *story) aside(at Location, text string) error {
	if text = strings.TrimRight(text, " \t\r\n"); text == "" {
		return nil
	}
	return s.hang([]piece{{at, text}})
}

func (s *story) hang(ps []piece) error {
	s.some = true
	for _, p := range ps {
		s.size += len(p.text) + 64
	}
	s.asides = append(s.asides, ps)
	if s.size > paragraphBytes {
		return s.endLine()
	}
	return nil
}

// end closes the paragraph that is open.
func (s *story) end() error {
	if len(s.open) == 0 {
		return nil
	}
	p := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	shown, apart := p.pieces()
	for _, q := range shown {
		s.some = s.some || strings.TrimSpace(q.text) != ""
	}
	if len(s.open) > 0 || len(s.boxes) > 0 {
		if len(shown) > 0 {
			if err := s.hang(shown); err != nil {
				return err
			}
		}
	} else if err := s.shown(shown); err != nil {
		return err
	}
	for _, a := range apart {
		if err := s.aside(a.at, a.text); err != nil {
			return err
		}
	}
	if len(s.open) > 0 || len(s.boxes) > 0 {
		return nil
	}
	if s.some {
		s.n++
	}
	s.some = false
	if s.tables == 0 {
		return s.endLine()
	}
	return nil
}

// shown writes a paragraph that is no text box. Paragraphs of one cell are lines.
func (s *story) shown(ps []piece) error {
	if len(ps) == 0 || s.twice(ps) {
		return nil
	}
	if s.line && s.tables > 0 && s.cells == 0 {
		if err := s.t.WriteString("\n"); err != nil {
			return err
		}
	}
	for ; s.cells > 0; s.cells-- {
		if err := s.t.WriteString("\t"); err != nil {
			return err
		}
		s.line = true
	}
	return s.write(ps)
}

// twice reports whether a paragraph says what the part before it said, whose picture this part is.
func (s *story) twice(ps []piece) bool {
	if s.seen == nil {
		return false
	}
	h := fnv.New64a()
	for _, p := range ps {
		_, _ = io.WriteString(h, p.text) // It never fails.
	}
	k := h.Sum64()
	if s.picture {
		return s.seen[k]
	}
	if len(s.seen) < maxRelations {
		s.seen[k] = true
	}
	return false
}

// endCell ends a cell of a table.
func (s *story) endCell() {
	if s.cells < 64 { // Empty cells behind the last one with text are not written.
		s.cells++
	}
}

// endLine ends the line, and gives out what hangs in it.
func (s *story) endLine() error {
	s.cells = 0
	if s.line {
		s.line = false
		if err := s.t.WriteString("\n"); err != nil {
			return err
		}
	}
	all := s.asides
	s.asides, s.size = nil, 0
	for _, ps := range all {
		for i, p := range ps {
			if i == len(ps)-1 {
				p.text += "\n"
			}
			s.t.At(p.at)
			if err := s.t.WriteString(p.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish closes what is open.
func (s *story) finish() error {
	for len(s.open) > 0 {
		if err := s.end(); err != nil {
			return err
		}
	}
	return s.endLine()
}

// mark is a state of a story that it can be told from later.
type mark struct {
	asides, buf, segs int
	p                 *paragraph // that was open
	parts             int        // of it that were given out
}

func (s *story) mark() mark {
	m := mark{asides: len(s.asides)}
	if n := len(s.open); n > 0 {
		m.p = s.open[n-1]
		m.buf, m.segs, m.parts = len(m.p.buf), len(m.p.segs), m.p.parts
	}
	return m
}

// same reports whether the paragraph of a mark is open, and has all that it had.
func (s *story) same(m mark) bool {
	n := len(s.open)
	return n > 0 && s.open[n-1] == m.p && m.p.parts == m.parts
}

// since are the texts that came after a mark. ok is false if some of it was given out already.
func (s *story) since(m mark) (texts []string, ok bool) {
	if len(s.asides) < m.asides {
		return nil, false
	}
	for _, ps := range s.asides[m.asides:] {
		texts = append(texts, joined(ps))
	}
	if s.same(m) {
		texts = append(texts, string(m.p.buf[m.buf:]))
	}
	return texts, true
}

func joined(ps []piece) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}

// drop takes away what came after a mark and is known.
func (s *story) drop(m mark, known map[string]bool) {
	kept := s.asides[:m.asides]
	for _, ps := range s.asides[m.asides:] {
		if !known[joined(ps)] {
			kept = append(kept, ps)
		}
	}
	s.asides = kept
	if !s.same(m) || !known[string(m.p.buf[m.buf:])] {
		return
	}
	p := m.p
	p.buf, p.segs = p.buf[:m.buf], p.segs[:min(m.segs, len(p.segs))]
	if k := len(p.segs); k > 0 {
		p.segs[k-1].end = m.buf
	}
}

// symbol is the character of a symbol font: those of its own area stand for the Latin ones.
func symbol(c rune) []byte {
	if c >= 0xf000 && c <= 0xf0ff {
		c -= 0xf000
	}
	if !utf8.ValidRune(c) || c < ' ' {
		return nil
	}
	return utf8.AppendRune(nil, c)
}
