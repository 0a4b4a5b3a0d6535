package dlp

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// around is room for the text on both sides of a candidate and the blanks put into it.
type around [4*contextRadius + 4]byte

// foldedBytes is how much of the text is kept as it was made for the last surroundings: those of neighbours overlap.
const foldedBytes = 512

// nearby holds the surroundings of the last candidate: several rules look at the same digits.
type nearby struct {
	start, end, size int
	text             around
	list             wordList // of text

	from, to int                   // the part of the text that is folded
	at       [foldedBytes]uint16   // where its bytes stand in folded
	folded   [2 * foldedBytes]byte // see words
	length   int                   // of folded
	known    int                   // how much of it was looked at for words
	heads    [foldedBytes]wordHead // the words that begin in it, by place
	words    int                   // of heads
}

// wordHead is where a word begins, and its startOf.
type wordHead struct{ at, hash uint16 }

// forget makes it those of no candidate, of another text.
func (n *nearby) forget() { n.size, n.from, n.to, n.length, n.known, n.words = 0, 0, 0, 0, 0, 0 }

// fold makes text[from:to] a part of what is folded.
func (n *nearby) fold(text []byte, from, to int) {
	if from < n.from || from > n.to+contextRadius || to-n.from > foldedBytes {
		n.from, n.to, n.length, n.known, n.words = from, from, 0, 0, 0
	}
	length := n.length
	for i := n.to; i < to; i++ {
		b := text[i]
		if b-'A' < 26 && i > n.from && text[i-1]-'a' < 26 {
			n.folded[length] = ' '
			length++
		}
		n.at[i-n.from] = uint16(length)
		n.folded[length] = wordFold[b]
		length++
	}
	n.to, n.length = max(n.to, to), length
	for ; n.known+2 < length; n.known++ { // A hash is that of three bytes.
		if wordAt(n.folded[:], n.known) {
			n.heads[n.words] = wordHead{uint16(n.known), startOf(n.folded[n.known:length])}
			n.words++
		}
	}
}

// add appends text[from:to] as it is folded. The words at its edges are cut: of those that begin with its first byte and its last two, nothing is noted.
func (n *nearby) add(text []byte, from, to int) {
	if from == to {
		return
	}
	n.fold(text, from, to)
	a, b := int(n.at[from-n.from]), int(n.at[to-1-n.from])+1
	n.size += copy(n.text[n.size:], n.folded[a:b])
	heads := n.heads[:n.words]
	first := sort.Search(len(heads), func(i int) bool { return int(heads[i].at) > a })
	for _, h := range heads[first:] {
		if int(h.at) >= b-2 {
			break
		}
		n.list.put(n.size-(b-a)+int(h.at)-a, h.hash)
	}
}

// starts says which words may begin in a text, by a hash of their first three letters.
type starts [1 << 12 / 64]uint64

// anyStart stands for a word that does not begin with a letter: starts knows nothing about it.
const anyStart = 1 << 12

// startOf is the hash of the first three letters of a word; what is no letter in ASCII counts as the end of it.
func startOf(b []byte) uint16 {
	if !isLetter(b[0]) && b[0] < utf8.RuneSelf {
		return anyStart
	}
	x := uint32(b[0])
	if len(b) > 1 {
		x |= uint32(b[1]) << 8
	}
	if len(b) > 2 && isLetter(b[2]) {
		x |= uint32(b[2]) << 16
	}
	return uint16(x * 0x9e3779b1 >> 20)
}

// startBytes tells the letters in lower case, and what characters beyond ASCII begin with.
var startBytes = func() (kinds [256]byte) {
	for c := range kinds {
		switch {
		case c >= 'a' && c <= 'z':
			kinds[c] = startLetter
		case c >= 0xc0:
			kinds[c] = startWide
		}
	}
	return kinds
}()

const (
	startLetter = iota + 1
	startWide
)

// wordAt reports whether a word may begin at text[i], which is in lower case.
func wordAt(text []byte, i int) bool {
	kind := startBytes[text[i]]
	return kind != 0 && (i == 0 || startBytes[text[i-1]] != startLetter)
}

// wordList says where in a text, and which, words begin.
type wordList struct {
	starts starts
	heads  [headerBytes + 8]wordHead // every byte of a header or of surroundings, which are shorter, may begin one; of the latter six are noted twice
	n      int
}

func (l *wordList) clear() {
	clear(l.starts[:])
	l.n = 0
}

func (l *wordList) put(at int, h uint16) {
	l.starts.put(h)
	l.heads[l.n] = wordHead{uint16(at), h}
	l.n++
}

// read notes the words that begin in a text in lower case.
func (l *wordList) read(text []byte) {
	l.clear()
	for i := range text {
		if wordAt(text, i) {
			l.put(i, startOf(text[i:]))
		}
	}
}

// has is hasWord for the text of the list and a word with this hash.
func (l *wordList) has(text []byte, w string, h uint16) bool {
	return l.starts.has(h) && l.find(text, w, h)
}

func (l *wordList) find(text []byte, w string, h uint16) bool {
	if h == anyStart {
		return hasWord(text, w)
	}
	for i := range l.heads[:l.n] {
		if head := &l.heads[i]; head.hash == h && wordIs(text, int(head.at), w) {
			return true
		}
	}
	return false
}

func (x *starts) put(h uint16) { x[h/64&(anyStart/64-1)] |= 1 << (h & 63) }

// has reports whether a word with this hash may be in the text.
func (x *starts) has(h uint16) bool { return h == anyStart || x[h/64&(anyStart/64-1)]>>(h&63)&1 != 0 }

