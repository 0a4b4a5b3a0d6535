package extract

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxToken bounds a tag, comment or text that is held, in bytes. A longer one is given out as it stands.
const maxToken = 4 << 20

// readHTML gives out what a person sees in a page, and beside it attributes, comments, scripts and styles. Tags within a line do not part words.
func readHTML(d *Doc) error {
	r, same, err := d.utf8(true)
	if err != nil {
		return err
	}
	return readPage(d, r, same, Location{})
}

// readPage reads a page that is at a place of a document.
func readPage(d *Doc, r io.Reader, same bool, base Location) error {
	p := &page{d: d, flow: flow{t: d.Text(base)}, same: same, base: base}
	src := &tagSource{r: r, buf: make([]byte, 0, 4<<10)} // A mail may have many pages.
	for {
		begin := p.offset
		z := html.NewTokenizer(src)
		z.SetMaxBuf(maxToken)
		err := p.read(z)
		if errors.Is(err, errDense) {
			src.back(len(z.Buffered()))
			if err := p.dense(src); err != nil {
				return err
			}
			continue
		}
		if !errors.Is(err, html.ErrBufferExceeded) {
			if err == nil || errors.Is(err, io.EOF) {
				return p.flow.end()
			}
			return errors.Join(p.flow.end(), err)
		}
		// What was read of the long token and behind it.
		rest := append(append([]byte(nil), z.Raw()...), z.Buffered()...)
		if len(rest) == 0 && p.offset == begin {
			return errMalformed
		}
		if err := p.flow.body(p.at(Location{}), rest, p.place(p.offset)); err != nil {
			return err
		}
		p.offset += int64(len(rest))
	}
}

// page is a page that is read.
type page struct {
	d      *Doc
	base   Location
	flow   flow
	same   bool // its bytes are those of the file
	offset int64
	raw    Location // of the text of the element that holds no tags: script, style, title, textarea
	inRaw  bool
	hidden string // name of the element that hides what is in it
	depth  int    // of elements of that name in it
	attrs  []attr // of the tag that is read
	bare   int    // tags that are a name and nothing else, in a row
}

func (p *page) at(l Location) Location {
	l.Hidden = l.Hidden || p.hidden != ""
	l.Cell = p.base.Cell
	if l.Part == "" {
		l.Part = p.base.Part
	}
	return l
}

func (p *page) place(offset int64) int64 {
	if p.same {
		return offset
	}
	return -1
}

func (p *page) read(z *html.Tokenizer) error {
	p.bare = 0
	for {
		if p.bare > leastDense && !p.inRaw {
			return errDense
		}
		kind := z.Next()
		raw := z.Raw()
		start := p.offset
		if kind == html.ErrorToken {
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return err
			}
			// A tag that the end of the file cuts.
			if err := p.flow.body(p.at(Location{}), raw, p.place(start)); err != nil {
				return err
			}
			return io.EOF
		}
		p.offset += int64(len(raw))
		var err error
		if kind != html.TextToken && kind != html.StartTagToken && kind != html.EndTagToken {
			p.bare = 0
		}
		switch kind {
		case html.TextToken:
			err = p.text(raw, start)
		case html.CommentToken:
			err = p.flow.aside(p.at(Location{Part: PartComment}), string(commentOf(raw)))
		case html.DoctypeToken:
			if len(raw) > len("<!DOCTYPE html>") {
				err = p.flow.aside(p.at(Location{Part: PartComment}), string(raw))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			err = p.open(z, raw, kind == html.SelfClosingTagToken)
		case html.EndTagToken:
			err = p.closing(raw)
		}
		if err != nil {
			return err
		}
	}
}

func commentOf(raw []byte) []byte {
	for _, mark := range []string{"<!--", "<!", "</", "<"} {
		if bytes.HasPrefix(raw, []byte(mark)) {
			raw = raw[len(mark):]
			break
		}
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte(">")), []byte("--"))
}

