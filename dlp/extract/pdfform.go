package extract

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

// annotation gives out one of a page (12.5).
func (p *pdfFile) annotation(v any, at Location, part bool) error {
	d, ok := p.resolve(v).(pdfDict)
	if !ok {
		return nil
	}
	kind, _ := p.resolve(d["Subtype"]).(pdfName)
	flags := pdfInt(p.resolve(d["F"]), 0)
	at.Hidden = flags&2 != 0 || flags&32 != 0 || d["OC"] != nil && p.off(d["OC"], 0)
	if kind == "Widget" {
		if key := p.key(v); key != 0 {
			p.widgets[key] = at.Page
		}
		if len(p.loose) < pdfObjects {
			p.loose = append(p.loose, v)
		}
		return nil
	}
	if !p.fresh(v, part) {
		return nil
	}
	note := at
	note.Part = PartAnnotation
	var said []string
	for _, k := range []pdfName{"T", "Subj", "Contents", "RC", "OverlayText", "Alt", "Title", "State"} {
		s := p.text(d[k])
		if k == "RC" {
			s = pdfRich(s)
		}
		if s = pdfClean(s); s != "" && !pdfSaid(said, s) {
			said = append(said, s)
		}
	}
	if err := p.put(note, strings.Join(said, "\n")); err != nil {
		return err
	}
	if err := p.action(d["A"], at, true, 0); err != nil {
		return err
	}
	if err := p.action(d["PA"], at, true, 0); err != nil {
		return err
	}
	if err := p.additional(d["AA"], at, true); err != nil {
		return err
	}
	if err := p.file(d["FS"], at, true); err != nil {
		return err
	}
	if err := p.files(d["AF"], at, true); err != nil {
		return err
	}
	assets := p.dict(d["RichMediaContent"])["Assets"]
	if err := p.nameTree(assets, true, 0, func(_ string, v any, fresh bool) error { return p.file(v, at, fresh) }); err != nil {
		return err
	}
	return p.appearance(d["AP"], note, said)
}

// pdfSaid reports whether s is part of what came out already, but for blanks.
func pdfSaid(said []string, s string) bool {
	flat := func(s string) string { return strings.Join(strings.Fields(s), "") }
	return strings.Contains(flat(strings.Join(said, "\n")), flat(s))
}

// appearance gives out what the appearance streams (12.5.5) show beside said.
func (p *pdfFile) appearance(v any, at Location, said []string) error {
	ap := p.dict(v)
	for _, k := range []pdfName{"N", "R", "D"} {
		var streams []any
		switch s := p.resolve(ap[k]).(type) {
		case *pdfStream:
			streams = []any{ap[k]}
		case pdfDict:
			for _, state := range pdfKeys(s) {
				streams = append(streams, s[state])
			}
		}
		for _, ref := range streams {
			s, ok := p.resolve(ref).(*pdfStream)
			if !ok || !p.fresh(ref, true) {
				continue
			}
			c := p.content(at)
			c.form(s, nil)
			if c.err != nil {
				return c.err
			}
			shown := pdfClean(c.shown.lines())
			if len(shown) > 3 && !pdfSaid(said, shown) { // Shorter ones are the marks of check boxes.
				said = append(said, shown)
				if err := p.put(at, shown); err != nil {
					return err
				}
			}
			c.shown.glyphs = nil
			if c.flush(); c.err != nil {
				return c.err
			}
		}
	}
	return nil
}

// acroForm gives out the form (12.7): its fields, those that only pages name, and its XFA.
func (p *pdfFile) acroForm(v any, part bool) error {
	d := p.dict(v)
	part = p.fresh(v, part)
	for _, f := range p.array(d["Fields"]) {
		if err := p.field(f, "", part, 0); err != nil {
			return err
		}
	}
	for _, f := range p.loose {
		if err := p.field(f, p.parentName(f), part, 0); err != nil {
			return err
		}
	}
	return p.xfa(d["XFA"], part)
}

// parentName is the name of the field above one that was come upon from its page.
func (p *pdfFile) parentName(v any) string {
	name := ""
	d := p.dict(p.dict(v)["Parent"])
	for i := 0; i < 32 && d != nil; i++ {
		if t := p.text(d["T"]); t != "" {
			name = pdfDotted(t, name)
		}
		d = p.dict(d["Parent"])
	}
	return name
}

