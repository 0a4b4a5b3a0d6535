package extract

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// pdfGlyphList is the part of the Adobe Glyph List that documents in Latin, Greek, Cyrillic and Hebrew scripts need: a name and a code point a line.
//
//go:embed pdf_glyphs.txt
var pdfGlyphList string

// pdfWidthList holds the widths of ASCII from 32 in Adobe's metrics of the standard fonts, which a file need not give: a font a line.
//
//go:embed pdf_widths.txt
var pdfWidthList string

var pdfGlyphs = sync.OnceValue(func() map[string]rune {
	m := make(map[string]rune, 3000)
	for line := range strings.Lines(pdfGlyphList) {
		name, hex, _ := strings.Cut(strings.TrimSpace(line), " ")
		if c, err := strconv.ParseUint(hex, 16, 32); err == nil {
			m[name] = rune(c)
		}
	}
	return m
})

var pdfWidths = sync.OnceValue(func() map[string][]float64 {
	m := map[string][]float64{}
	for line := range strings.Lines(pdfWidthList) {
		f := strings.Fields(line)
		for _, w := range f[1:] {
			if n, err := strconv.ParseFloat(w, 64); err == nil {
				m[f[0]] = append(m[f[0]], n)
			}
		}
	}
	return m
})

// The upper halves of Annex D's encodings, and what differs in the lower ones.
const (
	pdfStandardUpper = "\x00¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\x00–†‡·\x00¶•‚„”»…‰\x00¿\x00`´ˆ˜¯˘˙¨\x00˚¸\x00˝˛ˇ—\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00Æ\x00ª\x00\x00\x00\x00ŁØŒº\x00\x00\x00\x00\x00æ\x00\x00\x00ı\x00\x00łøœß" // from 160
	pdfDocUpper      = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\x00€"                                                                                                                                                                           // from 128
	pdfDocLower      = "˘ˇˆ˙˝˛˚˜"                                                                                                                                                                                                       // from 24
	pdfSymbol        = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧ∆ΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_\x00αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"                                                                                                             // from 32
)

// pdfEncoding gives the texts of the 256 codes of a named encoding; nil: there is none of that name.
func pdfEncoding(name pdfName) *[256]string {
	var t [256]string
	fill := func(from int, s string) {
		for _, r := range s {
			if r != 0 {
				t[from] = pdfRune(r)
			}
			from++
		}
	}
	switch name {
	case "WinAnsiEncoding", "MacRomanEncoding":
		m := charmap.Windows1252
		if name == "MacRomanEncoding" {
			m = charmap.Macintosh
		}
		for i := 32; i < 256; i++ {
			if r := m.DecodeByte(byte(i)); r != utf8.RuneError && !unicode.IsControl(r) {
				t[i] = pdfRune(r)
			} else if i >= 127 {
				t[i] = "•"
			}
		}
	case "StandardEncoding", "PDFDocEncoding", "SymbolEncoding":
		for i := 32; i < 127; i++ {
			t[i] = string(rune(i))
		}
		switch name {
		case "StandardEncoding":
			t[39], t[96] = "’", "‘"
			fill(160, pdfStandardUpper)
		case "SymbolEncoding":
			fill(32, pdfSymbol)
		default:
			fill(24, pdfDocLower)
			fill(128, pdfDocUpper)
			for i := 161; i < 256; i++ {
				t[i] = string(rune(i))
			}
			for _, i := range "\t\n\r" {
				t[i] = string(i)
			}
		}
	default:
		return nil
	}
	return &t
}

var pdfDocEncoding = sync.OnceValue(func() *[256]string { return pdfEncoding("PDFDocEncoding") })

// pdfRune is the text of a character: that of a ligature is its letters.
func pdfRune(r rune) string {
	if r >= 0xfb00 && r <= 0xfb06 {
		return [...]string{"ff", "fi", "fl", "ffi", "ffl", "st", "st"}[r-0xfb00]
	}
	if r == 0xa0 {
		return " "
	}
	return string(r)
}

// pdfGlyphText is the text of a glyph's name, by the rules of the Adobe Glyph List; empty: the name tells none.
func pdfGlyphText(name string) string {
	if r, ok := pdfGlyphs()[name]; ok {
		return pdfRune(r)
	}
	name, _, _ = strings.Cut(name, ".")
	if name == "" || len(name) > 64 {
		return ""
	}
	if strings.Contains(name, "_") {
		var b strings.Builder
		for part := range strings.SplitSeq(name, "_") {
			if part != "" && !strings.Contains(part, "_") {
				b.WriteString(pdfGlyphText(part))
			}
		}
		return b.String()
	}
	if r, ok := pdfGlyphs()[name]; ok {
		return pdfRune(r)
	}
	hex := ""
	if h, ok := strings.CutPrefix(name, "uni"); ok && len(h) >= 4 {
		hex = h
	} else if h, ok := strings.CutPrefix(name, "u"); ok && len(h) >= 4 && len(h) <= 6 {
		if c, err := strconv.ParseUint(h, 16, 32); err == nil && c <= unicode.MaxRune {
			return pdfRune(rune(c))
		}
	}
	var units []uint16
	for ; len(hex) >= 4; hex = hex[4:] {
		c, err := strconv.ParseUint(hex[:4], 16, 16)
		if err != nil {
			return ""
		}
		units = append(units, uint16(c))
	}
	if len(units) > 0 {
		return string(utf16.Decode(units))
	}
	if len(name) == 1 {
		return name
	}
	return ""
}

// pdfUTF16 is a string of UTF-16 with the high byte first.
func pdfUTF16(s string) string {
	units := make([]uint16, 0, len(s)/2)
	for ; len(s) >= 2; s = s[2:] {
		units = append(units, uint16(s[0])<<8|uint16(s[1]))
	}
	return string(utf16.Decode(units))
}

// pdfText is the text of a text string (7.9.2.2).
func pdfText(s pdfString) string {
	v := string(s)
	switch {
	case strings.HasPrefix(v, "\xfe\xff"):
		return pdfNoLanguage(pdfUTF16(v[2:]))
	case strings.HasPrefix(v, "\xff\xfe"):
		b := []byte(v[2:])
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
		return pdfNoLanguage(pdfUTF16(string(b)))
	case strings.HasPrefix(v, "\xef\xbb\xbf"):
		return strings.ToValidUTF8(v[3:], "\uFFFD")
	}
	plain := true
	high := false
	for i := 0; i < len(v); i++ {
		high = high || v[i] >= 0x80
		plain = plain && v[i] >= 32 && v[i] < 127
	}
	if plain {
		return v
	}
	if high && utf8.ValidString(v) { // It ought to have a mark, and often has none.
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		b.WriteString(pdfDocEncoding()[v[i]])
	}
	return b.String()
}

// pdfNoLanguage takes the language marks out (7.9.2.2.2).
func pdfNoLanguage(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "\x1b")
		if !ok {
			return s
		}
		_, after, ok := strings.Cut(rest, "\x1b")
		if !ok || len(rest)-len(after) > 16 {
			return before + rest
		}
		s = before + after
	}
}

var pdfLineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// pdfClean takes out control characters but tabs and line ends, and blanks at the ends.
func pdfClean(s string) string {
	if strings.Contains(s, "\r") {
		s = pdfLineEnds.Replace(s)
	}
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}
