package view

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape undoes one layer of the escapes of JSON strings, and \x41, wherever they stand: in a document, or in prose that quotes one. It reports
// false, and has made no copy, when there is none. What is not such an escape stays as it is.
func (s *step) unescape(src []byte) bool {
	last, started := 0, false
	for i := 0; i < len(src); {
		n := bytes.IndexByte(src[i:], '\\')
		if n < 0 {
			break
		}
		i += n
		r, width := escape(src[i:])
		if width == 0 {
			i++
			continue
		}
		if started {
			s.out = append(s.out, src[last:i]...)
		} else {
			s.begin(src, i)
			started = true
		}
		to := len(s.out)
		s.out = utf8.AppendRune(s.out, r)
		s.replace(to, i, width)
		i += width
		last = i
	}
	if started {
		s.out = append(s.out, src[last:]...)
	}
	return started
}

// escape decodes the escape at the start of b. Width 0 means that there is none.
func escape(b []byte) (r rune, width int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case '"', '/', '\\':
		return rune(b[1]), 2
	case 'x': // Of JavaScript, Python, C and shells. Beyond ASCII they differ in what it means.
		if len(b) >= 4 {
			if c, ok := hex2(b[2], b[3]); ok && c < utf8.RuneSelf && printable(c) {
				return rune(c), 4
			}
		}
		return 0, 0
	case 'u':
		r, ok := hex4(b[2:])
		if !ok {
			return 0, 0
		}
		if utf16.IsSurrogate(r) {
			if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
				if low, ok := hex4(b[8:]); ok {
					if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
						return full, 12
					}
				}
			}
			return utf8.RuneError, 6
		}
		return r, 6
	}
	return 0, 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
