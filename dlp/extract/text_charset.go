package extract

import (
	"bytes"
	"encoding/binary"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"

	"github.com/outband/outband/dlp/view"
)

// charset is how the bytes of a text stand for characters.
type charset struct {
	enc  encoding.Encoding // nil: they are given out as they are
	skip int               // bytes of the mark at the beginning
	wide bool              // ASCII is not one byte of the same value: UTF-16, UTF-32 and EBCDIC
	raw  bool              // the scanner decodes it: UTF-8, UTF-16, and single-byte text whose letters beyond ASCII nobody knows
	// At the beginning of a character, a byte of ASCII is that. width tells how many bytes the character has that begins with others; nil: not so.
	width func(b []byte) int
}

// decode returns the beginning of a text in UTF-8.
func (c charset) decode(head []byte) []byte {
	if c.enc == nil {
		return head
	}
	out, _, err := transform.Bytes(c.enc.NewDecoder(), head[c.skip:])
	if err != nil {
		return nil
	}
	return out
}

var (
	asTheyAre = charset{raw: true}
	utf16LE   = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	utf16BE   = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	utf32LE   = utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	utf32BE   = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
)

// charsetOf tells the charset of a text by its first bytes: by its mark, by what it cannot but be, by what it says itself or is declared to be, and by what
// is likely. told is the declared media type. html looks for the charset where HTML has it.
func charsetOf(head []byte, told string, html bool) charset {
	if c, ok := charsetByMark(head); ok {
		return c
	}
	if enc, _ := view.Detect(head); enc == view.UTF16LE {
		return charset{enc: utf16LE, wide: true, raw: true}
	} else if enc == view.UTF16BE {
		return charset{enc: utf16BE, wide: true, raw: true}
	}
	switch {
	case isUTF32(head, binary.LittleEndian):
		return charset{enc: utf32LE, wide: true}
	case isUTF32(head, binary.BigEndian):
		return charset{enc: utf32BE, wide: true}
	case isEBCDIC(head):
		return charset{enc: ebcdicOf(head), wide: true, width: one}
	}
	valid := validUTF8(head)
	name := charsetParam(told)
	if name == "" {
		name = declaredIn(head, html)
	}
	if c, ok := charsetNamed(name); ok && (!valid || isASCII(head)) {
		return c
	}
	if valid && bytes.IndexByte(head, 0x1b) < 0 && !bytes.Contains(head, []byte("~{")) {
		return asTheyAre
	}
	return likely(head)
}

func charsetByMark(head []byte) (charset, bool) {
	has := func(mark string) bool { return strings.HasPrefix(string(head[:min(len(head), 4)]), mark) }
	switch {
	case has("\xef\xbb\xbf"):
		return charset{raw: true, skip: 3}, true
	case has("\xff\xfe\x00\x00") && len(head) >= 8:
		return charset{enc: utf32LE, skip: 4, wide: true}, true
	case has("\x00\x00\xfe\xff"):
		return charset{enc: utf32BE, skip: 4, wide: true}, true
	case has("\xff\xfe"):
		return charset{enc: utf16LE, skip: 2, wide: true, raw: true}, true
	case has("\xfe\xff"):
		return charset{enc: utf16BE, skip: 2, wide: true, raw: true}, true
	case has("\x84\x31\x95\x33"):
		return charset{enc: simplifiedchinese.GB18030, skip: 4, width: widthGB}, true
	case has("+/v8") || has("+/v9") || has("+/v+") || has("+/v/"):
		return charset{enc: utf7{}}, true
	}
	return charset{}, false
}

// isUTF32 reports whether b is text in UTF-32 without a mark.
func isUTF32(b []byte, order binary.ByteOrder) bool {
	n, bad := len(b)/4, 0
	if n < 4 {
		return false
	}
	for i := range n {
		if r := order.Uint32(b[4*i:]); r > utf8.MaxRune || r < 0x80 && control(byte(r)) || r >= 0xd800 && r < 0xe000 {
			bad++
		}
	}
	return bad*50 <= n
}

// isEBCDIC reports whether b is text in EBCDIC: nearly all bytes are its letters, digits, blanks and signs, most are beyond ASCII, and blanks are many.
func isEBCDIC(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	high, blanks, good := 0, 0, 0
	for _, c := range b {
		if c >= 0x80 {
			high++
		}
		switch {
		case c == 0x40:
			blanks++
			good++
		case c == 0x15 || c == 0x25 || c == 0x0d || c == 0x05 || c >= 0x4a && c <= 0x50 || c >= 0x5a && c <= 0x61 || c >= 0x6a && c <= 0x6f || c >= 0x79 && c <= 0x7f:
			good++
		case c >= 0x81 && c <= 0x89 || c >= 0x91 && c <= 0x99 || c >= 0xa1 && c <= 0xa9 || c >= 0xc0 && c <= 0xc9 || c >= 0xd0 && c <= 0xd9 || c >= 0xe2 && c <= 0xe9 ||
			c >= 0xf0 && c <= 0xf9 || c == 0xba || c == 0xbb || c == 0xe0 || c == 0xb0:
			good++
		}
	}
	return 2*high > len(b) && 20*blanks > len(b) && 20*good > 19*len(b) && !validUTF8(b)
}

