package extract

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// pdfRevision is the file as it was after one saving.
type pdfRevision struct {
	entries map[int]pdfEntry
	trailer pdfDict
}

// scan finds each `12 0 obj` of the file. It is what repairs a broken table, bounds each object by the next one, and shows what no table names.
func (p *pdfFile) scan() {
	p.all = map[int]pdfEntry{}
	for pos := 0; len(p.found) < pdfObjects; {
		i := bytes.Index(p.data[pos:], []byte("obj"))
		if i < 0 {
			return
		}
		at := pos + i
		pos = at + 3
		gen, from, ok := pdfBefore(p.data, at)
		if !ok {
			continue
		}
		num, from, ok := pdfBefore(p.data, from)
		if !ok || num == 0 || from > 0 && pdfKind[p.data[from-1]] == pdfRegular && !bytes.HasSuffix(p.data[:from], []byte("endobj")) {
			continue
		}
		p.found = append(p.found, pdfFound{int64(from), num, gen})
		p.all[num] = pdfEntry{at: int64(from), gen: gen}
	}
	p.gap(ReasonMemory)
}

// pdfBefore reads the number that stands before at, with white space between.
func pdfBefore(b []byte, at int) (n, from int, ok bool) {
	end := at
	for end > 0 && at-end < 16 && pdfKind[b[end-1]] == pdfWhite {
		end--
	}
	from = end
	for from > 0 && end-from < 10 && b[from-1] >= '0' && b[from-1] <= '9' {
		from--
	}
	for _, c := range b[from:end] {
		n = n*10 + int(c-'0')
	}
	return n, from, from < end && n < math.MaxInt32 && (end < at || b[at] == 'o')
}

// until is where the object that begins at a byte ends at the latest: where the next one begins.
func (p *pdfFile) until(at int64) int {
	i, _ := slices.BinarySearchFunc(p.found, at+1, func(f pdfFound, at int64) int { return cmp.Compare(f.at, at) })
	if i < len(p.found) {
		return int(p.found[i].at)
	}
	return len(p.data)
}

// revisions reads the tables from the newest to the oldest. broken says that one of them could not be read.
func (p *pdfFile) revisions() (out []pdfRevision, broken bool) {
	i := bytes.LastIndex(p.data, []byte("startxref"))
	if i < 0 {
		return nil, true
	}
	l := pdfLexer{b: p.data, pos: i + len("startxref")}
	at := pdfInt(l.object(false, 0), -1)
	type section struct {
		entries map[int]pdfEntry
		trailer pdfDict
	}
	var sections []section
	seen := map[int]bool{}
	total := 0
	for at >= 0 && !seen[at] && len(sections) < 1000 {
		seen[at] = true
		entries, trailer, ok := p.table(at - len(p.junk))
		if !ok {
			if entries, trailer, ok = p.table(at); !ok {
				broken = true
				break
			}
		}
		if hybrid := pdfInt(trailer["XRefStm"], -1); hybrid >= 0 && !seen[hybrid] {
			seen[hybrid] = true
			if more, _, ok := p.table(hybrid); ok {
				for n, e := range more { // They fill what the table says is free.
					if old, is := entries[n]; !is || old.free {
						entries[n] = e
					}
				}
			}
		}
		if total += len(entries); total > 2*pdfObjects {
			p.gap(ReasonMemory)
			return nil, true
		}
		sections = append(sections, section{entries, trailer})
		at = pdfInt(trailer["Prev"], -1)
	}
	// The view of each revision is its own section over the older ones. Bounded, since each view is a whole table.
	view := map[int]pdfEntry{}
	for i, s := range slices.Backward(sections) {
		for n, e := range s.entries {
			view[n] = e
		}
		if s.trailer["Root"] == nil && i > 0 {
			continue
		}
		r := pdfRevision{view, s.trailer}
		if i > 0 {
			if total += len(view); total > 2*pdfObjects {
				out = nil // The newest one counts; what is in the others comes out as orphans.
				total = 0
			}
			r.entries = make(map[int]pdfEntry, len(view))
			for n, e := range view {
				r.entries[n] = e
			}
		}
		out = append(out, r)
	}
	slices.Reverse(out)
	return out, broken
}

// table reads a cross-reference table or stream.
func (p *pdfFile) table(at int) (map[int]pdfEntry, pdfDict, bool) {
	if at < 0 || at >= len(p.data) {
		return nil, nil, false
	}
	l := pdfLexer{b: p.data, pos: at}
	l.space()
	if !bytes.HasPrefix(p.data[l.pos:], []byte("xref")) {
		return p.tableStream(l.pos)
	}
	l.pos += 4
	entries := map[int]pdfEntry{}
	for len(entries) < pdfObjects {
		from := l.pos
		l.b = p.data[:min(len(p.data), l.pos+1024)]
		first := l.object(false, 0)
		if op, is := first.(pdfOp); is && op == "trailer" {
			l.b = p.data[:p.until(int64(l.pos))]
			trailer, ok := l.object(true, 0).(pdfDict)
			return entries, trailer, ok
		}
		num, count := pdfInt(first, -1), pdfInt(l.object(false, 0), -1)
		if num < 0 || count < 0 || num > pdfMaxNumber {
			l.pos = from
			return entries, nil, false
		}
		for i := range count {
			from := l.pos
			l.b = p.data[:min(len(p.data), l.pos+64)]
			a, ok := l.object(false, 0).(int64)
			g, ok2 := l.object(false, 0).(int64)
			kind, ok3 := l.object(false, 0).(pdfOp)
			if !ok || !ok2 || !ok3 || kind != "n" && kind != "f" {
				l.pos = from
				break
			}
			if i == 0 && num == 1 && kind == "f" && g == 65535 {
				num = 0 // of writers that count from 1
			}
			if num+i > pdfMaxNumber {
				break
			}
			if _, twice := entries[num+i]; !twice {
				entries[num+i] = pdfEntry{at: a, gen: int(g & 0xffff), free: kind == "f"}
			}
		}
	}
	return entries, nil, false
}

