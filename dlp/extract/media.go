package extract

import (
	"bytes"
	"strings"
)

var mediaFormats = []format{
	{id: "mp3", media: []string{"audio/mpeg"}, magic: isID3, read: mediaReader(mp3Media)},
	{id: "flac", media: []string{"audio/flac"}, magic: prefix("fLaC\x00\x00\x00\x22"), read: mediaReader(flacMedia)},
	{id: "ogg", media: []string{"audio/ogg", "video/ogg", "application/ogg"}, read: mediaReader(oggMedia)},
	{id: "riff", media: []string{"audio/wav", "video/x-msvideo", "audio/qcelp"}, read: mediaReader(riffMedia)},
	{id: "aiff", media: []string{"audio/aiff"}, read: mediaReader(aiffMedia)},
	{id: "mp4", media: []string{"video/mp4", "audio/mp4", "audio/x-m4a", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2", "video/mj2", "video/vnd.dvb.file"},
		read: mediaReader(mp4Media)},
	{id: "matroska", media: []string{"video/matroska", "video/x-matroska", "video/webm"}, magic: prefix("\x1a\x45\xdf\xa3"), read: mediaReader(matroskaMedia)},
	{id: "asf", media: []string{"video/x-ms-asf"}, read: mediaReader(asfMedia)},
	{id: "media", media: []string{"audio/midi", "audio/ape", "audio/musepack", "audio/amr", "audio/aac", "audio/basic", "audio/x-unknown", "audio/x-mp3-header",
		"video/mpeg", "video/x-flv", "video/mp2t", "application/vnd.rn-realmedia-vbr", "application/vnd.rn-realmedia", "video/x-ivf"}, read: mediaReader(otherImage)},
}

// isID3 tells the header of a tag from a text that begins so: versions 2.2 to 2.4, four flags, and a size in four bytes of seven bits.
func isID3(head []byte) bool {
	return len(head) >= 10 && string(head[:3]) == "ID3" && head[3] >= 2 && head[3] <= 4 && head[5]&0x0f == 0 && (head[6]|head[7]|head[8]|head[9])&0x80 == 0
}

// mediaReader reads the metadata of audio or video. What is said or shown in it is a gap.
func mediaReader(parse func(p *tagged)) func(d *Doc) error {
	return func(d *Doc) error {
		p, err := d.tagged(parse)
		if err != nil {
			return err
		}
		for _, m := range p.files {
			if err := d.Member(m); err != nil {
				return err
			}
		}
		if p.bad && !d.Quiet {
			d.Gap(ReasonMalformed)
		}
		if d.Quiet {
			return nil
		}
		return gapError{ReasonMedia}
	}
}

// maxAttached bounds the files in the metadata of one file: covers and attachments.
const maxAttached = 100

// attach notes a file in the metadata.
func (p *tagged) attach(name string, b []byte) {
	if len(b) > 0 && len(p.files) < maxAttached {
		p.files = append(p.files, Member{Name: name, Size: int64(len(b)), Body: bytes.NewReader(b), Quiet: true})
	}
}

// mp3Media reads the ID3 tags in front and behind, and a tag of APEv2.
func mp3Media(p *tagged) {
	b := p.data
	for bytes.HasPrefix(b, []byte("ID3")) && p.err == nil {
		n := p.id3(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	if i := len(p.data) - 128; i >= 0 && bytes.HasPrefix(p.data[i:], []byte("TAG")) {
		t := p.data[i:]
		for _, f := range []struct {
			name     string
			from, to int
		}{{"title", 3, 33}, {"artist", 33, 63}, {"album", 63, 93}, {"comment", 97, 127}} {
			v, _, _ := bytes.Cut(t[f.from:f.to], []byte{0})
			p.put(PartMetadata, f.name, plain(v))
		}
	}
	if i := bytes.LastIndex(p.data, []byte("APETAGEX")); i >= 0 && i+32 <= len(p.data) {
		size, n := int(le32(p.data[i+12:])), int(le32(p.data[i+16:]))
		items := p.data[max(0, i+32-min(size, i+32)):i]
		if le32(p.data[i+20:])&(1<<29) != 0 { // It stands in front of the items.
			items = p.data[i+32 : min(len(p.data), i+32+size)]
		}
		for ; n > 0 && len(items) > 8 && p.err == nil; n-- {
			size := int(le32(items))
			key, v, ok := bytes.Cut(items[8:], []byte{0})
			if !ok || size > len(v) {
				return
			}
			p.put(PartMetadata, plain(key), plain(v[:size]))
			items = v[size:]
		}
	}
}

// id3 reads an ID3v2 tag, and returns its length.
func (p *tagged) id3(b []byte) int {
	if len(b) < 10 {
		return 0
	}
	version, flags := b[3], b[5]
	size := syncsafe(b[6:])
	end := min(10+size, len(b))
	t := b[10:end]
	if flags&0x80 != 0 && version < 4 {
		t = bytes.ReplaceAll(t, []byte{0xff, 0}, []byte{0xff})
	}
	if flags&0x40 != 0 && len(t) >= 4 {
		n := int(be32(t)) + 4
		if version == 4 {
			n = syncsafe(t)
		}
		t = t[min(max(n, 0), len(t)):]
	}
	head, idLen := 10, 4
	if version == 2 {
		head, idLen = 6, 3
	}
	for len(t) >= head && t[0] != 0 && p.err == nil {
		id := string(t[:idLen])
		n := 0
		switch version {
		case 2:
			n = int(t[3])<<16 | int(t[4])<<8 | int(t[5])
		case 4:
			n = syncsafe(t[4:])
		default:
			n = int(be32(t[4:]))
		}
		if n < 0 || n > len(t)-head {
			p.bad = true
			n = len(t) - head
		}
		p.frame(id, t[head:head+n])
		t = t[head+n:]
	}
	return end
}

func syncsafe(b []byte) int {
	return int(b[0]&0x7f)<<21 | int(b[1]&0x7f)<<14 | int(b[2]&0x7f)<<7 | int(b[3]&0x7f)
}

// frame reads a frame of ID3v2.
func (p *tagged) frame(id string, v []byte) {
	if len(v) == 0 {
		return
	}
	switch {
	case id == "APIC" || id == "PIC" || id == "GEOB" || id == "GEO":
		enc := v[0]
		rest := v[1:]
		if id == "PIC" {
			rest = rest[min(3, len(rest)):]
		} else {
			_, rest, _ = bytes.Cut(rest, []byte{0})
		}
		if id[0] == 'G' {
			_, rest = id3Cut(rest, enc)
		} else if len(rest) > 0 {
			rest = rest[1:]
		}
		name, rest := id3Cut(rest, enc)
		p.put(PartMetadata, id, name)
		p.attach("attached", rest)
	case id == "COMM" || id == "USLT" || id == "COM" || id == "ULT" || id == "USER":
		rest := v[min(4, len(v)):]
		if id != "USER" {
			var what string
			what, rest = id3Cut(rest, v[0])
			p.put(PartMetadata, id, what)
		}
		p.put(PartMetadata, id, id3Text(rest, v[0]))
	case id == "TXXX" || id == "TXX" || id == "WXXX" || id == "WXX":
		key, rest := id3Cut(v[1:], v[0])
		if id[0] == 'W' {
			p.put(PartLink, key, plain(rest))
			return
		}
		p.put(PartMetadata, key, id3Text(rest, v[0]))
	case id[0] == 'T' || id == "IPLS":
		p.put(PartMetadata, id, id3Text(v[1:], v[0]))
	case id[0] == 'W':
		p.put(PartLink, id, plain(v))
	case id == "PRIV" && bytes.HasPrefix(v, []byte("XMP\x00")):
		p.xmp(v[4:])
	default:
		p.runs(id, v)
	}
}

// id3Text decodes a text of one of the four encodings.
func id3Text(b []byte, enc byte) string {
	switch {
	case enc == 1 && len(b) >= 2 && b[0] == 0xfe, enc == 2:
		return strings.TrimPrefix(utf16Text(b, bigEndian), "\ufeff")
	case enc == 1:
		return strings.TrimPrefix(utf16Text(b, littleEndian), "\ufeff")
	}
	return plain(b)
}

// id3Cut takes a text up to its end, and gives what follows.
func id3Cut(b []byte, enc byte) (string, []byte) {
	if enc == 1 || enc == 2 {
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return id3Text(b[:i], enc), b[i+2:]
			}
		}
		return id3Text(b, enc), nil
	}
	v, rest, _ := bytes.Cut(b, []byte{0})
	return plain(v), rest
}

// flacMedia reads the blocks of metadata.
func flacMedia(p *tagged) {
	for b := p.data[4:]; len(b) >= 4 && p.err == nil; {
		last, kind, n := b[0]&0x80 != 0, b[0]&0x7f, int(be32(b)&0xffffff)
		b = b[4:]
		if n > len(b) {
			p.bad = true
			n = len(b)
		}
		switch v := b[:n]; kind {
		case 2:
			p.runs("application", v)
		case 4:
			p.vorbis(v)
		case 6:
			p.flacPicture(v)
		}
		if b = b[n:]; last {
			return
		}
	}
}

func (p *tagged) flacPicture(v []byte) {
	take := func() []byte {
		if len(v) < 4 || int64(be32(v)) > int64(len(v)-4) {
			v = nil
			return nil
		}
		n := be32(v)
		out := v[4 : 4+n]
		v = v[4+n:]
		return out
	}
	v = v[min(4, len(v)):]
	take() // type
	p.put(PartMetadata, "picture", plain(take()))
	v = v[min(16, len(v)):]
	p.attach("attached", take())
}

// vorbis reads comments: little-endian lengths, and KEY=value.
func (p *tagged) vorbis(v []byte) {
	take := func() ([]byte, bool) {
		if len(v) < 4 || int64(le32(v)) > int64(len(v)-4) {
			return nil, false
		}
		n := le32(v)
		out := v[4 : 4+n]
		v = v[4+n:]
		return out, true
	}
	if _, ok := take(); !ok || len(v) < 4 { // what wrote it
		p.bad = true
		return
	}
	n := le32(v)
	v = v[4:]
	for ; n > 0 && p.err == nil; n-- {
		c, ok := take()
		if !ok {
			p.bad = true
			return
		}
		key, value, _ := strings.Cut(plain(c), "=")
		if strings.EqualFold(key, "METADATA_BLOCK_PICTURE") {
			continue
		}
		p.put(PartMetadata, key, value)
	}
}

// oggMedia joins the first pages of each stream and looks for the packets of comments: those of Vorbis, Opus, FLAC and Theora.
func oggMedia(p *tagged) {
	var head []byte
	for b, pages := p.data, 0; len(b) >= 27 && string(b[:4]) == "OggS" && len(head) < 1<<20 && pages < 256; pages++ {
		n := int(b[26])
		if len(b) < 27+n {
			break
		}
		size := 0
		for _, s := range b[27 : 27+n] {
			size += int(s)
		}
		body := b[27+n:]
		if size > len(body) {
			p.bad = true
			size = len(body)
		}
		head = append(head, body[:size]...)
		b = body[size:]
	}
	for _, magic := range []string{"\x03vorbis", "OpusTags", "\x81theora", "\x04\x00\x00", "\x84\x00\x00"} {
		if i := bytes.Index(head, []byte(magic)); i >= 0 && p.err == nil {
			skip := len(magic)
			if magic[1] == 0 {
				skip = 4
				if !bytes.Contains(head, []byte("FLAC")) {
					continue
				}
			}
			if v := head[min(len(head), i+skip):]; len(v) > 8 && int64(le32(v)) < int64(len(v)) {
				p.vorbis(v)
			}
		}
	}
}
