package dlp

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// confirm looks at the text around one keyword.
func (s *state) confirm(r *rule, from, to int) {
	if s.overdue() {
		return
	}
	s.current = r
	switch r.Kind {
	case KindToken:
		s.token(r, from, to)
	case KindAssignment:
		s.assignment(r, from, to)
	case KindPattern:
		s.pattern(r, from, to)
	case KindScanner:
		if r.scan != nil {
			r.scan(s, r, from, to)
		}
	}
	s.current = nil
}

// bounded reports whether a span of the text starts and ends at the edge of a word.
func (s *state) bounded(start, end int) bool {
	if start > 0 && isWord(s.text[start-1]) && isWord(s.text[start]) {
		return false
	}
	return end >= len(s.text) || !isWord(s.text[end]) || !isWord(s.text[end-1])
}

func (s *state) token(r *rule, from, to int) {
	if from > 0 && isWord(s.text[from-1]) {
		return
	}
	limit := min(len(s.text), to+r.Length.Max+4)
	end, crowded := s.runEnd(r, to, limit)
	if crowded {
		return
	}
	for end-to > r.Length.Min && (s.text[end-1] == '.' || s.text[end-1] == '-') {
		end-- // The full stop of a sentence, a dash behind a word.
	}
	if end-to < r.Length.Min || end-to > r.Length.Max || end < len(s.text) && isWord(s.text[end]) {
		return
	}
	if r.value != nil && !r.value.matches(s.text[to:end]) {
		return
	}
	s.add(candidate{rule: r, start: from, end: end, confidence: r.Confidence})
}

// crowd is how many values of one rule may begin in a run of its characters within the length of the longest: more of them are none, and each would cost
// as much as the run is long.
const crowd = 8

// charRun is the last run of characters of a rule's values that was looked at.
type charRun struct {
	block     int
	from, end int
	starts    [crowd]int // where the last values began, the nth at n modulo crowd
	n         int
}

// runEnd returns where the run of characters of the rule ends that goes on at from, limit at most. It is crowded when too many values began in it just before.
// Together these keep the work linear when a text repeats a prefix.
func (s *state) runEnd(r *rule, from, limit int) (end int, crowded bool) {
	m := &s.runs[r.index]
	if m.block != s.blocks || from < m.from || from > m.end {
		m.block, m.from, m.end, m.n = s.blocks, from, from, 0
	}
	if last := m.starts[(m.n+crowd-1)%crowd]; m.n == 0 || last != from {
		first := m.starts[m.n%crowd]
		crowded = m.n >= crowd && from-first <= r.Length.Max
		m.starts[m.n%crowd] = from
		m.n++
	}
	for m.end < limit && r.run[s.text[m.end]] {
		m.end++
	}
	return min(m.end, limit), crowded
}

func (s *state) pattern(r *rule, from, to int) {
	if r.before != nil && (from == 0 || !r.before[s.text[from-1]]) {
		return
	}
	for start := max(0, from-r.most); start <= from-r.least; start++ {
		if r.most > r.least && r.lead != 0 {
			n := bytes.IndexByte(s.text[start:from-r.least+1], r.lead)
			if n < 0 {
				return
			}
			start += n
		}
		if !r.first[s.text[start]] || r.group == 0 && start > 0 && isWord(s.text[start-1]) && isWord(s.text[start]) {
			continue // The second is what bounded would say of the match, before the expression runs.
		}
		if value, ok := s.expression(r, start, to); ok {
			if r.whole != nil {
				r = r.whole
			}
			if s.bounded(value.start, value.end) {
				s.add(candidate{rule: r, start: value.start, end: value.end, confidence: r.Confidence})
			}
			return
		}
	}
}

// attempts are the places where the expression of a rule ran last, and where the matches there ended; where they began: there was none. Several keywords have a place in
// their reach, for the beginning of a match is that of another, too.
type attempts struct {
	block int
	n     int // the next is put at n modulo the size
	last  [8]span
}

// expression runs the expression of the rule at start, and returns the value of a match that ends at to or behind it.
func (s *state) expression(r *rule, start, to int) (value span, ok bool) {
	const slack = 4 // one character, so that \b sees its neighbour
	var done *attempts
	if r.most > r.least {
		done = &s.attempts[r.wanders]
		if done.block != s.blocks {
			*done = attempts{block: s.blocks}
		}
		for i := range done.last[:min(done.n, len(done.last))] {
			if a := &done.last[i]; a.start == start && a.end < to {
				return span{}, false
			}
		}
	}
	window := s.text[start:min(len(s.text), start+r.longest+slack)]
	end := 0
	if r.ahead == nil || s.ahead(r, start, start+len(window)) {
		end, value = r.pattern.find(window)
	}
	if done != nil {
		done.last[done.n%len(done.last)] = span{start, start + end}
		done.n++
	}
	return span{start + value.start, start + value.end}, end > 0 && start+end >= to
}

