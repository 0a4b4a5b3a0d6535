package sandbox

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/outband/outband/dlp/extract"
)

// Bounds of what a child may tell, in bytes.
const (
	maxPath   = 8 << 10 // five names of 1,024 bytes fit
	maxString = 2 << 10
)

// errProtocol ends a child that speaks another language than ours: its memory was taken over or is broken.
var errProtocol = errors.New("child broke the protocol")

// numbers and Location.Texts are the fields of a location in the order of the wire. Hidden is the bit behind them.
func numbers(l *extract.Location) [6]*int {
	return [...]*int{&l.Page, &l.Slide, &l.Row, &l.Paragraph, &l.Line, &l.Column}
}

const hiddenBit = 1 << 12

// appendLocation codes what differs between two locations: the bits of the fields, numbers as a difference, strings as they are.
func appendLocation(to []byte, from, l *extract.Location) []byte {
	var bits uint64
	a, b, s, t := numbers(from), numbers(l), from.Texts(), l.Texts()
	for i := range a {
		if *a[i] != *b[i] {
			bits |= 1 << i
		}
		if *s[i] != *t[i] {
			bits |= 1 << (6 + i)
		}
	}
	if from.Hidden != l.Hidden {
		bits |= hiddenBit
	}
	to = binary.AppendUvarint(to, bits)
	for i := range a {
		if bits&(1<<i) != 0 {
			to = binary.AppendVarint(to, int64(*b[i])-int64(*a[i]))
		}
	}
	for i := range s {
		if bits&(1<<(6+i)) != 0 {
			to = binary.AppendUvarint(to, uint64(len(*t[i])))
			to = append(to, *t[i]...)
		}
	}
	return to
}

// byteReader is what locations are read from.
type byteReader interface {
	ReadByte() (byte, error)
	Read(p []byte) (int, error)
}

// readLocation changes l by what follows. It checks what it reads: a number is between 0 and 2^31-1, a string is short, of valid UTF-8 and of one line.
func readLocation(r byteReader, l *extract.Location) error {
	bits, err := binary.ReadUvarint(r)
	if err != nil {
		return err
	}
	if bits >= hiddenBit<<1 {
		return errProtocol
	}
	for i, n := range numbers(l) {
		if bits&(1<<i) == 0 {
			continue
		}
		d, err := binary.ReadVarint(r)
		if err != nil {
			return err
		}
		v := int64(*n) + d
		if d > math.MaxInt32 || d < -math.MaxInt32 || v < 0 || v > math.MaxInt32 {
			return errProtocol
		}
		*n = int(v)
	}
	for i, s := range l.Texts() {
		if bits&(1<<(6+i)) == 0 {
			continue
		}
		limit := maxString
		if i == 0 {
			limit = maxPath
		}
		if *s, err = readString(r, limit); err != nil {
			return err
		}
	}
	if bits&hiddenBit != 0 {
		l.Hidden = !l.Hidden
	}
	return nil
}

func readString(r byteReader, limit int) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return "", err
	}
	if n > uint64(limit) {
		return "", errProtocol
	}
	buf := make([]byte, n)
	for at := 0; at < len(buf); {
		m, err := r.Read(buf[at:])
		if at += m; err != nil && at < len(buf) {
			return "", err
		}
	}
	if !clean(string(buf), limit) {
		return "", errProtocol
	}
	return string(buf), nil
}

// clean reports whether a string may stand in a location.
func clean(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && strings.IndexFunc(s, control) < 0
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// cleaned makes a string one that may: what a document names may be long, broken or of many lines.
func cleaned(s string, limit int) string {
	if clean(s, limit) {
		return s
	}
	s = strings.ToValidUTF8(s[:min(len(s), 2*limit)], "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// cleanLocation is what a child tells of a location.
func cleanLocation(l extract.Location) extract.Location {
	for i, s := range l.Texts() {
		limit := maxString
		if i == 0 {
			limit = maxPath
		}
		*s = cleaned(*s, limit)
	}
	for _, n := range numbers(&l) {
		*n = min(max(*n, 0), math.MaxInt32)
	}
	return l
}
