package extract

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// openReader reads the content or the styles of an OpenDocument file.
type openReader struct {
	*story
	p       *parcel
	base    Location
	hidden  map[string]bool     // styles that are not shown
	places  map[string]Location // of the documents inside, by their folder
	folder  string
	other   labels
	pages   int // slides, or pages of a drawing, so far
	heads   int // styles and the like around
	lead    string
	states  []openState       // elements around that change how text stands
	changes map[string]string // what tracked changes deleted, by id
	changed int               // bytes of changes
	change  string            // id of the change that is read
	delete  []byte            // what it deleted; nil: nothing is being read
	deletes int               // elements around of deletions
	inserts map[string]bool   // ids of tracked insertions
	added   int               // insertions around
	sheet   *sheetText        // of a spreadsheet
	calc    bool              // a spreadsheet
	tableIn int               // tables around, in a spreadsheet
	cell    openCell
	rowAt   int
	rowN    int
	colAt   int // of the columns that were declared
	alt     []byte
}

// openState is what an element changed, to be changed back at its end.
type openState struct {
	depth  int
	at     Location
	hidden bool // the text in it is not shown
	box    bool
}

// enterState notes how things stand before an element changes them.
func (o *openReader) enterState(x *xmlReader, hidden bool, box string) {
	o.states = append(o.states, openState{len(x.ends), o.at, hidden, box != ""})
	if box != "" {
		o.enter(box)
	}
}

func (o *openReader) leaveState(x *xmlReader) {
	for n := len(o.states); n > 0 && o.states[n-1].depth > len(x.ends); n-- {
		o.at = o.states[n-1].at
		if o.states[n-1].box {
			o.leave()
		}
		o.states = o.states[:n-1]
	}
}

func (o *openReader) mode() mode {
	for _, s := range o.states[max(0, len(o.states)-32):] {
		if s.hidden {
			return modeHidden
		}
	}
	if o.added > 0 {
		return modeInserted
	}
	return modeBody
}

func (o *openReader) text(text []byte) error {
	if o.delete != nil {
		if o.changed+len(o.delete)+len(text) <= xmlTag {
			o.delete = append(o.delete, text...)
			return nil
		}
		return errMemory
	}
	if o.lead != "" {
		lead := o.lead
		o.lead = ""
		if err := o.add(modeBody, []byte(lead)); err != nil {
			return err
		}
	}
	if bytes.Contains(text, softHyphen) {
		text = bytes.ReplaceAll(text, softHyphen, nil)
	}
	return o.add(o.mode(), text)
}

func (o *openReader) mention(part, text string) error {
	if o.delete != nil {
		return o.text([]byte(" " + text + " "))
	}
	at := o.place()
	if part != "" {
		at.Part = part
	}
	at.Hidden = at.Hidden || o.mode() == modeHidden
	return o.hangOrPut(at, text)
}

// hangOrPut keeps a text for the end of the line; what stands in a sheet outside of its stories is for the end of the row.
func (o *openReader) hangOrPut(at Location, text string) error {
	if o.sheet != nil && len(o.open) == 0 {
		o.sheet.aside(at, text)
		return nil
	}
	return o.aside(at, text)
}

// place is where the reader stands.
func (o *openReader) place() Location {
	if o.sheet != nil {
		return o.at
	}
	return o.where()
}

func (o *openReader) named(part, name, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	at := o.place()
	at.Part, at.Name = part, display(name)
	return o.hangOrPut(at, name+": "+text)
}

func (o *openReader) token(x *xmlReader, tok xmlToken) error {
	switch tok {
	case xmlStart:
		return o.start(x, string(x.name))
	case xmlEnd:
		return o.ended(x, string(x.name))
	case xmlText:
		return o.chars(x)
	case xmlEOF:
		return o.finish()
	case xmlComment:
	}
	return nil
}