// assignment reads name, operator and value behind a keyword.
func (s *state) assignment(r *rule, from, name int) {
	i := s.nameEnd(name)
	if r.Name == "strict" {
		// Digits and "s" are the only things that may follow: password2, tokens.
		i = name
		for i < len(s.text) && (isDigit(s.text[i]) || s.text[i] == 's') && i-name < 3 {
			i++
		}
		if i < len(s.text) && (isWord(s.text[i]) || s.text[i] == '-') {
			return
		}
	}
	if at, ok := s.operator(i); ok && (identifies(r, s.text[name:i]) || s.value(r, at)) {
		return
	}
	if s.sentence(r, name) {
		return
	}
	if s.flag(from) {
		end := name // A blank ends the name of a flag.
		for end < i && s.text[end] != ' ' {
			end++
		}
		if end < len(s.text) && s.text[end] == ' ' && (identifies(r, s.text[name:end]) || s.value(r, s.blanks(end))) {
			return
		}
	}
	cell, inCell := s.nextCell(i)
	end, inHeader := s.columnEnd(i)
	if (inCell || inHeader) && !identifies(r, s.text[name:i]) {
		if inCell && s.value(r, cell) {
			return
		}
		if inHeader {
			s.columnNamed(r, from, end)
		}
	}
	if r.Loose {
		s.loose(r, name)
	}
}

// nameEnd returns where the name ends whose keyword ends at i.
func (s *state) nameEnd(i int) int {
	t := s.text[i:min(len(s.text), i+nameTail)]
	n := 0
	for ; n+4 <= len(t) && nameBytes[t[n]] && nameBytes[t[n+1]] && nameBytes[t[n+2]] && nameBytes[t[n+3]]; n += 4 {
	}
	for n < len(t) && nameBytes[t[n]] {
		n++
	}
	return i + n
}

// identifies reports whether what follows the keyword in the name of a value ends in a word for something that is no secret: the _project_id of
// a vendor, its ApiUrl.
func identifies(r *rule, tail []byte) bool {
	end := len(tail)
	for end > 0 && tail[end-1] == ' ' {
		end--
	}
	start := end
	for start > 0 && (isLetter(tail[start-1]) || isDigit(tail[start-1])) {
		start--
		if isUpper(tail[start]) && start > 0 && !isUpper(tail[start-1]) {
			break
		}
	}
	var buf [10]byte
	if !secret(r) || start == end || end-start > len(buf) || start == 0 && !isUpper(tail[0]) {
		return false
	}
	for i, c := range tail[start:end] {
		buf[i] = lower(c)
	}
	switch string(buf[:end-start]) {
	case "id", "ids", "url", "uri", "name", "path", "file", "hash", "sha", "sha1", "sha256", "md5", "digest", "checksum", "commit", "revision", "version", "region":
		return true
	}
	return false
}

// nameBytes are the bytes between a keyword and its operator.
var nameBytes = func() (set charset) {
	for c := range set {
		set[c] = isWord(byte(c)) || c == '-' || c == '.' || c == ' '
	}
	return set
}()

// operator skips what closes a name, the operator and what opens a value: "]: , = => := > and the blanks of --flag value.
func (s *state) operator(i int) (int, bool) {
	t := s.text
	start := i
	for i < len(t) && i-start < 6 && (t[i] == '"' || t[i] == '\'' || t[i] == '`' || t[i] == ']' || t[i] == ')' || t[i] == ' ' || t[i] == '\t' || t[i] == '*') {
		i++
	}
	op := i
	for i < len(t) && i-op < 3 && (t[i] == '=' || t[i] == ':' || t[i] == '>' || t[i] == '|') {
		i++
	}
	if i == op {
		if i >= len(t) || t[i] != ',' || op == start {
			return 0, false // A comma assigns only behind a quote: setenv("NAME", "value").
		}
		i++
	}
	if colon := t[i-1] == ':'; colon {
		i = s.typed(i)
	}
	return s.open(i), true
}

// typed skips the type of a declaration: apiKey: string = "…".
func (s *state) typed(i int) int {
	j := s.blanks(i)
	start := j
	for j < len(s.text) && j-start < 24 && (isWord(s.text[j]) || s.text[j] == '&' || s.text[j] == '?' || s.text[j] == '<' || s.text[j] == '>') {
		j++
	}
	if k := s.blanks(j); j > start && k < len(s.text) && s.text[k] == '=' && k > j {
		return k + 1
	}
	return i
}

func (s *state) blanks(i int) int {
	for n := 0; n < 16 && i < len(s.text) && (s.text[i] == ' ' || s.text[i] == '\t'); n++ {
		i++
	}
	return i
}

// open skips blanks, the scheme of an Authorization header and marks in front of a quoted string.
func (s *state) open(i int) int {
	i = s.blanks(i)
	for _, scheme := range []string{"bearer ", "basic ", "token "} {
		if i+len(scheme) <= len(s.text) && s.text[i]|0x20 == scheme[0] && equalFold(s.text[i:i+len(scheme)], scheme) {
			i = s.blanks(i + len(scheme))
		}
	}
	for n := 0; n < 3 && i < len(s.text); n++ {
		switch c := s.text[i]; {
		case c == '(' || c == '[' || c == '*' || c == '@':
			i++
		case isLetter(c) && i+1 < len(s.text) && (s.text[i+1] == '"' || s.text[i+1] == '\''):
			i++
		default:
			return i
		}
	}
	return i
}

