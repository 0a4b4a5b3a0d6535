package extract

import (
	"bytes"
	"iter"
	"strings"
	"unicode"
)

// packsFound are the object streams that the scan found.
func (p *pdfFile) packsFound() iter.Seq[*pdfPack] {
	return func(yield func(*pdfPack) bool) {
		for _, f := range p.found {
			if !p.isPack[f.at] {
				continue
			}
			saved := p.entries
			p.entries = map[int]pdfEntry{f.num: {at: f.at}}
			pk := p.pack(f.num)
			p.entries = saved
			if pk != nil && !yield(pk) {
				return
			}
		}
	}
}

// orphan gives out the text of an object that nothing leads to.
func (p *pdfFile) orphan(v any) error {
	switch v := v.(type) {
	case *pdfStream:
		return p.orphanStream(v)
	case pdfDict:
		if v["Subtype"] != nil && (pdfIs(v["Type"], "Annot") || v["Rect"] != nil) && !pdfIs(v["Subtype"], "Widget") {
			return p.annotation(v, Location{}, true)
		}
		if v["EF"] != nil {
			return p.file(v, Location{}, true)
		}
	}
	return p.strings(v, "", 0)
}

func (p *pdfFile) orphanStream(s *pdfStream) error {
	kind := p.resolve(s.dict["Type"])
	sub := p.resolve(s.dict["Subtype"])
	switch {
	case pdfIs(kind, "XRef", "ObjStm", "CMap"), pdfIs(sub, "Image"), s.dict["FunctionType"] != nil, s.dict["ShadingType"] != nil:
		return nil
	case s.dict["Length1"] != nil, pdfIs(sub, "Type1C", "CIDFontType0C", "OpenType"), s.dict["Alternate"] != nil:
		return nil // fonts and colours
	case pdfIs(kind, "EmbeddedFile"):
		return p.embedded(s, "", Location{})
	case pdfIs(kind, "Metadata"), pdfIs(sub, "XML"):
		data, _, err := p.decode(s)
		if err != nil {
			return err
		}
		return p.xml(data, PartMetadata, 0)
	}
	if p.ran[s.at] {
		return nil
	}
	if err := p.strings(s.dict, "", 0); err != nil {
		return err
	}
	data, image, err := p.decode(s)
	if err != nil || image != "" || !pdfLikeContent(data) {
		return err
	}
	p.ran[s.at] = true
	c := p.content(Location{})
	c.run(data, p.dict(s.dict["Resources"]))
	c.flush()
	return c.err
}

// pdfLikeContent reports whether content shows text.
func pdfLikeContent(data []byte) bool {
	for _, op := range []string{"Tj", "TJ", ")'", ") '", `)"`, `) "`, " Do"} {
		if bytes.Contains(data, []byte(op)) && !bytes.Contains(data, []byte("begincmap")) {
			return true
		}
	}
	return false
}

// strings gives out the readable strings of an object, with the keys that they stand at.
func (p *pdfFile) strings(v any, name pdfName, depth int) error {
	switch v := v.(type) {
	case pdfString:
		if s := pdfText(v); pdfReadable(s) {
			return p.putNamed(Location{}, string(name), s)
		}
	case []any:
		for _, e := range v {
			if err := p.strings(e, name, depth+1); err != nil {
				return err
			}
		}
	case pdfDict:
		if pdfIs(v["Type"], "Font", "FontDescriptor", "Sig", "XRef") || pdfIs(v["Filter"], "Standard") {
			return nil
		}
		for _, k := range pdfKeys(v) {
			switch k {
			case "ID", "CIDSystemInfo", "DecodeParms", "DA", "CharSet", "Limits":
				continue
			}
			if err := p.strings(v[k], k, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// pdfReadable reports whether a string is text for people: four characters at least, and of them hardly any that is none.
func pdfReadable(s string) bool {
	n, bad := 0, 0
	for _, r := range s {
		n++
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) || r == unicode.ReplacementChar {
			bad++
		}
	}
	return n >= 4 && bad*20 <= n && strings.TrimSpace(s) != ""
}

// readJunk gives out text that stands before the header or behind the last end of the file, where no reader looks.
func (p *pdfFile) readJunk() {
	var after []byte
	if i := bytes.LastIndex(p.data, []byte("%%EOF")); i >= 0 {
		after = p.data[i+len("%%EOF"):]
	}
	for _, b := range [][]byte{p.junk, after} {
		if s := strings.ToValidUTF8(string(b), "\uFFFD"); pdfReadable(s) && !bytes.Contains(b, []byte("endobj")) {
			if p.d.Text(Location{Hidden: true}).Put(Location{Hidden: true}, pdfClean(s)) != nil {
				return // It comes up again.
			}
		}
	}
}
