package extract

import (
	"strings"
	"unicode/utf8"
)

// pdfFont turns the strings of content into text.
type pdfFont struct {
	composite bool
	vertical  bool
	simple    [256]string
	width     [256]float32 // of a simple font, in parts of its size
	codes     *pdfCMap     // of a composite one: code to glyph
	unicode   *pdfCMap
	runes     map[int]rune // of a composite one: glyph to text
	widths    map[int]float32
	spans     []pdfWidthSpan
	standard  float32 // width of a glyph without one
	low       bool    // glyphs stand in the order of the usual TrueType fonts
}

type pdfWidthSpan struct {
	from, to int
	width    float32
}

// glyph takes the first one of s: its length in s, its text, and how far it moves on, in parts of the size.
func (f *pdfFont) glyph(s string) (n int, text string, advance float32) {
	if !f.composite {
		return 1, f.simple[s[0]], f.width[s[0]]
	}
	n = max(1, f.codes.length(s))
	code := pdfCode(s[:n])
	cid := f.codes.cid(code)
	if f.vertical {
		advance = 1
	} else {
		advance = f.cidWidth(cid)
	}
	if f.unicode != nil {
		if text = f.unicode.text(code); text != "" {
			return n, text, advance
		}
	}
	if f.codes.charset != nil {
		if b, err := f.codes.charset.NewDecoder().Bytes([]byte(s[:n])); err == nil {
			return n, strings.ReplaceAll(string(b), "\uFFFD", ""), advance
		}
		return n, "", advance
	}
	if r, ok := f.runes[cid]; ok {
		return n, pdfRune(r), advance
	}
	if f.low && cid >= 3 && cid <= 97 {
		return n, string(rune(cid + 29)), advance
	}
	return n, "", advance
}

func (f *pdfFont) cidWidth(cid int) float32 {
	if w, ok := f.widths[cid]; ok {
		return w
	}
	for _, s := range f.spans {
		if cid >= s.from && cid <= s.to {
			return s.width
		}
	}
	return f.standard
}

// pdfNoFont serves where content names a font that is not there.
var pdfNoFont = func() *pdfFont {
	f := &pdfFont{simple: *pdfEncoding("WinAnsiEncoding")}
	for i := range f.width {
		f.width[i] = 0.5
	}
	return f
}()

// font reads the one that v leads to, once.
func (p *pdfFile) font(v any) *pdfFont {
	key := p.key(v)
	if f, ok := p.fonts[key]; ok && key != 0 {
		return f
	}
	dict, ok := p.resolve(v).(pdfDict)
	if !ok {
		return pdfNoFont
	}
	f := &pdfFont{}
	if c := p.resolve(dict["ToUnicode"]); c != nil {
		f.unicode = p.cmap(dict["ToUnicode"], c)
	}
	if list := p.array(dict["DescendantFonts"]); len(list) > 0 {
		p.compositeFont(f, dict, p.dict(list[0]))
	} else {
		p.simpleFont(f, dict)
	}
	if key != 0 {
		if len(p.fonts) > 1000 {
			clear(p.fonts)
		}
		p.fonts[key] = f
	}
	return f
}

// cmap reads one by its name or from its stream, once. Those of one file hold 4 MiB of programs at the most.
func (p *pdfFile) cmap(ref, v any) *pdfCMap {
	s, ok := v.(*pdfStream)
	if !ok {
		name, _ := v.(pdfName)
		return pdfNamedCMap(name)
	}
	if m, ok := p.cmaps[s.at]; ok {
		return m
	}
	data, _, err := p.decode(s)
	if err != nil || len(data) > 4<<20 {
		return nil
	}
	m := pdfParseCMap(data)
	if base, ok := p.resolve(s.dict["UseCMap"]).(pdfName); ok && m.width == nil {
		if b := pdfNamedCMap(base); b != nil {
			m.identity, m.charset, m.width = b.identity, b.charset, b.width
		}
	}
	if pdfInt(p.resolve(s.dict["WMode"]), 0) == 1 {
		m.vertical = true
	}
	if p.mapped += len(data); p.mapped > 4<<20 {
		clear(p.cmaps)
		clear(p.fonts)
		p.mapped = len(data)
	}
	p.cmaps[s.at] = m
	return m
}

