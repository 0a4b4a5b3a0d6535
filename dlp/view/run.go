package view

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Code is a way of writing one text inside another.
type Code int8

// Codes. In the first two every character counts; the others write single characters in a text that is legible otherwise.
const (
	Base64  Code = iota // of the standard or of the URL alphabet, also in lines
	Hex                 // also in lines
	Percent             // %41, as in URLs
	Entity              // &#65; &#x41; &amp; of HTML
	Quoted              // =41 of quoted-printable
	Codes               // how many there are
)

// Run is a place in a text where another text stands in a code.
type Run struct {
	Code     Code
	At       int // where the code begins; the run belongs to the block that holds this byte
	From, To int // what is decoded
}

// Bounds of runs, in bytes of the text in which they stand.
const (
	leastRun    = 20      // shorter ones could hold no more than 14 bytes
	leastHex    = 32      // likewise, 15
	gap         = 128     // between two characters in a sparse code, in one run
	beside      = 96      // of plain text on both sides of a run in a sparse code
	besideDense = 8 << 10 // likewise, where it is a run of Base64
	leastLine   = 40      // of a line that another one goes on
	longLine    = 1024    // likewise
	indent      = 16      // of lines
	tries       = 4       // of beginnings within a run: behind the name and the stroke before it
)

// Values of the alphabets.
const none = 0xff

var (
	base64Values = values("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_", 62)
	hexValues    = values("0123456789abcdef", "ABCDEF", 10)
)

