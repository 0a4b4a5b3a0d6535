package extract

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// xmp reads a packet of XMP: properties are attributes, or elements with their value in lists of RDF. The decoder knows no entities but the five of XML.
func (p *tagged) xmp(b []byte) {
	if len(b) == 0 {
		return
	}
	if len(b) > 4 && (b[1] == 0 || b[0] == 0) { // UTF-16
		o := binary.ByteOrder(binary.LittleEndian)
		if b[0] == 0 || b[0] == 0xfe {
			o = binary.BigEndian
		}
		b = []byte(utf16Text(b, o))
	}
	if i := bytes.IndexByte(b, '<'); i > 0 {
		b = b[i:]
	}
	if p.budget < len(b) {
		return
	}
	p.budget -= len(b) / 2
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var open []string
	for p.err == nil {
		t, err := d.RawToken()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.runs("XMP", b[min(int(d.InputOffset()), len(b)):]) // What cannot be parsed is still text.
			}
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(open) < 1000 {
				open = append(open, qualified(t.Name))
			}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && a.Name.Space != "xml" && !(a.Name.Space == "rdf" && a.Name.Local != "resource") {
					name := qualified(a.Name)
					if a.Name.Space == "rdf" {
						name = xmpName(open)
					}
					p.put(PartMetadata, name, a.Value)
				}
			}
		case xml.EndElement:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case xml.CharData:
			if name := xmpName(open); name != "xmpGImg:image" {
				p.put(PartMetadata, name, string(t))
			}
		case xml.Comment:
			p.put(PartMetadata, "comment", string(t))
		}
	}
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// xmpName is the innermost open element that names a property.
func xmpName(open []string) string {
	for i := len(open) - 1; i >= 0; i-- {
		if !strings.HasPrefix(open[i], "rdf:") {
			return open[i]
		}
	}
	return ""
}

// iptcNames are the datasets of record 2 (IIM 4.2) that hold text, by the names that tools give them.
var iptcNames = map[byte]string{
	5: "ObjectName", 7: "EditStatus", 10: "Urgency", 15: "Category", 20: "SupplementalCategories", 22: "FixtureIdentifier", 25: "Keywords", 26: "ContentLocationCode",
	27: "ContentLocationName", 40: "SpecialInstructions", 45: "ReferenceService", 50: "ReferenceNumber", 55: "DateCreated", 60: "TimeCreated", 65: "OriginatingProgram",
	80: "By-line", 85: "By-lineTitle", 90: "City", 92: "Sub-location", 95: "Province-State", 100: "Country-PrimaryLocationCode", 101: "Country-PrimaryLocationName",
	103: "OriginalTransmissionReference", 105: "Headline", 110: "Credit", 115: "Source", 116: "CopyrightNotice", 118: "Contact", 120: "Caption-Abstract", 121: "LocalCaption",
	122: "Writer-Editor",
}

// iptc reads the datasets of IIM.
func (p *tagged) iptc(b []byte) {
	for len(b) >= 5 && p.err == nil {
		if b[0] != 0x1c {
			b = b[1:]
			continue
		}
		record, set, n := b[1], b[2], int(be16(b[3:]))
		b = b[5:]
		if n&0x8000 != 0 { // the size is a number of that many bytes
			k := n & 0x7fff
			if k > 4 || k > len(b) {
				p.bad = true
				return
			}
			n = 0
			for _, c := range b[:k] {
				n = n<<8 | int(c)
			}
			b = b[k:]
		}
		if n > len(b) {
			p.bad = true
			n = len(b)
		}
		v := b[:n]
		b = b[n:]
		if record == 2 && set == 0 || record == 1 && set == 90 || record == 2 && set >= 200 && set <= 202 {
			continue // numbers, and the name of the encoding
		}
		name := iptcNames[set]
		if record != 2 || name == "" {
			name = "IPTC"
			if !utf8.Valid(v) {
				continue
			}
		}
		p.put(PartMetadata, name, plain(v))
	}
}