// pdfMaxNumber is the highest number of an object, as in Annex C of ISO 32000-1.
const pdfMaxNumber = 1<<23 - 1

// tableStream reads a cross-reference stream (7.5.8).
func (p *pdfFile) tableStream(at int) (map[int]pdfEntry, pdfDict, bool) {
	s, ok := p.parse(int64(at), nil).(*pdfStream)
	if !ok || !pdfIs(s.dict["Type"], "XRef") {
		return nil, nil, false
	}
	crypt := p.crypt
	p.crypt = nil // It is never encrypted.
	data, _, err := p.decode(s)
	p.crypt = crypt
	w, _ := s.dict["W"].([]any)
	if err != nil || len(w) < 3 {
		return nil, nil, false
	}
	var width [3]int
	for i := range width {
		if width[i] = pdfInt(w[i], -1); width[i] < 0 || width[i] > 8 {
			return nil, nil, false
		}
	}
	row := width[0] + width[1] + width[2]
	if row == 0 {
		return nil, nil, false
	}
	index, _ := s.dict["Index"].([]any)
	if len(index) < 2 {
		index = []any{int64(0), int64(pdfMaxNumber)}
	}
	entries := map[int]pdfEntry{}
	for ; len(index) >= 2; index = index[2:] {
		num, count := pdfInt(index[0], -1), pdfInt(index[1], -1)
		for ; num >= 0 && num <= pdfMaxNumber && count > 0 && len(data) >= row && len(entries) < pdfObjects; num, count = num+1, count-1 {
			var v [3]int64
			at := 0
			for i, n := range width {
				for _, c := range data[at : at+n] {
					v[i] = v[i]<<8 | int64(c)
				}
				at += n
			}
			if width[0] == 0 {
				v[0] = 1
			}
			data = data[row:]
			switch v[0] {
			case 0:
				entries[num] = pdfEntry{free: true}
			case 1:
				entries[num] = pdfEntry{at: v[1], gen: int(v[2] & 0xffff)}
			case 2:
				if v[1] > 0 && v[1] <= pdfMaxNumber && v[2] >= 0 && v[2] < 1<<24 {
					entries[num] = pdfEntry{pack: int(v[1]), index: int(v[2])}
				}
			}
		}
	}
	return entries, s.dict, true
}

// rebuilt makes a revision of what the scan found, as if there were no table.
func (p *pdfFile) rebuilt() (pdfRevision, bool) {
	r := pdfRevision{entries: map[int]pdfEntry{}, trailer: pdfDict{}}
	for n, e := range p.all {
		r.entries[n] = e
	}
	for pos := 0; ; { // The last trailer that names a catalog counts.
		i := bytes.Index(p.data[pos:], []byte("trailer"))
		if i < 0 {
			break
		}
		pos += i + len("trailer")
		l := pdfLexer{b: p.data[:p.until(int64(pos))], pos: pos}
		if t, ok := l.object(true, 0).(pdfDict); ok {
			for k, v := range t {
				r.trailer[k] = v
			}
		}
		if p.toil(l.pos-pos) != nil {
			break
		}
		pos = max(pos, l.pos)
	}
	saved := p.entries
	p.entries = r.entries
	defer func() { p.entries = saved }()
	var catalog any
	var packs []pdfFound
	for _, f := range p.found {
		if p.all[f.num].at != f.at {
			continue
		}
		var dict pdfDict
		switch v := p.parse(f.at, nil).(type) {
		case pdfDict:
			dict = v
		case *pdfStream:
			dict = v.dict
		}
		switch t, _ := dict["Type"].(pdfName); t {
		case "Catalog":
			catalog = pdfRef{f.num, f.gen}
		case "XRef":
			for _, k := range []pdfName{"Root", "Info", "Encrypt", "ID"} {
				if dict[k] != nil {
					r.trailer[k] = dict[k]
				}
			}
		case "ObjStm":
			packs = append(packs, f)
		}
	}
	if e := r.trailer["Encrypt"]; e != nil && p.crypt == nil && len(packs) > 0 {
		if p.unlock(e, r.trailer) != nil {
			return r, true
		}
	}
	for _, f := range packs {
		pk := p.pack(f.num)
		if pk == nil {
			continue
		}
		for i, num := range pk.nums {
			if old, is := r.entries[num]; (!is || old.at < f.at) && len(r.entries) < pdfObjects {
				r.entries[num] = pdfEntry{pack: f.num, index: i}
				if v, ok := p.resolve(pdfRef{num, 0}).(pdfDict); ok && pdfIs(v["Type"], "Catalog") {
					catalog = pdfRef{num, 0}
				}
			}
		}
	}
	if root, ok := p.resolve(r.trailer["Root"]).(pdfDict); (!ok || root["Pages"] == nil) && catalog != nil {
		r.trailer["Root"] = catalog
	}
	return r, true
}

// open makes a revision the one that is read, and tells whether it leads to pages.
func (p *pdfFile) open(r pdfRevision) bool {
	p.entries = r.entries
	clear(p.cache)
	p.cached = 0
	if e := r.trailer["Encrypt"]; e != nil && p.crypt == nil {
		if p.unlock(e, r.trailer) != nil {
			return true // the reason comes up again
		}
	}
	root, _ := p.resolve(r.trailer["Root"]).(pdfDict)
	pages, _ := p.resolve(root["Pages"]).(pdfDict)
	return pages["Kids"] != nil
}
