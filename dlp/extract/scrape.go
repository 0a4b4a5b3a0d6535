package extract

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// minRun is how many characters in a row are a text in bytes of no known form.
const minRun = 6

// textRuns finds the runs of at least n printable characters in bytes of no known form: in ASCII and UTF-8, and in UTF-16 of the Basic Latin kind. They are
// in the order of their beginnings by encoding, and together no longer than 3 times b.
func textRuns(b []byte, n int) (out []string) {
	start, count := 0, 0
	for i := 0; i < len(b); {
		r, size := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(b[i:])
		}
		if (r == utf8.RuneError && size == 1) || !isPrintable(r) {
			if count >= n {
				out = append(out, string(b[start:i]))
			}
			start, count = i+size, 0
		} else {
			count++
		}
		i += size
	}
	if count >= n {
		out = append(out, string(b[start:]))
	}
	for odd := range 2 {
		for _, low := range []int{0, 1} { // the byte of a pair that is the low one
			out = wideRuns(out, b[min(odd, len(b)):], low, n)
		}
	}
	return out
}

// wideRuns appends the runs of UTF-16 characters below U+0100: wider ones are found too often in noise.
func wideRuns(out []string, b []byte, low, n int) []string {
	var run []uint16
	flush := func() {
		if len(run) >= n {
			out = append(out, string(utf16.Decode(run)))
		}
		run = run[:0]
	}
	for i := 0; i+1 < len(b); i += 2 {
		if c := b[i+low]; b[i+1-low] == 0 && isPrintable(rune(c)) {
			run = append(run, uint16(c))
			continue
		}
		flush()
	}
	flush()
	return out
}

func isPrintable(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r < 0x7f || r == '\t' || r == '\n' || r == '\r'
	}
	return unicode.IsPrint(r)
}
