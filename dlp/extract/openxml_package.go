package extract

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// maxRelations bounds the relationships of a package that are held, and any other list of a document; relationBytes bounds what they say.
const (
	maxRelations  = 100_000
	relationBytes = 32 << 20
)

// relation is a relationship of a part: to another part, or to something outside the document.
type relation struct {
	id, kind string // kind: the last word of its type, as in "footnotes"
	target   string // name of a part, or what the target says if it is external
	external bool
}

// parcel is a document that is a zip file of parts, with what was read of it.
type parcel struct {
	d         *Doc
	names     map[string]*zip.File // by partKey
	read      map[*zip.File]bool
	relations map[string][]relation // by the partKey of their source
	byID      map[string]relation   // by source, a zero byte and id
	told      map[string]bool       // external targets that were given out
	count     int                   // relationships
	bytes     int                   // of relationships
	binary    bool                  // a binary workbook
}

// partKey makes a part's name one that finds it: parts are named without regard to case, and some programs write backslashes.
func partKey(name string) string {
	return strings.ToLower(strings.TrimLeft(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

func newParcel(d *Doc, z *zip.Reader) *parcel {
	p := &parcel{d: d, names: map[string]*zip.File{}, read: map[*zip.File]bool{}, relations: map[string][]relation{}, byID: map[string]relation{}, told: map[string]bool{}}
	for _, f := range z.File {
		// Of two parts of one name the first counts; the other one is read as what nothing refers to.
		if k := partKey(f.Name); p.names[k] == nil {
			p.names[k] = f
		}
	}
	return p
}

// part returns a part that was not read yet, nil if there is none.
func (p *parcel) part(name string) *zip.File {
	f := p.names[partKey(name)]
	if f == nil || p.read[f] {
		return nil
	}
	return f
}

// xml reads a part by each, which is called for every token. What is wrong with the part is noted as a gap; the error is what ends the whole reading.
func (p *parcel) xml(f *zip.File, each func(x *xmlReader, tok xmlToken) error) error {
	p.read[f] = true
	r, err := p.d.part(f)
	if err != nil {
		return p.d.partGap(err)
	}
	return p.d.partGap(p.tokens(f, newXMLReader(r), each))
}

// errEnough ends a look at a part.
var errEnough = errors.New("seen enough")

// peek looks at a part that is read again: it counts then, and what is wrong with it is noted then.
func (p *parcel) peek(f *zip.File, each func(x *xmlReader, tok xmlToken) error) error {
	before := p.d.w.report.Bytes
	defer func() { p.d.w.report.Bytes = before }()
	r, err := p.d.part(f)
	if err != nil {
		return nil
	}
	x := newXMLReader(r)
	for {
		tok, err := x.next()
		if err == nil && tok != xmlEOF {
			err = each(x, tok)
		}
		if err != nil || tok == xmlEOF {
			return p.d.w.fatal
		}
	}
}

func (p *parcel) tokens(f *zip.File, x *xmlReader, each func(x *xmlReader, tok xmlToken) error) error {
	var remarks []byte
	err := func() error {
		for {
			tok, err := x.next()
			if err != nil {
				return err
			}
			if tok == xmlComment {
				if len(remarks)+len(x.text) > xmlTag {
					return errMemory
				}
				remarks = append(append(remarks, x.text...), '\n')
				continue
			}
			if err := each(x, tok); err != nil || tok == xmlEOF {
				return err
			}
		}
	}()
	if p.d.w.fatal != nil || len(remarks) == 0 {
		return err
	}
	at := Location{Part: PartComment, Name: display(f.Name), Hidden: true} // Not shown by any office program.
	return errors.Join(p.d.Text(at).Put(at, strings.TrimRight(string(remarks), "\n")), err)
}

// loadRelations reads all relationships of a package.
func (p *parcel) loadRelations(z *zip.Reader) error {
	for _, f := range z.File {
		k := partKey(f.Name)
		dir, file := path.Split(k)
		if !strings.HasSuffix(dir, "_rels/") || !strings.HasSuffix(file, ".rels") || p.read[f] {
			continue
		}
		base := strings.TrimSuffix(dir, "_rels/")
		source := base + strings.TrimSuffix(file, ".rels")
		err := p.xml(f, func(x *xmlReader, tok xmlToken) error {
			if tok == xmlText && len(bytes.TrimSpace(x.text)) > 0 {
				at := Location{Name: display(f.Name), Hidden: true}
				return p.d.Text(at).Put(at, string(x.text))
			}
			if tok != xmlStart || string(x.name) != "Relationship" {
				return nil
			}
			if p.count++; p.count > maxRelations || p.bytes > relationBytes {
				return errMemory
			}
			p.bytes += len(x.buf)
			r := relation{id: x.attr("Id"), kind: path.Base(x.attr("Type")), target: x.attr("Target"), external: strings.EqualFold(x.attr("TargetMode"), "External")}
			if !r.external {
				t, _, _ := strings.Cut(strings.ReplaceAll(r.target, `\`, "/"), "#")
				if !strings.HasPrefix(t, "/") {
					t = base + t
				}
				r.target = partKey(t)
			}
			p.relations[source] = append(p.relations[source], r)
			p.byID[source+"\x00"+r.id] = r
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// target finds the relationship of a part by its id.
func (p *parcel) target(source, id string) (relation, bool) {
	r, ok := p.byID[source+"\x00"+id]
	return r, ok
}

// link returns where an external relationship leads, and notes that it was given out.
func (p *parcel) link(source, id string) string {
	r, ok := p.target(source, id)
	if !ok || !r.external {
		return ""
	}
	p.told[source+"\x00"+id] = true
	return r.target
}

// related are the parts that a part refers to by relationships of a kind, in order, that were not read yet.
func (p *parcel) related(source, kind string) (out []*zip.File) {
	seen := map[*zip.File]bool{}
	for _, r := range p.relations[source] {
		if r.external || !strings.EqualFold(r.kind, kind) {
			continue
		}
		if f := p.part(r.target); f != nil && !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}

// links gives out the external targets that no text referred to.
func (p *parcel) links(source string, at Location) error {
	at.Part = PartLink
	t := p.d.Text(at)
	for _, r := range p.relations[source] {
		k := source + "\x00" + r.id
		if !r.external || p.told[k] {
			continue
		}
		p.told[k] = true
		if err := t.Put(at, r.target); err != nil {
			return err
		}
	}
	return nil
}

// label gives out a part whose elements have no meaning of their own to a reader: every text and every attribute with its name before it.
func (p *parcel) label(f *zip.File, at Location) error {
	l := labels{t: p.d.Text(at), at: at}
	return p.xml(f, l.token)
}

type labels struct {
	t     *Text
	at    Location
	open  bool // a line is begun
	short bool // short attributes are left out: those of styles and themes
	texts bool // only texts
}

func (l *labels) token(x *xmlReader, tok xmlToken) error {
	if tok != xmlText && l.open {
		l.open = false
		if err := l.put("\n"); err != nil {
			return err
		}
	}
	switch tok {
	case xmlStart:
		if l.texts {
			return nil
		}
		for _, a := range x.attrs {
			if string(a.prefix) == "xmlns" || string(a.name) == "xmlns" || len(bytes.TrimSpace(a.value)) == 0 || l.short && len(a.value) < 16 ||
				bytes.HasPrefix(a.value, []byte("http://schemas.")) || bytes.HasPrefix(a.value, []byte("{")) && len(a.value) == 38 {
				continue
			}
			if err := l.put(string(a.name) + ": " + string(a.value) + "\n"); err != nil {
				return err
			}
		}
	case xmlText:
		text := x.text
		if !l.open {
			if text = bytes.TrimLeft(text, " \t\r\n"); len(text) == 0 || l.short && isSetting(text) {
				return nil
			}
			l.open = true
			name := x.above(0)
			if n := x.attr("name"); name == "config-item" && n != "" {
				name = n
			}
			if name != "" {
				if err := l.put(name + ": "); err != nil {
					return err
				}
			}
		}
		return l.put(string(text))
	case xmlEOF, xmlEnd, xmlComment:
	}
	return nil
}

// isSetting reports whether a text is a number of a few digits or a truth value.
func isSetting(text []byte) bool {
	t := string(bytes.TrimSpace(text))
	return t == "true" || t == "false" || len(t) < 8 && strings.Trim(t, "0123456789.-") == ""
}

func (l *labels) put(s string) error {
	l.t.At(l.at)
	return l.t.WriteString(s)
}

// properties gives out the parts of a document's properties, each with its name.
func (p *parcel) properties(f *zip.File) error {
	t := p.d.Text(Location{Part: PartProperty})
	var custom, leaf string
	var value []byte
	flush := func() error {
		v := strings.TrimSpace(string(value))
		value = value[:0]
		if v == "" {
			return nil
		}
		name := leaf
		if custom != "" {
			name = custom
		}
		return t.Put(Location{Part: PartProperty, Name: display(name)}, name+": "+v)
	}
	return p.xml(f, func(x *xmlReader, tok xmlToken) error {
		switch tok {
		case xmlStart:
			if err := flush(); err != nil {
				return err
			}
			leaf = string(x.name)
			switch leaf {
			case "property":
				custom = x.attr("name")
			case "user-defined":
				leaf = x.attr("name")
			case "template", "auto-reload": // of OpenDocument: where they lead
				if h := x.attr("href"); h != "" {
					value = append(value, h...)
					return flush()
				}
			case "lpstr", "lpwstr", "bstr", "i4", "bool", "filetime":
				i := 1
				for x.above(i) == "variant" || x.above(i) == "vector" {
					i++
				}
				leaf = x.above(i)
			}
		case xmlText:
			if len(value)+len(x.text) > xmlTag {
				return errMemory
			}
			value = append(value, x.text...)
		case xmlEnd:
			err := flush()
			if string(x.name) == "property" {
				custom = ""
			}
			leaf = x.above(0)
			return err
		case xmlEOF:
			return flush()
		case xmlComment:
		}
		return nil
	})
}

// rest reads every part that was not read yet: XML as it is, other files as members of the document.
func (p *parcel) rest(z *zip.Reader, known func(f *zip.File, root string) (bool, error)) error {
	for _, f := range z.File {
		if p.read[f] || strings.HasSuffix(f.Name, "/") {
			continue
		}
		if err := p.leftover(f, known); err != nil {
			return err
		}
	}
	at := Location{Part: PartComment, Hidden: true} // Comments of the zip file itself.
	t := p.d.Text(at)
	if err := t.Put(at, z.Comment); err != nil {
		return err
	}
	for _, f := range z.File {
		if err := t.Put(at, f.Comment); err != nil {
			return err
		}
	}
	for _, source := range sortedKeys(p.relations) {
		name := source
		if f := p.names[source]; f != nil {
			name = f.Name
		}
		if err := p.links(source, Location{Name: display(name)}); err != nil {
			return err
		}
	}
	return nil
}

func (p *parcel) leftover(f *zip.File, known func(f *zip.File, root string) (bool, error)) error {
	root, isXML := p.root(f)
	if !isXML && p.binary && isRecords(partKey(f.Name)) {
		return p.wide(f)
	}
	if !isXML {
		p.read[f] = true
		return p.member(f, Location{})
	}
	if known != nil {
		if ok, err := known(f, root); ok || err != nil {
			return err
		}
	}
	at := Location{Name: display(f.Name)}
	l := labels{t: p.d.Text(at), at: at}
	switch root {
	case "Types":
		l.texts = true
	case "styles", "styleSheet", "theme", "fonts", "numbering", "webSettings", "settings", "colorsDef", "layoutDef", "styleDef", "viewPr", "presentationPr", "tblStyleLst",
		"themeManager", "drawing", "chartStyle", "colorStyle", "calcChain", "metadata", "volTypes", "document-settings", "manifest", "document-styles":
		l.short = true
	}
	return p.xml(f, l.token)
}

// root returns the name of the first element of a part, and whether the part is XML. It looks at the first bytes only.
func (p *parcel) root(f *zip.File) (string, bool) {
	if f.Flags&1 != 0 {
		return "", false
	}
	r, err := p.d.part(f)
	if err != nil {
		return "", false
	}
	head := make([]byte, 4<<10)
	before := p.d.w.report.Bytes
	n, err := io.ReadFull(r, head)
	p.d.w.report.Bytes = before // The part is read again, and counted then.
	if err != nil && n == 0 {
		return "", false
	}
	h := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n\x00\xff\xfe")
	if len(h) == 0 || h[0] != '<' {
		return "", false
	}
	if bytes.HasPrefix(bytes.ToLower(h[:min(len(h), 16)]), []byte("<html")) || bytes.HasPrefix(bytes.ToLower(h[:min(len(h), 16)]), []byte("<!doctype html")) {
		return "", false
	}
	x := newXMLReader(bytes.NewReader(head[:n]))
	for range 64 {
		tok, err := x.next()
		if err != nil {
			break
		}
		if tok == xmlStart {
			return string(x.name), !strings.EqualFold(string(x.name), "html")
		}
	}
	return "", true
}

// quietly are the folders and endings of what belongs to the look of a document.
func quietly(key string) bool {
	for _, s := range []string{"/media/", "pictures/", "/fonts/", "thumbnail", "printersettings", "/activex/", "objectreplacements/", "object replacements/", "configurations2/", "layout-cache"} {
		if strings.Contains(key, s) {
			return true
		}
	}
	return slices.Contains([]string{".odttf", ".fntdata", ".ttf", ".otf", ".emf", ".wmf", ".sigs"}, path.Ext(key))
}

// member hands a part on that is a file of its own.
func (p *parcel) member(f *zip.File, at Location) error {
	if f.UncompressedSize64 == 0 && f.CompressedSize64 == 0 {
		return nil
	}
	p.read[f] = true
	r, err := p.d.part(f)
	if err != nil {
		return p.d.partGap(err)
	}
	return p.d.Member(Member{Name: f.Name, Size: int64(f.UncompressedSize64), Body: &memberPart{r: r, d: p.d}, At: at, Quiet: quietly(partKey(f.Name))})
}

// memberPart takes back what the limits of a part counted: the member counts it again.
type memberPart struct {
	r io.Reader
	d *Doc
}

func (m *memberPart) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.d.w.report.Bytes -= int64(n)
	return n, err
}
