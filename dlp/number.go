package dlp

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"github.com/outband/outband/dlp/validate"
)

// shape is a compiled Shape.
type shape struct {
	form       string
	lead       int  // characters before the first digit
	plain      bool // digits and nothing else: a run of just that length has the form
	even       int  // length of the groups when all are equal and few: more of them before or behind make another number
	confidence float64
	care       uint32 // the bytes behind lead of which it is known whether they are digits
	digits     uint32 // those of them that are
}

type numberRef struct {
	rule  *rule
	shape shape
	needs bool // without a context word the number is worth nothing
}

// numberIndex lists the shapes by the length of their first group of digits and what may follow it. A shape can only match where a run of just that
// length starts.
type numberIndex [41][followers]numberList

type numberList struct {
	shapes []numberRef           // other than plain
	begins [4]uint64             // bit n: a shape of these may begin where n, as bits, tells which of eight bytes are digits
	sure   []numberRef           // plain
	needs  []numberRef           // plain, and need a context word
	words  starts                // the context words of the last
	before [len(starts{})]uint16 // how many words are in the parts of words before
	owners []uint64              // by word: which of needs have it, the nth as bit n modulo 64
	any    uint64                // which of them have a word that does not begin with a letter
}

func (l *numberList) add(ref numberRef) {
	switch {
	case !ref.shape.plain:
		l.shapes = append(l.shapes, ref)
		for n := range uint32(256) {
			if n&ref.shape.care == ref.shape.digits&0xff {
				l.begins[n/64] |= 1 << (n % 64)
			}
		}
	case !ref.needs:
		l.sure = append(l.sure, ref)
	default:
		owner := uint64(1) << (len(l.needs) % 64)
		l.needs = append(l.needs, ref)
		for _, h := range ref.rule.contextStarts {
			if h == anyStart {
				l.any |= owner
			} else {
				l.own(h, owner)
			}
		}
	}
}

// own notes that a rule has a context word.
func (l *numberList) own(h uint16, owner uint64) {
	n := l.place(h/64, h&63)
	if !l.words.has(h) {
		l.words.put(h)
		l.owners = slices.Insert(l.owners, n, 0)
		for i := h/64 + 1; int(i) < len(l.before); i++ {
			l.before[i]++
		}
	}
	l.owners[n] |= owner
}

// place is where a word stands, or would, in owners.
func (l *numberList) place(part, bit uint16) int {
	return int(l.before[part]) + bits.OnesCount64(l.words[part]&(1<<bit-1))
}

// near returns which of needs have a word that may stand in a text, as bits.
func (l *numberList) near(in *starts) uint64 {
	owners := l.any
	for part, w := range in {
		for w &= l.words[part]; w != 0; w &= w - 1 {
			owners |= l.owners[l.place(uint16(part), uint16(bits.TrailingZeros64(w)))]
		}
	}
	return owners
}

// What follows a run of digits.
const (
	followsOther = iota // nothing, too
	followsSpace
	followsHyphen
	followsPoint
	followsSlash
	followsUpper
	followsWord // a small letter or an underscore
	followers
)

func follower(c byte) int {
	switch {
	case c == ' ':
		return followsSpace
	case c == '-':
		return followsHyphen
	case c == '.':
		return followsPoint
	case c == '/':
		return followsSlash
	case isUpper(c):
		return followsUpper
	case isWord(c):
		return followsWord
	}
	return followsOther
}

// put adds a shape whose first run of digits is n long and followed by rest.
func (x *numberIndex) put(n int, rest string, ref numberRef) {
	if rest == "" {
		for f := range followsUpper {
			x[n][f].add(ref)
		}
		return
	}
	switch rest[0] {
	case '~':
		x[n][followsSpace].add(ref)
		x[n][followsHyphen].add(ref)
	default: // A and X stand for capital letters, and are some.
		x[n][follower(rest[0])].add(ref)
	}
}

func (x *numberIndex) add(r *rule) {
	for _, sh := range r.shapes {
		rest := sh.form[sh.lead:]
		n := group(rest)
		ref := numberRef{r, sh, r.RequireContext || sh.confidence+r.validator.Weight < floor}
		x.put(n, rest[n:], ref)
		// A digit may stand for an X that follows: then the run goes on, as far as the next one.
		for n < len(rest) && rest[n] == 'X' {
			n++
			n += group(rest[n:])
			x.put(n, rest[n:], ref)
		}
	}
}