func (p *pdfFile) compositeFont(f *pdfFont, dict, child pdfDict) {
	f.composite = true
	f.codes = p.cmap(dict["Encoding"], p.resolve(dict["Encoding"]))
	if f.codes == nil {
		f.codes = pdfNamedCMap("Identity-H")
	}
	f.vertical = f.codes.vertical
	f.standard = float32(pdfFloat(p.resolve(child["DW"]), 1000) / 1000)
	f.widths = map[int]float32{}
	for w := p.array(child["W"]); len(w) >= 2; {
		first := pdfInt(p.resolve(w[0]), -1)
		if list, ok := p.resolve(w[1]).([]any); ok {
			for i, v := range list {
				f.widths[first+i] = float32(pdfFloat(p.resolve(v), 0) / 1000)
			}
			w = w[2:]
			continue
		}
		if len(w) < 3 {
			break
		}
		if len(f.spans) < 512 {
			f.spans = append(f.spans, pdfWidthSpan{first, pdfInt(p.resolve(w[1]), -1), float32(pdfFloat(p.resolve(w[2]), 0) / 1000)})
		}
		w = w[3:]
	}
	desc := p.dict(child["FontDescriptor"])
	f.low = pdfIs(p.resolve(child["Subtype"]), "CIDFontType2")
	program := p.program(desc)
	if program == nil || f.unicode != nil && len(f.unicode.texts)+len(f.unicode.ranges) > 0 && f.codes.charset == nil && len(program) > 8<<20 {
		return
	}
	if glyphs, _ := pdfSfntRunes(program); len(glyphs) > 0 {
		f.runes = glyphs
		if s, ok := p.resolve(child["CIDToGIDMap"]).(*pdfStream); ok {
			if to, _, err := p.decode(s); err == nil {
				f.runes = map[int]rune{}
				for cid := 0; 2*cid+1 < len(to) && cid < 1<<16; cid++ {
					if r, ok := glyphs[int(to[2*cid])<<8|int(to[2*cid+1])]; ok {
						f.runes[cid] = r
					}
				}
			}
		}
	}
}

// program is the embedded TrueType or OpenType font.
func (p *pdfFile) program(desc pdfDict) []byte {
	for _, k := range []pdfName{"FontFile2", "FontFile3"} {
		if s, ok := p.resolve(desc[k]).(*pdfStream); ok {
			if data, _, err := p.decode(s); err == nil {
				return data
			}
		}
	}
	return nil
}

func (p *pdfFile) simpleFont(f *pdfFont, dict pdfDict) {
	base, _ := p.resolve(dict["BaseFont"]).(pdfName)
	kind, _ := p.resolve(dict["Subtype"]).(pdfName)
	desc := p.dict(dict["FontDescriptor"])
	symbolic := pdfInt(p.resolve(desc["Flags"]), 0)&4 != 0
	var table *[256]string
	var differences []any
	switch e := p.resolve(dict["Encoding"]).(type) {
	case pdfName:
		table = pdfEncoding(e)
	case pdfDict:
		name, _ := p.resolve(e["BaseEncoding"]).(pdfName)
		table = pdfEncoding(name)
		differences = p.array(e["Differences"])
	}
	if table == nil {
		table = pdfEncoding("StandardEncoding")
		switch {
		case strings.Contains(string(base), "Symbol") && desc["FontFile2"] == nil:
			table = pdfEncoding("SymbolEncoding")
		case kind == "TrueType":
			table = pdfEncoding("WinAnsiEncoding")
			if symbolic && differences == nil {
				runes, codes := pdfSfntRunes(p.program(desc))
				for c, g := range codes {
					if r, ok := runes[g]; ok {
						table[c] = pdfRune(r)
					}
				}
			}
		case desc["FontFile"] != nil:
			if s, ok := p.resolve(desc["FontFile"]).(*pdfStream); ok && differences == nil {
				if data, _, err := p.decode(s); err == nil {
					pdfType1Encoding(data, table)
				}
			}
		}
	}
	for i, s := range pdfEncoding("WinAnsiEncoding") { // what no encoding names is most likely this
		if f.simple[i] = table[i]; f.simple[i] == "" {
			f.simple[i] = s
		}
	}
	code := 0
	for _, v := range differences {
		switch v := p.resolve(v).(type) {
		case pdfName:
			if code >= 0 && code < 256 {
				if s := pdfGlyphText(string(v)); s != "" || v == ".notdef" {
					f.simple[code] = s
				} else if code > 32 && code < 127 {
					f.simple[code] = string(rune(code))
				}
			}
			code++
		default:
			code = pdfInt(v, code)
		}
	}
	if f.unicode != nil {
		for c := range uint32(256) {
			if s := f.unicode.text(c); s != "" {
				f.simple[c] = s
			}
		}
	}
	p.simpleWidths(f, dict, desc, string(base), kind)
}

