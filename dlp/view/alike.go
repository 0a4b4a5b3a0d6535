package view

import "unicode/utf8"

const (
	tokenBefore = 64  // bytes before the first foreign letter that count
	longToken   = 256 // bytes; a longer one is none
)

// token is a run of ASCII letters, digits, _ and - with letters of other alphabets among them.
type token struct {
	end   int  // how far the text has been looked at
	alike bool // the foreign ones are there to look like ASCII
}

// folded appends the ASCII letter that r looks like if it stands in a token that is ASCII but for such letters. In a word of Greek or Cyrillic other
// letters stand beside it, and it stays.
func (t *token) folded(out, src []byte, i int, r rune) ([]byte, bool) {
	c := alike(r)
	if c == 0 {
		return out, false
	}
	if i >= t.end {
		t.look(src, i)
	}
	if !t.alike {
		return out, false
	}
	return append(out, c), true
}

// look decides about the token around i, where its first foreign letter stands.
func (t *token) look(src []byte, i int) {
	letters, digits, foreign, other := 0, 0, 0, false
	count := func(c byte) bool {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case alnum(c):
			letters++
		default:
			return c == '_' || c == '-'
		}
		return true
	}
	from := i
	for from > 0 && i-from < tokenBefore && count(src[from-1]) {
		from--
	}
	other = from > 0 && european(src[:from])
	end := i
	for end < len(src) {
		if c := src[end]; c < utf8.RuneSelf {
			if !count(c) {
				break
			}
			end++
			continue
		}
		r, w := utf8.DecodeRune(src[end:])
		if alike(r) != 0 {
			foreign++
		} else if c, dropped := ascii(r); !dropped || c != 0 {
			if r >= firstOther || r == utf8.RuneError {
				break // Of a script that is written without blanks, or a sign.
			}
			other = true
		}
		end += w
	}
	t.end = end
	t.alike = !other && foreign > 0 && end-from <= longToken && 2*foreign <= letters+digits && (letters >= 4 || letters >= 1 && letters+digits >= 8)
}

// firstOther is the first character behind Latin, Greek and Cyrillic.
const firstOther = 0x530

// european reports whether b ends with a letter of these beyond ASCII.
func european(b []byte) bool {
	r, w := utf8.DecodeLastRune(b)
	return w > 1 && r < firstOther
}

// looks are letters of Greek and Cyrillic that cannot be told from one of ASCII.
var looks = [...]struct {
	first rune
	ascii string // from first on; a blank: like none
}{
	{0x391, "AB  EZH IK MN O P  TY X"},
	{0x3bf, "o"},
	{0x3bd, "v"},
	{0x3f2, "cj"},
	{0x405, "SI J"},
	{0x410, "A B  E    K MHO PCTY X"},
	{0x430, "a"},
	{0x435, "e"},
	{0x43e, "o pc y x"},
	{0x455, "si j"},
	{0x4ae, "Y"},
	{0x4bb, "h"},
	{0x4c0, "I"},
	{0x4cf, "l"},
	{0x501, "d"},
	{0x51a, "QqWw"},
}

// alike returns the ASCII letter that r looks like, 0 if there is none.
func alike(r rune) byte {
	if r < looks[0].first || r >= firstOther {
		return 0
	}
	for _, l := range looks {
		if n := int(r - l.first); n >= 0 && n < len(l.ascii) {
			if c := l.ascii[n]; c != ' ' {
				return c
			}
			return 0
		}
	}
	return 0
}
