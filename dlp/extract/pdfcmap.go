package extract

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// pdfCMap maps the codes of a font to texts, or to glyph numbers.
type pdfCMap struct {
	spaces   []pdfCodeSpace
	texts    map[uint32]string
	ranges   []pdfTextRange
	cids     map[uint32]int
	cidSpans []pdfCIDRange
	identity bool // two bytes are the glyph number
	vertical bool
	charset  encoding.Encoding // the codes are text in it
	width    func(b string) int
}

type pdfCodeSpace struct {
	n      int
	lo, hi uint32
}

type pdfTextRange struct {
	lo, hi uint32
	to     string // of lo, in UTF-16
}

type pdfCIDRange struct {
	lo, hi uint32
	to     int
}

// pdfCode is a code as a number.
func pdfCode(s string) (c uint32) {
	for i := 0; i < len(s) && i < 4; i++ {
		c = c<<8 | uint32(s[i])
	}
	return c
}

// pdfCMapEntries bounds those of one section; 100 are allowed.
const pdfCMapEntries = 1 << 17

// pdfParseCMap reads the program of one. It is no PostScript interpreter: sections are told by the words around them, as writers write them.
func pdfParseCMap(data []byte) *pdfCMap {
	m := &pdfCMap{texts: map[uint32]string{}, cids: map[uint32]int{}}
	l := pdfLexer{b: data}
	var args []any
	for {
		v := l.object(false, 0)
		if _, ok := v.(pdfEnd); ok {
			break
		}
		op, ok := v.(pdfOp)
		if !ok {
			if len(args) < pdfCMapEntries {
				args = append(args, v)
			}
			continue
		}
		m.section(op, args)
		if op == "usecmap" && len(args) > 0 {
			if name, ok := args[len(args)-1].(pdfName); ok {
				if base := pdfNamedCMap(name); base != nil {
					m.identity, m.charset, m.width, m.spaces = base.identity, base.charset, base.width, append(m.spaces, base.spaces...)
				}
			}
		}
		if op == "def" && len(args) >= 2 && args[len(args)-2] == pdfName("WMode") {
			m.vertical = args[len(args)-1] == int64(1)
		}
		args = args[:0]
	}
	slices.SortStableFunc(m.ranges, func(a, b pdfTextRange) int { return cmp.Compare(a.lo, b.lo) })
	slices.SortStableFunc(m.cidSpans, func(a, b pdfCIDRange) int { return cmp.Compare(a.lo, b.lo) })
	return m
}

func (m *pdfCMap) section(op pdfOp, args []any) {
	str := func(i int) (string, bool) {
		if i >= len(args) {
			return "", false
		}
		s, ok := args[i].(pdfString)
		return string(s), ok && len(s) > 0 && len(s) <= 512
	}
	switch op {
	case "endcodespacerange":
		for i := 0; i+1 < len(args); i += 2 {
			lo, ok := str(i)
			hi, ok2 := str(i + 1)
			if ok && ok2 && len(lo) <= 4 && len(m.spaces) < 256 {
				m.spaces = append(m.spaces, pdfCodeSpace{len(lo), pdfCode(lo), pdfCode(hi)})
			}
		}
	case "endbfchar":
		for i := 0; i+1 < len(args); i += 2 {
			from, ok := str(i)
			if !ok {
				continue
			}
			if to, ok := str(i + 1); ok {
				m.texts[pdfCode(from)] = pdfBF(to)
			} else if name, ok := args[i+1].(pdfName); ok {
				m.texts[pdfCode(from)] = pdfGlyphText(string(name))
			}
		}
	case "endbfrange":
		for i := 0; i+2 < len(args); i += 3 {
			lo, ok := str(i)
			hi, ok2 := str(i + 1)
			if !ok || !ok2 {
				continue
			}
			from, last := pdfCode(lo), pdfCode(hi)
			switch to := args[i+2].(type) {
			case pdfString:
				if len(to) <= 512 {
					m.ranges = append(m.ranges, pdfTextRange{from, last, string(to)})
				}
			case []any:
				for j, v := range to {
					if s, ok := v.(pdfString); ok && len(s) <= 512 && uint64(from)+uint64(j) <= uint64(last) {
						m.texts[from+uint32(j)] = pdfBF(string(s))
					}
				}
			}
		}
	case "endcidchar":
		for i := 0; i+1 < len(args); i += 2 {
			if from, ok := str(i); ok {
				m.cids[pdfCode(from)] = pdfInt(args[i+1], 0)
			}
		}
	case "endcidrange":
		for i := 0; i+2 < len(args); i += 3 {
			lo, ok := str(i)
			hi, ok2 := str(i + 1)
			if ok && ok2 {
				m.cidSpans = append(m.cidSpans, pdfCIDRange{pdfCode(lo), pdfCode(hi), pdfInt(args[i+2], 0)})
			}
		}
	}
}

// pdfBF is the text of a target. One byte is a character, against the standard, in files of some writers.
func pdfBF(s string) string {
	if len(s) == 1 {
		s = "\x00" + s
	}
	var b strings.Builder
	for _, r := range pdfUTF16(s) {
		if r >= ' ' && r != 0xfffd {
			b.WriteString(pdfRune(r))
		}
	}
	return b.String()
}

