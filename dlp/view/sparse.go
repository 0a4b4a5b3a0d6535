package view

import (
	"bytes"
	"unicode/utf8"
)

// longest is how many bytes a character in a sparse code has at most.
const longest = 10

// evidence is how far into a run of quoted-printable one looks for what is not written like that by chance.
const evidence = 2 << 10

// leads are the bytes that a character in a sparse code begins with.
var leads = [Codes]byte{Percent: '%', Entity: '&', Quoted: '='}

// sparseRuns finds runs in one of the sparse codes.
func (c Code) sparseRuns(runs []Run, text []byte) []Run {
	for i := c.next(text, 0, len(text)); i < len(text); {
		end := c.chain(text, i)
		if c != Quoted || certain(text, i, min(end, i+evidence)) {
			runs = append(runs, Run{Code: c, At: i, From: before(text, i), To: around(text, end)})
		}
		i = c.next(text, end, len(text))
	}
	return runs
}

// next returns the place of the first character in code c in text[i:limit], or len(text).
func (c Code) next(text []byte, i, limit int) int {
	for i < limit {
		n := bytes.IndexByte(text[i:limit], leads[c])
		if n < 0 {
			break
		}
		if i += n; c.mark(text, i) > 0 {
			return i
		}
		i++
	}
	return len(text)
}

// chain returns the end of the last character of a run, of which one begins at or close behind i.
func (c Code) chain(text []byte, i int) int {
	end := i
	for {
		if i = c.next(text, i, min(len(text), end+gap)); i == len(text) {
			return end
		}
		i += c.mark(text, i)
		end = i
	}
}

// before and around return where the plain text before and behind a run begins and ends. The latter takes in a run of Base64, for what ends that may be
// what is written in the sparse code.
func before(text []byte, i int) int {
	from := max(0, i-beside)
	for from < i && !utf8.RuneStart(text[from]) {
		from++
	}
	return from
}

func around(text []byte, end int) int {
	to := min(len(text), end+beside)
	for to < len(text) && to-end < besideDense && base64Values[text[to]] != none {
		to++
	}
	for to > end && to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	return to
}

// mark returns the length of the character in code c at text[i], 0 when there is none.
func (c Code) mark(text []byte, i int) int {
	_, w := c.char(text[i:])
	if w < 0 {
		return softBreak(text, i)
	}
	return w
}

// char decodes the character in code c at the start of b. Width 0 means that there is none, and -1 that there may be the break of a line.
func (c Code) char(b []byte) (r rune, width int) {
	if len(b) < 3 || b[0] != leads[c] {
		return 0, 0
	}
	switch c {
	case Percent:
		if v, ok := hex2(b[1], b[2]); ok && printable(v) {
			return rune(v), 3
		}
	case Quoted:
		if b[1] == '\r' || b[1] == '\n' {
			return 0, -1
		}
		if v, ok := hex2(b[1], b[2]); ok && printable(v) && b[1] < 'a' && b[2] < 'a' {
			return rune(v), 3
		}
	case Entity:
		return entity(b)
	}
	return 0, 0
}

// softBreak returns the length of the end of a line of quoted-printable at text[i], which is as long as such lines are.
func softBreak(text []byte, i int) int {
	w := 2
	if text[i+1] == '\r' {
		w = 3
	}
	if i+w > len(text) || text[i+w-1] != '\n' {
		return 0
	}
	if n := i - 1 - bytes.LastIndexByte(text[max(0, i-80):i], '\n') - max(0, i-80); n < 65 || n > 76 || text[i-1] == '=' {
		return 0
	}
	return w
}

// certain reports whether what stands in text[i:end] is quoted-printable: there are two ends of lines, a written =, or a character of more than a byte.
// One = at the end of a long line may be that of base64.
func certain(text []byte, i, end int) bool {
	for breaks := 0; ; i++ {
		if i = Quoted.next(text, i, end); i >= end {
			return false
		}
		r, w := Quoted.char(text[i:])
		if w < 0 {
			breaks++
		}
		if r == '=' || breaks == 2 {
			return true
		}
		if r < 0xc2 || i+6 > len(text) {
			continue
		}
		if next, w := Quoted.char(text[i+3:]); w == 3 && next >= 0x80 && next < 0xc0 {
			return true
		}
	}
}

func hex2(a, b byte) (byte, bool) {
	high, low := hexValues[a], hexValues[b]
	return high<<4 | low, high != none && low != none
}

// entities are those that stand for ASCII.
var entities = [...]struct {
	name string
	r    rune
}{{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}, {"nbsp;", ' '}, {"colon;", ':'}, {"commat;", '@'}, {"equals;", '='}}

func entity(b []byte) (r rune, width int) {
	if b[1] != '#' {
		for _, e := range entities {
			if len(b) > len(e.name) && string(b[1:1+len(e.name)]) == e.name {
				return e.r, 1 + len(e.name)
			}
		}
		return 0, 0
	}
	i, base := 2, rune(10)
	if b[2]|0x20 == 'x' {
		i, base = 3, 16
	}
	first := i
	for ; i < len(b) && i < longest-1 && rune(hexValues[b[i]]) < base; i++ {
		r = r*base + rune(hexValues[b[i]])
	}
	if i == first || i == len(b) || b[i] != ';' || !utf8.ValidRune(r) || r < ' ' && !printable(byte(r)) {
		return 0, 0
	}
	return r, i + 1
}