// resources reads the image resources of Photoshop: of a PSD file, of a JPEG file, or in a TIFF tag.
func (p *tagged) resources(b []byte) {
	for p.err == nil {
		i := bytes.Index(b, []byte("8BIM"))
		if i < 0 || len(b) < i+12 {
			return
		}
		b = b[i+4:]
		id, n := be16(b), int(b[2])
		if 3+n > len(b) {
			return
		}
		name := b[3 : 3+n]
		if skip := 2 + (1+n+1)&^1; len(b) < skip+4 {
			return
		} else {
			b = b[skip:]
		}
		size := int64(be32(b))
		b = b[4:]
		if size > int64(len(b)) {
			p.bad = true
			size = int64(len(b))
		}
		v := b[:size]
		b = b[size:]
		p.put(PartMetadata, "resource", plain(name))
		switch id {
		case 0x0404:
			p.iptc(v)
		case 0x0422:
			p.exif(v)
		case 0x0424:
			p.xmp(v)
		case 0x03f0:
			if len(v) > 1 {
				p.put(PartMetadata, "Caption", plain(v[1:]))
			}
		case 0x040b:
			p.put(PartLink, "URL", plain(v))
		case 0x041e, 0x03eb, 0x0bb7, 0x041a: // links, layer names, slices
			p.runs("resource", v)
		}
	}
}

// psdImage reads a Photoshop file: its resources, and the names and texts of its layers.
func psdImage(p *tagged) {
	b := p.data
	if len(b) < 30 {
		p.bad = true
		return
	}
	p.height, p.width = int64(be32(b[14:])), int64(be32(b[18:]))
	at := 26 + 4 + int64(be32(b[26:]))
	if at+4 > int64(len(b)) {
		p.bad = true
		return
	}
	size := min(int64(be32(b[at:])), int64(len(b))-at-4)
	p.resources(b[at+4 : at+4+size])
	rest := b[at+4+size:]
	for layers := rest; p.err == nil; {
		i := bytes.Index(layers, []byte("8BIMluni"))
		if i < 0 || len(layers) < i+16 {
			break
		}
		layers = layers[i+12:]
		if n := int64(be32(layers)) * 2; n <= int64(len(layers)-4) && n < 64<<10 {
			p.put(PartName, "layer", utf16Text(layers[4:4+n], binary.BigEndian))
		}
	}
	for p.err == nil {
		i := bytes.Index(rest, []byte("/Text (\xfe\xff"))
		if i < 0 {
			return
		}
		rest = rest[i+9:]
		var v []byte
		for j := 0; j < len(rest) && rest[j] != ')'; j++ {
			if rest[j] == '\\' && j+1 < len(rest) {
				j++
			}
			v = append(v, rest[j])
		}
		p.put("", "text", utf16Text(v, binary.BigEndian))
	}
}

// heifImage finds the metadata of a HEIF or AVIF file by their own signatures: they are items that stand in one piece.
func heifImage(p *tagged) {
	for b := p.data; p.err == nil; {
		i := bytes.Index(b, []byte("ispe"))
		if i < 0 || len(b) < i+16 {
			break
		}
		w, h := int64(be32(b[i+8:])), int64(be32(b[i+12:]))
		if w*h > p.width*p.height && w < 1<<20 && h < 1<<20 {
			p.width, p.height = w, h
		}
		b = b[i+16:]
	}
	for b, n := p.data, 0; p.err == nil && n < 16; n++ {
		i := bytes.Index(b, []byte("Exif\x00\x00"))
		if i < 0 {
			break
		}
		if b = b[i+6:]; bytes.HasPrefix(b, []byte("II*\x00")) || bytes.HasPrefix(b, []byte("MM\x00*")) {
			p.exif(b)
		}
	}
	p.xmpIn(p.data)
}

// xmpIn finds packets of XMP in bytes of any form.
func (p *tagged) xmpIn(b []byte) {
	for p.err == nil {
		i := bytes.Index(b, []byte("<x:xmpmeta"))
		if i < 0 {
			return
		}
		b = b[i:]
		end := bytes.Index(b, []byte("</x:xmpmeta>"))
		if end < 0 {
			end = len(b)
		} else {
			end += len("</x:xmpmeta>")
		}
		p.xmp(b[:end])
		b = b[end:]
	}
}
