package view

import (
	"encoding/binary"
	"unicode/utf8"
)

// fold makes the ASCII form of what only looks like something else: full-width and mathematical letters and digits, decimal digits of other
// scripts, spaces, dashes and quotes; characters without a width are dropped, and w hears of them. It reports false, and has made no copy, when
// nothing changes.
func (s *step) fold(src []byte, w *watch) bool {
	last, started := 0, false
	for i := nextHigh(src, 0); i < len(src); i = nextHigh(src, i) {
		r, width := utf8.DecodeRune(src[i:])
		c, changed := ascii(r)
		if k := unseen(r); k != 0 {
			at := i
			if started {
				at = len(s.out) + i - last
			}
			w.see(src, k, r, i, width, at)
		}
		if !changed {
			i += width
			continue
		}
		if started {
			s.out = append(s.out, src[last:i]...)
		} else {
			s.begin(src, i)
			started = true
		}
		to := len(s.out)
		if c != 0 {
			s.out = append(s.out, c)
		}
		s.replace(to, i, width)
		i += width
		last = i
	}
	if started {
		s.out = append(s.out, src[last:]...)
	}
	return started
}

// nextHigh returns the place of the first byte from i on that is not ASCII.
func nextHigh(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// zeros are the first of ten consecutive decimal digits in the scripts of Unicode that people write numbers with.
var zeros = [...]rune{
	0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040,
	0x17e0, 0x1810,
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
	case r >= 0x660 && r < 0x1820:
		for _, zero := range zeros {
			if r >= zero && r < zero+10 {
				return byte('0' + r - zero), true
			}
		}
	case r >= 0xe0020 && r <= 0xe007e: // Tag characters spell out text that nobody sees.
		return byte(r - 0xe0000), true
	case r == 0xe0001, r == 0xe007f:
		return 0, true
	}
	return 0, false
}