// surroundings copies up to contextRadius bytes on each side of a candidate in lower case, with a line feed between, and a blank where camelCase
// starts a word.
func (s *state) surroundings(start, end int) []byte {
	n := &s.near
	if n.size == 0 || n.start != start || n.end != end {
		n.start, n.end, n.size = start, end, 0
		n.list.clear()
		n.add(s.text, max(0, start-contextRadius), start)
		middle := n.size
		n.text[middle] = '\n'
		n.size++
		n.add(s.text, end, min(len(s.text), end+contextRadius))
		text := n.text[:n.size]
		for _, i := range [6]int{0, middle - 2, middle - 1, middle + 1, n.size - 2, n.size - 1} {
			if i >= 0 && i < n.size && wordAt(text, i) {
				n.list.put(i, startOf(text[i:]))
			}
		}
	}
	return n.text[:n.size]
}

// wordFold makes capitals small, and blanks of what joins the words of a name.
var wordFold = func() (fold [256]byte) {
	for c := range fold {
		fold[c] = lower(byte(c))
	}
	fold['_'], fold['-'] = ' ', ' '
	return fold
}()

// words appends text in lower case, with blanks where words of a name begin: at a capital, a hyphen, an underscore. Letters beyond ASCII stay.
func words(out, text []byte) []byte {
	small := false // the byte before is a small letter
	for _, b := range text {
		if small && b-'A' < 26 {
			out = append(out, ' ')
		}
		out = append(out, wordFold[b])
		small = b-'a' < 26
	}
	return out
}

func lower(b byte) byte {
	if isUpper(b) {
		return b + 'a' - 'A'
	}
	return b
}

// hasContext reports whether a context word of the rule stands near [start, end) or in the header of the table.
func (s *state) hasContext(r *rule, start, end int) bool {
	text := s.surroundings(start, end)
	for i, w := range r.context {
		h := r.contextStarts[i]
		if s.near.list.has(text, w, h) || len(s.header) > 0 && s.columnWords.has(s.header, w, h) {
			return true
		}
	}
	return false
}

// weigh adds what the words around a candidate say. It reports false when the candidate cannot be worth keeping.
func (s *state) weigh(c *candidate) bool {
	r := c.rule
	if len(r.context)+len(r.negative) == 0 {
		return true
	}
	text := s.surroundings(c.start, c.end)
	n := c.near(text, &s.near.list)
	if n == 0 && len(s.header) > 0 {
		n = c.near(s.header, &s.columnWords)
	}
	if n == 0 && (r.RequireContext || c.confidence < floor) {
		return false
	}
	against := false
	for i, w := range r.negative {
		if against = s.near.list.has(text, w, r.negativeStarts[i]) && !idle(text, w); against {
			c.confidence -= negativeWeight
			c.marks |= markNegative
			break
		}
	}
	if n > 0 && (!against || c.formed) { // Else the word against it outweighs those for it: "test card".
		c.confidence += r.ContextWeight
		c.marks |= markContext
	}
	return true
}

// idle reports whether a negative word means nothing where it stands: ORDER BY sorts rows, and "in order to" orders nothing.
func idle(text []byte, w string) bool {
	count := func(s string) int { return bytes.Count(text, []byte(s)) }
	return w == "order" && count("order") == count("order by")+count("in order")
}

// near notes which of the context words stand in text, and returns how many it noted.
func (c *candidate) near(text []byte, in *wordList) (n int) {
	for i, h := range c.rule.contextStarts {
		if in.has(text, c.rule.context[i], h) {
			c.words[n] = int16(i + 1)
			if n++; n == len(c.words) {
				break
			}
		}
	}
	return n
}

// headerBytes is how long a line of column names may be.
const headerBytes = 256

// readHeader takes the first line of a text as the names of its columns if it looks like that: cells of letters, digits, blanks, underscores and
// hyphens between commas, semicolons, tabs or bars. In a table the word for a number stands at the top of its column, not beside it.
func (s *state) readHeader() {
	s.header = nil
	line, _, ok := bytes.Cut(s.text[:min(len(s.text), headerBytes)], []byte{'\n'})
	cells := 1
	for _, b := range line {
		switch {
		case b == ',' || b == ';' || b == '\t' || b == '|':
			cells++
		case isLetter(b) || b >= '0' && b <= '9' || b == ' ' || b == '_' || b == '-' || b == '"' || b == '\r' || b >= 0x80:
		default:
			return
		}
	}
	if ok && cells > 1 {
		s.header = words(s.names[:0], line)
		s.columnWords.read(s.header)
	}
}

// hasWord reports whether w starts a word in text; short words must also end one.
func hasWord(text []byte, w string) bool {
	for i := 0; ; i++ {
		n := bytes.Index(text[i:], []byte(w))
		if n < 0 {
			return false
		}
		if i += n; wordIs(text, i, w) {
			return true
		}
	}
}

// wordIs reports whether w starts a word at text[i], and ends one when it is short.
func wordIs(text []byte, i int, w string) bool {
	end := i + len(w)
	if end > len(text) || string(text[i:end]) != w || i > 0 && (isLetter(text[i-1]) || alphabetic(text[:i])) {
		return false
	}
	short := len(w) <= 4 || w[0] >= utf8.RuneSelf && utf8.RuneCountInString(w) <= 4
	return !short || end >= len(text) || !isLetter(text[end]) && !twoBytes(text[end])
}

// alphabetic reports whether b ends with a letter of two bytes: of the alphabets of Europe, whose words have blanks between them.
func alphabetic(b []byte) bool {
	return len(b) > 1 && b[len(b)-1]&0xc0 == 0x80 && twoBytes(b[len(b)-2])
}

// twoBytes reports whether c starts a letter of Latin, Greek or Cyrillic beyond ASCII.
func twoBytes(c byte) bool { return c >= 0xc3 && c <= 0xd4 }
