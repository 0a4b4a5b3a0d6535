package extract

import (
	"cmp"
	"errors"
	"slices"
)

// fresh reports whether v leads to an object whose text did not come out yet, and notes that it does now. What is no object of its own is as fresh as
// what it is part of.
func (p *pdfFile) fresh(v any, part bool) bool {
	key := p.key(v)
	if key == 0 {
		return part
	}
	if p.done[key] {
		return false
	}
	p.done[key] = true
	return true
}

// revision gives out a revision, but for what came out of a newer one. pages is how many it has.
func (p *pdfFile) revision(r pdfRevision) (pages int, err error) {
	root, _ := p.root.(pdfDict)
	whole := p.fresh(r.trailer["Root"], !p.hidden)
	p.readLayers(root)
	p.loose = nil
	clear(p.widgets)
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	if whole || p.hidden {
		n, err := p.pages(root["Pages"])
		pages = n
		do(err)
	}
	do(p.info(r.trailer["Info"]))
	if len(root) > 0 {
		do(p.metadata(root["Metadata"]))
		do(p.outlines(root["Outlines"]))
		do(p.acroForm(root["AcroForm"], whole))
		do(p.names(root["Names"], whole))
		do(p.action(root["OpenAction"], Location{}, whole, 0))
		do(p.additional(root["AA"], Location{}, whole))
		do(p.files(root["AF"], Location{}, whole))
		do(p.structure(root["StructTreeRoot"], whole))
		do(p.collection(root["Collection"], whole))
	}
	return pages, p.first(errs)
}

// first is the error that ends the reading, if one does.
func (p *pdfFile) first(errs []error) error {
	if p.d.w.fatal != nil {
		return p.d.w.fatal
	}
	return errors.Join(errs...)
}

// pages walks the page tree (7.7.3). Each node is entered once.
func (p *pdfFile) pages(ref any) (n int, err error) {
	entered := map[int64]bool{}
	var walk func(v any, resources any, depth int) error
	walk = func(v any, resources any, depth int) error {
		node, ok := p.resolve(v).(pdfDict)
		if !ok || depth > pdfDeep {
			return nil
		}
		if r := node["Resources"]; r != nil {
			resources = r
		}
		kids, inner := p.resolve(node["Kids"]).([]any)
		if !inner || pdfIs(p.resolve(node["Type"]), "Page") {
			n++
			return p.page(v, node, resources, n)
		}
		if key := p.key(v); key != 0 {
			if entered[key] {
				return nil
			}
			entered[key] = true
		} else if depth > 0 && !p.fresh(v, true) {
			return nil
		}
		for _, k := range kids {
			if err := walk(k, resources, depth+1); err != nil {
				return err
			}
			if err := p.toil(100); err != nil {
				return err
			}
		}
		return nil
	}
	err = walk(ref, nil, 0)
	return n, err
}

// page gives out one page. resources are those that it has or inherits.
func (p *pdfFile) page(ref any, page pdfDict, resources any, n int) error {
	at := Location{Page: n}
	whole := p.fresh(ref, !p.hidden)
	if key := p.key(ref); key != 0 && p.pageOf[key] == 0 {
		p.pageOf[key] = n
	}
	c := p.content(at)
	res := p.dict(resources)
	fresh := p.stuff(c, page["Contents"], res, whole)
	c.flush()
	if c.err != nil {
		return c.err
	}
	if fresh && !c.text && (len(c.images) > 0 || c.pixels) {
		if err := p.pictures(c, at); err != nil {
			return err
		}
	}
	for _, a := range p.array(page["Annots"]) {
		if err := p.annotation(a, at, whole); err != nil {
			return err
		}
	}
	if err := p.additional(page["AA"], at, whole); err != nil {
		return err
	}
	if err := p.metadata(page["Metadata"]); err != nil {
		return err
	}
	return p.files(page["AF"], at, whole)
}