// verbs join a name and its value in a sentence. Each has the blanks around it.
var verbs = []string{" is ", " was ", " to ", " ist ", " est ", " es "}

// flag reports whether the name around i is that of a command line flag: --db-password VALUE.
func (s *state) flag(i int) bool {
	start := i
	for start > 0 && i-start < nameTail && (isWord(s.text[start-1]) || s.text[start-1] == '-') {
		start--
	}
	return start+1 < i && s.text[start] == '-' && s.text[start+1] == '-'
}

// sentence reads the value behind the first verb, of those among the few words behind a keyword, that has one: the password is X.
func (s *state) sentence(r *rule, name int) bool {
	t := s.text[name:min(len(s.text), name+nameTail)]
	read, past := false, 0 // past: no sentence ends before
	for i := 0; i < len(t); i += 8 {
		for blanks := blanksIn(t[i:]); blanks != 0; blanks &= blanks - 1 {
			at := i + bits.TrailingZeros64(blanks)/8
			n := verb(t[at:])
			if n == 0 {
				continue
			}
			if ends(t[past:at]) {
				return read
			}
			past = at
			kept := len(s.cands)
			value := s.blanks(name + at + n)
			if value < len(s.text) && s.text[value] == ':' {
				value++
			}
			if s.value(r, s.open(value)) {
				if read = true; len(s.cands) > kept {
					return true
				}
			}
		}
	}
	return read
}

// ends reports whether a sentence, or a part of one, ends in b.
func ends(b []byte) bool {
	for _, c := range b {
		if c == '\n' || c == '.' || c == ';' || c == ',' {
			return true
		}
	}
	return false
}

// blanksIn sets the top bit of each of the first eight bytes of b that is a blank.
func blanksIn(b []byte) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	if len(b) < 8 {
		var end [8]byte
		copy(end[:], b)
		b = end[:]
	}
	x := binary.LittleEndian.Uint64(b) ^ ones*' '
	return ^(x&^tops + ^uint64(tops)) &^ x & tops
}

// verb returns the length of the verb that b starts with, with the blanks around it; 0: none.
func verb(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	switch uint16(b[1])<<8 | uint16(b[2]) {
	case 'i'<<8 | 's', 'w'<<8 | 'a', 't'<<8 | 'o', 'e'<<8 | 's':
	default:
		return 0
	}
	for _, v := range verbs {
		if len(v) <= len(b) && string(b[:len(v)]) == v {
			return len(v)
		}
	}
	return 0
}

// value reads the value at i and reports whether it was one.
func (s *state) value(r *rule, i int) bool {
	var quote byte
	if i < len(s.text) && (s.text[i] == '"' || s.text[i] == '\'' || s.text[i] == '`') {
		quote = s.text[i]
		i++
	}
	end, limit := i, min(len(s.text), i+r.Length.Max+1)
	if quote == 0 {
		var crowded bool
		if end, crowded = s.runEnd(r, i, limit); crowded {
			return false
		}
	}
	for quote != 0 && end < limit && r.set[s.text[end]] && s.text[end] != quote {
		end++
	}
	if end-i > r.Length.Max {
		return false
	}
	if quote == 0 {
		for end-i > r.Length.Min && (s.text[end-1] == '.' || s.text[end-1] == ')' || s.text[end-1] == ':' || s.text[end-1] == '*') {
			end--
		}
	}
	if end-i < r.Length.Min {
		return false
	}
	if quote != 0 && end < len(s.text) && s.text[end] != quote && s.text[end] != '\\' || quote == 0 && end < len(s.text) && isWord(s.text[end]) {
		return false
	}
	if r.value != nil && !r.value.matches(s.text[i:end]) {
		return false
	}
	s.add(candidate{rule: r, start: i, end: end, confidence: r.Confidence})
	return true
}

// closes reports whether c ends a value that is not quoted.
func closes(c byte) bool {
	return c == '"' || c == '\'' || c == '`' || c == ',' || c == ';' || c == '<' || c == '>'
}

// loose takes a value that follows within a few words, without an operator; it is less sure.
func (s *state) loose(r *rule, from int) {
	limit := min(len(s.text), from+nameTail+20)
	for i := from; i < limit; {
		if !r.set[s.text[i]] || i > 0 && isWord(s.text[i-1]) {
			i++
			continue
		}
		end := i
		for end < len(s.text) && end-i <= r.Length.Max && r.set[s.text[end]] {
			end++
		}
		n := end - i
		if n >= r.Length.Min && n <= r.Length.Max && s.bounded(i, end) && (r.value == nil || r.value.matches(s.text[i:end])) {
			s.add(candidate{rule: r, start: i, end: end, confidence: r.Confidence - 0.1})
			return
		}
		i = max(end, i+1)
	}
}
