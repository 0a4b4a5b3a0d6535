package extract

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// ebcdic is code page 037, or 500 (true), of IBM.
type ebcdic bool

// of500 are the characters of code page 500 that stand elsewhere in 037.
var of500 = map[byte]rune{0x4a: '[', 0x4f: '!', 0x5a: ']', 0x5f: '^', 0xb0: '¢', 0xba: '¬', 0xbb: '|'}

func (e ebcdic) rune(b byte) rune {
	if r, ok := of500[b]; ok && bool(e) {
		return r
	}
	r := charmap.CodePage037.DecodeByte(b)
	if r == 0x85 {
		return '\n' // Next line: what ends lines there.
	}
	return r
}

func (e ebcdic) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: ebcdicDecoder{e}}
}
func (ebcdic) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

type ebcdicDecoder struct{ page ebcdic }

func (ebcdicDecoder) Reset() {}

func (d ebcdicDecoder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, b := range src {
		if nDst+utf8.UTFMax > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], d.page.rune(b))
		nSrc++
	}
	return nDst, nSrc, nil
}

// utf7 is UTF-7 (RFC 2152): ASCII, and UTF-16 in Base64 between + and -.
type utf7 struct{}

func (utf7) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: &utf7Decoder{}} }
func (utf7) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

type utf7Decoder struct {
	inside bool
	empty  bool // nothing came behind the +
	bits   uint32
	n      int
	high   rune // the first half of a surrogate pair
}

func (d *utf7Decoder) Reset() { *d = utf7Decoder{} }

var base64Digits = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(digits) {
		t[digits[i]] = int8(i)
	}
	return t
}()

func (d *utf7Decoder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	put := func(r rune) { nDst += utf8.EncodeRune(dst[nDst:], r) }
	for _, b := range src {
		if nDst+2*utf8.UTFMax > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nSrc++
		v := base64Digits[b]
		switch {
		case !d.inside && b == '+':
			d.inside, d.empty, d.bits, d.n, d.high = true, true, 0, 0, 0
		case !d.inside:
			put(rune(b))
		case v >= 0:
			d.empty = false
			d.bits, d.n = d.bits<<6|uint32(v), d.n+6
			if d.n < 16 {
				continue
			}
			d.n -= 16
			r := rune(d.bits >> d.n & 0xffff)
			switch {
			case d.high != 0:
				put(utf16.DecodeRune(d.high, r))
				d.high = 0
			case r >= 0xd800 && r < 0xdc00:
				d.high = r
			default:
				put(r)
			}
		default:
			d.inside = false
			if b != '-' {
				put(rune(b))
			} else if d.empty {
				put('+')
			}
		}
	}
	return nDst, nSrc, nil
}