func (p *pdfFile) simpleWidths(f *pdfFont, dict, desc pdfDict, base string, kind pdfName) {
	scale := float32(0.001)
	if kind == "Type3" {
		if m := p.array(dict["FontMatrix"]); len(m) == 6 {
			scale = float32(pdfFloat(p.resolve(m[0]), 0.001))
		}
	}
	widths := p.array(dict["Widths"])
	missing := pdfFloat(p.resolve(desc["MissingWidth"]), 0)
	if len(widths) == 0 {
		standard := pdfStandardWidths(base)
		for i := range f.width {
			f.width[i] = 0.6
			if standard == nil {
				continue
			}
			f.width[i] = 0.5
			if r, _ := utf8.DecodeRuneInString(f.simple[i]); r >= 32 && int(r) < 32+len(standard) {
				f.width[i] = float32(standard[r-32] / 1000)
			}
		}
		return
	}
	first := pdfInt(p.resolve(dict["FirstChar"]), 0)
	for i := range f.width {
		w := missing
		if i >= first && i-first < len(widths) {
			w = pdfFloat(p.resolve(widths[i-first]), missing)
		}
		f.width[i] = float32(w) * scale
	}
}

// pdfStandardWidths are those of the standard font that is most like the one of this name; nil: it is of one width.
func pdfStandardWidths(base string) []float64 {
	has := func(s string) bool { return strings.Contains(base, s) }
	if has("Courier") || has("Mono") || has("Consol") {
		return nil
	}
	name := "Helvetica"
	if has("Times") || has("Serif") || has("Roman") {
		switch bold, italic := has("Bold"), has("Italic") || has("Oblique"); {
		case bold && italic:
			name = "Times-BoldItalic"
		case bold:
			name = "Times-Bold"
		case italic:
			name = "Times-Italic"
		default:
			name = "Times-Roman"
		}
	} else if has("Bold") {
		name = "Helvetica-Bold"
	}
	return pdfWidths()[name]
}

// pdfType1Encoding reads the encoding of a Type 1 font from its clear part: `dup 65 /A put`.
func pdfType1Encoding(data []byte, table *[256]string) {
	_, rest, ok := strings.Cut(string(data[:min(len(data), 64<<10)]), "/Encoding")
	if !ok {
		return
	}
	l := pdfLexer{b: []byte(rest)}
	code, name := -1, ""
	for {
		switch v := l.object(false, 0).(type) {
		case int64:
			code = int(min(max(v, -1), 256))
		case pdfName:
			name = string(v)
		case pdfOp:
			switch v {
			case "put":
				if code >= 0 && code < 256 {
					if s := pdfGlyphText(name); s != "" {
						table[code] = s
					}
				}
			case "eexec", "readonly", "StandardEncoding":
				return
			case "def":
				if name != "" {
					return
				}
			}
		case pdfEnd:
			return
		}
	}
}
