package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

var (
	littleEndian = binary.LittleEndian
	bigEndian    = binary.BigEndian
)

// riffNames are the INFO chunks that tools name.
var riffNames = map[string]string{"INAM": "title", "IART": "artist", "ICMT": "comment", "ICOP": "copyright", "IPRD": "album", "ISBJ": "subject", "IKEY": "keywords",
	"ISFT": "software", "ICRD": "date", "IGNR": "genre"}

func riffMedia(p *tagged) { p.riff(p.data[min(12, len(p.data)):], 0) }

// riff reads chunks, and those in lists.
func (p *tagged) riff(b []byte, depth int) {
	for len(b) >= 8 && p.err == nil {
		id, n := string(b[:4]), int64(le32(b[4:]))
		b = b[8:]
		if n > int64(len(b)) {
			n = int64(len(b))
		}
		v := b[:n]
		b = b[min(n+n&1, int64(len(b))):]
		switch {
		case (id == "LIST" || id == "RIFF") && n >= 4 && depth < 8:
			if kind := string(v[:4]); kind != "movi" && kind != "rec " {
				p.riff(v[4:], depth+1)
			}
		case id == "id3 " || id == "ID3 ":
			p.id3(v)
		case id == "_PMX":
			p.xmp(v)
		case id == "bext" && n >= 602:
			p.put(PartMetadata, "description", plain(v[:256]))
			p.put(PartMetadata, "originator", plain(v[256:288]))
			p.put(PartMetadata, "history", plain(v[602:]))
		case id == "iXML":
			p.xmp(v)
		case id == "strn" || id == "labl" && n > 4 || id == "note" && n > 4:
			p.put(PartMetadata, id, plain(bytes.TrimLeft(v, "\x00\x01\x02")))
		case id[0] == 'I' && depth > 0:
			name := riffNames[id]
			if name == "" {
				name = id
			}
			p.put(PartMetadata, name, plain(bytes.TrimRight(v, "\x00")))
		}
	}
}

// aiffMedia reads the chunks of text of an AIFF file.
func aiffMedia(p *tagged) {
	for b := p.data[min(12, len(p.data)):]; len(b) >= 8 && p.err == nil; {
		id, n := string(b[:4]), int64(be32(b[4:]))
		b = b[8:]
		n = min(n, int64(len(b)))
		v := b[:n]
		b = b[min(n+n&1, int64(len(b))):]
		switch id {
		case "NAME", "AUTH", "(c) ", "ANNO":
			p.put(PartMetadata, strings.TrimSpace(id), plain(v))
		case "COMT", "APPL":
			p.runs(id, v)
		case "ID3 ":
			p.id3(v)
		}
	}
}

// asfMedia finds the texts of an ASF file, which are UTF-16, in its header.
func asfMedia(p *tagged) {
	if len(p.data) < 30 {
		p.bad = true
		return
	}
	n := binary.LittleEndian.Uint64(p.data[16:])
	for _, s := range wideRuns(nil, p.data[30:min(uint64(len(p.data)), max(n, 30))], 0, 4) {
		p.put(PartMetadata, "", s)
	}
}

// mp4Names are the items of iTunes.
var mp4Names = map[string]string{"\xa9nam": "title", "\xa9ART": "artist", "\xa9cmt": "comment", "\xa9alb": "album", "cprt": "copyright", "desc": "description",
	"ldes": "long description", "\xa9lyr": "lyrics", "\xa9des": "description", "\xa9too": "encoder", "\xa9day": "date", "\xa9wrt": "composer", "aART": "album artist",
	"\xa9xyz": "location", "\xa9inf": "information", "\xa9aut": "author", "\xa9cpy": "copyright", "\xa9key": "keywords"}

func mp4Media(p *tagged) {
	m := &mp4{p: p}
	m.boxes(p.data, "", 0)
}

// mp4 reads the boxes of an ISO base media file. keys are the names of the items of a list that are told by number.
type mp4 struct {
	p    *tagged
	keys []string
}

func (m *mp4) boxes(b []byte, inside string, depth int) {
	for len(b) >= 8 && m.p.err == nil {
		n, id, head := uint64(be32(b)), string(b[4:8]), uint64(8)
		switch {
		case n == 1 && len(b) >= 16:
			n, head = binary.BigEndian.Uint64(b[8:]), 16
		case n == 0:
			n = uint64(len(b))
		}
		if n < head {
			m.p.bad = m.p.bad || inside == ""
			return
		}
		if n > uint64(len(b)) {
			m.p.bad = m.p.bad || inside == ""
			n = uint64(len(b))
		}
		if depth < 12 && head <= n {
			m.box(id, b[head:n], inside, depth)
		}
		b = b[n:]
	}
}