// ebcdicOf tells code page 500 from 037: the brackets of the one are signs that hardly ever stand in text in the other.
func ebcdicOf(b []byte) encoding.Encoding {
	if bytes.IndexByte(b, 0x4a) >= 0 && bytes.IndexByte(b, 0x5a) >= 0 && (bytes.IndexByte(b, 0xba) < 0 || bytes.IndexByte(b, 0xbb) < 0) {
		return ebcdic(true)
	}
	return ebcdic(false)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func charsetParam(told string) string {
	_, params, err := mime.ParseMediaType(told)
	if err != nil {
		return ""
	}
	return params["charset"]
}

// declares finds the charset that a text names: in an XML declaration, a meta element of HTML, @charset of CSS, or the first lines of source code (PEP 263).
var (
	declares     = regexp.MustCompile(`(?i)\A\s*(?:<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([-\w.:]{2,40})|@charset\s+["']([-\w.:]{2,40})|(?:[^\n]{0,200}\n)?[^\n]{0,10}(?:#|//|--|;|/\*|%)[^\n]{0,100}coding[:=][ \t]*([-\w.]{2,40}))`)
	declaresHTML = regexp.MustCompile(`(?i)<meta\s[^>]{0,300}?charset\s*=\s*["']?\s*([-\w.:]{2,40})`)
)

// declaredBytes is how far into a text a charset is named, in bytes.
const declaredBytes = 4 << 10

func declaredIn(head []byte, html bool) string {
	head = head[:min(len(head), declaredBytes)]
	for _, m := range declares.FindSubmatch(head) {
		if len(m) > 0 && m[0] != '<' && !bytes.ContainsAny(m, " \n=:@#/") {
			return string(m)
		}
	}
	if m := declaresHTML.FindSubmatch(head); html && m != nil {
		return string(m[1])
	}
	return ""
}

// charsetNamed returns a charset that is declared by name. A name of UTF-8, UTF-16 or ASCII says nothing: bytes that the scanner decodes show that themselves.
func charsetNamed(name string) (charset, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "":
		return charset{}, false
	case "utf-7", "unicode-1-1-utf-7", "csunicode11utf7":
		return charset{enc: utf7{}}, true
	case "macroman", "mac-roman", "x-mac-roman":
		name = "macintosh"
	case "cp932", "ms932":
		name = "shift_jis"
	case "cp936":
		name = "gbk"
	case "cp949", "uhc", "ms949":
		name = "euc-kr"
	case "cp950":
		name = "big5"
	case "hz-gb-2312":
		return charset{enc: simplifiedchinese.HZGB2312}, true
	}
	if page, ok := strings.CutPrefix(name, "cp125"); ok && len(page) == 1 {
		name = "windows-125" + page
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		if enc, err = ianaindex.MIME.Encoding(name); err != nil || enc == nil {
			return charset{}, false
		}
	}
	return charsetIn(enc)
}

// charsetIn describes an encoding that ASCII is a part of.
func charsetIn(enc encoding.Encoding) (charset, bool) {
	switch enc {
	case simplifiedchinese.GBK, simplifiedchinese.GB18030:
		return charset{enc: simplifiedchinese.GB18030, width: widthGB}, true
	case traditionalchinese.Big5, korean.EUCKR:
		return charset{enc: enc, width: two}, true
	case japanese.ShiftJIS:
		return charset{enc: enc, width: widthSJIS}, true
	case japanese.EUCJP:
		return charset{enc: enc, width: widthEUCJP}, true
	case japanese.ISO2022JP, simplifiedchinese.HZGB2312:
		return charset{enc: enc}, true
	case charmap.CodePage037, charmap.CodePage1047, charmap.CodePage1140:
		return charset{}, false // Bytes of ASCII are not that.
	}
	if _, ok := enc.(*charmap.Charmap); ok {
		return charset{enc: enc, width: one}, true
	}
	return charset{}, false
}

func one([]byte) int { return 1 }
func two([]byte) int { return 2 }

func widthGB(b []byte) int {
	switch {
	case b[0] == 0x80 || b[0] == 0xff:
		return 1
	case len(b) > 1 && b[1] >= '0' && b[1] <= '9':
		return 4
	}
	return 2
}

func widthSJIS(b []byte) int {
	if b[0] == 0x80 || b[0] >= 0xa0 && b[0] <= 0xdf || b[0] >= 0xfd {
		return 1
	}
	return 2
}

func widthEUCJP(b []byte) int {
	if b[0] == 0x8f {
		return 3
	}
	return 2
}

// Confidence that a guess of a charset needs. One whose ASCII is untouched by a mistake needs less.
const (
	sureOfOne  = 0.4
	sureOfMany = 0.75
)

// likely guesses the charset of bytes that are no UTF-8.
func likely(head []byte) charset {
	name, sure := guess(head)
	if name == "" {
		return asTheyAre
	}
	c, ok := charsetNamed(name)
	if !ok {
		return asTheyAre
	}
	least := sureOfMany
	if _, ok := c.enc.(*charmap.Charmap); ok {
		least = sureOfOne
	}
	if sure < least {
		return asTheyAre
	}
	if least == sureOfMany && bytes.Count(c.decode(head), []byte("\uFFFD"))*50 > len(head) {
		return asTheyAre
	}
	return c
}

// guess asks package chardet. It works on at most headBytes, and its panic is no answer.
func guess(head []byte) (name string, sure float64) {
	defer func() {
		if recover() != nil {
			name, sure = "", 0
		}
	}()
	res := chardet.Detect(head)
	switch name = res.Encoding; name {
	case "GB2312":
		name = "gb18030"
	case "TIS-620":
		name = "windows-874"
	case "MacCyrillic":
		name = "x-mac-cyrillic"
	case "ISO-8859-1":
		name = "windows-1252"
	}
	return name, res.Confidence
}
