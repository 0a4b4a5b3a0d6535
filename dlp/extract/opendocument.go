package extract

import (
	"archive/zip"
	"io"
	"path"
	"strings"
)

// The kinds of OpenDocument (OASIS OpenDocument 1.3), with their templates. They are read alike: what a document is, its content says.
var openDocumentKinds = []zipKind{
	{id: "odt", media: "application/vnd.oasis.opendocument.text", is: openDocument("text"), read: readOpenDocument},
	{id: "ods", media: "application/vnd.oasis.opendocument.spreadsheet", is: openDocument("spreadsheet"), read: readOpenDocument},
	{id: "odp", media: "application/vnd.oasis.opendocument.presentation", is: openDocument("presentation"), read: readOpenDocument},
	{id: "odg", media: "application/vnd.oasis.opendocument.graphics", is: openDocument("graphics"), read: readOpenDocument},
	{id: "odf", media: "application/vnd.oasis.opendocument", is: openDocument(""), read: readOpenDocument},
}

// openDocument tells a document by its part mimetype; without one, by a manifest beside a content.
func openDocument(kind string) func(z *zip.Reader) bool {
	return func(z *zip.Reader) bool {
		manifest, content := false, false
		for _, f := range z.File {
			switch partKey(f.Name) {
			case "mimetype":
				if r, err := f.Open(); err == nil {
					b, _ := io.ReadAll(io.LimitReader(r, 128)) // What cannot be read names no kind.
					if strings.HasPrefix(string(b), "application/vnd.oasis.opendocument."+kind) || strings.HasPrefix(string(b), "application/vnd.sun.xml.") && kind == "" {
						return true
					}
				}
			case "meta-inf/manifest.xml":
				manifest = true
			case "content.xml":
				content = true
			}
		}
		return kind == "" && manifest && content
	}
}

func readOpenDocument(d *Doc, z *zip.Reader) error {
	p := newParcel(d, z)
	encrypted, err := p.encryptedParts()
	if err != nil {
		return err
	}
	hidden := map[string]bool{}
	for _, n := range []string{"styles.xml", "content.xml"} {
		if err := p.displayNone(n, hidden); err != nil {
			return err
		}
	}
	places := map[string]Location{}
	for _, n := range []string{"content.xml", "styles.xml"} {
		f := p.part(n)
		if f == nil {
			continue
		}
		if err := p.openStory(f, Location{}, hidden, places); err != nil {
			return err
		}
	}
	if err := p.objects(z, hidden, places); err != nil {
		return err
	}
	if f := p.part("meta.xml"); f != nil {
		if err := p.properties(f); err != nil {
			return err
		}
	}
	err = p.rest(z, func(f *zip.File, root string) (bool, error) {
		switch {
		case root == "document-content" || root == "document-styles" || root == "math":
			return true, p.openStory(f, Location{Name: display(f.Name)}, hidden, places)
		case root == "module":
			return true, p.module(f)
		case root == "document-meta":
			return true, p.properties(f)
		case partKey(f.Name) == "mimetype":
			return true, nil
		}
		return false, nil
	})
	if err == nil && encrypted {
		return errEncrypted
	}
	return err
}

// encryptedParts reads the manifest, and takes the parts out that it says are encrypted.
func (p *parcel) encryptedParts() (some bool, err error) {
	if f := p.part("mimetype"); f != nil {
		p.read[f] = true
	}
	f := p.part("META-INF/manifest.xml")
	if f == nil {
		return false, nil
	}
	name := ""
	err = p.xml(f, func(x *xmlReader, tok xmlToken) error {
		if tok != xmlStart {
			return nil
		}
		switch string(x.name) {
		case "file-entry":
			name = x.attr("full-path")
		case "encryption-data":
			some = true
			if g := p.part(name); g != nil {
				p.read[g] = true
			}
		}
		return nil
	})
	if !some {
		p.read[f] = false // What it says beyond that is read with what is left.
	}
	return some, err
}

// displayNone collects the styles whose text, slide or sheet is not shown: their family, a zero byte and their name.
func (p *parcel) displayNone(name string, hidden map[string]bool) error {
	f := p.part(name)
	if f == nil {
		return nil
	}
	key := ""
	return p.peek(f, func(x *xmlReader, tok xmlToken) error {
		if tok != xmlStart {
			return nil
		}
		switch string(x.name) {
		case "style":
			key = x.attr("family") + "\x00" + x.attr("name")
			if parent := x.attr("parent-style-name"); parent != "" && hidden[x.attr("family")+"\x00"+parent] && len(hidden) < maxRelations {
				hidden[key] = true
			}
		case "text-properties", "drawing-page-properties", "table-properties":
			if d := x.attr("display"); (d == "none" || d == "false" || x.attr("visibility") == "hidden") && len(hidden) < maxRelations {
				hidden[key] = true
			}
		case "body":
			return errEnough
		}
		return nil
	})
}

// objects reads the documents inside, each at the place that shows it.
func (p *parcel) objects(z *zip.Reader, hidden map[string]bool, places map[string]Location) error {
	for _, f := range z.File {
		k := partKey(f.Name)
		if path.Base(k) != "content.xml" || p.read[f] {
			continue
		}
		at, ok := places[path.Dir(k)]
		if !ok {
			at = Location{Name: display(f.Name)}
		}
		if err := p.openStory(f, at, hidden, map[string]Location{}); err != nil {
			return err
		}
	}
	return nil
}

// module reads a macro.
func (p *parcel) module(f *zip.File) error {
	at := Location{Part: PartCode, Name: display(f.Name)}
	t := p.d.Text(at)
	return p.xml(f, func(x *xmlReader, tok xmlToken) error {
		switch tok {
		case xmlStart:
			if n := x.attr("name"); n != "" {
				at.Name = display(n)
				t.At(at)
			}
		case xmlText:
			_, err := t.Write(x.text)
			return err
		case xmlEnd, xmlEOF, xmlComment:
		}
		return nil
	})
}

// openStory reads a part with text.
func (p *parcel) openStory(f *zip.File, at Location, hidden map[string]bool, places map[string]Location) error {
	t := p.d.Text(at)
	o := &openReader{
		story: &story{t: t, at: at}, p: p, base: at, hidden: hidden, places: places, folder: path.Dir(partKey(f.Name)),
		other: labels{t: t, at: Location{Name: display(f.Name)}, short: true}, changes: map[string]string{}, inserts: map[string]bool{},
	}
	err := p.xml(f, o.token)
	if err == nil && p.d.w.fatal == nil {
		err = o.broken() // A part that broke off keeps what it had.
	}
	if err != nil {
		return err
	}
	return o.unplaced()
}