func (m *mp4) box(id string, v []byte, inside string, depth int) {
	switch {
	case inside == "ilst":
		m.item(id, v)
	case id == "moov" || id == "udta" || id == "trak" || id == "mdia" || id == "ilst" || id == "moof" || id == "traf":
		m.boxes(v, id, depth+1)
	case id == "meta":
		if len(v) >= 8 && string(v[4:8]) != "hdlr" { // ISO has a version in front, QuickTime none.
			v = v[4:]
		}
		m.boxes(v, id, depth+1)
	case id == "keys" && len(v) >= 8:
		m.keys = nil
		for v = v[8:]; len(v) >= 8; {
			n := be32(v)
			if n < 8 || uint64(n) > uint64(len(v)) {
				return
			}
			m.keys = append(m.keys, plain(v[8:n]))
			v = v[n:]
		}
	case id == "hdlr" && len(v) > 24 && inside == "mdia":
		m.p.put(PartMetadata, "handler", plain(bytes.TrimLeft(v[24:], "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")))
	case id == "uuid" && len(v) > 16 && string(v[:4]) == "\xbe\x7a\xcf\xcb" || id == "XMP_":
		m.p.xmp(v)
	case inside == "udta" && len(v) > 4 && id[0] == 0xa9: // a length and a language
		m.p.put(PartMetadata, mp4Name(id), plain(v[4:min(len(v), 4+int(be16(v)))]))
	case inside == "udta" && len(v) > 6 && (id == "cprt" || id == "titl" || id == "dscp" || id == "auth" || id == "perf" || id == "gnre" || id == "albm"):
		t := v[6:]
		if len(t) > 2 && t[0] == 0xfe && t[1] == 0xff {
			m.p.put(PartMetadata, mp4Name(id), utf16Text(t[2:], bigEndian))
		} else {
			m.p.put(PartMetadata, mp4Name(id), plain(bytes.TrimRight(t, "\x00")))
		}
	case inside == "udta", id == "free" || id == "skip":
		m.p.runs(id, v)
	}
}

func mp4Name(id string) string {
	if n := mp4Names[id]; n != "" {
		return n
	}
	return plain([]byte(id))
}

// item reads one of a list: its name and its values.
func (m *mp4) item(id string, v []byte) {
	name := mp4Name(id)
	if i := be32([]byte(id)); i > 0 && int64(i) <= int64(len(m.keys)) {
		name = m.keys[i-1]
	}
	for len(v) >= 8 && m.p.err == nil {
		n := uint64(be32(v))
		if n < 8 || n > uint64(len(v)) {
			return
		}
		kind, b := string(v[4:8]), v[8:n]
		v = v[n:]
		switch {
		case kind == "name" && len(b) > 4:
			name = plain(b[4:])
		case kind == "data" && len(b) > 8:
			switch be32(b) {
			case 1:
				m.p.put(PartMetadata, name, plain(b[8:]))
			case 2:
				m.p.put(PartMetadata, name, utf16Text(b[8:], bigEndian))
			case 13, 14, 27:
				m.p.attach("cover", b[8:])
			default:
				m.p.runs(name, b[8:])
			}
		}
	}
}

// Elements of Matroska (RFC 9559) that hold others, texts, and what belongs to texts.
var (
	matroskaMasters = map[uint32]bool{0x18538067: true, 0x1549a966: true, 0x1254c367: true, 0x7373: true, 0x67c8: true, 0x1941a469: true, 0x61a7: true,
		0x1043a770: true, 0x45b9: true, 0xb6: true, 0x80: true, 0x1654ae6b: true, 0xae: true, 0x1f43b675: true, 0xa0: true}
	matroskaTexts = map[uint32]string{0x7ba9: "title", 0x467e: "description", 0x466e: "file name", 0x85: "chapter", 0x536e: "track"}
)

func matroskaMedia(p *tagged) {
	m := &matroska{p: p, subtitles: map[uint64]bool{}}
	m.elements(p.data, 0)
}

// matroska reads elements. Tracks stand in front of the clusters that hold their frames.
type matroska struct {
	p         *tagged
	name      string // of the tag whose value comes next
	track     uint64
	subtitles map[uint64]bool
}

// number reads one of up to eight bytes; keep says that the bit that tells its length is a part of it.
func ebml(b []byte, keep bool) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > len(b) {
		return 0, 0
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	if !keep {
		v &^= 1 << (7 * n)
	}
	return v, n
}

func (m *matroska) elements(b []byte, depth int) {
	for len(b) > 1 && m.p.err == nil {
		id, n := ebml(b, true)
		if n == 0 || n > 4 {
			m.p.bad = m.p.bad || depth == 0
			return
		}
		b = b[n:]
		size, n := ebml(b, false)
		if n == 0 {
			m.p.bad = true
			return
		}
		b = b[n:]
		if size > uint64(len(b)) { // unknown: to the end of what it stands in
			m.p.bad = m.p.bad || size != 1<<(7*n)-1
			size = uint64(len(b))
		}
		v := b[:size]
		b = b[size:]
		if matroskaMasters[uint32(id)] {
			if depth < 16 {
				m.elements(v, depth+1)
			}
			continue
		}
		m.element(uint32(id), v)
	}
}

func (m *matroska) element(id uint32, v []byte) {
	switch id {
	case 0x45a3:
		m.name = plain(v)
	case 0x4487:
		m.p.put(PartMetadata, m.name, plain(v))
	case 0x4485:
		m.p.runs(m.name, v)
	case 0x465c:
		m.p.attach("attached", v)
	case 0xd7:
		m.track = 0
		for _, c := range v[:min(len(v), 8)] {
			m.track = m.track<<8 | uint64(c)
		}
	case 0x86:
		if len(m.subtitles) < 1000 && strings.HasPrefix(string(v), "S_TEXT") {
			m.subtitles[m.track] = true
		}
	case 0xa1, 0xa3: // a track, two bytes of time, flags, and the frame
		if t, n := ebml(v, false); n > 0 && m.subtitles[t] && len(v) > n+3 {
			m.p.put("", fmt.Sprintf("subtitles of track %d", t), plain(v[n+3:]))
		}
	default:
		if name := matroskaTexts[id]; name != "" {
			m.p.put(PartMetadata, name, plain(v))
		}
	}
}
