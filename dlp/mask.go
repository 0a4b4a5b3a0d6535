package dlp

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	shapeRadius = 40 // characters either side that are kept as shape
	maxStars    = 24 // a mask says no more about the length of a long value
)

// mask hides a value: at most min(4, length/4) of its characters show, at its head or its tail (invariant 4).
func mask(v []byte, head bool) string {
	n := utf8.RuneCount(v)
	show := min(4, n/4)
	stars := strings.Repeat("*", min(n-show, maxStars))
	if head {
		return printable(v[:runes(v, show)]) + stars
	}
	from := len(v)
	for range show {
		_, w := utf8.DecodeLastRune(v[:from])
		from -= w
	}
	return stars + printable(v[from:])
}

// runes returns the length in bytes of the first n characters of v.
func runes(v []byte, n int) int {
	i := 0
	for ; n > 0 && i < len(v); n-- {
		_, w := utf8.DecodeRune(v[i:])
		i += w
	}
	return i
}

// printable replaces control and format characters, variation selectors and broken UTF-8: they would not survive JSON or a terminal, or hide text.
func printable(v []byte) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError || c >= 0xad && unicode.In(c, unicode.Cf, unicode.Variation_Selector) {
			return '*'
		}
		return c
	}, string(v))
}

// shape returns text[from:to] as form: letters x, digits 0, ASCII punctuation and blanks as they are, all else x. Inside other matches nothing
// is kept but x and 0, for punctuation may be part of a password.
func (s *state) shape(self, from, to int) string {
	// The cut may be in the middle of a character.
	for from < to && !utf8.RuneStart(s.text[from]) {
		from++
	}
	s.busy(self, from, to)
	var buf [shapeRadius]byte
	out := buf[:0]
	for i := from; i < to; {
		c, w := shapes[s.text[i]], 1
		switch {
		case c == 0:
			_, w = utf8.DecodeRune(s.text[i:to])
			c = 'x'
		case c == s.text[i] && c != 'x' && c != '0' && s.covered(i):
			c = 'x'
		}
		out = append(out, c)
		i += w
	}
	return string(out)
}

// shapes is what shows of a byte; 0: it is part of a character beyond ASCII.
var shapes = func() (shown [256]byte) {
	for i := range utf8.RuneSelf {
		switch c := byte(i); {
		case isLetter(c):
			shown[c] = 'x'
		case isDigit(c):
			shown[c] = '0'
		case c < ' ' || c == 0x7f:
			shown[c] = ' '
		default:
			shown[c] = c
		}
	}
	return shown
}()

// reach is how many candidates before one are looked at for what covers its context; only a private key holds more than a few.
const reach = 64

// busy notes the other matches that touch text[from:to]. The candidates are sorted by start.
func (s *state) busy(self, from, to int) {
	s.covers = s.covers[:0]
	end := from // of those noted
	for n := max(0, self-reach+1); n < len(s.cands) && s.cands[n].start < to; n++ {
		// One within another adds nothing.
		if c := &s.cands[n]; n != self && c.end > end {
			s.covers = append(s.covers, span{c.start, c.end})
			end = c.end
		}
	}
}

// span is a part of the view's text.
type span struct{ start, end int }

// covered reports whether a match that busy noted covers the byte at i.
func (s *state) covered(i int) bool {
	return slices.ContainsFunc(s.covers, func(c span) bool { return c.start <= i && i < c.end })
}

// Mask returns s with every match of at least low confidence replaced by its mask: names, titles and fields of activities are foreign text too
// (invariant 4). When the scan fails, nothing of s is shown.
func (e *Engine) Mask(s string, keys Keys) string {
	res, err := e.Scan([]byte(s), keys)
	if err != nil || res.Truncated || res.Undecoded {
		return strings.Repeat("*", min(len(s), maxStars))
	}
	var b strings.Builder
	at := 0
	for _, m := range res.Matches {
		if m.Confidence < ConfidenceLow || m.Start < at || e.byID[m.Detector].Scanner == "email_list" {
			continue
		}
		b.WriteString(s[at:m.Start])
		b.WriteString(m.Masked)
		at = m.End
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}