// group is the length of the digits that form starts with.
func group(form string) int {
	n := 0
	for n < len(form) && form[n] == '#' {
		n++
	}
	return n
}

func (r *rule) compileShapes() error {
	if len(r.Shapes) == 0 {
		return r.fail("", 0, "scanner number needs shapes")
	}
	for i, sh := range r.Shapes {
		c := shape{form: sh.Shape, confidence: sh.Confidence}
		if c.confidence == 0 {
			c.confidence = r.Confidence
		}
		for c.lead < len(c.form) && c.form[c.lead] != '#' {
			c.lead++
		}
		if n := group(c.form[c.lead:]); n == 0 || n > 40 || len(c.form) > 64 {
			return r.fail("shapes", 0, "shape %d needs 1 to 40 digits in its first group and at most 64 characters", i+1)
		}
		if n := strings.LastIndexByte(c.form, 'X'); n >= 40 || c.lead > 0 && c.form[c.lead-1] == 'X' {
			return r.fail("shapes", 0, "shape %d has an X just before its first digit or behind 40 characters", i+1)
		}
		c.plain, c.even = group(c.form) == len(c.form), even(c.form)
		for n, f := range []byte(c.form[c.lead:min(len(c.form), c.lead+32)]) {
			if f != 'X' {
				c.care |= 1 << n
			}
			if f == '#' || isDigit(f) {
				c.digits |= 1 << n
			}
		}
		r.shapes = append(r.shapes, c)
		r.longest = max(r.longest, len(c.form))
	}
	return nil
}

// digits looks at every run of digits.
func (s *state) digits() {
	e := s.engine
	for i := nextDigit(s.text, 0); i < len(s.text); i = nextDigit(s.text, i) {
		end := i + 1
		for end < len(s.text) && isDigit(s.text[end]) {
			end++
		}
		before, behind := byte(0), byte(0)
		if i > 0 {
			before = s.text[i-1]
		}
		if end < len(s.text) {
			behind = s.text[end]
		}
		if n := end - i; n < len(e.numbers) {
			if s.numbers(&e.numbers[n][follower(behind)], i, end, isWord(before)); s.over {
				return
			}
		}
		for wake := e.wakes.at(before, s.text[i], behind, end-i); wake != 0; wake &= wake - 1 {
			r := e.runs[bits.TrailingZeros64(wake)]
			s.current = r
			r.scan(s, r, i, end)
		}
		s.current = nil
		if len(e.bases) > 0 && (isLetter(before) || isLetter(behind)) {
			s.base58(i, end)
		}
		i = end
	}
}

// numbers looks for the numbers of a list whose first run of digits is [i, end); glued: a word goes on into it.
func (s *state) numbers(l *numberList, i, end int, glued bool) {
	if l.begin(s.text[i:]) {
		digits := digitsIn(s.text[i:]) // Most shapes fail by them.
		for k := range l.shapes {
			ref := &l.shapes[k]
			if digits&ref.shape.care == ref.shape.digits && (!glued || ref.shape.lead > 0) && s.number(ref, i) && s.over {
				return
			}
		}
	}
	if len(l.sure)+len(l.needs) == 0 || glued || !s.isolated(i, end) {
		return
	}
	for k := range l.sure {
		s.plain(&l.sure[k], i, end)
	}
	if len(l.needs) > 0 {
		near := s.nearAny(l, i, end)
		for k := range l.needs {
			if ref := &l.needs[k]; near>>(k%64)&1 != 0 && s.hasContext(ref.rule, i, end) {
				s.plain(ref, i, end)
			}
		}
	}
	s.current = nil
}

// begin reports whether the digits among the first bytes of b are those of a shape.
func (l *numberList) begin(b []byte) bool {
	if len(l.shapes) == 0 || len(b) < 8 {
		return len(l.shapes) > 0
	}
	n := eightDigits(binary.LittleEndian.Uint64(b))
	return l.begins[n/64]>>(n%64)&1 != 0
}

