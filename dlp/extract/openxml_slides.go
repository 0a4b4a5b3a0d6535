package extract

import (
	"archive/zip"
)

// readSlides reads a presentation of PowerPoint ([MS-PPTX], ECMA-376 part 1, 13 and 19).
func readSlides(d *Doc, z *zip.Reader) error {
	p := newParcel(d, z)
	if err := p.loadRelations(z); err != nil {
		return err
	}
	main := p.related("", "officeDocument")
	if f := p.part("ppt/presentation.xml"); len(main) == 0 && f != nil {
		main = append(main, f)
	}
	for _, f := range main {
		if err := p.presentation(f); err != nil {
			return err
		}
	}
	if err := p.allProperties(); err != nil {
		return err
	}
	return p.rest(z, p.knownMarkup)
}

// presentation reads the slides in the order in which they are shown, what belongs to each, and then the masters.
func (p *parcel) presentation(f *zip.File) error {
	source := partKey(f.Name)
	var ids []string
	m := p.markup(f, Location{}, false)
	err := p.xml(f, func(x *xmlReader, tok xmlToken) error {
		if tok == xmlStart && string(x.name) == "sldId" && len(ids) < maxRelations && x.rel("id") != "" {
			ids = append(ids, x.rel("id"))
		}
		return m.token(x, tok)
	})
	if err != nil {
		return err
	}
	authors, err := p.people(source, "commentAuthors", "authors")
	if err != nil {
		return err
	}
	for i, id := range ids {
		r, _ := p.target(source, id)
		g := p.part(r.target)
		if r.external || g == nil {
			continue
		}
		if err := p.slide(g, Location{Slide: i + 1}, authors); err != nil {
			return err
		}
	}
	master := Location{Part: PartMaster}
	for _, kind := range []string{"slideMaster", "notesMaster", "handoutMaster"} {
		for _, g := range p.related(source, kind) {
			if err := p.slide(g, master, nil); err != nil {
				return err
			}
			for _, h := range p.related(partKey(g.Name), "slideLayout") {
				if err := p.slide(h, master, nil); err != nil {
					return err
				}
			}
		}
	}
	for _, g := range p.related(source, "tags") {
		if err := p.markup(g, Location{}, false).read(g); err != nil {
			return err
		}
	}
	return p.links(source, Location{})
}

// people are the names of who wrote comments, by their ids. Whoever wrote none is named when the rest is read.
func (p *parcel) people(source string, kinds ...string) (map[string]string, error) {
	names := map[string]string{}
	for _, kind := range kinds {
		for _, f := range p.related(source, kind) {
			err := p.peek(f, func(x *xmlReader, tok xmlToken) error {
				if tok != xmlStart || len(names) >= maxRelations || len(x.buf) > 4<<10 {
					return nil
				}
				switch string(x.name) {
				case "cmAuthor", "author":
					names[x.attr("id")] = x.attr("name")
				case "person":
					names[x.attr("id")] = x.attr("displayName")
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// slide reads a slide, layout or master, and what belongs to it.
func (p *parcel) slide(f *zip.File, at Location, authors map[string]string) error {
	source := partKey(f.Name)
	m := p.markup(f, at, false)
	if err := m.read(f); err != nil {
		return err
	}
	at.Hidden = m.base.Hidden // Its first element says so.
	if err := p.drawn(source, m.places, at); err != nil {
		return err
	}
	note := at
	note.Part = PartNote
	for _, g := range p.related(source, "notesSlide") {
		if err := p.markup(g, note, false).read(g); err != nil {
			return err
		}
		if err := p.links(partKey(g.Name), note); err != nil {
			return err
		}
	}
	comment := at
	comment.Part = PartComment
	for _, g := range p.related(source, "comments") {
		c := p.markup(g, comment, false)
		c.people = authors
		if err := c.read(g); err != nil {
			return err
		}
	}
	for _, kind := range []string{"tags", "vmlDrawing", "slideUpdateInfo"} {
		for _, g := range p.related(source, kind) {
			if err := p.markup(g, at, false).read(g); err != nil {
				return err
			}
		}
	}
	if err := p.members(source, Location{Slide: at.Slide, Hidden: at.Hidden}); err != nil {
		return err
	}
	return p.links(source, at)
}

// members hands on the files of their own that a part refers to.
func (p *parcel) members(source string, at Location) error {
	for _, r := range p.relations[source] {
		f := p.part(r.target)
		if r.external || f == nil {
			continue
		}
		if _, isXML := p.root(f); isXML {
			continue
		}
		if err := p.member(f, at); err != nil {
			return err
		}
	}
	return nil
}
