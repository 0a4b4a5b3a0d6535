package extract

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
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
func transferred(r io.Reader, name string) (io.Reader, *base64Reader) {
	switch name {
	case "base64":
		b := &base64Reader{br: bufio.NewReaderSize(r, 16<<10)}
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

// base64Reader decodes base64 as mail programs do: it passes over all that is none of its letters, and goes on behind padding.
type base64Reader struct {
	br   *bufio.Reader
	out  []byte
	quad [4]byte
	n    int
	bad  []byte // lines that are no base64
	cut  bool   // there were more
	err  error
}

func (r *base64Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		line, err := r.br.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			r.err = err
		}
		if bytes.ContainsFunc(line, func(c rune) bool { return !isBase64(byte(c)) || c > 127 }) && len(bytes.TrimSpace(line)) > 0 {
			if len(r.bad) < maxBad {
				r.bad = append(r.bad, line...)
			} else {
				r.cut = true
			}
		}
		r.out = r.out[:0]
		for _, c := range line {
			if c == '=' {
				r.flush()
				continue
			}
			if !isBase64(c) || c <= ' ' {
				continue
			}
			if c == '-' {
				c = '+'
			} else if c == '_' {
				c = '/'
			}
			r.quad[r.n] = c
			if r.n++; r.n == 4 {
				r.flush()
			}
		}
		if r.err != nil {
			r.flush()
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *base64Reader) flush() {
	if r.n > 1 {
		var b [3]byte
		k, _ := base64.RawStdEncoding.Decode(b[:], r.quad[:r.n]) // All are letters of it.
		r.out = append(r.out, b[:k]...)
	}
	r.n = 0
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_' || c == ' ' || c >= '\t' && c <= '\r'
}

// quotedReader decodes quoted-printable. What is wrong in it stands as it is.
type quotedReader struct {
	br  *bufio.Reader
	out []byte
	err error
}

func (r *quotedReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
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
		r.out = r.out[:0]
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
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// charsetOf finds an encoding by one of its names; nil: UTF-8, ASCII, or none that is known.
func charsetOf(name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "binary", "8bit", "7bit":
		return nil
	case "utf-7", "unicode-1-1-utf-7", "x-utf-7", "utf7", "csutf7", "utf-7-imap":
		return utf7{}
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
	e := charsetOf(name)
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
	if e := charsetOf(name); e != nil {
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

// utf7 is UTF-7 of RFC 2152, for reading only.
type utf7 struct{}

func (utf7) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: &utf7Decoder{}} }
func (utf7) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

type utf7Decoder struct {
	in    bool // between + and -
	fresh bool // nothing came behind the +
	bits  uint32
	n     int
	high  rune
}

func (u *utf7Decoder) Reset() { *u = utf7Decoder{} }

func (u *utf7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if nDst+8 > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		nSrc++
		if !u.in {
			if c == '+' {
				*u = utf7Decoder{in: true, fresh: true}
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
			*u = utf7Decoder{}
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