// digitsIn sets the bit of each of the first 32 bytes of b that is a digit.
func digitsIn(b []byte) (digits uint32) {
	if len(b) < 32 {
		var end [32]byte
		copy(end[:], b)
		b = end[:]
	}
	for n := 0; n < 32; n += 8 {
		digits |= uint32(eightDigits(binary.LittleEndian.Uint64(b[n:]))) << n
	}
	return digits
}

// eightDigits sets the bit of each of eight bytes that is a digit.
func eightDigits(x uint64) uint8 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x ^= ones * '0'
	is := ^(x&^tops + ones*(0x80-10)) &^ x & tops
	return uint8(is >> 7 * 0x0102040810204080 >> 56) // The factor brings the bits of eight bytes together.
}

// nearAny returns which of the numbers that need a word may have it near [i, end) or in the header of the table.
func (s *state) nearAny(l *numberList, i, end int) uint64 {
	s.surroundings(i, end)
	near := l.near(&s.near.starts)
	if len(s.header) > 0 {
		near |= l.near(&s.columnStarts)
	}
	return near
}

// plain confirms a shape of digits and nothing else.
func (s *state) plain(ref *numberRef, i, end int) {
	if ref.rule.possible(s.text[i:end]) {
		s.current = ref.rule
		s.add(candidate{rule: ref.rule, start: i, end: end, confidence: ref.shape.confidence})
	}
}

// number confirms a shape whose first digit stands at i.
func (s *state) number(ref *numberRef, i int) bool {
	start := i - ref.shape.lead
	end := start + len(ref.shape.form)
	if start < 0 || end > len(s.text) {
		return false
	}
	var sep byte
	for n := range len(ref.shape.form) {
		c := s.text[start+n]
		switch f := ref.shape.form[n]; f {
		case '#':
			if !isDigit(c) {
				return false
			}
		case 'A':
			if !isUpper(c) {
				return false
			}
		case 'X':
			if !isUpper(c) && !isDigit(c) {
				return false
			}
		case '~':
			if c != ' ' && c != '-' || sep != 0 && c != sep {
				return false
			}
			sep = c
		default:
			if c != f {
				return false
			}
		}
	}
	if !s.isolated(start, end) || ref.shape.even > 0 && s.goesOn(start, end, ref.shape.even) {
		return false
	}
	s.current = ref.rule
	s.add(candidate{rule: ref.rule, start: start, end: end, confidence: ref.shape.confidence})
	s.current = nil
	return true
}

// even returns the length of the groups of digits of a form of at most three that are equal and have blanks between them, else 0.
func even(form string) int {
	groups := strings.Split(form, " ")
	if len(groups) != 2 && len(groups) != 3 || strings.Trim(form, "# ") != "" {
		return 0
	}
	for _, g := range groups {
		if len(g) != len(groups[0]) {
			return 0
		}
	}
	return len(groups[0])
}

// goesOn reports whether one more group of n digits stands before or behind text[start:end].
func (s *state) goesOn(start, end, n int) bool {
	t := s.text
	behind := end+n < len(t) && t[end] == ' ' && allDigits(t[end+1:end+1+n]) && (end+1+n == len(t) || !isDigit(t[end+1+n]))
	before := start > n && t[start-1] == ' ' && allDigits(t[start-1-n:start-1]) && (start-1-n == 0 || !isDigit(t[start-2-n]))
	return behind || before
}

// possible reports whether the validator lets a value pass. Most runs of digits end here, before more is done for them.
func (r *rule) possible(v []byte) bool {
	return r.validator.Check == nil || r.validator.Check(v) != validate.Reject
}

// isolated reports whether a number is not part of a longer one, of a word, of a decimal fraction or of a UUID.
func (s *state) isolated(start, end int) bool {
	t := s.text
	if start > 0 {
		switch p := t[start-1]; {
		case isWord(p) && isWord(t[start]):
			return false
		case (p == '.' || p == '-') && start > 1 && isDigit(t[start-2]):
			return false
		case p == '-' && start > 6 && t[start-6] == '-':
			return false
		case p == '+' && isDigit(t[start]):
			return false // An international number has its own scanner.
		}
	}
	if end < len(t) {
		switch n := t[end]; {
		case isWord(n):
			return false
		case (n == '.' || n == '-') && end+1 < len(t) && isDigit(t[end+1]):
			return false
		}
	}
	return true
}
