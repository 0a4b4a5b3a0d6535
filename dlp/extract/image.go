package extract

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zlib"
)

var imageFormats = []format{
	{id: "jpeg", media: []string{"image/jpeg"}, magic: prefix("\xff\xd8\xff"), read: imageReader(jpegImage, true)},
	{id: "png", media: []string{"image/png", "image/vnd.mozilla.apng"}, magic: prefix("\x89PNG\r\n\x1a\n"), read: imageReader(pngImage, true)},
	{id: "gif", media: []string{"image/gif"}, read: imageReader(gifImage, true)},
	{id: "tiff", media: []string{"image/tiff"}, read: imageReader(tiffImage, true)},
	{id: "webp", media: []string{"image/webp"}, read: imageReader(webpImage, true)},
	{id: "bmp", media: []string{"image/bmp"}, read: imageReader(bmpImage, true)},
	{id: "heif", media: []string{"image/heic", "image/heic-sequence", "image/heif", "image/heif-sequence", "image/avif"}, read: imageReader(heifImage, false)},
	{id: "psd", media: []string{"image/vnd.adobe.photoshop", "image/x-psd"}, magic: prefix("8BPS\x00\x01\x00"), read: imageReader(psdImage, false)},
	{id: "image", media: []string{"image/x-icon", "image/jp2", "image/jpx", "image/jpm", "image/jxl", "image/jxs", "image/jxr", "image/x-xcf", "image/bpg", "image/x-icns",
		"image/x-gimp-pat", "image/x-gimp-gbr", "image/vnd.djvu", "image/vnd.radiance", "image/vnd.dwg", "image/x-xpixmap"}, read: imageReader(otherImage, false)},
}

// tagged is an image, audio or video file in memory, and what its reader learned of it.
type tagged struct {
	d             *Doc
	data          []byte
	t             *Text
	width, height int64
	end           int // of the image; what follows is none of it. 0: unknown
	budget        int // bytes of values that may still be given out: several tags may tell the same ones
	bad           bool
	err           error // of the text
	files         []Member
}

// tagged reads the metadata of an image, of audio or of video.
func (d *Doc) tagged(parse func(p *tagged)) (*tagged, error) {
	data, err := d.Bytes()
	if err != nil {
		return nil, err
	}
	p := &tagged{d: d, data: data, t: d.Text(Location{}), budget: 2*len(data) + 1<<20}
	parse(p)
	return p, p.err
}

// imageReader reads the metadata of an image, what follows its end, and the text in it if that is asked for. Tesseract can read it or cannot.
func imageReader(parse func(p *tagged), readable bool) func(d *Doc) error {
	return func(d *Doc) error {
		p, err := d.tagged(parse)
		if err != nil {
			return err
		}
		if p.end > 0 && p.end < len(p.data) {
			if err := p.behind(p.data[p.end:]); err != nil {
				return err
			}
		}
		if p.bad && !d.Quiet {
			d.Gap(ReasonMalformed)
		}
		return p.pixels(readable)
	}
}

// pixels reads the text in the picture.
func (p *tagged) pixels(readable bool) error {
	var err error = gapError{ReasonImage}
	// A side of no width in a header is one that the reader does not know.
	if p.width > 0 && p.height > p.d.w.opt.Limits.Pixels/p.width {
		err = errPixels
	} else if readable {
		var text string
		if text, err = p.d.OCR(p.data); err == nil {
			return p.d.Text(Location{}).Put(Location{Part: PartImage}, text)
		}
	}
	var g gapError
	if p.d.Quiet && errors.As(err, &g) && !p.d.w.opt.OCR {
		return nil
	}
	return err
}

// behind reads what follows the end of an image: a file of a known type, or text in bytes of none.
func (p *tagged) behind(b []byte) error {
	b = bytes.TrimLeft(b, "\x00")
	if len(b) < minLoose {
		return nil
	}
	head := b[:min(len(b), headBytes)]
	if formatOf(detect(head), head) != nil {
		return p.d.Member(Member{Name: "behind", Body: bytes.NewReader(b), Quiet: true, At: Location{Hidden: true}})
	}
	p.runs("behind", b)
	return p.err
}

// put gives out a named value.
func (p *tagged) put(part, name, value string) {
	value = strings.Trim(value, "\x00 \t\r\n")
	if p.err != nil || value == "" || p.budget < 0 {
		return
	}
	p.budget -= len(name) + len(value)
	at := Location{Part: part, Name: display(name)}
	if at.Name != "" {
		value = at.Name + ": " + value
	}
	p.err = p.t.Put(at, value)
}

// runs gives out the text in bytes of no known form.
func (p *tagged) runs(name string, b []byte) {
	if p.budget < len(b) {
		return
	}
	p.budget -= len(b)
	for _, s := range textRuns(b, minRun) {
		if p.err != nil {
			return
		}
		p.err = p.t.Put(Location{Part: PartMetadata, Name: display(name), Hidden: true}, s)
	}
}

