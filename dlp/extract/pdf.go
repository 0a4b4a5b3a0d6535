package extract

import (
	"bytes"
	"fmt"
)

var pdfFormats = []format{{id: "pdf", media: []string{"application/pdf"}, magic: isPDF, read: func(d *Doc) error { return pdfReader(d) }}}

// pdfReader is readPDF. It is set apart from the list, since it reads attached files by this list again.
var pdfReader func(d *Doc) error

func init() { pdfReader = readPDF }

// isPDF tells a PDF by its header, which may stand behind other bytes within the first 1,024, as readers allow; then an object must be near.
func isPDF(head []byte) bool {
	if bytes.HasPrefix(head, []byte("%PDF-")) {
		return true
	}
	i := bytes.Index(head[:min(len(head), 1024)], []byte("\n%PDF-"))
	return i > 0 && bytes.Contains(head[i:], []byte(" 0 obj"))
}

// pdfFile is one PDF that is read. Its reader is our own, since no library stays within bounds on hostile files: each loop is bounded by bytes that
// are there, what streams give is counted as it comes out, and objects are parsed when they are asked for.
type pdfFile struct {
	d    *Doc
	data []byte // from the header on
	junk []byte // before the header

	found   []pdfFound       // objects by where they stand, as a scan of the file finds them
	all     map[int]pdfEntry // the last of each number in found
	entries map[int]pdfEntry // of the revision that is read
	root    any              // the catalog of that revision
	crypt   *pdfCrypt

	cache  map[int64]any // objects by where they stand; see key
	cached int           // bytes of the file that they were made of
	packs  map[int64]*pdfPack
	packed int // bytes that packs hold
	read   map[int64]bool
	depth  int // of resolve
	work   int64
	warned map[string]bool

	done      map[int64]bool  // objects whose text was given out
	hidden    bool            // a revision or an object is read that nothing shows
	layers    map[pdfRef]bool // that are off
	layersOff bool            // those that are not named are off
	fonts     map[int64]*pdfFont
	cmaps     map[int64]*pdfCMap
	named     map[pdfName]*pdfFont // the fonts of all pages, by the names that pages give them, for content that belongs to none
	again     int64                // bytes of content that was interpreted once already
	ran       map[int64]bool       // content that was interpreted
	imaged    bool                 // a page shows an image and no text
	forms     map[int64][]byte     // content that is kept
	strayed   int                  // bytes that were searched for ends of streams beyond the next object
	formed    int                  // bytes of it
	mapped    int                  // bytes of programs that cmaps were made of
	streams   map[int64]int64      // where the streams that were read begin and end
	widgets   map[int64]int        // the page that a form field stands on
	loose     []any                // form fields on pages
	visited   map[int64]bool       // outline items of older revisions
	pageOf    map[int64]int        // numbers of the pages
	isPack    map[int64]bool       // object streams that stand at these places
}

// pdfFound is an object that stands in the file by itself.
type pdfFound struct {
	at       int64
	num, gen int
}

// pdfEntry says where an object is: at a byte of the file, or the index-th of an object stream.
type pdfEntry struct {
	at    int64
	gen   int
	pack  int // number of the object stream; 0: none
	index int
	free  bool
}

const (
	pdfObjects = 1 << 19  // objects of one file: their tables take some 150 MiB
	pdfDeep    = 64       // levels of page trees, name trees, outlines, fields
	pdfAgain   = 16 << 20 // bytes of content that runs again: what it says came out the first time
)

func readPDF(d *Doc) error {
	data, err := d.Bytes()
	if err != nil {
		return err
	}
	p := &pdfFile{d: d, data: data, cache: map[int64]any{}, packs: map[int64]*pdfPack{}, read: map[int64]bool{}, warned: map[string]bool{}, done: map[int64]bool{},
		fonts: map[int64]*pdfFont{}, cmaps: map[int64]*pdfCMap{}, named: map[pdfName]*pdfFont{}, ran: map[int64]bool{}, forms: map[int64][]byte{}, streams: map[int64]int64{}, widgets: map[int64]int{}, visited: map[int64]bool{}, pageOf: map[int64]int{}, isPack: map[int64]bool{}}
	if i := bytes.Index(data[:min(len(data), 1024+8)], []byte("%PDF-")); i > 0 {
		p.junk, p.data = data[:i], data[i:]
	}
	if err := p.document(); err != nil {
		return err
	}
	if p.imaged {
		d.Gap(ReasonImage)
	}
	return nil
}

