package extract

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// pdfMark is a piece of marked content that is open.
type pdfMark struct {
	off    bool
	actual string
	is     bool // actual is given
	to     *pdfLayout
	from   int
}

// mark opens a piece of marked content.
func (c *pdfContent) mark(args []any, resources pdfDict) (m pdfMark) {
	if len(args) < 2 {
		return m
	}
	ref := args[1]
	if name, ok := ref.(pdfName); ok {
		ref = c.p.dict(resources["Properties"])[name]
	}
	if pdfIs(args[0], "OC") {
		m.off = c.p.off(ref, 0)
		return m
	}
	props := c.p.dict(ref)
	if v, ok := props["ActualText"]; ok {
		m.actual, m.is = pdfClean(c.p.text(v)), true
		c.spans++
		m.to = &c.shown
		if c.off > 0 {
			m.to = &c.hidden
		}
		m.from = len(m.to.glyphs)
	}
	for _, k := range []pdfName{"Alt", "E"} {
		if v := props[k]; v != nil {
			if err := c.p.put(Location{Part: PartAltText, Page: c.at.Page}, c.p.text(v)); err != nil {
				c.err = err
			}
		}
	}
	return m
}

// unmark closes it: its ActualText stands in the place of its glyphs, whose own text comes out aside when it is another one.
func (c *pdfContent) unmark(m pdfMark) {
	if m.off {
		c.off--
	}
	if !m.is {
		return
	}
	if c.spans--; m.from > len(m.to.glyphs) { // They were given out already.
		c.aside = append(c.aside, m.actual)
		return
	}
	glyphs := m.to.glyphs[m.from:]
	var b strings.Builder
	for _, g := range glyphs {
		b.WriteString(g.text)
	}
	if b.String() == m.actual {
		return
	}
	if len(glyphs) == 0 {
		c.aside = append(c.aside, m.actual)
		return
	}
	if shown := norm.NFKC.String(b.String()); utf8.RuneCountInString(shown) > 1 && shown != norm.NFKC.String(m.actual) {
		l := pdfLayout{glyphs: append([]pdfGlyph(nil), glyphs...)}
		c.aside = append(c.aside, l.lines())
	}
	whole := glyphs[0]
	end := glyphs[len(glyphs)-1]
	whole.text, whole.ex, whole.ey = m.actual, end.ex, end.ey
	m.to.glyphs = append(m.to.glyphs[:m.from], whole)
}

// off reports whether a layer, or a rule over layers (8.11.2.2), is not shown.
func (p *pdfFile) off(ref any, depth int) bool {
	if r, ok := ref.(pdfRef); ok {
		if off, ok := p.layers[r]; ok {
			return off
		}
	}
	d := p.dict(ref)
	if !pdfIs(d["Type"], "OCMD") || depth > 4 {
		return pdfIs(d["Type"], "OCG") && p.layersOff
	}
	list := p.array(d["OCGs"])
	if list == nil && d["OCGs"] != nil {
		list = []any{d["OCGs"]}
	}
	if len(list) == 0 || len(list) > 1000 {
		return false
	}
	hidden := 0
	for _, v := range list {
		if p.off(v, depth+1) {
			hidden++
		}
	}
	switch policy, _ := p.resolve(d["P"]).(pdfName); policy {
	case "AllOn":
		return hidden > 0
	case "AnyOff":
		return hidden == 0
	case "AllOff":
		return hidden < len(list)
	}
	return hidden == len(list)
}
