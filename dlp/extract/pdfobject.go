package extract

import (
	"bytes"
)

// pdfPack is an object stream (7.5.7), decoded.
type pdfPack struct {
	data    []byte
	nums    []int
	offsets []int
	at      int64 // where it stands
}

// resolve follows references to what they lead to; nil is what leads nowhere.
func (p *pdfFile) resolve(v any) any {
	for range 16 {
		ref, is := v.(pdfRef)
		if !is {
			return v
		}
		v = p.object(ref.num)
	}
	return nil
}

// object reads the one of that number in the revision that is read.
func (p *pdfFile) object(num int) any {
	e, ok := p.entries[num]
	if !ok || e.free {
		return nil
	}
	if p.depth >= 32 {
		return nil
	}
	p.depth++
	defer func() { p.depth-- }()
	if e.pack > 0 {
		pk := p.pack(e.pack)
		if pk == nil {
			return nil
		}
		if e.index >= len(pk.nums) || pk.nums[e.index] != num {
			e.index = -1
			for i, n := range pk.nums {
				if n == num {
					e.index = i
				}
			}
			if e.index < 0 {
				return nil
			}
		}
		key := p.packKey(pk, e.index)
		if v, ok := p.cache[key]; ok {
			return v
		}
		p.read[key] = true
		return p.keep(key, p.inPack(pk, e.index), pk.offsets[e.index+1]-pk.offsets[e.index])
	}
	at, ok := p.place(e.at, num)
	if !ok {
		return nil
	}
	if v, ok := p.cache[at]; ok {
		return v
	}
	p.read[at] = true
	return p.keep(at, p.parse(at, p.crypt), p.until(at)-int(at))
}

func (p *pdfFile) packKey(pk *pdfPack, index int) int64 {
	return -(pk.at<<20 | int64(index)) - 1
}

// key names the object that a reference leads to, for good. 0: none.
func (p *pdfFile) key(v any) int64 {
	ref, is := v.(pdfRef)
	if !is {
		return 0
	}
	for range 16 {
		e, ok := p.entries[ref.num]
		if !ok || e.free {
			return 0
		}
		if e.pack > 0 {
			pk := p.pack(e.pack)
			if pk == nil {
				return 0
			}
			for i, n := range pk.nums {
				if n == ref.num && (i == e.index || e.index >= len(pk.nums) || pk.nums[e.index] != n) {
					return p.packKey(pk, i)
				}
			}
			return 0
		}
		at, _ := p.place(e.at, ref.num)
		next, is := p.object(ref.num).(pdfRef)
		if !is {
			return at
		}
		ref = next
	}
	return 0
}

// keep holds an object, together with others made of at most 16 MiB of the file.
func (p *pdfFile) keep(key int64, v any, size int) any {
	if s, ok := v.(*pdfStream); ok {
		size -= len(s.raw)
	}
	if p.cached += max(size, 32); p.cached > 16<<20 {
		clear(p.cache)
		p.cached = size
	}
	p.cache[key] = v
	return v
}

// place is where the object really stands: where the table says, or where the scan found it.
func (p *pdfFile) place(at int64, num int) (int64, bool) {
	for _, at := range []int64{at, at - int64(len(p.junk))} {
		if at < 0 || at >= int64(len(p.data)) {
			continue
		}
		l := pdfLexer{b: p.data[:min(len(p.data), int(at)+64)], pos: int(at)}
		l.space()
		from := l.pos
		if n, ok := l.object(false, 0).(int64); ok && int(n) == num {
			if _, ok := l.object(false, 0).(int64); ok {
				if op, ok := l.object(false, 0).(pdfOp); ok && len(op) >= 3 && op[:3] == "obj" {
					return int64(from), true
				}
			}
		}
	}
	e, ok := p.all[num]
	return e.at, ok
}

// parse reads the object that stands at a byte, up to where the next one begins. Strings are decrypted; streams when they are decoded.
func (p *pdfFile) parse(at int64, crypt *pdfCrypt) any {
	l := pdfLexer{b: p.data[:p.until(at)], pos: int(at)}
	if p.toil(32) != nil {
		return nil
	}
	num, gen := pdfInt(l.object(false, 0), 0), pdfInt(l.object(false, 0), 0)
	l.space()
	if bytes.HasPrefix(l.b[l.pos:], []byte("obj")) {
		l.pos += 3
	}
	from := l.pos
	v := l.object(true, 0)
	if p.toil(l.pos-from) != nil {
		return nil
	}
	if !isPDFValue(v) {
		return nil
	}
	if crypt != nil {
		v = crypt.strings(v, num, gen)
	}
	dict, is := v.(pdfDict)
	if !is {
		return v
	}
	l.space()
	if !bytes.HasPrefix(p.data[l.pos:], []byte("stream")) {
		return v
	}
	start := l.pos + len("stream")
	if start < len(p.data) && p.data[start] == ' ' {
		for start < len(p.data) && p.data[start] == ' ' {
			start++
		}
	}
	if start < len(p.data) && p.data[start] == '\r' {
		start++
	}
	if start < len(p.data) && p.data[start] == '\n' {
		start++
	}
	end := p.streamEnd(start, dict)
	p.streams[int64(start)] = int64(end)
	if pdfIs(dict["Type"], "ObjStm") {
		p.isPack[at] = true
	}
	return &pdfStream{dict: dict, raw: p.data[start:end], at: int64(start), num: num, gen: gen}
}

