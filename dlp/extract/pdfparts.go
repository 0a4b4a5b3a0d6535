package extract

import (
	"bytes"
	"slices"
	"strings"
)

// info gives out the document information (14.3.3).
func (p *pdfFile) info(v any) error {
	d := p.dict(v)
	if !p.fresh(v, !p.hidden) {
		return nil
	}
	for _, k := range pdfKeys(d) {
		switch p.resolve(d[k]).(type) {
		case pdfString, pdfName:
			if err := p.putNamed(Location{Part: PartProperty}, string(k), p.text(d[k])); err != nil {
				return err
			}
		}
	}
	return nil
}

// pdfKeys are those of a dictionary in order, so that the same file gives the same text.
func pdfKeys(d pdfDict) []pdfName {
	keys := make([]pdfName, 0, len(d))
	for k := range d {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// metadata gives out an XMP packet.
func (p *pdfFile) metadata(v any) error {
	s, ok := p.resolve(v).(*pdfStream)
	if !ok || !p.fresh(v, !p.hidden) {
		return nil
	}
	data, _, err := p.decode(s)
	if err != nil {
		return err
	}
	return p.xml(data, PartMetadata, 0)
}

// outlines gives out the bookmarks.
func (p *pdfFile) outlines(v any) error {
	type level struct{ next any }
	stack := []level{{p.dict(v)["First"]}}
	p.fresh(v, false)
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		v := top.next
		d, ok := p.resolve(v).(pdfDict)
		if !ok || !p.fresh(v, false) && !p.hidden || p.toil(100) != nil {
			stack = stack[:len(stack)-1]
			continue
		}
		if p.hidden { // In an older revision the items may be those of the newer one: each is entered once all the same.
			if key := p.key(v); key == 0 || p.visited[key] {
				stack = stack[:len(stack)-1]
				continue
			} else {
				p.visited[key] = true
			}
		}
		top.next = d["Next"]
		if err := p.put(Location{Part: PartOutline}, p.text(d["Title"])); err != nil {
			return err
		}
		if err := p.action(d["A"], Location{}, true, 0); err != nil {
			return err
		}
		if d["First"] != nil && len(stack) < pdfDeep {
			stack = append(stack, level{d["First"]})
		}
	}
	return nil
}

// names walks the name trees of the catalog (7.7.4).
func (p *pdfFile) names(v any, whole bool) error {
	d := p.dict(v)
	whole = p.fresh(v, whole)
	for _, k := range pdfKeys(d) {
		err := p.nameTree(d[k], whole, 0, func(name string, v any, fresh bool) error {
			switch k {
			case "EmbeddedFiles":
				return p.file(v, Location{}, fresh)
			case "JavaScript":
				return p.action(v, Location{Name: display(name)}, fresh, 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pdfFile) nameTree(v any, part bool, depth int, each func(name string, v any, fresh bool) error) error {
	node, ok := p.resolve(v).(pdfDict)
	part = p.fresh(v, part)
	if !ok || !part && !p.hidden || depth > pdfDeep {
		return nil
	}
	list := p.array(node["Names"])
	for i := 0; i+1 < len(list); i += 2 {
		if err := each(p.text(list[i]), list[i+1], part); err != nil {
			return err
		}
	}
	for _, k := range p.array(node["Kids"]) {
		if err := p.toil(1000); err != nil {
			return err
		}
		if err := p.nameTree(k, part, depth+1, each); err != nil {
			return err
		}
	}
	return nil
}

// action gives out where an action leads, or the script that it runs, and so on with the next one.
func (p *pdfFile) action(v any, at Location, part bool, depth int) error {
	d, ok := p.resolve(v).(pdfDict)
	if !ok || depth > 16 || !p.fresh(v, part) {
		return nil
	}
	link := at
	link.Part = PartLink
	switch kind, _ := p.resolve(d["S"]).(pdfName); kind {
	case "URI":
		if err := p.put(link, p.text(d["URI"])); err != nil {
			return err
		}
	case "JavaScript", "Rendition":
		code := at
		code.Part = PartCode
		p.fresh(d["JS"], false)
		if err := p.put(code, p.text(d["JS"])); err != nil {
			return err
		}
	case "Launch", "GoToR", "GoToE", "SubmitForm", "ImportData", "Thread":
		if err := p.put(link, p.fileName(d["F"])); err != nil {
			return err
		}
		for _, k := range []pdfName{"F", "P", "D"} {
			if err := p.put(link, p.text(p.dict(d["Win"])[k])); err != nil {
				return err
			}
		}
	}
	next := p.array(d["Next"])
	if next == nil && d["Next"] != nil {
		next = []any{d["Next"]}
	}
	for _, n := range next {
		if err := p.toil(100); err != nil {
			return err
		}
		if err := p.action(n, at, true, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// additional gives out the actions that events start (12.6.3).
func (p *pdfFile) additional(v any, at Location, part bool) error {
	d := p.dict(v)
	part = p.fresh(v, part)
	for _, k := range pdfKeys(d) {
		if err := p.action(d[k], at, part, 0); err != nil {
			return err
		}
	}
	return nil
}

// fileName is the name that a file specification (7.11) gives.
func (p *pdfFile) fileName(v any) string {
	if d, ok := p.resolve(v).(pdfDict); ok {
		for _, k := range []pdfName{"UF", "F", "Unix", "Mac", "DOS"} {
			if s := p.text(d[k]); s != "" {
				return s
			}
		}
		return ""
	}
	return p.text(v)
}

// files gives out associated files (14.13).
func (p *pdfFile) files(v any, at Location, part bool) error {
	for _, f := range p.array(v) {
		if err := p.file(f, at, part); err != nil {
			return err
		}
	}
	return nil
}

// file gives out a file that is embedded, as a member, and what is said of it.
func (p *pdfFile) file(v any, at Location, part bool) error {
	d, ok := p.resolve(v).(pdfDict)
	if !ok || !p.fresh(v, part) {
		return nil
	}
	prop := at
	prop.Part = PartProperty
	if err := p.putNamed(prop, "Desc", p.text(d["Desc"])); err != nil {
		return err
	}
	item := p.dict(d["CI"])
	for _, k := range pdfKeys(item) {
		v := p.resolve(item[k])
		if sub, ok := v.(pdfDict); ok {
			v = p.text(sub["P"]) + p.text(sub["D"])
		} else {
			v = p.text(v)
		}
		if err := p.putNamed(prop, string(k), v.(string)); err != nil {
			return err
		}
	}
	ef := p.dict(d["EF"])
	for _, k := range pdfKeys(ef) {
		if err := p.embedded(ef[k], p.fileName(d), at); err != nil {
			return err
		}
	}
	return nil
}

func (p *pdfFile) embedded(v any, name string, at Location) error {
	s, ok := p.resolve(v).(*pdfStream)
	if !ok || p.done[s.at] {
		return nil
	}
	p.done[s.at] = true
	p.fresh(v, false)
	data, _, err := p.decode(s)
	if err != nil {
		return err
	}
	if data == nil && len(s.raw) > 0 {
		return nil // with a gap already
	}
	media := p.text(s.dict["Subtype"])
	w := p.d.w
	w.report.Bytes -= int64(len(data)) // The member counts them.
	w.held += int64(len(data))
	defer func() { w.held -= int64(len(data)) }()
	at.Hidden = at.Hidden || p.hidden
	return p.d.Member(Member{Name: name, Type: media, Size: int64(len(data)), Body: bytes.NewReader(data), In: func() int64 { return int64(len(s.raw)) }, At: at})
}

// structure gives out the texts that stand for others in the structure tree (14.7): of pictures, of abbreviations.
func (p *pdfFile) structure(v any, part bool) error {
	var walk func(v any, page, depth int, part bool) error
	walk = func(v any, page, depth int, part bool) error {
		if depth > 128 || p.toil(50) != nil {
			return nil
		}
		switch d := p.resolve(v).(type) {
		case []any:
			for _, k := range d {
				if err := walk(k, page, depth+1, part); err != nil {
					return err
				}
			}
		case pdfDict:
			if part = p.fresh(v, part); !part {
				return nil
			}
			if key := p.key(d["Pg"]); key != 0 && p.pageOf[key] > 0 {
				page = p.pageOf[key]
			}
			for _, k := range []pdfName{"T", "Alt", "ActualText", "E"} {
				if err := p.put(Location{Part: PartAltText, Page: page}, p.text(d[k])); err != nil {
					return err
				}
			}
			if d["K"] != nil {
				return walk(d["K"], page, depth+1, part)
			}
		}
		return nil
	}
	if err := p.nameTree(p.dict(v)["IDTree"], part, 0, func(string, any, bool) error { return nil }); err != nil {
		return err
	}
	return walk(v, 0, 0, part)
}

// collection gives out the names of a portfolio's columns (12.3.5).
func (p *pdfFile) collection(v any, part bool) error {
	d := p.dict(v)
	if !p.fresh(v, part) {
		return nil
	}
	schema := p.dict(d["Schema"])
	for _, k := range pdfKeys(schema) {
		if err := p.putNamed(Location{Part: PartProperty}, string(k), p.text(p.dict(schema[k])["N"])); err != nil {
			return err
		}
	}
	return nil
}

// pdfRich is the text of a rich text string, which is XHTML.
func pdfRich(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "<")
		b.WriteString(before)
		if !ok {
			break
		}
		tag, after, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		if strings.HasPrefix(tag, "/p") || strings.HasPrefix(tag, "br") {
			b.WriteByte('\n')
		}
		s = after
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&", "&#13;", "\n", "&#xD;", "\n").Replace(b.String())
}
