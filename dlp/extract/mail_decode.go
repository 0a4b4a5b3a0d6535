package extract

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// transferred undoes a content transfer encoding. Lines that are no base64 are kept aside.
func transferred(r io.Reader, name string) (io.Reader, *mailBase64) {
	switch name {
	case "base64":
		b := &mailBase64{br: bufio.NewReaderSize(r, 16<<10)}
		return b, b
	case "quoted-printable":
		return &quotedReader{br: bufio.NewReaderSize(r, 16<<10)}, nil
	case "x-uuencode", "uuencode", "x-uue", "uue":
		br := bufio.NewReaderSize(r, 16<<10)
		for range 100 {
			line, err := br.Peek(6)
			if err != nil || string(line) == "begin " {
				break
			}
			if _, err := br.ReadSlice('\n'); err != nil {
				break
			}
		}
		if _, err := br.ReadSlice('\n'); err != nil {
			return br, nil
		}
		return &uuReader{br: br}, nil
	}
	return r, nil
}

// maxBad is how much of a base64 body that is none is kept, in bytes.
const maxBad = 1 << 20

// mailBase64 decodes base64 as mail programs do: it passes over all that is none of its letters, and goes on behind padding.
type mailBase64 struct {
	br      *bufio.Reader
	out     []byte
	at      int    // what of out was taken
	letters []byte // that are not decoded yet
	bad     []byte // lines that are no base64
	cut     bool   // there were more
	err     error
}

// Kinds of bytes in base64, beside its letters.
const (
	base64Blank = 0
	base64End   = 1
	base64Bad   = 2
)

// base64Kind tells the kind of a byte, or the letter that it stands for.
var base64Kind = func() (t [256]byte) {
	for i := range t {
		c := byte(i)
		switch {
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/':
			t[i] = c
		case c == '-':
			t[i] = '+'
		case c == '_':
			t[i] = '/'
		case c == '=':
			t[i] = base64End
		case c > ' ' || c != ' ' && (c < '\t' || c > '\r'):
			t[i] = base64Bad
		}
	}
	return t
}()

func (r *mailBase64) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		line, err := r.br.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			r.err = err
		}
		r.out, r.at = r.out[:0], 0
		bad := false
		for _, c := range line {
			switch k := base64Kind[c]; k {
			case base64Blank:
			case base64Bad:
				bad = true
			case base64End:
				r.flush(len(r.letters))
			default:
				r.letters = append(r.letters, k)
			}
		}
		if n := len(r.letters); r.err != nil {
			r.flush(n)
		} else {
			r.flush(n / 4 * 4)
		}
		switch {
		case !bad:
		case len(r.bad) < maxBad:
			r.bad = append(r.bad, line...)
		default:
			r.cut = true
		}
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// flush decodes n letters. One alone says nothing.
func (r *mailBase64) flush(n int) {
	if n%4 == 1 {
		n--
	}
	at := len(r.out)
	r.out = slices.Grow(r.out, base64.RawStdEncoding.DecodedLen(n))[:at+base64.RawStdEncoding.DecodedLen(n)]
	k, _ := base64.RawStdEncoding.Decode(r.out[at:], r.letters[:n]) // All are letters of it.
	r.out = r.out[:at+k]
	left := copy(r.letters, r.letters[n:])
	r.letters = r.letters[:left]
}

// quotedReader decodes quoted-printable. What is wrong in it stands as it is.
type quotedReader struct {
	br  *bufio.Reader
	out []byte
	at  int // what of out was taken
	err error
}

func (r *quotedReader) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		line, err := r.br.ReadSlice('\n')
		whole := err == nil
		if err != nil && err != bufio.ErrBufferFull {
			r.err = err
		}
		end := []byte(nil)
		if whole {
			end = []byte("\n")
			if bytes.HasSuffix(line, []byte("\r\n")) {
				end = []byte("\r\n")
			}
			line = bytes.TrimRight(line, " \t\r\n")
			if bytes.HasSuffix(line, []byte("=")) {
				line, end = line[:len(line)-1], nil
			}
		}
		r.out, r.at = r.out[:0], 0
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 >= len(line) && err == bufio.ErrBufferFull {
				// The end of a piece of a line that is far too long may be within a code.
				code := bytes.Clone(line[i:]) // Looking ahead moves it.
				more, _ := r.br.Peek(3 - len(code))
				line = append(bytes.Clone(line[:0]), code...)
				i = 0
				code = append(code, more...)
				if len(code) == 3 {
					if v, ok := hexByte(code[1], code[2]); ok {
						_, r.err = r.br.Discard(len(more))
						r.out = append(r.out, v)
						break
					}
				}
			}
			if line[i] == '=' && i+2 < len(line) {
				if v, ok := hexByte(line[i+1], line[i+2]); ok {
					r.out = append(r.out, v)
					i += 2
					continue
				}
			}
			r.out = append(r.out, line[i])
		}
		r.out = append(r.out, end...)
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// mailCharset finds an encoding by one of its names; nil: UTF-8, ASCII, or none that is known.
func mailCharset(name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "binary", "8bit", "7bit":
		return nil
	case "utf-7", "unicode-1-1-utf-7", "x-utf-7", "utf7", "csutf7", "utf-7-imap":
		return mailUTF7{}
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312
	case "ks_c_5601-1987", "ks_c_5601":
		return codepage(949)
	}
	if n, ok := strings.CutPrefix(name, "cp"); ok {
		name = "windows-" + n
		if e, err := ianaindex.MIME.Encoding("ibm" + n); err == nil && e != nil {
			return e
		}
	}
	e, err := htmlindex.Get(name)
	if err != nil || e == encoding.Replacement {
		if e, err = ianaindex.MIME.Encoding(name); err != nil || e == encoding.Replacement {
			return nil
		}
	}
	return e
}

