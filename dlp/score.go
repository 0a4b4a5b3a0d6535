package dlp

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/outband/outband/dlp/validate"
)

const (
	negativeWeight = 0.35          // what a negative word near takes away
	weakWeight     = 0.3           // what a weak part of the value takes away
	floor          = ConfidenceLow // candidates below are noise and are dropped
	published      = 0.1           // what a published example is worth
	filler         = 0.15          // the most that a value with a filler word is worth
)

// add scores a confirmed candidate and keeps it. The validator speaks first: most candidates end there, without an allocation.
func (s *state) add(c candidate) {
	if s.overdue() {
		return
	}
	r := c.rule
	v := s.text[c.start:c.end]
	c.base = c.confidence
	if r.validator.Check != nil {
		switch r.validator.Check(v) {
		case validate.Reject:
			return
		case validate.Pass:
			c.validated = !r.validator.Soft
			c.confidence += r.validator.Weight
			c.marks |= markCheck
		case validate.Unknown:
		}
	}
	if r.Entropy > 0 && validate.Entropy(v) < r.Entropy {
		return
	}
	if !s.weigh(&c) {
		return
	}
	if slices.ContainsFunc(r.Weak, func(w string) bool { return indexFold(v, w) >= 0 }) {
		c.confidence -= weakWeight
		c.marks |= markWeak
	}
	if secret(r) && validate.Filler(v) {
		c.confidence = min(c.confidence, filler)
	}
	if r.allowed(v) {
		c.confidence = min(c.confidence, published)
	}
	if c.confidence < floor {
		return
	}
	c.confidence = min(c.confidence, 0.99)
	s.cands = append(s.cands, c)
}

// secret reports whether values of the rule are drawn at random, so that words within them mean something.
func secret(r *rule) bool {
	return (r.Kind == KindToken || r.Kind == KindAssignment || r.Kind == KindPattern) && len(r.ID) > 7 && r.ID[:7] == "secret."
}

func (r *rule) allowed(v []byte) bool {
	if r.allowValues[string(v)] {
		return true
	}
	for _, re := range r.allowRegexp {
		if m := re.FindIndex(v); m != nil {
			return true
		}
	}
	return false
}

// around is room for the text on both sides of a candidate and the blanks put into it.
type around [4*contextRadius + 4]byte

// surroundings copies up to contextRadius bytes on each side of a candidate in lower case, with a line feed between, and a blank where camelCase
// starts a word.
func (s *state) surroundings(c *candidate) []byte {
	n := &s.near
	if n.size == 0 || n.start != c.start || n.end != c.end {
		out := words(n.text[:0], s.text[max(0, c.start-contextRadius):c.start])
		out = append(out, '\n')
		out = words(out, s.text[c.end:min(len(s.text), c.end+contextRadius)])
		n.start, n.end, n.size = c.start, c.end, len(out)
	}
	return n.text[:n.size]
}

// nearby holds the surroundings of the last candidate: several rules look at the same digits.
type nearby struct {
	start, end, size int
	text             around
}

func words(out, text []byte) []byte {
	for i, b := range text {
		if isUpper(b) && i > 0 && isLetter(text[i-1]) && !isUpper(text[i-1]) {
			out = append(out, ' ')
		}
		out = append(out, lower(b))
	}
	return out
}

func lower(b byte) byte {
	if isUpper(b) {
		return b + 'a' - 'A'
	}
	return b
}

// weigh adds what the words around a candidate say. It reports false when the candidate cannot be worth keeping.
func (s *state) weigh(c *candidate) bool {
	r := c.rule
	if len(r.context)+len(r.negative) == 0 {
		return true
	}
	text := s.surroundings(c)
	n := c.near(r.context, text)
	if n == 0 && len(s.header) > 0 {
		n = c.near(r.context, s.header)
	}
	if n == 0 && (r.RequireContext || c.confidence < floor) {
		return false
	}
	against := slices.ContainsFunc(r.negative, func(w string) bool { return hasWord(text, w) })
	if against {
		c.confidence -= negativeWeight
		c.marks |= markNegative
	}
	if n > 0 && (!against || c.formed) { // Else the word against it outweighs those for it: "test card".
		c.confidence += r.ContextWeight
		c.marks |= markContext
	}
	return true
}

// near notes which of the context words stand in text, and returns how many it noted.
func (c *candidate) near(context []string, text []byte) (n int) {
	for i, w := range context {
		if hasWord(text, w) {
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
	}
}

// hasWord reports whether w starts a word in text; short words must also end one.
func hasWord(text []byte, w string) bool {
	for i := 0; ; i++ {
		n := bytes.Index(text[i:], []byte(w))
		if n < 0 {
			return false
		}
		i += n
		end := i + len(w)
		short := len(w) <= 4 || w[0] >= utf8.RuneSelf && utf8.RuneCountInString(w) <= 4
		if (i == 0 || !isLetter(text[i-1]) && !alphabetic(text[:i])) && (!short || end >= len(text) || !isLetter(text[end]) && !twoBytes(text[end])) {
			return true
		}
	}
}

// alphabetic reports whether b ends with a letter of two bytes: of the alphabets of Europe, whose words have blanks between them.
func alphabetic(b []byte) bool {
	return len(b) > 1 && b[len(b)-1]&0xc0 == 0x80 && twoBytes(b[len(b)-2])
}

// twoBytes reports whether c starts a letter of Latin, Greek or Cyrillic beyond ASCII.
func twoBytes(c byte) bool { return c >= 0xc3 && c <= 0xd4 }
