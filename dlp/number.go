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

// numberRef is a rule for numbers of a form.
type numberRef struct {
	rule       *rule
	confidence float64
}

// numberIndex lists the forms by the length of their first group of digits and what may follow it. A form can only match where a run of just that
// length starts.
type numberIndex struct {
	lists [41][followers]numberList
	forms map[string]*numberForm
}

type numberList struct {
	forms  []*numberForm // other than plain
	begins [4]uint64     // bit n: one of these may begin where n, as bits, tells which of eight bytes are digits
	plain  *numberForm   // or nil
}

// numberForm is a form and the numbers that are written in it.
type numberForm struct {
	shape
	marks  []mark
	sure   []numberRef
	needs  []numberRef           // worth nothing without a context word
	words  starts                // the context words of needs
	before [len(starts{})]uint16 // how many words are in the parts of words before
	owners []uint64              // by word: which of needs have it, the nth as bit n modulo 64
	any    uint64                // which of them have a word that does not begin with a letter
}

// mark is a character of a form that is not known when its digits are.
type mark struct {
	at   int
	form byte
}

func (l *numberList) add(f *numberForm) {
	if f.plain {
		l.plain = f
		return
	}
	l.forms = append(l.forms, f)
	for n := range uint32(256) {
		if n&f.care == f.digits&0xff {
			l.begins[n/64] |= 1 << (n % 64)
		}
	}
}

func (f *numberForm) add(r *rule, confidence float64) {
	ref := numberRef{r, confidence}
	if !r.RequireContext && confidence+r.validator.Weight >= floor {
		f.sure = append(f.sure, ref)
		return
	}
	owner := uint64(1) << (len(f.needs) % 64)
	f.needs = append(f.needs, ref)
	for _, h := range r.contextStarts {
		if h == anyStart {
			f.any |= owner
		} else {
			f.own(h, owner)
		}
	}
}

// own notes that a rule has a context word.
func (f *numberForm) own(h uint16, owner uint64) {
	n := f.place(h/64, h&63)
	if !f.words.has(h) {
		f.words.put(h)
		f.owners = slices.Insert(f.owners, n, 0)
		for i := h/64 + 1; int(i) < len(f.before); i++ {
			f.before[i]++
		}
	}
	f.owners[n] |= owner
}

// place is where a word stands, or would, in owners.
func (f *numberForm) place(part, bit uint16) int {
	return int(f.before[part]) + bits.OnesCount64(f.words[part]&(1<<bit-1))
}

// near returns which of needs have a word that may stand in a text, as bits.
func (f *numberForm) near(in *starts) uint64 {
	owners := f.any
	for part, w := range in {
		for w &= f.words[part]; w != 0; w &= w - 1 {
			owners |= f.owners[f.place(uint16(part), uint16(bits.TrailingZeros64(w)))]
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

// put adds a form whose first run of digits is n long and followed by rest.
func (x *numberIndex) put(n int, rest string, form *numberForm) {
	if rest == "" {
		for f := range followsUpper {
			x.lists[n][f].add(form)
		}
		return
	}
	switch rest[0] {
	case '~':
		x.lists[n][followsSpace].add(form)
		x.lists[n][followsHyphen].add(form)
	default: // A and X stand for capital letters, and are some.
		x.lists[n][follower(rest[0])].add(form)
	}
}

func (x *numberIndex) add(r *rule) {
	for _, sh := range r.shapes {
		x.form(sh).add(r, sh.confidence)
	}
}

// form returns the form of a shape.
func (x *numberIndex) form(sh shape) *numberForm {
	if f := x.forms[sh.form]; f != nil {
		return f
	}
	f := &numberForm{shape: sh}
	for n, c := range []byte(sh.form) {
		if known := uint(n-sh.lead) < 32; c != '#' || !known {
			f.marks = append(f.marks, mark{n, c})
		}
	}
	x.forms[sh.form] = f
	rest := sh.form[sh.lead:]
	n := group(rest)
	x.put(n, rest[n:], f)
	// A digit may stand for an X that follows: then the run goes on, as far as the next one.
	for n < len(rest) && rest[n] == 'X' {
		n++
		n += group(rest[n:])
		x.put(n, rest[n:], f)
	}
	return f
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
		if n := end - i; n < len(e.numbers.lists) {
			if s.numbers(&e.numbers.lists[n][follower(behind)], i, end, isWord(before)); s.over {
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
		digits := digitsIn(s.text[i:]) // Most forms fail by them.
		for _, f := range l.forms {
			if digits&f.care != f.digits || glued && f.lead == 0 {
				continue
			}
			if start := i - f.lead; s.written(f, start) {
				if s.inForm(f, start, start+len(f.form)); s.over {
					return
				}
			}
		}
	}
	if l.plain != nil && !glued && s.isolated(i, end) {
		s.inForm(l.plain, i, end)
	}
}

// inForm confirms the numbers of a form that stands at [start, end).
func (s *state) inForm(f *numberForm, start, end int) {
	for k := range f.sure {
		s.number(f, &f.sure[k], start, end)
	}
	if len(f.needs) > 0 {
		near := s.nearAny(f, start, end)
		for k := range f.needs {
			if ref := &f.needs[k]; near>>(k%64)&1 != 0 && s.hasContext(ref.rule, start, end) {
				s.number(f, ref, start, end)
			}
		}
	}
	s.current = nil
}

// begin reports whether the digits among the first bytes of b are those of a form.
func (l *numberList) begin(b []byte) bool {
	if len(l.forms) == 0 || len(b) < 8 {
		return len(l.forms) > 0
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

// nearAny returns which of the numbers that need a word may have it near [start, end) or in the header of the table.
func (s *state) nearAny(f *numberForm, start, end int) uint64 {
	s.surroundings(start, end)
	near := f.near(&s.near.list.starts)
	if len(s.header) > 0 {
		near |= f.near(&s.columnWords.starts)
	}
	return near
}

// number confirms a number in its form. Most runs of digits are none, which the check says at once.
func (s *state) number(f *numberForm, ref *numberRef, start, end int) {
	if !f.plain || ref.rule.possible(s.text[start:end]) {
		s.current = ref.rule
		s.add(candidate{rule: ref.rule, start: start, end: end, confidence: ref.confidence})
	}
}

// written reports whether a form whose digits are there begins at start.
func (s *state) written(f *numberForm, start int) bool {
	end := start + len(f.form)
	if start < 0 || end > len(s.text) {
		return false
	}
	var sep byte
	for _, m := range f.marks {
		c := s.text[start+m.at]
		switch m.form {
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
			if c != m.form {
				return false
			}
		}
	}
	return s.isolated(start, end) && (f.even == 0 || !s.goesOn(start, end, f.even))
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