func (o *openReader) chars(x *xmlReader) error {
	if o.heads > 0 {
		return o.other.token(x, xmlText)
	}
	blank := len(bytes.TrimSpace(x.text)) == 0
	switch x.above(0) {
	case "note-citation", "date", "creator-initials", "date-string":
		return nil
	case "creator":
		if o.deletes == 0 && x.above(1) == "annotation" {
			o.lead += string(x.text) + ": "
		}
		return nil
	case "title", "desc":
		if len(o.alt)+len(x.text) < paragraphBytes {
			o.alt = append(o.alt, x.text...)
		}
		return nil
	}
	if len(o.open) > 0 || o.delete != nil && !blank {
		return o.text(x.text)
	}
	if blank {
		return nil
	}
	return o.mention("", string(x.text))
}

func (o *openReader) start(x *xmlReader, name string) error {
	if o.heads > 0 {
		switch name {
		case "automatic-styles", "styles", "font-face-decls":
			o.heads++
		}
		return o.other.token(x, xmlStart)
	}
	switch name {
	case "automatic-styles", "styles", "font-face-decls":
		if x.above(1) == "" || strings.HasPrefix(x.above(1), "document") {
			o.heads++
		}
	case "p", "h":
		if o.delete != nil {
			if len(o.delete) > 0 {
				return o.text([]byte("\n"))
			}
			return nil
		}
		if o.hidden["paragraph\x00"+x.attr("style-name")] {
			o.enterState(x, true, "")
		}
		o.begin()
	case "span":
		if o.hidden["text\x00"+x.attr("style-name")] {
			o.enterState(x, true, "")
		}
	case "s":
		return o.text([]byte(strings.Repeat(" ", min(max(1, atoi(x.attr("c"))), 1000))))
	case "tab":
		return o.text([]byte("\t"))
	case "line-break":
		return o.text([]byte("\n"))
	case "text-box":
		o.textBox(x)
	case "annotation":
		o.enterState(x, false, PartComment)
		o.lead = ""
	case "note":
		o.enterState(x, false, PartNote)
	case "notes":
		o.enterState(x, false, PartNote)
	case "ruby-text":
		o.again()
		o.begin()
	case "header", "header-left", "header-first", "footer", "footer-left", "footer-first":
		if string(x.prefix) == "style" {
			o.enterState(x, false, "")
			o.at.Part = PartHeader
			if strings.HasPrefix(name, "footer") {
				o.at.Part = PartFooter
			}
		}
	case "master-page", "handout-master":
		o.enterState(x, false, "")
		o.at.Part = PartMaster
	case "page":
		o.enterState(x, false, "")
		o.newPage(x)
		return o.attributes(x)
	case "section":
		if d := x.attr("display"); d == "none" || d == "condition" {
			o.enterState(x, true, "")
		}
		return o.attributes(x)
	case "hidden-text", "hidden-paragraph":
		o.enterState(x, true, "")
		return o.text([]byte(x.attr("string-value")))
	case "tracked-changes":
		if !o.calc {
			o.deletes++
		} else {
			o.enterState(x, false, PartDeleted)
		}
	case "changed-region":
		o.change = x.attr("id")
	case "deletion":
		if o.deletes > 0 {
			o.delete = []byte{}
		}
	case "insertion":
		if len(o.inserts) < maxRelations {
			o.inserts[o.change] = true
		}
	case "change", "change-start":
		if o.inserts[x.attr("change-id")] && name == "change-start" {
			o.added++
		}
		return o.placeChange(x.attr("change-id"))
	case "change-end":
		if o.inserts[x.attr("change-id")] {
			o.added = max(0, o.added-1)
		}
	case "spreadsheet":
		o.calc = true
	case "text":
		if x.above(1) == "body" {
			o.number = o.base == Location{}
			return nil
		}
		return o.attributes(x)
	default:
		return o.startTable(x, name)
	}
	return nil
}

// textBox enters one; in a presentation or drawing that is its body.
func (o *openReader) textBox(x *xmlReader) {
	if o.at.Slide == 0 && o.at.Page == 0 && o.at.Part == "" {
		o.enterState(x, false, PartTextBox)
	}
}

