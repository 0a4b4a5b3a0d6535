package view

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// detectBytes is how much of a text is looked at to find its encoding.
const detectBytes = 4 << 10

// Detect returns the encoding of a text that starts with head, and the length of its byte order mark in bytes. Without a mark, UTF-16 is
// recognised by what the first 4 KiB hold: there is a NUL, and read as UTF-16 they are text. A text without one character of ASCII in them is not.
func Detect(head []byte) (Encoding, int) {
	if enc, n := marked(head); n > 0 {
		return enc, n
	}
	return unmarked(head[:min(len(head), detectBytes)]), 0
}

// marked returns the encoding that a byte order mark names, and the length of the mark.
func marked(head []byte) (Encoding, int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		return UTF8, 3
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return UTF16LE, 2
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return UTF16BE, 2
	}
	return UTF8, 0
}

// leastUnits is how many units tell UTF-16 from other bytes.
const leastUnits = 4

func unmarked(head []byte) Encoding {
	units := len(head) / 2
	if units < leastUnits || bytes.IndexByte(head, 0) < 0 {
		return UTF8
	}
	little, big := units16(head, binary.LittleEndian), units16(head, binary.BigEndian)
	best, enc := little, UTF16LE
	if big.bad < little.bad || big.bad == little.bad && big.ascii > little.ascii {
		best, enc = big, UTF16BE
	}
	if best.bad*50 > units || best.ascii == 0 {
		return UTF8
	}
	if best.ascii*4 < units && !foreign(head) {
		return UTF8
	}
	return enc
}

// foreign reports whether b has so many bytes that no text in a single-byte encoding has, that it may be a script beyond Latin in UTF-16; and whether
// it is not UTF-8 with a NUL here and there.
func foreign(b []byte) bool {
	n, control := 0, 0
	for _, c := range b {
		switch {
		case c >= utf8.RuneSelf:
			n++
		case c != 0 && !printable(c):
			n++
			control++
		}
	}
	return 8*n > len(b) && (10*control > len(b) || !letters(bytes.ReplaceAll(b, []byte{0}, nil)))
}

// tally counts the units of a text read as UTF-16.
type tally struct{ ascii, bad int }

func units16(b []byte, order binary.ByteOrder) (t tally) {
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		switch {
		case r < utf8.RuneSelf:
			if !printable(byte(r)) {
				t.bad++
			} else {
				t.ascii++
			}
		case utf16.IsSurrogate(r):
			if i+3 >= len(b) {
				continue
			}
			if utf16.DecodeRune(r, rune(order.Uint16(b[i+2:]))) == unicode.ReplacementChar {
				t.bad++
			} else {
				i += 2
			}
		case !unicode.IsPrint(r) && !unicode.In(r, unicode.Cf, unicode.Zs, unicode.M):
			t.bad++
		}
	}
	return t
}
