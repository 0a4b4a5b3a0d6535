package extract

import (
	"archive/zip"
	"maps"
	"slices"
	"strings"
)

// hiddenStyles are the ids of styles whose text is not shown.
func (p *parcel) hiddenStyles(source string) (map[string]bool, error) {
	hidden := map[string]bool{}
	parent := map[string]string{}
	for _, f := range p.related(source, "styles") {
		style := ""
		err := p.peek(f, func(x *xmlReader, tok xmlToken) error {
			if tok != xmlStart {
				return nil
			}
			switch string(x.name) {
			case "style":
				style = x.attr("styleId")
			case "basedOn":
				if len(parent) < maxRelations {
					parent[style] = x.attr("val")
				}
			case "vanish":
				if x.above(1) == "rPr" && x.above(2) == "style" && !off(x.attr("val")) && len(hidden) < maxRelations {
					hidden[style] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for range 10 { // styles based on one another
		for s, of := range parent {
			if hidden[of] {
				hidden[s] = true
			}
		}
	}
	return hidden, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readWord reads a document of Word ([MS-DOCX], ECMA-376 part 1, 11 and 17).
func readWord(d *Doc, z *zip.Reader) error {
	p := newParcel(d, z)
	if err := p.loadRelations(z); err != nil {
		return err
	}
	main := p.related("", "officeDocument")
	if f := p.part("word/document.xml"); len(main) == 0 && f != nil {
		main = append(main, f)
	}
	for _, f := range main {
		if err := p.word(f, Location{}); err != nil {
			return err
		}
		for _, g := range p.related(partKey(f.Name), "glossaryDocument") {
			if err := p.word(g, Location{Name: "glossary", Hidden: true}); err != nil {
				return err
			}
		}
	}
	if err := p.allProperties(); err != nil {
		return err
	}
	return p.rest(z, p.knownMarkup)
}

// allProperties reads what a package says of itself.
func (p *parcel) allProperties() error {
	for _, kind := range []string{"core-properties", "extended-properties", "custom-properties"} {
		for _, f := range p.related("", kind) {
			if err := p.properties(f); err != nil {
				return err
			}
		}
	}
	for _, n := range []string{"docProps/core.xml", "docProps/app.xml", "docProps/custom.xml"} {
		if f := p.part(n); f != nil {
			if err := p.properties(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// word reads the main story of a document or of its glossary, and the stories around it.
func (p *parcel) word(f *zip.File, at Location) error {
	source := partKey(f.Name)
	styles, err := p.hiddenStyles(source)
	if err != nil {
		return err
	}
	body := p.markup(f, at, true)
	body.styles = styles
	if err := body.read(f); err != nil {
		return err
	}
	for _, k := range []struct {
		kind, part string
		number     bool
	}{
		{"header", PartHeader, true}, {"footer", PartFooter, true}, {"footnotes", PartNote, false}, {"endnotes", PartNote, false}, {"comments", PartComment, false},
	} {
		for _, g := range p.related(source, k.kind) {
			around := at
			around.Part = k.part
			m := p.markup(g, around, k.number)
			m.styles, m.refs = styles, body.refs
			if err := m.read(g); err != nil {
				return err
			}
			if err := p.drawn(partKey(g.Name), m.places, around); err != nil {
				return err
			}
		}
	}
	if err := p.drawn(source, body.places, at); err != nil {
		return err
	}
	for _, g := range p.related(source, "settings") {
		if err := p.settings(g); err != nil {
			return err
		}
	}
	at.Hidden = at.Hidden || at.Name != ""
	return p.links(source, at)
}

// drawn reads the charts and diagrams that a part shows.
func (p *parcel) drawn(source string, places map[string]Location, at Location) error {
	seen := map[uint64]bool{}
	for _, kind := range []string{"chart", "chartEx", "diagramData", "diagramDrawing"} {
		for _, r := range p.relations[source] {
			f := p.part(r.target)
			if r.external || !strings.EqualFold(r.kind, kind) || f == nil {
				continue
			}
			where, ok := places[r.id]
			if !ok {
				where = at
			}
			if err := p.drawing(f, where, seen, kind == "diagramDrawing"); err != nil {
				return err
			}
		}
	}
	return nil
}

// drawing reads one chart, diagram or picture of a diagram, and what hangs in it. seen are the paragraphs of the diagrams.
func (p *parcel) drawing(f *zip.File, at Location, seen map[uint64]bool, picture bool) error {
	m := p.markup(f, at, false)
	if m.picture = picture; !strings.Contains(partKey(f.Name), "chart") {
		m.seen = seen
	}
	if err := m.read(f); err != nil {
		return err
	}
	source := partKey(f.Name)
	for _, g := range p.related(source, "chartUserShapes") {
		if err := p.markup(g, at, false).read(g); err != nil {
			return err
		}
	}
	return p.links(source, at)
}

// settings reads the settings of a document: variables, the data source of a mail merge, texts of any other kind that is long enough to be one.
func (p *parcel) settings(f *zip.File) error {
	at := Location{Name: display(f.Name)}
	t := p.d.Text(at)
	l := labels{t: t, at: at, short: true}
	err := p.xml(f, func(x *xmlReader, tok xmlToken) error {
		if tok == xmlStart && string(x.name) == "docVar" {
			n := x.attr("name")
			return t.Put(Location{Part: PartProperty, Name: display(n)}, n+": "+x.attr("val"))
		}
		return l.token(x, tok)
	})
	if err != nil {
		return err
	}
	return p.links(partKey(f.Name), at)
}

// knownMarkup reads a part that no relationship led to as what its first element says it is.
func (p *parcel) knownMarkup(f *zip.File, root string) (bool, error) {
	at := Location{Name: display(f.Name)}
	switch root {
	case "document", "hdr", "ftr", "comments", "footnotes", "endnotes", "glossaryDocument", "sld", "sldLayout", "sldMaster", "notes", "notesMaster", "handoutMaster",
		"chartSpace", "dataModel", "wsDr", "userShapes", "tagLst", "cmLst", "xml", "drawing":
		return true, p.markup(f, at, false).read(f)
	case "coreProperties", "Properties":
		return true, p.properties(f)
	}
	return false, nil
}
