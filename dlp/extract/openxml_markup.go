package extract

import (
	"archive/zip"
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// markup reads a part of WordprocessingML or DrawingML: stories of Word, slides, drawings, charts and diagrams. Their elements are told by their names
// without namespace, which do not contradict one another; so transitional and strict documents and any prefix are read alike.
type markup struct {
	*story
	p       *parcel
	source  string // key of the part
	x       *xmlReader
	styles  map[string]bool // ids of styles that hide text
	refs    map[string]int  // paragraphs of comments, footnotes and endnotes, by kind and id
	places  map[string]Location
	deleted int // elements around that are deletions
	added   int
	runs    []bool // runs around, and whether each is hidden
	hidden  bool   // by the style of the paragraph
	instr   []byte // field code
	lead    string // stands before the next text
	alts    []alternative
	late    []piece // formulas of a chart: they stand behind its values
	kept    int     // bytes of late
	shape   int     // depth of the hidden shape around; 0: none
	base    Location
	authors map[string]bool
	people  map[string]string // who wrote comments, by id
}

// alternative is an element with the same content in several forms.
type alternative struct {
	from  mark
	known map[string]bool // texts of the forms before
}

func (p *parcel) markup(f *zip.File, at Location, number bool) *markup {
	return &markup{
		story: &story{t: p.d.Text(at), at: at, number: number}, p: p, source: partKey(f.Name), base: at,
		styles: map[string]bool{}, refs: map[string]int{}, places: map[string]Location{}, authors: map[string]bool{},
	}
}

// read reads the part to its end.
func (m *markup) read(f *zip.File) error {
	err := m.p.xml(f, m.token)
	if err == nil && m.p.d.w.fatal == nil {
		err = m.finish() // A part that broke off keeps what it had.
	}
	if err != nil {
		return err
	}
	for _, l := range m.late {
		if err := m.t.Put(l.at, l.text); err != nil {
			return err
		}
	}
	at := m.base
	at.Part, at.Name = PartProperty, "author"
	for _, a := range sortedKeys(m.authors) {
		if err := m.t.Put(at, "author: "+a); err != nil {
			return err
		}
	}
	return nil
}

func (m *markup) token(x *xmlReader, tok xmlToken) error {
	m.x = x
	switch tok {
	case xmlStart:
		return m.start(string(x.name))
	case xmlEnd:
		return m.ended(string(x.name))
	case xmlText:
		return m.chars(x.text)
	case xmlEOF:
		return m.finish()
	case xmlComment:
	}
	return nil
}

// mode is how text stands here.
func (m *markup) mode() mode {
	switch {
	case m.deleted > 0:
		return modeDeleted
	case m.hidden, len(m.runs) > 0 && m.runs[len(m.runs)-1]:
		return modeHidden
	case m.added > 0:
		return modeInserted
	}
	return modeBody
}

func (m *markup) text(text []byte) error {
	if m.lead != "" {
		lead := m.lead
		m.lead = ""
		if err := m.add(modeBody, []byte(lead)); err != nil {
			return err
		}
	}
	if bytes.Contains(text, softHyphen) {
		text = bytes.ReplaceAll(text, softHyphen, nil)
	}
	return m.add(m.mode(), text)
}

var softHyphen = []byte("\u00ad")

func (m *markup) chars(text []byte) error {
	switch name := m.x.above(0); name {
	case "t", "v", "div", "font", "span", "text":
		if len(m.open) == 0 && len(bytes.TrimSpace(text)) == 0 {
			return nil
		}
		return m.text(text)
	case "delText":
		return m.add(modeDeleted, text)
	case "instrText", "delInstrText":
		if len(m.instr)+len(text) > paragraphBytes {
			if err := m.field(); err != nil {
				return err
			}
		}
		m.instr = append(m.instr, text...)
	case "posOffset", "align", "pctWidth", "pctHeight", "pctPosHOffset", "pctPosVOffset", "formatCode", "Anchor", "MoveWithCells", "SizeWithCells", "AutoFill", "Row", "Column", "lvl":
	case "f":
		if m.kept+len(text) > paragraphBytes {
			return m.mention(PartFormula, string(text))
		}
		at := m.where()
		at.Part = PartFormula
		m.late, m.kept = append(m.late, piece{at, string(text)}), m.kept+len(text)+64
	default:
		if s := strings.TrimSpace(string(text)); s != "" && !isSetting(text) {
			return m.aside(m.where(), s)
		}
	}
	return nil
}

// mention keeps a text that hangs in the paragraph.
func (m *markup) mention(part, text string) error {
	at := m.where()
	at.Part = part
	if m.at.Hidden {
		at.Hidden = true
	}
	return m.aside(at, text)
}

func (m *markup) named(part, name, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	at := m.where()
	at.Part, at.Name = part, display(name)
	return m.aside(at, name+": "+text)
}

// field ends a field code.
func (m *markup) field() error {
	code := strings.TrimSpace(string(m.instr))
	m.instr = m.instr[:0]
	if code == "" {
		return nil
	}
	part := PartFormula
	for _, w := range []string{"HYPERLINK", "INCLUDEPICTURE", "INCLUDETEXT", "LINK", "RD", "IMPORT"} {
		if strings.HasPrefix(strings.ToUpper(code), w+" ") {
			part = PartLink
		}
	}
	return m.mention(part, code)
}

// link gives out where the element leads.
func (m *markup) link() error {
	x := m.x
	for _, s := range []string{m.p.link(m.source, x.rel("id")), x.attr("tooltip"), x.attr("href")} {
		if err := m.mention(PartLink, s); err != nil {
			return err
		}
	}
	return nil
}

// plainName are the names that programs give to shapes.
var plainName = regexp.MustCompile(`^\pL[\pL ]{0,30} ?\d{0,4}(;p\d{1,4})?$`)

func (m *markup) altText() error {
	x := m.x
	for _, n := range []string{"descr", "title", "alt", "name"} {
		v := x.attr(n)
		if n == "name" && plainName.MatchString(v) {
			continue
		}
		if err := m.mention(PartAltText, v); err != nil {
			return err
		}
	}
	return nil
}

func (m *markup) place(id string) {
	if id != "" && len(m.places) < maxRelations {
		m.places[id] = m.where()
	}
}

func (m *markup) start(name string) error {
	x := m.x
	if a := x.attr("author"); a != "" && len(a) < 1<<10 && len(m.authors) < 1000 {
		m.authors[a] = true
	}
	switch name {
	case "p", "div":
		m.begin()
		m.hidden = false
	case "v":
		if len(m.open) == 0 {
			m.begin()
		}
	case "r":
		m.runs = append(m.runs, false)
	case "vanish", "specVanish", "rStyle":
		on := !off(x.attr("val"))
		if name == "rStyle" {
			on = m.styles[x.attr("val")]
		}
		if n := len(m.runs); n > 0 && on && x.above(1) == "rPr" && x.above(2) == "r" {
			m.runs[n-1] = true
		}
	case "pStyle":
		m.hidden = m.styles[x.attr("val")]
	case "del", "moveFrom":
		m.deleted++
	case "ins", "moveTo":
		m.added++
	case "tab", "ptab":
		if x.above(1) == "r" {
			return m.text([]byte("\t"))
		}
	case "br", "cr":
		return m.text([]byte("\n"))
	case "noBreakHyphen":
		return m.text([]byte("-"))
	case "sym":
		if c, err := strconv.ParseUint(x.attr("char"), 16, 21); err == nil {
			return m.text(symbol(rune(c)))
		}
	case "txbxContent":
		m.enter(PartTextBox)
	case "rt":
		m.again()
		m.begin()
	case "tbl":
		if len(m.boxes) == 0 {
			m.tables++
			return m.endLine()
		}
	case "AlternateContent":
		m.alts = append(m.alts, alternative{})
	case "Choice", "Fallback":
		if n := len(m.alts); n > 0 {
			m.alts[n-1].from = m.mark()
		}
	default:
		return m.startOther(name)
	}
	return nil
}

// off reports whether a property that is there is switched off.
func off(val string) bool { return val == "0" || val == "false" || val == "off" }

func (m *markup) startOther(name string) error {
	x := m.x
	switch name {
	case "docPr", "cNvPr", "shape", "rect", "roundrect", "oval", "imagedata", "group":
		if name == "cNvPr" && x.on("hidden") && m.shape == 0 {
			m.shape, m.at.Hidden = len(x.ends)-2, true
		}
		if h := x.attr("href"); h != "" {
			if err := m.mention(PartLink, h); err != nil {
				return err
			}
		}
		return m.altText()
	case "hyperlink", "hlinkClick", "hlinkHover", "hlinkMouseOver":
		return m.link()
	case "commentReference", "footnoteReference", "endnoteReference":
		if len(m.refs) < maxRelations {
			m.refs[name+x.attr("id")] = m.where().Paragraph
		}
	case "comment", "footnote", "endnote":
		at := m.base
		at.Paragraph = m.refs[name+"Reference"+x.attr("id")]
		m.at = at
		if a := x.attr("author"); a != "" {
			m.lead = a + ": "
			delete(m.authors, a)
		}
	case "sld":
		if off(x.attr("show")) {
			m.at.Hidden, m.base.Hidden = true, true
		}
	case "cm", "reply":
		if a := m.people[x.attr("authorId")]; a != "" {
			m.lead = a + ": "
		}
	case "fldSimple":
		m.instr = append(m.instr[:0], x.attr("instr")...)
		return m.field()
	case "fldChar":
		return m.field()
	case "name", "helpText", "statusText", "default", "listEntry", "result":
		if p := x.above(1); p == "ffData" || p == "textInput" || p == "ddList" {
			if v := x.attr("val"); len(v) > 1 {
				return m.named(PartField, name, v)
			}
		}
	case "alias", "tag":
		if x.above(1) == "sdtPr" {
			return m.named(PartField, name, x.attr("val"))
		}
		if n := x.attr("name"); n != "" { // p:tag of a presentation
			return m.named(PartProperty, n, x.attr("val"))
		}
	case "listItem":
		if v := x.attr("value"); v != x.attr("displayText") {
			if err := m.named(PartField, name, v); err != nil {
				return err
			}
		}
		return m.named(PartField, name, x.attr("displayText"))
	case "docVar", "attr":
		return m.named(PartProperty, x.attr("name"), x.attr("val"))
	case "tblCaption", "tblDescription":
		return m.mention(PartAltText, x.attr("val"))
	case "textpath":
		return m.mention(PartTextBox, x.attr("string"))
	case "bookmarkStart":
		if n := x.attr("name"); !strings.HasPrefix(n, "_Toc") && !strings.HasPrefix(n, "_Ref") && !strings.HasPrefix(n, "_Hlk") && n != "_GoBack" {
			return m.mention(PartName, n)
		}
	case "control":
		return m.mention(PartName, x.attr("name"))
	case "section":
		if n := x.attr("name"); n != "" {
			return m.mention(PartName, n)
		}
	case "custShow", "cSld":
		return m.mention(PartName, x.attr("name"))
	case "relIds":
		m.place(x.rel("dm"))
	case "chart":
		m.place(x.rel("id"))
	}
	return nil
}

func (m *markup) ended(name string) error {
	x := m.x
	if m.shape > 0 && len(x.ends) < m.shape {
		m.shape, m.at.Hidden = 0, m.base.Hidden
	}
	switch name {
	case "rt":
		m.leave()
		return m.end()
	case "p", "div", "v", "text":
		if name == "v" && x.above(0) == "t" {
			return nil
		}
		return m.end()
	case "r":
		if n := len(m.runs); n > 0 {
			m.runs = m.runs[:n-1]
		}
	case "del", "moveFrom":
		m.deleted = max(0, m.deleted-1)
	case "ins", "moveTo":
		m.added = max(0, m.added-1)
	case "txbxContent":
		m.leave()
	case "tc":
		if len(m.boxes) == 0 {
			m.endCell()
		}
	case "tr":
		if len(m.boxes) == 0 {
			return m.endLine()
		}
	case "tbl":
		if len(m.boxes) == 0 {
			m.tables = max(0, m.tables-1)
			return m.endLine()
		}
	case "AlternateContent":
		if n := len(m.alts); n > 0 {
			m.alts = m.alts[:n-1]
		}
	case "Choice", "Fallback":
		m.alternative()
	case "comment":
		m.lead = ""
		return m.endLine()
	case "footnote", "endnote", "fldSimple":
		return m.field()
	}
	return nil
}

// alternative ends one form of a content. What a form before it said is dropped; what is new stays, since that is a place to hide.
func (m *markup) alternative() {
	n := len(m.alts)
	if n == 0 || n > 16 { // Deeper ones may say the same twice.
		return
	}
	a := &m.alts[n-1]
	texts, ok := m.since(a.from)
	if !ok {
		return
	}
	m.drop(a.from, a.known)
	if a.known == nil {
		a.known = map[string]bool{}
	}
	for _, t := range texts {
		a.known[t] = true
	}
}