// streamEnd is where a stream ends: where Length says if `endstream` follows there, or else at the next one.
func (p *pdfFile) streamEnd(start int, dict pdfDict) int {
	n := -1
	if p.entries != nil || dict["Length"] != nil {
		n = pdfInt(p.resolve(dict["Length"]), -1)
	}
	if n >= 0 && n <= len(p.data)-start {
		l := pdfLexer{b: p.data[:min(len(p.data), start+n+32)], pos: start + n}
		for l.pos < len(l.b) && pdfKind[l.b[l.pos]] == pdfWhite {
			l.pos++
		}
		if bytes.HasPrefix(l.b[l.pos:], []byte("endstream")) || bytes.HasPrefix(l.b[l.pos:], []byte("endobj")) {
			return start + n
		}
	}
	next := p.until(int64(start))
	end := pdfStreamMark(p.data[start:next])
	if end < 0 && p.strayed < 64<<20 {
		// What looks like the next object may stand in the stream. The search for its end must not cost the whole file each time.
		limit := min(next+4<<20, len(p.data))
		p.strayed += limit - start
		end = pdfStreamMark(p.data[start:limit])
	}
	if end < 0 {
		end = next - start
	}
	end += start
	if end > start && p.data[end-1] == '\n' {
		end--
	}
	if end > start && p.data[end-1] == '\r' {
		end--
	}
	return end
}

// pdfStreamMark is where the word that ends a stream stands; -1: nowhere.
func pdfStreamMark(b []byte) int {
	if i := bytes.Index(b, []byte("endstream")); i >= 0 {
		return i
	}
	return bytes.Index(b, []byte("endobj"))
}

// pack reads an object stream. Those held are forgotten when they are over 32 MiB together.
func (p *pdfFile) pack(num int) *pdfPack {
	e, ok := p.entries[num]
	if !ok || e.free || e.pack > 0 {
		return nil
	}
	at, ok := p.place(e.at, num)
	if !ok {
		return nil
	}
	if pk, ok := p.packs[at]; ok {
		return pk
	}
	p.packs[at] = nil // It is no part of itself.
	p.read[at] = true
	s, ok := p.parse(at, p.crypt).(*pdfStream)
	if !ok || p.resolve(s.dict["First"]) == nil {
		return nil
	}
	data, _, err := p.decode(s)
	if err != nil || data == nil {
		return nil
	}
	pk := &pdfPack{data: data, at: at}
	first := pdfInt(p.resolve(s.dict["First"]), 0)
	if first < 0 || first > len(data) {
		return nil
	}
	l := pdfLexer{b: data[:first]}
	for range min(pdfInt(p.resolve(s.dict["N"]), 0), pdfObjects-1) {
		num, ok := l.object(false, 0).(int64)
		off, ok2 := l.object(false, 0).(int64)
		if !ok || !ok2 {
			break
		}
		if num < 0 || num > pdfMaxNumber || off < 0 || off > int64(len(data)-first) {
			num, off = 0, int64(len(data)-first)
		}
		pk.nums, pk.offsets = append(pk.nums, int(num)), append(pk.offsets, first+int(off))
	}
	pk.offsets = append(pk.offsets, len(data))
	size := len(data) + 16*len(pk.nums)
	if p.packed+size > 32<<20 {
		clear(p.packs)
		p.packed = 0
	}
	p.packed += size
	p.packs[at] = pk
	return pk
}

func (p *pdfFile) inPack(pk *pdfPack, index int) any {
	from, to := pk.offsets[index], pk.offsets[index+1]
	if to < from { // They need not stand in order.
		to = len(pk.data)
	}
	l := pdfLexer{b: pk.data[:to], pos: from}
	v := l.object(true, 0)
	if p.toil(l.pos-from) != nil {
		return nil
	}
	if !isPDFValue(v) {
		return nil
	}
	return v
}

func pdfInt(v any, otherwise int) int {
	switch v := v.(type) {
	case int64:
		if v > 1<<40 || v < -1<<40 {
			return otherwise
		}
		return int(v)
	case float64:
		if v > 1<<40 || v < -1<<40 {
			return otherwise
		}
		return int(v)
	}
	return otherwise
}

func pdfFloat(v any, otherwise float64) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return otherwise
}

// pdfIs reports whether v is one of these names.
func pdfIs(v any, names ...pdfName) bool {
	n, ok := v.(pdfName)
	for _, want := range names {
		if ok && want != "" && n == want {
			return true
		}
	}
	return false
}

func (p *pdfFile) dict(v any) pdfDict {
	switch v := p.resolve(v).(type) {
	case pdfDict:
		return v
	case *pdfStream:
		return v.dict
	}
	return nil
}

func (p *pdfFile) array(v any) []any {
	a, _ := p.resolve(v).([]any)
	return a
}

// text is a string for people (7.9.2.2): UTF-16 or UTF-8 with a mark, or PDFDocEncoding; a stream where one is allowed.
func (p *pdfFile) text(v any) string {
	switch v := p.resolve(v).(type) {
	case pdfString:
		return pdfText(v)
	case pdfName:
		return pdfText(pdfString(v))
	case *pdfStream:
		data, _, err := p.decode(v)
		if err != nil {
			return ""
		}
		return pdfText(pdfString(data))
	}
	return ""
}