// newPage begins a slide, or a page of a drawing.
func (o *openReader) newPage(x *xmlReader) {
	if o.base.Name != "" || o.base.Slide != 0 || string(x.prefix) == "style" {
		return
	}
	o.pages++
	switch x.above(1) {
	case "presentation":
		o.at.Slide = o.pages
	case "drawing":
		o.at.Page = o.pages
	}
	o.at.Hidden = o.hidden["drawing-page\x00"+x.attr("style-name")]
}

// placeChange writes what a tracked change deleted where it stood.
func (o *openReader) placeChange(id string) error {
	s, ok := o.changes[id]
	if !ok || s == "" {
		return nil
	}
	delete(o.changes, id)
	o.changed -= len(s)
	return o.add(modeDeleted, []byte(s))
}

// unplaced gives out what tracked changes deleted at no place.
func (o *openReader) unplaced() error {
	at := o.base
	at.Part = PartDeleted
	for _, k := range sortedKeys(o.changes) {
		if err := o.t.Put(at, o.changes[k]); err != nil {
			return err
		}
	}
	return nil
}

func (o *openReader) ended(x *xmlReader, name string) error {
	if o.heads > 0 {
		switch name {
		case "automatic-styles", "styles", "font-face-decls":
			o.heads--
		}
		return o.other.token(x, xmlEnd)
	}
	var err error
	switch name {
	case "p", "h", "ruby-text":
		if name == "ruby-text" {
			o.leave()
		}
		if o.delete == nil {
			err = o.endParagraph()
		}
	case "title", "desc":
		alt := string(o.alt)
		o.alt = o.alt[:0]
		err = o.mention(PartAltText, alt)
	case "tracked-changes":
		o.deletes = max(0, o.deletes-1)
	case "deletion":
		if o.delete != nil {
			o.changes[o.change] += string(o.delete)
			o.changed += len(o.delete)
			o.delete = nil
		}
	case "annotation":
		o.lead = ""
	case "page":
		if string(x.prefix) != "style" && o.sheet == nil {
			err = o.finish()
		}
	default:
		err = o.endTable(name)
	}
	if err != nil {
		return err
	}
	o.leaveState(x)
	return nil
}

// loud are the attributes that hold what somebody wrote.
var loud = []string{
	"string-value", "string-value-if-true", "string-value-if-false", "condition", "expression", "title", "label", "current-value", "description", "sql-statement", "command",
	"datasource", "connection-resource", "database-name", "query-name", "comment", "help-text", "message", "filter-name", "author-name",
}

// attributes gives out those of an element that hold what somebody wrote: links, names, values of forms and fields.
func (o *openReader) attributes(x *xmlReader) error {
	form := string(x.prefix) == "form"
	field := x.attr("name")
	for _, a := range x.attrs {
		n, v := string(a.name), string(a.value)
		if len(v) == 0 {
			continue
		}
		var err error
		switch {
		case n == "href":
			err = o.href(v)
		case n == "formula" && o.cell.in == 0:
			err = o.mention(PartFormula, v)
		case form && (n == "value" || n == "title" || n == "label" || n == "current-value" || n == "string-value") && field != "":
			err = o.named(PartField, field, v)
		case form && n == "value", slices.Contains(loud, n):
			err = o.named(PartField, n, v)
		case n == "name" && !plainName.MatchString(v) && string(a.prefix) != "xlink" && !strings.HasPrefix(v, "__"):
			err = o.mention(PartName, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// href gives out where a link leads, unless that is a part of the document.
func (o *openReader) href(to string) error {
	inner := strings.TrimPrefix(to, "./")
	if strings.HasPrefix(inner, "#") {
		return nil
	}
	k := partKey(path.Join(o.folder, inner))
	if o.p.names[k] != nil || o.p.names[k+"/content.xml"] != nil {
		if len(o.places) < maxRelations {
			at := o.place()
			o.places[k] = at
		}
		return nil
	}
	return o.mention(PartLink, to)
}