// stuff runs the content streams of a page, together; in an older revision, only if one of them was replaced.
func (p *pdfFile) stuff(c *pdfContent, v any, resources pdfDict, whole bool) (fresh bool) {
	list := p.array(v)
	if list == nil {
		list = []any{v}
	}
	fresh = !p.hidden
	for _, s := range list {
		if s != nil && p.fresh(s, whole) {
			fresh = true
		}
	}
	if !fresh {
		return false
	}
	var all []byte
	run := func() {
		c.run(all, resources)
		all = nil
	}
	for _, v := range list {
		s, ok := p.resolve(v).(*pdfStream)
		if !ok || p.ran[s.at] && p.again > pdfAgain {
			continue
		}
		data := p.contents(s)
		if p.repeats(s.at, len(data)) {
			continue
		}
		if len(list) == 1 {
			all = data
			break
		}
		all = append(append(all, data...), '\n')
		if len(all) > 16<<20 {
			run()
		}
	}
	run()
	return true
}

// readLayers reads which layers the default configuration turns off (8.11.4).
func (p *pdfFile) readLayers(root pdfDict) {
	p.layers, p.layersOff = map[pdfRef]bool{}, false
	oc := p.dict(root["OCProperties"])
	if oc == nil {
		return
	}
	config := p.dict(oc["D"])
	p.layersOff = pdfIs(p.resolve(config["BaseState"]), "OFF")
	set := func(k pdfName, off bool) {
		for _, v := range p.array(config[k]) {
			if r, ok := v.(pdfRef); ok && len(p.layers) < pdfObjects {
				p.layers[r] = off
			}
		}
	}
	set("ON", false)
	set("OFF", true)
	for _, v := range p.array(oc["OCGs"]) {
		if p.fresh(v, false) {
			if p.put(Location{Part: PartName}, p.text(p.dict(v)["Name"])) != nil {
				return // It comes up with the next text.
			}
		}
	}
}

// orphans gives out what nothing leads to: text that was deleted, or is hidden so. broken says that no page was found: then the pages among them count.
func (p *pdfFile) orphans(broken bool) error {
	p.hidden = !broken
	p.readJunk()
	starts := make([]int64, 0, len(p.streams))
	for at := range p.streams {
		starts = append(starts, at)
	}
	slices.Sort(starts)
	inside := func(at int64) bool { // of a stream that was read: an attached PDF, most likely
		i, ok := slices.BinarySearchFunc(starts, at, func(s, at int64) int { return cmp.Compare(s, at) })
		return ok || i > 0 && p.streams[starts[i-1]] > at
	}
	pages := 0
	last := int64(0) // end of the orphan before
	for _, f := range p.found {
		if p.read[f.at] || f.at < last || inside(f.at) {
			continue
		}
		p.read[f.at] = true
		if err := p.d.w.ctx.Err(); err != nil {
			return p.d.w.stop(err)
		}
		v := p.parse(f.at, p.crypt)
		if err := p.toil(0); err != nil {
			return err
		}
		if s, ok := v.(*pdfStream); ok && s.raw != nil {
			last = p.streams[s.at]
		}
		if d, ok := v.(pdfDict); ok && pdfIs(d["Type"], "Page") && d["Contents"] != nil {
			pages++
			n := 0
			if broken {
				n = pages
			}
			if err := p.page(nil, d, p.inherited(d), n); err != nil {
				return err
			}
			continue
		}
		if err := p.orphan(v); err != nil {
			return err
		}
	}
	// And what object streams hold beside that.
	for pk := range p.packsFound() {
		for i := range pk.nums {
			if key := p.packKey(pk, i); !p.read[key] {
				p.read[key] = true
				if err := p.orphan(p.inPack(pk, i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inherited are the resources of a page that is read by itself.
func (p *pdfFile) inherited(d pdfDict) any {
	for range pdfDeep {
		if d == nil || d["Resources"] != nil {
			break
		}
		d = p.dict(d["Parent"])
	}
	return d["Resources"]
}
