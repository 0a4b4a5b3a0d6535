package extract

import (
	"bytes"
	"math"
	"slices"
	"strings"
)

type pdfMatrix [6]float64

var pdfIdentity = pdfMatrix{1, 0, 0, 1, 0, 0}

// times is m, and then n.
func (m pdfMatrix) times(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// pdfState is what q saves.
type pdfState struct {
	ctm                                      pdfMatrix
	font                                     *pdfFont
	size, chars, words, scale, leading, rise float64
}

// pdfContent runs content streams and takes their text: all of it, be it white, clipped, outside the page or of no ink.
type pdfContent struct {
	p       *pdfFile
	at      Location
	shown   pdfLayout
	hidden  pdfLayout // in layers that are off
	off     int       // such layers that are open
	spans   int       // pieces with ActualText that are open
	aside   []string  // text that ActualText stands for
	images  []*pdfStream
	pixels  bool // an image inside the content, or too many
	text    bool // some text was shown
	state   pdfState
	tm, tlm pdfMatrix
	depth   int
	err     error
}

func (p *pdfFile) content(at Location) *pdfContent {
	return &pdfContent{p: p, at: at, state: pdfState{ctm: pdfIdentity, scale: 1, size: 1, font: pdfNoFont}, tm: pdfIdentity, tlm: pdfIdentity}
}

// run interprets a content stream.
func (c *pdfContent) run(data []byte, resources pdfDict) {
	l := pdfLexer{b: data}
	var args []any
	var saved []pdfState
	var marks []pdfMark
	fonts := map[pdfName]*pdfFont{}
	lost := 0 // q that were not saved
	for n := 0; c.err == nil; n++ {
		if n&0xffff == 0xffff {
			c.err = c.p.spend(0)
		}
		l.nodes = 0
		v := l.object(false, 0)
		op, ok := v.(pdfOp)
		if !ok {
			if _, end := v.(pdfEnd); end {
				break
			}
			if _, closer := v.(pdfCloser); !closer && len(args) < 64 {
				args = append(args, v)
			}
			continue
		}
		switch op {
		case "q":
			if len(saved) < 512 {
				saved = append(saved, c.state)
			} else {
				lost++
			}
		case "Q":
			if lost > 0 {
				lost--
			} else if len(saved) > 0 {
				c.state = saved[len(saved)-1]
				saved = saved[:len(saved)-1]
			}
		case "BDC", "BMC":
			m := c.mark(args, resources)
			if m.off {
				c.off++
			}
			if len(marks) < 512 {
				marks = append(marks, m)
			} else {
				c.unmark(m)
			}
		case "EMC":
			if len(marks) > 0 {
				c.unmark(marks[len(marks)-1])
				marks = marks[:len(marks)-1]
			}
		case "Tf":
			if len(args) >= 2 {
				name, _ := args[0].(pdfName)
				f, ok := fonts[name]
				if !ok {
					if f = c.p.fontNamed(name, resources); len(fonts) < 1000 {
						fonts[name] = f
					}
				}
				c.state.font, c.state.size = f, pdfFloat(args[1], 1)
			}
		case "Do":
			if len(args) > 0 {
				c.do(args[0], resources)
			}
		case "BI":
			c.pixels = true
			l.pos = pdfInlineEnd(l.b, l.pos)
		default:
			c.operator(op, args, resources)
		}
		args = args[:0]
	}
	for _, m := range slices.Backward(marks) {
		c.unmark(m)
	}
}

// pdfInlineEnd is behind the EI that ends an inline image: the first one that stands alone, with what looks like content behind it.
func pdfInlineEnd(b []byte, pos int) int {
	i := bytes.Index(b[pos:], []byte("ID"))
	if i < 0 {
		return len(b)
	}
	for pos += i + 2; ; pos += 2 {
		i := bytes.Index(b[pos:], []byte("EI"))
		if i < 0 {
			return len(b)
		}
		pos += i
		if pos > 0 && pdfKind[b[pos-1]] != pdfWhite || pos+2 < len(b) && pdfKind[b[pos+2]] != pdfWhite {
			continue
		}
		binary := false
		for _, c := range b[min(pos+2, len(b)):min(pos+12, len(b))] {
			binary = binary || c >= 0x80 || c < 32 && pdfKind[c] != pdfWhite
		}
		if !binary {
			return pos + 2
		}
	}
}

func (c *pdfContent) operator(op pdfOp, args []any, resources pdfDict) {
	num := func(i int) float64 {
		if i < len(args) {
			return pdfFloat(args[i], 0)
		}
		return 0
	}
	matrix := func() pdfMatrix { return pdfMatrix{num(0), num(1), num(2), num(3), num(4), num(5)} }
	s := &c.state
	switch op {
	case "cm":
		s.ctm = matrix().times(s.ctm)
	case "BT":
		c.tm, c.tlm = pdfIdentity, pdfIdentity
	case "Tc":
		s.chars = num(0)
	case "Tw":
		s.words = num(0)
	case "Tz":
		s.scale = num(0) / 100
	case "TL":
		s.leading = num(0)
	case "Ts":
		s.rise = num(0)
	case "Td":
		c.move(num(0), num(1))
	case "TD":
		s.leading = -num(1)
		c.move(num(0), num(1))
	case "Tm":
		c.tlm = matrix()
		c.tm = c.tlm
	case "T*":
		c.move(0, -s.leading)
	case "Tj", "'", "\"":
		if op == "\"" && len(args) >= 3 {
			s.words, s.chars = num(0), num(1)
		}
		if op != "Tj" {
			c.move(0, -s.leading)
		}
		if len(args) > 0 {
			if v, ok := args[len(args)-1].(pdfString); ok {
				c.show(string(v))
			}
		}
	case "TJ":
		if len(args) == 0 {
			return
		}
		list, _ := args[0].([]any)
		for _, v := range list {
			switch v := v.(type) {
			case pdfString:
				c.show(string(v))
			case int64, float64:
				d := -pdfFloat(v, 0) / 1000 * s.size
				if s.font.vertical {
					c.tm = pdfMatrix{1, 0, 0, 1, 0, d}.times(c.tm)
				} else {
					c.tm = pdfMatrix{1, 0, 0, 1, d * s.scale, 0}.times(c.tm)
				}
			}
		}
	case "gs":
		if len(args) > 0 {
			name, _ := args[0].(pdfName)
			if f := c.p.array(c.p.dict(c.p.dict(resources["ExtGState"])[name])["Font"]); len(f) >= 2 {
				s.font, s.size = c.p.font(f[0]), pdfFloat(f[1], 1)
			}
		}
	}
}

func (c *pdfContent) move(x, y float64) {
	c.tlm = pdfMatrix{1, 0, 0, 1, x, y}.times(c.tlm)
	c.tm = c.tlm
}

// show takes the glyphs of a string.
func (c *pdfContent) show(str string) {
	s := &c.state
	m := c.tm.times(s.ctm)
	em := math.Abs(s.size * s.scale * math.Hypot(m[0], m[1]))
	if s.font.vertical {
		em = math.Abs(s.size * math.Hypot(m[2], m[3]))
	}
	x, y := m[4]+s.rise*m[2], m[5]+s.rise*m[3]
	moved := 0.0
	to := &c.shown
	if c.off > 0 {
		to = &c.hidden
	}
	for len(str) > 0 {
		n, text, w := s.font.glyph(str)
		d := float64(w)*s.size + s.chars
		if n == 1 && str[0] == ' ' {
			d += s.words
		}
		if text == " " && w > 0.1 && d < 0.1*s.size && s.size > 0 {
			text = "" // drawn back by Tw or Tc until nothing of it is seen
		}
		str = str[n:]
		var ex, ey float64
		if s.font.vertical {
			d = -float64(w)*s.size + s.chars
			ex, ey = x+d*m[2], y+d*m[3]
		} else {
			d *= s.scale
			ex, ey = x+d*m[0], y+d*m[1]
		}
		moved += d
		nx, ny := ex, ey
		if s.chars > 0 && !s.font.vertical { // Room that Tc adds is a gap: some writers make blanks of it.
			ex, ey = ex-s.chars*s.scale*m[0], ey-s.chars*s.scale*m[1]
		}
		if text != "" || c.spans > 0 { // What ActualText stands for has a place, even if it has no text.
			c.text = c.text || text != ""
			to.glyphs = append(to.glyphs, pdfGlyph{text, float32(x), float32(y), float32(ex), float32(ey), float32(em)})
			if len(to.glyphs) >= pdfPage {
				c.flush()
			}
		}
		x, y = nx, ny
	}
	if s.font.vertical {
		c.tm = pdfMatrix{1, 0, 0, 1, 0, moved}.times(c.tm)
	} else {
		c.tm = pdfMatrix{1, 0, 0, 1, moved, 0}.times(c.tm)
	}
}

// do shows an XObject.
func (c *pdfContent) do(name any, resources pdfDict) {
	n, _ := name.(pdfName)
	ref := c.p.dict(resources["XObject"])[n]
	s, ok := c.p.resolve(ref).(*pdfStream)
	if !ok {
		return
	}
	if pdfIs(c.p.resolve(s.dict["Subtype"]), "Image") {
		if len(c.images) < 32 {
			c.images = append(c.images, s)
		} else {
			c.pixels = true
		}
		return
	}
	if c.depth > 2 {
		c.p.again += 200
	}
	c.form(s, resources)
}

// form runs a form XObject. One that ran before costs from what repeated content may: what it says came out already.
func (c *pdfContent) form(s *pdfStream, resources pdfDict) {
	if c.depth >= 12 {
		return
	}
	data := c.p.contents(s)
	if data == nil || c.p.repeats(s.at, len(data)) {
		return
	}
	if r := c.p.dict(s.dict["Resources"]); r != nil {
		resources = r
	}
	off := s.dict["OC"] != nil && c.p.off(s.dict["OC"], 0)
	if off {
		c.off++
	}
	saved, tm, tlm := c.state, c.tm, c.tlm
	if m := c.p.array(s.dict["Matrix"]); len(m) == 6 {
		var f pdfMatrix
		for i := range f {
			f[i] = pdfFloat(c.p.resolve(m[i]), pdfIdentity[i])
		}
		c.state.ctm = f.times(c.state.ctm)
	}
	c.depth++
	c.run(data, resources)
	c.depth--
	c.state, c.tm, c.tlm = saved, tm, tlm
	if off {
		c.off--
	}
}

// repeats counts content that runs again, and says when it is too much.
func (p *pdfFile) repeats(at int64, n int) bool {
	if !p.ran[at] {
		p.ran[at] = true
		return false
	}
	p.again += int64(n) + 1000
	return p.again > pdfAgain
}

// contents decodes a content stream. Small ones are kept, since they may be shown often.
func (p *pdfFile) contents(s *pdfStream) []byte {
	if data, ok := p.forms[s.at]; ok {
		return data
	}
	data, image, err := p.decode(s)
	if err != nil || image != "" {
		return nil
	}
	if len(data) < 256<<10 {
		if p.formed += len(data); p.formed > 8<<20 {
			clear(p.forms)
			p.formed = len(data)
		}
		p.forms[s.at] = data
	}
	return data
}

// flush gives out what was taken so far.
func (c *pdfContent) flush() {
	for _, part := range []struct {
		l      *pdfLayout
		hidden bool
	}{{&c.shown, false}, {&c.hidden, true}} {
		if len(part.l.glyphs) == 0 || c.err != nil {
			continue
		}
		at := c.at
		at.Hidden = at.Hidden || part.hidden
		c.err = c.p.put(at, part.l.lines())
		part.l.glyphs = part.l.glyphs[:0]
	}
	if c.err == nil && len(c.aside) > 0 {
		c.err = c.p.put(c.at, strings.Join(c.aside, "\n"))
		c.aside = nil
	}
}

// fontNamed is the font that a page or form calls by that name; content without resources takes one that any page calls so.
func (p *pdfFile) fontNamed(name pdfName, resources pdfDict) *pdfFont {
	v, ok := p.dict(resources["Font"])[name]
	if !ok {
		if f := p.named[name]; f != nil {
			return f
		}
		return pdfNoFont
	}
	f := p.font(v)
	if len(p.named) < 1000 {
		p.named[name] = f
	}
	return f
}