// charsetReader gives the text as UTF-8. Bytes that are none, where UTF-8 or nothing is declared, are taken for Windows-1252.
func charsetReader(name string, r io.Reader) io.Reader {
	e := mailCharset(name)
	if low := strings.ToLower(name); e != nil && (strings.Contains(low, "16") && strings.HasPrefix(low, "utf") || strings.Contains(low, "ucs") || strings.Contains(low, "utf-32")) {
		br := bufio.NewReaderSize(r, 4<<10)
		if head, _ := br.Peek(512); bytes.IndexByte(head, 0) < 0 && utf8.Valid(head[:max(0, len(head)-4)]) {
			e = nil // It is not what it says.
		}
		r = br
	}
	if e == nil {
		return transform.NewReader(r, lenientUTF8{})
	}
	return transform.NewReader(r, e.NewDecoder())
}

func decodeCharset(name string, b []byte) []byte {
	if e := mailCharset(name); e != nil {
		if out, err := e.NewDecoder().Bytes(b); err == nil {
			return out
		}
	}
	return decodeUTF8(b)
}

// decodeUTF8 makes UTF-8 of bytes that should be.
func decodeUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out, _, err := transform.Bytes(lenientUTF8{}, b)
	if err != nil {
		return bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return out
}

// lenientUTF8 passes UTF-8 through and takes each byte that is none for Windows-1252.
type lenientUTF8 struct{ transform.NopResetter }

func (lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		r, n := rune(src[nSrc]), 1
		if r >= utf8.RuneSelf {
			if r, n = utf8.DecodeRune(src[nSrc:]); r == utf8.RuneError && n == 1 {
				if !atEOF && !utf8.FullRune(src[nSrc:]) {
					return nDst, nSrc, transform.ErrShortSrc
				}
				r = charmap.Windows1252.DecodeByte(src[nSrc])
			}
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += n
	}
	return nDst, nSrc, nil
}

// mailUTF7 is UTF-7 of RFC 2152, for reading only.
type mailUTF7 struct{}

func (mailUTF7) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: &mailUTF7Decoder{}}
}
func (mailUTF7) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

type mailUTF7Decoder struct {
	in    bool // between + and -
	fresh bool // nothing came behind the +
	bits  uint32
	n     int
	high  rune
}

func (u *mailUTF7Decoder) Reset() { *u = mailUTF7Decoder{} }

func (u *mailUTF7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if nDst+8 > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		nSrc++
		if !u.in {
			if c == '+' {
				*u = mailUTF7Decoder{in: true, fresh: true}
				continue
			}
			if c < utf8.RuneSelf {
				dst[nDst] = c
				nDst++
			} else {
				nDst += utf8.EncodeRune(dst[nDst:], charmap.Windows1252.DecodeByte(c))
			}
			continue
		}
		v := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c)
		if v < 0 {
			if u.fresh {
				dst[nDst] = '+'
				nDst++
			}
			if c != '-' || u.fresh && c != '-' {
				nDst += utf8.EncodeRune(dst[nDst:], rune(c))
			}
			*u = mailUTF7Decoder{}
			continue
		}
		u.fresh = false
		u.bits = u.bits<<6 | uint32(v)
		if u.n += 6; u.n < 16 {
			continue
		}
		u.n -= 16
		r := rune(uint16(u.bits >> u.n))
		switch {
		case u.high != 0:
			r = utf16.DecodeRune(u.high, r)
			u.high = 0
		case utf16.IsSurrogate(r):
			u.high = r
			continue
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
	}
	return nDst, nSrc, nil
}
