package dlp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// shapeRadius is how many characters either side are kept as shape.
const shapeRadius = 40

// stars is what stands for the characters that do not show.
const stars = "************************"

// maxStars: a mask says no more about the length of a long value.
const maxStars = len(stars)

// mask hides a value: at most min(4, length/4) of its characters show, at its head or its tail (invariant 4).
func mask(v []byte, head bool) string {
	n := utf8.RuneCount(v)
	show := min(4, n/4)
	hidden := stars[:min(n-show, maxStars)]
	if head {
		return printable(v[:runes(v, show)]) + hidden
	}
	from := len(v)
	for range show {
		_, w := utf8.DecodeLastRune(v[:from])
		from -= w
	}
	return hidden + printable(v[from:])
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

// shapes returns what stands before and behind a candidate, the nth in order, as form: letters x, digits 0, ASCII punctuation and blanks as they are, all
// else x. Inside other matches nothing is kept but x and 0, for punctuation may be part of a password.
func (s *state) shapes(n int) (before, after string) {
	start, end := s.order[n].start(), s.order[n].end()
	from, to := max(0, start-shapeRadius), min(len(s.text), end+shapeRadius)
	s.busy(n, from, to)
	var buf [2 * shapeRadius]byte
	out := s.shape(buf[:0], from, start)
	middle := len(out)
	both := string(s.shape(out, end, to))
	return both[:middle], both[middle:]
}

// shape appends the form of text[from:to].
func (s *state) shape(out []byte, from, to int) []byte {
	// The cut may be in the middle of a character.
	for from < to && !utf8.RuneStart(s.text[from]) {
		from++
	}
	covers := s.covers
	for i := from; i < to; {
		c, w := shown[s.text[i]], 1
		switch {
		case c == 0:
			_, w = utf8.DecodeRune(s.text[i:to])
			c = 'x'
		case c == s.text[i] && c != 'x' && c != '0':
			for len(covers) > 0 && covers[0].end <= i {
				covers = covers[1:]
			}
			if len(covers) > 0 && covers[0].start <= i {
				c = 'x'
			}
		}
		out = append(out, c)
		i += w
	}
	return out
}

// shown is what shows of a byte; 0: it is part of a character beyond ASCII.
var shown = func() (shown [256]byte) {
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

// busy notes the other matches that touch text[from:to], by place, and those only that reach further than the ones before: of two, one may be within another.
func (s *state) busy(self, from, to int) {
	s.covers = s.covers[:0]
	for s.passed < self && s.order[s.passed].end() <= from {
		s.passed++ // What ends before the context of one candidate does so before those of all behind it.
	}
	end := from // of those noted
	for n := max(s.passed, self-reach+1); n < len(s.order) && s.order[n].start() < to; n++ {
		if o := s.order[n]; n != self && o.end() > end {
			s.covers = append(s.covers, span{o.start(), o.end()})
			end = o.end()
		}
	}
}

// span is a part of the view's text.
type span struct{ start, end int }

// Mask returns s with every match of at least low confidence replaced by its mask: names, titles and fields of activities are foreign text too
// (invariant 4). When the scan fails, nothing of s is shown.
func (e *Engine) Mask(s string, keys Keys) string {
	res, err := e.Scan([]byte(s), keys)
	if err != nil || res.Truncated || res.Undecoded {
		return stars[:min(len(s), maxStars)]
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
