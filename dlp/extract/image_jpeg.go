package extract

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// jpegImage reads the segments of a JPEG file.
func jpegImage(p *tagged) {
	b := p.data
	extended := map[string][]xmpPart{}
	defer func() {
		for _, id := range slices.Sorted(maps.Keys(extended)) {
			p.extended(extended[id])
		}
	}()
	for at := 2; p.err == nil; {
		for at < len(b) && b[at] != 0xff {
			at++
		}
		for at < len(b) && b[at] == 0xff {
			at++
		}
		if at >= len(b) {
			p.bad = true
			return
		}
		m := b[at]
		at++
		switch {
		case m == 0xd9:
			p.end = at
			return
		case m == 0 || m == 1 || m >= 0xd0 && m <= 0xd8:
			continue
		}
		if at+2 > len(b) {
			p.bad = true
			return
		}
		n := int(be16(b[at:]))
		if n < 2 || at+n > len(b) {
			p.bad = true
			n = min(max(n, 2), len(b)-at)
		}
		p.segment(m, b[at+2:at+n], extended)
		at += n
	}
}

// segment reads one with its marker.
func (p *tagged) segment(m byte, v []byte, extended map[string][]xmpPart) {
	has := func(s string) bool { return bytes.HasPrefix(v, []byte(s)) }
	const xmpID, xmpMore = "http://ns.adobe.com/xap/1.0/\x00", "http://ns.adobe.com/xmp/extension/\x00"
	switch {
	case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
		if len(v) >= 5 {
			p.height, p.width = int64(be16(v[1:])), int64(be16(v[3:]))
		}
	case m == 0xfe:
		p.put(PartComment, "", plain(v))
	case m == 0xe1 && has("Exif\x00"):
		p.exif(v[min(6, len(v)):])
	case m == 0xe1 && has(xmpID):
		p.xmp(v[len(xmpID):])
	case m == 0xe1 && has(xmpMore) && len(v) >= len(xmpMore)+40:
		v = v[len(xmpMore):]
		id := string(v[:32])
		extended[id] = append(extended[id], xmpPart{be32(v[36:]), v[40:]})
	case m == 0xed && has("Photoshop 3.0\x00"):
		p.resources(v[14:])
	case m == 0xe0 && (has("JFIF") || has("JFXX")), m == 0xe2 && (has("ICC_PROFILE") || has("MPF")), m == 0xee && has("Adobe"):
	case m >= 0xe0 && m <= 0xef:
		p.runs("segment", v)
	}
}

// xmpPart is a piece of a packet that is too long for one segment.
type xmpPart struct {
	offset uint32
	b      []byte
}

func (p *tagged) extended(parts []xmpPart) {
	slices.SortStableFunc(parts, func(a, b xmpPart) int { return int(int64(a.offset) - int64(b.offset)) })
	var all []byte
	for _, x := range parts {
		all = append(all, x.b...)
	}
	p.xmp(all)
}

// pngChunks are those that hold no text.
var pngChunks = []string{"IDAT", "PLTE", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "bKGD", "hIST", "pHYs", "sPLT", "tIME", "acTL", "fcTL", "fdAT", "cICP", "mDCV", "cLLI"}

// pngImage reads the chunks of a PNG file.
func pngImage(p *tagged) {
	b := p.data
	for at := 8; p.err == nil; {
		if at+8 > len(b) {
			p.bad = true
			return
		}
		n, id := int64(be32(b[at:])), string(b[at+4:at+8])
		v := b[at+8:]
		if n+4 > int64(len(v)) {
			p.bad = true
			n = min(n, int64(len(v)))
		}
		v = v[:n]
		at = min(at+12+int(n), len(b))
		switch id {
		case "IHDR":
			if n >= 8 {
				p.width, p.height = int64(be32(v)), int64(be32(v[4:]))
			}
		case "tEXt":
			key, value, _ := bytes.Cut(v, []byte{0})
			p.named(plain(key), value)
		case "zTXt":
			if key, value, ok := bytes.Cut(v, []byte{0}); ok && len(value) > 1 {
				p.named(plain(key), p.inflate(value[1:]))
			}
		case "iTXt":
			p.international(v)
		case "eXIf":
			p.exif(bytes.TrimPrefix(v, []byte("Exif\x00\x00")))
		case "IEND":
			p.end = at
			return
		default:
			if !slices.Contains(pngChunks, id) {
				p.runs("chunk", v)
			}
		}
	}
}

// international reads a keyword, a flag and a method of compression, a language, the keyword in it, and the text.
func (p *tagged) international(v []byte) {
	key, rest, ok := bytes.Cut(v, []byte{0})
	if !ok || len(rest) < 2 {
		p.bad = true
		return
	}
	packed := rest[0] == 1
	_, rest, _ = bytes.Cut(rest[2:], []byte{0})
	translated, text, _ := bytes.Cut(rest, []byte{0})
	if packed {
		text = p.inflate(text)
	}
	if !bytes.Equal(translated, key) {
		p.put(PartMetadata, plain(key), plain(translated))
	}
	p.named(plain(key), text)
}

// named gives out a text of a PNG file. Profiles of other forms stand there too, in hexadecimal (ImageMagick).
func (p *tagged) named(key string, v []byte) {
	kind, profile := strings.CutPrefix(key, "Raw profile type ")
	switch {
	case key == "XML:com.adobe.xmp":
		p.xmp(v)
	case profile:
		f := bytes.Fields(v)
		if len(f) < 3 {
			return
		}
		raw := bytes.Join(f[2:], nil)
		b := make([]byte, len(raw)/2)
		if n, err := hex.Decode(b, raw[:len(raw)&^1]); err != nil {
			p.bad, b = true, b[:n]
		}
		switch kind {
		case "exif", "APP1", "app1":
			p.exif(bytes.TrimPrefix(b, []byte("Exif\x00\x00")))
		case "xmp":
			p.xmp(b)
		case "iptc":
			if bytes.Contains(b, []byte("8BIM")) {
				p.resources(b)
			} else {
				p.iptc(b)
			}
		case "8bim":
			p.resources(b)
		case "icc", "icm":
		default:
			p.runs(key, b)
		}
	default:
		p.put(PartMetadata, key, plain(v))
	}
}