func pdfDotted(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

func (p *pdfFile) field(v any, above string, part bool, depth int) error {
	d, ok := p.resolve(v).(pdfDict)
	if !ok || depth > 32 {
		return nil
	}
	fresh := p.fresh(v, part)
	if !fresh && (!p.hidden || depth > 8) || len(above) > 1000 {
		return nil
	}
	if err := p.toil(100); err != nil {
		return err
	}
	name := pdfDotted(above, pdfClean(p.text(d["T"])))
	kids := p.array(d["Kids"])
	if fresh {
		if err := p.fieldValues(v, d, kids, name); err != nil {
			return err
		}
	}
	for _, k := range kids {
		if err := p.field(k, name, part, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fieldValues gives out all that a field says, beside its name.
func (p *pdfFile) fieldValues(v any, d pdfDict, kids []any, name string) error {
	flags := pdfInt(p.resolve(d["F"]), 0)
	at := Location{Part: PartField, Page: p.widgets[p.key(v)], Hidden: flags&2 != 0 || flags&32 != 0}
	for i := 0; i < len(kids) && at.Page == 0 && i < 100; i++ {
		at.Page = p.widgets[p.key(kids[i])]
	}
	var said []string
	say := func(s string) error {
		if s = pdfClean(s); s == "" || pdfSaid(said, s) {
			return nil
		}
		said = append(said, s)
		return p.putNamed(at, name, s)
	}
	var each func(v any, depth int) error
	each = func(v any, depth int) error {
		switch r := p.resolve(v).(type) {
		case []any:
			for _, e := range r {
				if depth > 2 {
					break
				}
				if err := each(e, depth+1); err != nil {
					return err
				}
			}
		case pdfString, pdfName, *pdfStream:
			if r != pdfName("Off") {
				return say(p.text(r))
			}
		}
		return nil
	}
	for _, k := range []pdfName{"TU", "V", "DV", "Opt"} {
		if err := each(d[k], 0); err != nil {
			return err
		}
		if len(said) > 100 { // so that a list of many options takes no quadratic time
			said = said[50:]
		}
	}
	if err := say(pdfRich(p.text(d["RV"]))); err != nil {
		return err
	}
	mk := p.dict(d["MK"])
	for _, k := range []pdfName{"CA", "RC", "AC"} {
		if err := say(p.text(mk[k])); err != nil {
			return err
		}
	}
	place := Location{Page: at.Page, Hidden: at.Hidden}
	if err := p.action(d["A"], place, true, 0); err != nil {
		return err
	}
	if err := p.additional(d["AA"], place, true); err != nil {
		return err
	}
	at.Name = display(name)
	return p.appearance(d["AP"], at, said)
}

// xfa gives out the values of an XFA form (its XML, in one or in several streams).
func (p *pdfFile) xfa(v any, part bool) error {
	list := p.array(v)
	if list == nil && v != nil {
		list = []any{nil, v}
	}
	var all []byte
	for i := 1; i < len(list); i += 2 {
		s, ok := p.resolve(list[i]).(*pdfStream)
		if !ok || !p.fresh(list[i], part) {
			continue
		}
		data, _, err := p.decode(s)
		if err != nil {
			return err
		}
		if all = append(all, data...); len(all) > 32<<20 {
			break
		}
	}
	if len(all) == 0 {
		return nil
	}
	return p.xml(all, PartField, 0)
}

// xml gives out the text and the attributes of XML as `name: value`. The names of RDF's lists say nothing, so that of the property stands.
func (p *pdfFile) xml(data []byte, part string, page int) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.Strict = false
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var names []string
	at := func() (Location, string) {
		name := ""
		for i := len(names) - 1; i >= 0 && name == ""; i-- {
			switch n := names[i]; n {
			case "li", "Alt", "Bag", "Seq", "Description":
			default:
				name = n
			}
		}
		return Location{Part: part, Page: page}, name
	}
	for {
		tok, err := dec.RawToken()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			at, _ := at()
			rest := data[min(int(dec.InputOffset()), len(data)):]
			if len(rest) > 1<<20 {
				p.gap(ReasonMalformed)
				rest = rest[:1<<20]
			}
			return p.put(at, string(rest))
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(names) < 256 {
				names = append(names, strings.Clone(t.Name.Local))
			}
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || a.Name.Local == "about" {
					continue
				}
				loc, _ := at()
				if err := p.putNamed(loc, a.Name.Local, a.Value); err != nil {
					return err
				}
			}
		case xml.EndElement:
			if len(names) > 0 {
				names = names[:len(names)-1]
			}
		case xml.CharData:
			loc, name := at()
			if err := p.putNamed(loc, name, string(t)); err != nil {
				return err
			}
		case xml.Comment:
			loc, _ := at()
			loc.Hidden = true
			if err := p.put(loc, string(t)); err != nil {
				return err
			}
		}
	}
}