// document reads the newest revision, then the older ones and what belongs to none.
func (p *pdfFile) document() error {
	p.scan()
	revisions, broken := p.revisions()
	if len(p.found) == 0 && len(revisions) == 0 {
		return errMalformed
	}
	if broken || len(revisions) == 0 || !p.open(revisions[0]) {
		if r, ok := p.rebuilt(); ok {
			revisions = append([]pdfRevision{r}, revisions...)
			if !p.open(r) {
				revisions = revisions[1:]
			}
		}
	}
	if p.crypt == nil {
		for _, r := range revisions {
			if e, ok := r.trailer["Encrypt"]; ok && e != nil {
				p.entries = r.entries
				if err := p.unlock(e, r.trailer); err != nil {
					return err
				}
				break
			}
		}
	}
	pages := 0
	for i, r := range revisions {
		if i >= 100 { // A file that is saved more often than that keeps its older text in orphans.
			break
		}
		p.entries, p.hidden = r.entries, i > 0
		clear(p.cache)
		p.cached = 0
		p.root = p.resolve(r.trailer["Root"])
		n, err := p.revision(r)
		if err != nil {
			return err
		}
		pages += n
	}
	if pages == 0 {
		if r, ok := p.rebuilt(); ok {
			p.entries, p.hidden = r.entries, false
			clear(p.cache)
		}
	}
	if err := p.orphans(pages == 0); err != nil {
		return err
	}
	if p.warned["pages"] || pages == 0 && len(p.ran) == 0 {
		p.gap(ReasonMalformed)
	}
	return nil
}

// gap notes a reason once.
func (p *pdfFile) gap(reason string) {
	if !p.warned["gap "+reason] {
		p.warned["gap "+reason] = true
		p.d.Gap(reason)
	}
}

// spend counts bytes that came out of a stream, against the limits of the item, and the time that they take.
func (p *pdfFile) spend(n int) error {
	w := p.d.w
	if w.fatal != nil {
		return w.fatal
	}
	if err := w.ctx.Err(); err != nil {
		return w.stop(err)
	}
	w.report.Bytes += int64(n)
	if w.report.Bytes > w.opt.Limits.Item {
		w.gap(p.d.path, ReasonItemSize, p.d.Type)
		return w.stop(errStop)
	}
	return p.toil(n)
}

// toil counts bytes that are worked on. A file is worked on a few times at most: more is one made to take time.
func (p *pdfFile) toil(n int) error {
	p.work += int64(n)
	if p.work > 1<<30+8*int64(len(p.data)) {
		return gapError{ReasonTime}
	}
	return nil
}

// decode gives the bytes of a stream. A stream over a limit is a gap, and read no further. The error is that of the whole reading.
func (p *pdfFile) decode(s *pdfStream) (data []byte, image pdfName, err error) {
	raw := s.raw
	filters := p.filters(s.dict)
	if p.crypt != nil && !(len(filters) > 0 && filters[0].name == "Crypt" && (filters[0].parms["Name"] == nil || pdfIs(filters[0].parms["Name"], "Identity"))) {
		raw = p.crypt.stream(raw, s)
	}
	lim := p.d.w.opt.Limits
	out := int64(0)
	data, image, err = pdfDecode(raw, filters, func(n int) error {
		out += int64(n)
		switch {
		case out > ratioAfter && out > lim.Ratio*max(int64(len(s.raw)), 1):
			return errRatio
		case out > lim.File:
			return errTooBig
		case p.d.w.held+out+int64(p.packed) > lim.Memory:
			return errMemory
		}
		return p.spend(n)
	})
	if err != nil {
		if p.d.w.fatal != nil {
			return nil, "", p.d.w.fatal
		}
		if g, ok := err.(gapError); ok {
			p.gap(g.reason)
			if g.reason == ReasonTime {
				return nil, "", g
			}
		}
		return nil, "", nil
	}
	return data, image, nil
}

// filters are the steps of a stream's decoding, one or a list of them, with their parameters.
func (p *pdfFile) filters(dict pdfDict) (out []pdfFilter) {
	get := func(a, b pdfName) any {
		if v := p.resolve(dict[a]); v != nil {
			return v
		}
		return p.resolve(dict[b])
	}
	names, parms := get("Filter", "F"), get("DecodeParms", "DP")
	if n, ok := names.(pdfName); ok {
		if a, is := parms.([]any); is && len(a) > 0 {
			parms = p.resolve(a[0])
		}
		return []pdfFilter{{n, p.flat(parms)}}
	}
	list, _ := names.([]any)
	given, _ := parms.([]any)
	for i, v := range list {
		n, _ := p.resolve(v).(pdfName)
		f := pdfFilter{name: n}
		if i < len(given) {
			f.parms = p.flat(p.resolve(given[i]))
		} else if len(list) == 1 {
			f.parms = p.flat(parms)
		}
		if out = append(out, f); len(out) > 16 {
			break
		}
	}
	return out
}

// flat is a small dictionary with its references resolved.
func (p *pdfFile) flat(v any) pdfDict {
	d, _ := v.(pdfDict)
	if len(d) == 0 || len(d) > 32 {
		return nil
	}
	out := make(pdfDict, len(d))
	for k, v := range d {
		if _, is := v.(pdfRef); is {
			v = p.resolve(v)
		}
		out[k] = v
	}
	return out
}

// put gives out text at a place, hidden where the revision is.
func (p *pdfFile) put(at Location, s string) error {
	at.Hidden = at.Hidden || p.hidden
	if s = pdfClean(s); s == "" {
		return nil
	}
	return p.d.Text(at).Put(at, s)
}

// putNamed gives out `name: value`.
func (p *pdfFile) putNamed(at Location, name, value string) error {
	if value = pdfClean(value); value == "" {
		return nil
	}
	if at.Name = display(name); at.Name == "" {
		return p.put(at, value)
	}
	return p.put(at, fmt.Sprintf("%s: %s", at.Name, value))
}