// plain decodes a value that is UTF-8 or else ISO 8859-1.
func plain(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// inflated bounds what comes out of a compressed value, in bytes.
const inflated = 4 << 20

// inflate decompresses a value.
func (p *tagged) inflate(b []byte) []byte {
	if p.budget < len(b) {
		return nil
	}
	p.budget -= len(b)
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		p.bad = true
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(z, inflated+1))
	if err != nil {
		p.bad = true
	}
	if len(out) > inflated {
		p.d.Gap(ReasonRatio)
		out = out[:inflated]
	}
	p.budget += len(out) // It is bounded by the number of bytes that are there, times the limit above.
	return out
}

func otherImage(*tagged) {}

func bmpImage(p *tagged) {
	b := p.data
	if len(b) < 26 {
		p.bad = true
		return
	}
	if n := le32(b[14:]); n >= 40 {
		p.width, p.height = abs(int64(int32(le32(b[18:])))), abs(int64(int32(le32(b[22:]))))
	} else {
		p.width, p.height = int64(le16(b[18:])), int64(le16(b[20:]))
	}
	if end := int64(le32(b[2:])); end >= 26 && end <= int64(len(b)) {
		p.end = int(end)
	}
}

func abs(n int64) int64 { return max(n, -n) }

// gifImage reads the blocks of a GIF file (GIF89a).
func gifImage(p *tagged) {
	b := p.data
	if len(b) < 13 {
		p.bad = true
		return
	}
	p.width, p.height = int64(le16(b[6:])), int64(le16(b[8:]))
	at := 13
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	// blocks passes over sub-blocks, and gives what they hold.
	blocks := func() (out []byte) {
		for at < len(b) {
			n := int(b[at])
			at++
			if n == 0 {
				return out
			}
			out = append(out, b[min(at, len(b)):min(at+n, len(b))]...)
			at += n
		}
		p.bad = true
		return out
	}
	for at+1 < len(b) && p.err == nil {
		switch b[at] {
		case 0x3b:
			p.end = at + 1
			return
		case 0x21:
			label := b[at+1]
			at += 2
			start := at
			v := blocks()
			switch {
			case label == 0xfe:
				p.put(PartComment, "", plain(v))
			case label == 0x01 && len(v) > 12:
				p.put(PartMetadata, "text", plain(v[12:]))
			case label == 0xff && bytes.HasPrefix(v, []byte("XMP Data")):
				packet, _, _ := bytes.Cut(b[min(start+12, len(b)):min(at, len(b))], []byte("\x01\xff\xfe")) // what ends it for readers of sub-blocks
				p.xmp(packet)
			case label == 0xff && !bytes.HasPrefix(v, []byte("NETSCAPE")) && !bytes.HasPrefix(v, []byte("ANIMEXTS")):
				p.runs("extension", v)
			}
		case 0x2c:
			if at+10 > len(b) {
				p.bad = true
				return
			}
			flags := b[at+9]
			at += 10
			if flags&0x80 != 0 {
				at += 3 << (flags&7 + 1)
			}
			at++
			for at < len(b) && b[at] != 0 { // the picture
				at += int(b[at]) + 1
			}
			at++
		default:
			p.bad, p.end = true, at
			return
		}
	}
	if at < len(b) && b[at] == 0x3b {
		return
	}
	p.bad = true
}

// webpImage reads the chunks of a WebP file.
func webpImage(p *tagged) {
	b := p.data
	if len(b) < 12 {
		p.bad = true
		return
	}
	p.end = int(min(int64(le32(b[4:]))+8, int64(len(b))))
	for at := 12; at+8 <= p.end && p.err == nil; {
		id, n := string(b[at:at+4]), int64(le32(b[at+4:]))
		v := b[at+8:]
		if n > int64(len(v)) {
			p.bad = true
			n = int64(len(v))
		}
		v = v[:n]
		at += 8 + int(n+n&1)
		switch {
		case id == "VP8X" && n >= 10:
			p.width, p.height = int64(le32(v[4:])&0xffffff)+1, int64(le32(v[6:])>>8)+1
		case id == "VP8 " && n >= 10 && p.width == 0:
			p.width, p.height = int64(le16(v[6:])&0x3fff), int64(le16(v[8:])&0x3fff)
		case id == "VP8L" && n >= 5 && p.width == 0:
			bits := le32(v[1:])
			p.width, p.height = int64(bits&0x3fff)+1, int64(bits>>14&0x3fff)+1
		case id == "EXIF":
			p.exif(bytes.TrimPrefix(v, []byte("Exif\x00\x00")))
		case id == "XMP ":
			p.xmp(v)
		case id == "VP8X", id == "VP8 ", id == "VP8L", id == "ALPH", id == "ANIM", id == "ANMF", id == "ICCP":
		default:
			p.runs(id, v)
		}
	}
}