// text writes text between tags. What is written without an entity keeps its place in the file.
func (p *page) text(raw []byte, at int64) error {
	if p.inRaw && p.raw.Part == PartCode {
		if err := p.flow.end(); err != nil {
			return err
		}
		return p.flow.body(p.at(p.raw), raw, p.place(at))
	}
	loc := p.at(Location{})
	if p.inRaw {
		loc = p.at(p.raw)
	}
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '&')
		if n < 0 {
			n = len(raw)
		}
		if err := p.flow.body(loc, raw[:n], p.place(at)); err != nil {
			return err
		}
		raw, at = raw[n:], at+int64(n)
		if len(raw) == 0 {
			break
		}
		end := 1
		for end < len(raw) && end < 40 && (raw[end] == '#' || isAlnum(raw[end])) {
			end++
		}
		if end < len(raw) && raw[end] == ';' {
			end++
		}
		if err := p.flow.body(loc, []byte(html.UnescapeString(string(raw[:end]))), -1); err != nil {
			return err
		}
		raw, at = raw[end:], at+int64(end)
	}
	return nil
}

func isAlnum(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' }

// rawTags are the elements whose text holds no tags; the tokenizer would take noscript and its like for such too.
var rawTags = set("script style title textarea xmp plaintext")

// block are the elements that part words. Others, and those that nobody knows, do not.
var block = set(`address article aside blockquote body br button caption center dd details dialog dir div dl dt fieldset figcaption figure footer form frame
	frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe input legend li link main menu meta nav noscript noembed noframes object ol optgroup option p pre script
	search section select style summary table tbody template textarea tfoot thead title tr ul xmp plaintext audio video canvas svg math`)

// noChildren are the elements that have no end.
var noChildren = set("area base br col embed hr img input link meta param source track wbr frame")

// endsItself are the elements that end where the next one of their name begins.
var endsItself = set("p li dt dd tr td th option optgroup thead tbody tfoot")

// open reads a tag.
func (p *page) open(z *html.Tokenizer, raw []byte, closed bool) error {
	if e := bareElement(raw[1:]); p.plain(e) {
		p.bare++
		z.NextIsNotRawText()
		return p.boundary(e)
	}
	p.bare = 0
	var asWritten string
	if len(raw) >= leastUnknown && !isElement(raw[1:]) {
		asWritten = string(raw[:min(len(raw), 1024)]) // The tokenizer makes it lower case.
	}
	nameBytes, more := z.TagName()
	e := elementNamed(nameBytes)
	name := e.name
	if asWritten != "" {
		// No element: <https://user@host> in a text that was never HTML.
		if err := p.flow.aside(p.at(Location{}), asWritten); err != nil {
			return err
		}
	}
	if p.hidden != "" && name == p.hidden && endsItself[name] {
		p.hidden, p.depth = "", 0
	}
	attrs := p.attrs[:0]
	for n := 0; more; n++ {
		var k, v []byte
		k, v, more = z.TagAttr()
		if n < maxAttrs {
			attrs = append(attrs, attr{string(k), string(v)})
		} else if err := p.flow.aside(p.at(Location{Part: PartProperty}), string(k)+": "+string(v)); err != nil {
			return err
		}
	}
	p.attrs = attrs
	hides := hides(name, attrs)
	void := closed || noChildren[name]
	switch {
	case p.hidden == name && !void:
		p.depth++
	case p.hidden == "" && hides && !void:
		p.hidden, p.depth = name, 1
	}
	if err := p.boundary(e); err != nil {
		return err
	}
	if err := p.attributes(name, attrs, hides); err != nil {
		return err
	}
	if !rawTags[name] || closed {
		z.NextIsNotRawText()
		return nil
	}
	p.inRaw = true
	switch name {
	case "script", "style":
		p.raw = Location{Part: PartCode}
	case "title":
		p.raw = Location{Part: PartProperty, Name: "title"}
		return p.flow.body(p.at(p.raw), []byte("title: "), -1)
	case "textarea":
		p.raw = Location{Part: PartField, Name: fieldName(attrs, "textarea")}
		return p.flow.body(p.at(p.raw), []byte(p.raw.Name+": "), -1)
	default:
		p.raw = Location{}
	}
	return nil
}

// leastUnknown is how long a tag must be, in bytes, that is given out when no element has its name; and the name of an attribute without a value.
const leastUnknown = 16

// maxAttrs is how many attributes of a tag are looked at together.
const maxAttrs = 256

// vector are the elements of SVG that are met with, beside those that HTML knows.
var vector = set(`path g rect circle ellipse line polyline polygon text tspan textpath defs use clippath stop lineargradient radialgradient filter mask pattern symbol
	marker animate image switch view metadata set`)

// isElement reports whether the tag whose name tag begins with is one of an element that is known, or that a page defines.
func isElement(tag []byte) bool {
	tag = tag[:nameLen(tag)]
	if bytes.IndexByte(tag, '-') > 0 && len(tag) < 2*leastUnknown {
		return true
	}
	name := bytes.ToLower(tag[:min(len(tag), leastUnknown)])
	return len(tag) <= leastUnknown && (atom.Lookup(name) != 0 || vector[string(name)])
}

func nameLen(tag []byte) int {
	if n := bytes.IndexAny(tag, " \t\r\n\f/>"); n >= 0 {
		return n
	}
	return len(tag)
}

func (p *page) closing(raw []byte) error {
	if e := bareElement(raw[2:]); e != nil {
		p.bare++
		return p.closed(e)
	}
	p.bare = 0
	n := 2 + nameLen(raw[2:])
	if rest := bytes.Trim(raw[n:], " \t\r\n\f/>"); len(rest) > 0 || len(raw) >= leastUnknown && !isElement(raw[2:]) {
		if err := p.flow.aside(p.at(Location{}), string(raw[:min(len(raw), maxHeld/2)])); err != nil {
			return err
		}
	}
	return p.closed(elementNamed(bytes.ToLower(raw[2:n])))
}

func (p *page) closed(e *element) error {
	p.inRaw = false
	err := p.boundary(e)
	if p.hidden == e.name {
		if p.depth--; p.depth <= 0 {
			p.hidden = ""
		}
	}
	return err
}

// boundary parts what stands before and behind a tag.
func (p *page) boundary(e *element) error {
	switch {
	case e.cell:
		if p.flow.written {
			return p.flow.body(p.at(Location{}), []byte{'\t'}, -1)
		}
	case e.block:
		return p.flow.end()
	}
	return nil
}

type attr struct{ key, value string }

func get(attrs []attr, key string) string {
	for _, a := range attrs {
		if a.key == key {
			return a.value
		}
	}
	return ""
}

// hiding are styles of what is not shown.
var hiding = regexp.MustCompile(`(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*0|opacity\s*:\s*0*(?:\.0+)?\s*(?:;|!|$)`)

func hides(name string, attrs []attr) bool {
	if name == "template" {
		return true
	}
	for _, a := range attrs {
		if a.key == "hidden" || a.key == "style" && hiding.MatchString(a.value) || a.key == "type" && name == "input" && strings.EqualFold(a.value, "hidden") {
			return true
		}
	}
	return false
}

func fieldName(attrs []attr, other string) string {
	for _, key := range []string{"name", "id", "aria-label", "placeholder"} {
		if v := get(attrs, key); v != "" {
			return v
		}
	}
	return other
}

var (
	linkAttrs = set(`href src action formaction cite poster data srcset imagesrcset background longdesc ping manifest codebase archive profile usemap xlink:href
		classid dynsrc lowsrc xmlns`)
	altAttrs   = set("alt title aria-label aria-description aria-placeholder aria-roledescription aria-valuetext summary label abbr")
	fieldTags  = set("input option button select textarea param data meter progress datalist output")
	fieldAttrs = set("value placeholder pattern")
)

// leastAttr is how long the value of an attribute of no known meaning must be, in bytes, that is given out: nothing that matters is shorter.
const leastAttr = 5

// attributes writes the attributes of a tag beside its paragraph.
func (p *page) attributes(name string, attrs []attr, hidden bool) error {
	for _, a := range attrs {
		at, s := Location{Name: a.key}, a.key+": "+a.value
		switch {
		case a.value == "" || a.key == "charset":
			continue
		case len(a.value) > 5 && strings.EqualFold(a.value[:5], "data:"):
			if err := p.dataURL(a.value, hidden); err != nil {
				return err
			}
			continue
		case a.key == "srcdoc":
			if err := p.flow.end(); err != nil {
				return err
			}
			if err := p.d.Member(Member{Name: "srcdoc", Type: "text/html", Body: strings.NewReader(a.value)}); err != nil {
				return err
			}
			continue
		case name == "meta" && a.key == "content":
			at = Location{Part: PartProperty, Name: metaName(attrs)}
			s = at.Name + ": " + a.value
		case fieldTags[name] && fieldAttrs[a.key]:
			at = Location{Part: PartField, Name: fieldName(attrs, a.key)}
			s = at.Name + ": " + a.value
		case linkAttrs[a.key]:
			at, s = Location{Part: PartLink}, a.value
		case altAttrs[a.key]:
			at.Part = PartAltText
		case strings.HasPrefix(a.key, "on"), a.key == "style":
			at.Part = PartCode
		case len(a.value) < leastAttr && len(a.key) < leastUnknown && !strings.HasPrefix(a.key, "data-"):
			continue
		default:
			at.Part = PartProperty
		}
		at.Hidden = hidden
		if err := p.flow.aside(p.at(at), s); err != nil {
			return err
		}
	}
	for _, a := range attrs { // <div ghp_…>
		if a.value == "" && len(a.key) >= leastUnknown {
			if err := p.flow.aside(p.at(Location{Part: PartProperty}), a.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func metaName(attrs []attr) string {
	for _, key := range []string{"name", "property", "http-equiv", "itemprop"} {
		if v := get(attrs, key); v != "" {
			return v
		}
	}
	return "content"
}

// dataURL reads the file in a data: URL (RFC 2397).
func (p *page) dataURL(u string, hidden bool) error {
	head, body, ok := strings.Cut(u[len("data:"):], ",")
	if !ok || len(head) > 1024 {
		return p.flow.aside(p.at(Location{Part: PartLink, Hidden: hidden}), u)
	}
	media, isBase64 := strings.CutSuffix(strings.TrimSpace(head), ";base64")
	if media == "" {
		media = "text/plain"
	}
	data, err := url.PathUnescape(body)
	if err != nil {
		data = body
	}
	var r io.Reader = strings.NewReader(data)
	if isBase64 {
		r = base64Reader(r)
	}
	if err := p.flow.end(); err != nil {
		return err
	}
	name, _, _ := strings.Cut(media, ";")
	return p.d.Member(Member{Name: "data:" + name, Type: media, Body: r, At: Location{Hidden: p.hidden != "" || hidden}, Quiet: true})
}

// base64Reader decodes Base64, without what does not belong to it: blanks, line ends, and padding, which may be missing.
func base64Reader(r io.Reader) io.Reader {
	return base64.NewDecoder(base64.RawStdEncoding, &onlyBase64{r: r})
}

type onlyBase64 struct{ r io.Reader }

func (o *onlyBase64) Read(p []byte) (int, error) {
	for {
		n, err := o.r.Read(p)
		kept := p[:0]
		for _, b := range p[:n] {
			switch {
			case b == '-':
				b = '+'
			case b == '_':
				b = '/'
			}
			if base64Digits[b] >= 0 {
				kept = append(kept, b)
			}
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}