func values(alphabet, more string, from byte) (t [256]byte) {
	for i := range t {
		t[i] = none
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	for i := range len(more) {
		t[more[i]] = from + byte(i)
	}
	return t
}

// Runs appends to runs what may be encoded text in text, in the order of the codes. Of what is not text when decoded most is left out already:
// keys, digests, pictures, certificates. A token in three parts (JWT) is left out too: there are detectors for the whole of it.
func Runs(runs []Run, text []byte) []Run {
	runs = denseRuns(runs, text)
	for c := Percent; c < Codes; c++ {
		runs = c.sparseRuns(runs, text)
	}
	return runs
}

// Continue returns where the run that holds text[at:] ends.
func (c Code) Continue(text []byte, at int) int {
	if c > Hex {
		return around(text, c.chain(text, at))
	}
	return chain(text, at, alphabetEnd(text, at))
}

// Align moves a place in a run, which begins at from, back to where a character of the code begins.
func (c Code) Align(text []byte, from, at int) int {
	switch c {
	case Base64, Hex:
		table, group := &base64Values, 4
		if c == Hex {
			table, group = &hexValues, 2
		}
		n := 0
		for _, b := range text[from:at] {
			if table[b] != none {
				n++
			}
		}
		for n %= group; at > from && (n > 0 || table[text[at]] == none); at-- {
			if table[text[at-1]] != none {
				n = (n + group - 1) % group
			}
		}
		return at
	}
	for i := at; i > from && at-i < longest; i-- {
		if w := c.mark(text, i); w > 0 && i+w > at {
			return i
		}
	}
	for at > from && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

// denseRuns finds runs in Base64 and Hex. It looks at the last bytes that a run must have, eight at once, and goes on behind what is no part of one.
// Nothing in the alphabet comes before '+'.
func denseRuns(runs []Run, text []byte) []Run {
	for i, known := 0, 0; i+leastRun <= len(text); {
		if i >= known {
			if i = nextSolid(text, i); i+leastRun > len(text) {
				break
			}
		}
		if m := breaks(binary.LittleEndian.Uint64(text[i+leastRun-8:])); m != 0 {
			i += leastRun - bits.LeadingZeros64(m)/8
			continue
		}
		j := i + leastRun - 1
		for known = max(known, i); j >= known && base64Values[text[j]] != none; {
			j--
		}
		if j >= known { // What stands before is part of the alphabet.
			i, known = j+1, i+leastRun
			continue
		}
		line := alphabetEnd(text, i+leastRun)
		end := chain(text, i, line)
		if r, ok := dense(text, i, line, end); ok {
			runs = append(runs, r)
		}
		i, known = end+1, end+1
	}
	return runs
}

// breaks has the top bit of each byte that stands before '+' or is not ASCII: no run goes on over it.
func breaks(x uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (^((x | tops) - ones*'+') | x) & tops
}

// nextSolid returns a place from i on before which no run begins, or len(text). Of the words of eight bytes that begin every thirteen bytes, a run holds
// a whole one.
func nextSolid(text []byte, i int) int {
	const step = leastRun - 7
	for at := i; at+8 <= len(text); at += step {
		if breaks(binary.LittleEndian.Uint64(text[at:])) != 0 {
			continue
		}
		if at < i+8 || at+16 > len(text) {
			return max(i, at-step+1)
		}
		// How much goes on without a break on both sides: most words of eight letters end here.
		before := bits.LeadingZeros64(breaks(binary.LittleEndian.Uint64(text[at-8:]))) / 8
		behind := bits.TrailingZeros64(breaks(binary.LittleEndian.Uint64(text[at+8:]))) / 8
		if before == 8 || behind == 8 || before+8+behind >= leastRun {
			return max(i, at-step+1)
		}
	}
	return len(text)
}

func alphabetEnd(text []byte, i int) int {
	for i < len(text) && base64Values[text[i]] != none {
		i++
	}
	return i
}

// chain returns the end of the lines that go on what stands from at to end. Whether a line goes on another depends on these two alone, so that it
// does not matter from where one looks.
func chain(text []byte, at, end int) int {
	start := at
	for start > 0 && end-start <= longLine && base64Values[text[start-1]] != none {
		start--
	}
	for size := end - start; size >= leastLine && size <= longLine && size%4 == 0; {
		next := end
		if next < len(text) && text[next] == '\r' {
			next++
		}
		if next >= len(text) || text[next] != '\n' {
			break
		}
		next++
		for n := 0; n < indent && next < len(text) && (text[next] == ' ' || text[next] == '\t'); n++ {
			next++
		}
		stop := alphabetEnd(text, next)
		pad := 0
		for pad < 2 && stop+pad < len(text) && text[stop+pad] == '=' {
			pad++
		}
		n := stop - next
		if n == 0 || n > size || n < size && (n+pad)%4 != 0 {
			break
		}
		end, size = stop, n
	}
	return end
}

// dense returns the run in the lines from i to end, the first of which ends at line.
func dense(text []byte, i, line, end int) (Run, bool) {
	if webToken(text, i, line) {
		return Run{}, false
	}
	if i == 0 {
		// The text may begin in the middle of a run, where no one knows how many characters have gone before.
		for at := range 4 {
			if code := codeOf(text[at:line]); line-at >= leastRun && code.legible(text[at:line]) {
				return Run{Code: code, At: i, From: at, To: end}, true
			}
		}
	}
	at, stop := i, min(line, i+64)
	for n := 0; n <= tries && line-at >= leastRun; n++ {
		if text[at] == '0' && text[at+1]|0x20 == 'x' {
			at += 2
		}
		if code := codeOf(text[at:line]); line-at >= leastRun && code.legible(text[at:line]) {
			return Run{Code: code, At: i, From: at, To: end}, !picture(text[max(0, i-80):i])
		}
		next := -1
		if at < stop {
			next = bytes.IndexAny(text[at:stop], "/-_+")
		}
		if next < 0 {
			break
		}
		at += next + 1
	}
	return Run{}, false
}

// codeOf returns Hex for what is long enough and has digits of it only.
func codeOf(b []byte) Code {
	if len(b) < leastHex {
		return Base64
	}
	for _, c := range b {
		if hexValues[c] == none {
			return Base64
		}
	}
	return Hex
}

// webToken reports whether text[i:end] is a part of a JSON web token.
func webToken(text []byte, i, end int) bool {
	if !bytes.HasPrefix(text[i:end], []byte("eyJ")) {
		return false
	}
	return end+1 < len(text) && text[end] == '.' && base64Values[text[end+1]] != none || i > 1 && text[i-1] == '.' && base64Values[text[i-2]] != none
}

// picture reports whether a data URI of a picture, a font, a sound or a film begins in b and goes on behind it.
func picture(b []byte) bool {
	i := bytes.LastIndex(b, []byte("data:"))
	if i < 0 || !bytes.HasSuffix(b, []byte(";base64,")) {
		return false
	}
	kind, _, _ := bytes.Cut(b[i+5:], []byte{'/'})
	switch string(kind) {
	case "image", "font", "audio", "video":
		return true
	}
	return false
}

// legible reports whether what b begins with may be text, or compressed text, when it is decoded.
func (c Code) legible(b []byte) bool {
	var buf [leastRun]byte
	n := 0
	for n+3 <= len(buf) {
		if c == Hex {
			if len(b) < 2 {
				break
			}
			buf[n] = hexValues[b[0]]<<4 | hexValues[b[1]]
			n, b = n+1, b[2:]
		} else {
			if len(b) < 4 {
				break
			}
			v := uint32(base64Values[b[0]])<<18 | uint32(base64Values[b[1]])<<12 | uint32(base64Values[b[2]])<<6 | uint32(base64Values[b[3]])
			buf[n], buf[n+1], buf[n+2] = byte(v>>16), byte(v>>8), byte(v)
			n, b = n+3, b[4:]
		}
		if n == 3 && !plausible(buf[:n]) { // Most end here.
			return false
		}
	}
	head := buf[:n]
	return gzipped(head) || zlibbed(head) || wide(head) || letters(head)
}

// plausible is legible for the first three bytes.
func plausible(b []byte) bool {
	if letters(b) || gzipped(b) || zlibbed(b) || b[0] == 0 && printable(b[1]) || printable(b[0]) && b[1] == 0 {
		return true
	}
	_, mark := marked(b)
	return mark > 0
}

func gzipped(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 }

func zlibbed(b []byte) bool {
	return len(b) > 2 && b[0] == 0x78 && (b[1] == 0x01 || b[1] == 0x5e || b[1] == 0x9c || b[1] == 0xda)
}

// wide reports whether b begins with ASCII in UTF-16, or with the mark of UTF-16.
func wide(b []byte) bool {
	if enc, _ := marked(b); enc != UTF8 {
		return true
	}
	if len(b) < 6 {
		return false
	}
	return b[1] == 0 && b[3] == 0 && b[5] == 0 && printable(b[0]) && printable(b[2]) && printable(b[4]) ||
		b[0] == 0 && b[2] == 0 && b[4] == 0 && printable(b[1]) && printable(b[3]) && printable(b[5])
}

func printable(c byte) bool {
	return c >= ' ' && c != 0x7f || c == '\t' || c == '\n' || c == '\r'
}

// letters reports whether b is text in UTF-8, but for a character that is cut off at its end.
func letters(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			if !printable(b[i]) {
				return false
			}
			i++
			continue
		}
		r, w := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && w <= 1 {
			return !utf8.FullRune(b[i:])
		}
		i += w
	}
	return true
}