// text is that of a code; empty: none that can be read.
func (m *pdfCMap) text(code uint32) string {
	s, ok := m.texts[code]
	if !ok {
		i, _ := slices.BinarySearchFunc(m.ranges, code, func(r pdfTextRange, c uint32) int {
			if r.lo <= c {
				return -1
			}
			return 1
		})
		for j := i - 1; j >= 0 && j >= i-8; j-- {
			if r := m.ranges[j]; code <= r.hi {
				s = pdfShift(r.to, code-r.lo)
				break
			}
		}
	}
	for _, r := range s { // A private character says nothing.
		if r >= 0xe000 && r < 0xf900 || r >= 0xf0000 {
			return ""
		}
	}
	return s
}

// pdfShift adds to the last code unit of a target.
func pdfShift(to string, n uint32) string {
	if len(to) == 1 {
		return pdfBF(string([]byte{0, byte(uint32(to[0]) + n)}))
	}
	if len(to) < 2 {
		return ""
	}
	if len(to) >= 4 && to[len(to)-4]&0xfc == 0xd8 { // a pair of surrogates
		r := []rune(pdfUTF16(to[len(to)-4:]))
		if len(r) == 1 {
			return pdfBF(to[:len(to)-4]) + string(r[0]+rune(n&0xfffff))
		}
	}
	last := uint32(to[len(to)-2])<<8 | uint32(to[len(to)-1])
	last += n
	return pdfBF(to[:len(to)-2] + string([]byte{byte(last >> 8), byte(last)}))
}

func (m *pdfCMap) cid(code uint32) int {
	if m.identity {
		return int(code)
	}
	if c, ok := m.cids[code]; ok {
		return c
	}
	i, _ := slices.BinarySearchFunc(m.cidSpans, code, func(r pdfCIDRange, c uint32) int {
		if r.lo <= c {
			return -1
		}
		return 1
	})
	for j := i - 1; j >= 0 && j >= i-8; j-- {
		if r := m.cidSpans[j]; code <= r.hi {
			return r.to + int(code-r.lo)
		}
	}
	return 0
}

// length is that of the code that s begins with.
func (m *pdfCMap) length(s string) int {
	if m.width != nil {
		return min(len(s), m.width(s))
	}
	for n := 1; n <= 4 && n <= len(s); n++ {
		c := pdfCode(s[:n])
	spaces:
		for _, sp := range m.spaces {
			if sp.n != n {
				continue
			}
			for shift := 0; shift < 8*n; shift += 8 { // each byte in its own range
				if b := byte(c >> shift); b < byte(sp.lo>>shift) || b > byte(sp.hi>>shift) {
					continue spaces
				}
			}
			return n
		}
	}
	n := 2
	if len(m.spaces) > 0 {
		n = m.spaces[0].n
	}
	return min(n, len(s))
}

// pdfNamedCMap is a predefined one (9.7.5.2): those whose codes are text in an encoding that is known; nil: another one.
func pdfNamedCMap(name pdfName) *pdfCMap {
	n := string(name)
	m := &pdfCMap{vertical: strings.HasSuffix(n, "-V") || n == "V"}
	two := func(string) int { return 2 }
	lead := func(lo, hi byte, singles string) func(string) int {
		return func(s string) int {
			if s[0] >= lo && s[0] <= hi && strings.IndexByte(singles, s[0]) < 0 {
				return 2
			}
			return 1
		}
	}
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(n, p) })
	}
	switch {
	case strings.HasPrefix(n, "Identity"):
		m.identity, m.width = true, two
	case has("UTF32"):
		m.charset, m.width = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), func(string) int { return 4 }
	case has("UTF8"):
		m.charset, m.width = unicode.UTF8, func(s string) int {
			switch {
			case s[0] >= 0xf0:
				return 4
			case s[0] >= 0xe0:
				return 3
			case s[0] >= 0xc0:
				return 2
			}
			return 1
		}
	case has("UCS2", "UTF16"):
		m.charset, m.width = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), func(s string) int {
			if s[0]&0xfc == 0xd8 {
				return 4
			}
			return 2
		}
	case has("RKSJ"):
		singles := "\xa0"
		for c := 0xa1; c <= 0xdf; c++ {
			singles += string([]byte{byte(c)})
		}
		m.charset, m.width = japanese.ShiftJIS, lead(0x81, 0xfc, singles)
	case n == "EUC-H" || n == "EUC-V":
		m.charset, m.width = japanese.EUCJP, lead(0x8e, 0xfe, "")
	case has("GBK2K"):
		m.charset, m.width = simplifiedchinese.GB18030, func(s string) int {
			switch {
			case s[0] < 0x81:
				return 1
			case len(s) > 1 && s[1] < 0x40:
				return 4
			}
			return 2
		}
	case has("GBK", "GB-EUC", "GBpc"):
		m.charset, m.width = simplifiedchinese.GBK, lead(0x81, 0xfe, "")
	case has("B5", "ETen"):
		m.charset, m.width = traditionalchinese.Big5, lead(0x81, 0xfe, "")
	case has("KSC"):
		m.charset, m.width = korean.EUCKR, lead(0x81, 0xfe, "")
	default:
		return nil
	}
	return m
}
