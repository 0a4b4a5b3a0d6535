package extract

import "encoding/binary"

// pdfSfntRunes are the characters of the glyphs of a TrueType or OpenType font, by its cmap read backwards, and the glyphs of the codes of its tables
// for symbols and for the Macintosh. Every count is checked against the bytes that are there.
func pdfSfntRunes(b []byte) (runes map[int]rune, codes map[int]int) {
	runes, codes = map[int]rune{}, map[int]int{}
	u16 := func(at int) int {
		if at < 0 || at+2 > len(b) {
			return 0
		}
		return int(binary.BigEndian.Uint16(b[at:]))
	}
	u32 := func(at int) int {
		if at < 0 || at+4 > len(b) {
			return 0
		}
		return int(binary.BigEndian.Uint32(b[at:]))
	}
	cmap := -1
	for i := range min(u16(4), 64) {
		if at := 12 + 16*i; at+16 <= len(b) && string(b[at:at+4]) == "cmap" {
			cmap = u32(at + 8)
		}
	}
	if cmap < 0 || cmap >= len(b) {
		return runes, codes
	}
	left := 1 << 18 // codes of all tables together
	each := func(at int, put func(code, glyph int)) {
		switch u16(at) {
		case 0:
			for c := range 256 {
				if at+6+c < len(b) {
					put(c, int(b[at+6+c]))
				}
			}
		case 4:
			n := u16(at+6) / 2
			end, start := at+14, at+16+2*n
			delta, offset := start+2*n, start+4*n
			for i := range n {
				if offset+2*i+2 > len(b) {
					return
				}
				for c := u16(start + 2*i); c <= u16(end+2*i) && c < 0xffff && left > 0; c++ {
					left--
					g := 0
					if ro := u16(offset + 2*i); ro == 0 {
						g = (c + u16(delta+2*i)) & 0xffff
					} else if g = u16(offset + 2*i + ro + 2*(c-u16(start+2*i))); g != 0 {
						g = (g + u16(delta+2*i)) & 0xffff
					}
					put(c, g)
				}
			}
		case 6:
			for i := range u16(at + 8) {
				if at+10+2*i+2 > len(b) {
					return
				}
				put(u16(at+6)+i, u16(at+10+2*i))
			}
		case 12:
			for i := range min(u32(at+12), len(b)/12) {
				g := at + 16 + 12*i
				if g+12 > len(b) {
					return
				}
				for c := u32(g); c <= u32(g+4) && left > 0; c++ {
					left--
					put(c, u32(g+8)+c-u32(g))
				}
			}
		}
	}
	for i := range min(u16(cmap+2), 64) {
		at := cmap + 4 + 8*i
		platform, kind := u16(at), u16(at+2)
		sub := cmap + u32(at+4)
		switch {
		case platform == 0 || platform == 3 && (kind == 1 || kind == 10):
			each(sub, func(code, glyph int) {
				if _, twice := runes[glyph]; !twice && glyph > 0 && code <= 0x10ffff && !(code >= 0xe000 && code < 0xf900) {
					runes[glyph] = rune(code)
				}
			})
		case platform == 3 && kind == 0, platform == 1:
			each(sub, func(code, glyph int) {
				if glyph > 0 && (code < 256 || code >= 0xf000 && code < 0xf100) {
					codes[code&0xff] = glyph
				}
			})
		}
	}
	return runes, codes
}
