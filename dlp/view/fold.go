package view

import (
	"bytes"
	"encoding/binary"
	"sort"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes the ASCII form of what only looks like something else: full-width, circled, raised and mathematical letters and digits, decimal digits of
// other scripts, spaces, dashes and quotes, and letters of other alphabets within a token. An accent that stands behind its letter is joined to it;
// characters without a width are dropped, and w hears of them. It reports false, and has made no copy, when nothing changes.
func (s *step) fold(src []byte, w *watch) bool {
	last, started := 0, false
	var token token
	for i := nextHigh(src, 0); i < len(src); i = nextHigh(src, i) {
		r, width := utf8.DecodeRune(src[i:])
		if k := unseen(r); k != 0 {
			at := i
			if started {
				at = len(s.out) + i - last
			}
			w.see(src, k, r, i, width, at)
		}
		from := i
		out, changed := folded(s.char[:0], src, i, r)
		if !changed {
			out, changed = token.folded(s.char[:0], src, i, r)
		}
		if !changed {
			if out, changed = joined(s.char[:0], src, i, r); changed {
				from--
			}
		}
		i += width
		if !changed {
			continue
		}
		if started {
			s.out = append(s.out, src[last:from]...)
		} else {
			s.begin(src, from)
			started = true
		}
		to := len(s.out)
		s.out = append(s.out, out...)
		s.replace(to, from, i-from)
		last = i
	}
	if started {
		s.out = append(s.out, src[last:]...)
	}
	return started
}

// nextHigh returns the place of the first byte from i on that is not ASCII.
func nextHigh(b []byte, i int) int {
	const tops = 0x8080808080808080
	for ; i+32 <= len(b); i += 32 {
		x := b[i : i+32 : i+32]
		if (binary.LittleEndian.Uint64(x)|binary.LittleEndian.Uint64(x[8:])|binary.LittleEndian.Uint64(x[16:])|binary.LittleEndian.Uint64(x[24:]))&tops != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&tops != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// zeros are the first of ten consecutive decimal digits in the scripts of Unicode, in order.
var zeros = [...]rune{
	0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810,
	0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0, 0x10d30, 0x11066,
	0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60,
	0x16ac0, 0x16b50, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e950, 0x1fbf0,
}

// digit returns the ASCII form of a decimal digit of another script.
func digit(r rune) (byte, bool) {
	i := sort.Search(len(zeros), func(i int) bool { return zeros[i] > r }) - 1
	if i < 0 || r > zeros[i]+9 {
		return 0, false
	}
	return byte('0' + r - zeros[i]), true
}

// folded appends the folded form of r, which stands at src[i].
func folded(out, src []byte, i int, r rune) ([]byte, bool) {
	if c, ok := ascii(r); ok {
		if c != 0 {
			out = append(out, c)
		}
		return out, true
	}
	behind := i > 0 && alnum(src[i-1])
	switch {
	case r == 0xaa, r == 0xb2, r == 0xb3, r == 0xb9, r == 0xba, r >= 0x2b0 && r <= 0x2b8, r >= 0x2e1 && r <= 0x2e3, r >= 0x1d2c && r <= 0x1d6a, r >= 0x2070 && r <= 0x209c:
		if behind {
			return out, false // The number of a footnote, a power.
		}
		return compatible(out, src[i:], 1)
	case r == 0x17f, r >= 0x2102 && r <= 0x217f, r >= 0xfe50 && r <= 0xfe6b:
		return compatible(out, src[i:], 1)
	case r >= 0x2460 && r <= 0x2473, r >= 0x24b6 && r <= 0x24ea, r >= 0x1f130 && r <= 0x1f149:
		return compatible(out, src[i:], 2)
	case r >= 0xfb00 && r <= 0xfb06:
		return compatible(out, src[i:], 3)
	case r == 0x332, r == 0x333, r >= 0x335 && r <= 0x338, r == 0xfe0f: // Lines through and below a character, and the look of an emoji.
		return out, behind
	case r == 0x20e3: // The frame of a key.
		return out, behind || bytes.HasSuffix(src[:i], []byte("\ufe0f"))
	}
	return out, false
}

// compatible appends what the character that b begins with is compatible with (NFKC), if that is at most so many characters of ASCII.
func compatible(out, b []byte, most int) ([]byte, bool) {
	d := norm.NFKC.Properties(b).Decomposition()
	if len(d) == 0 || len(d) > most || nextHigh(d, 0) < len(d) {
		return out, false
	}
	return append(out, d...), true
}

// composed is how many bytes a letter and its accent take at most.
const composed = 16

// joined appends the letter before i with its accent r, which stands at i.
func joined(out, src []byte, i int, r rune) ([]byte, bool) {
	if r < 0x300 || r > 0x36f || i == 0 || src[i-1] >= utf8.RuneSelf || !alnum(src[i-1]) {
		return out, false
	}
	out = norm.NFC.Append(out, src[i-1], src[i], src[i+1])
	_, w := utf8.DecodeRune(out)
	return out, w == len(out) && w > 1
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// ascii returns the folded form of r: 0 when it is dropped.
func ascii(r rune) (c byte, changed bool) {
	switch {
	case r < 0xa0:
		return 0, false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x180e, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2064,
		r >= 0x2066 && r <= 0x2069, r == 0xfeff:
		return 0, true
	case r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x3000:
		return ' ', true
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xfe58, r == 0xfe63:
		return '-', true
	case r == 0x2018, r == 0x2019, r == 0x201a, r == 0x201b:
		return '\'', true
	case r >= 0x201c && r <= 0x201f, r == 0xab, r == 0xbb:
		return '"', true
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!'), true
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return byte('0' + (r-0x1d7ce)%10), true
	case r >= 0x1d400 && r <= 0x1d6a3:
		if n := byte((r - 0x1d400) % 52); n < 26 {
			return 'A' + n, true
		} else {
			return 'a' + n - 26, true
		}
	case r >= 0xe0020 && r <= 0xe007e: // Tag characters spell out text that nobody sees.
		return byte(r - 0xe0000), true
	case r == 0xe0001, r == 0xe007f:
		return 0, true
	case r >= 0x660 && r < 0x1c5a, r >= 0xa620 && r < 0xabfa, r >= 0x104a0 && r < 0x1fbfa:
		return digit(r)
	}
	return 0, false
}
