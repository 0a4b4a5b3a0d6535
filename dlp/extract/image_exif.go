package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// exifNames are the tags that hold text (Exif 2.32, TIFF 6, and those of Windows).
var exifNames = map[uint16]string{
	0x010d: "DocumentName", 0x010e: "ImageDescription", 0x010f: "Make", 0x0110: "Model", 0x011d: "PageName", 0x0131: "Software", 0x0132: "ModifyDate",
	0x013b: "Artist", 0x013c: "HostComputer", 0x0151: "TargetPrinter", 0x8298: "Copyright", 0x9003: "DateTimeOriginal", 0x9004: "CreateDate",
	0x9286: "UserComment", 0x9c9b: "XPTitle", 0x9c9c: "XPComment", 0x9c9d: "XPAuthor", 0x9c9e: "XPKeywords", 0x9c9f: "XPSubject", 0xa004: "RelatedSoundFile",
	0xa420: "ImageUniqueID", 0xa430: "OwnerName", 0xa431: "SerialNumber", 0xa433: "LensMake", 0xa434: "LensModel", 0xa435: "LensSerialNumber",
	0xa436: "ImageTitle", 0xa437: "Photographer", 0xa438: "ImageEditor",
}

// gpsNames are those of the GPS directory.
var gpsNames = map[uint16]string{
	1: "GPSLatitudeRef", 2: "GPSLatitude", 3: "GPSLongitudeRef", 4: "GPSLongitude", 5: "GPSAltitudeRef", 6: "GPSAltitude", 7: "GPSTimeStamp", 8: "GPSSatellites",
	18: "GPSMapDatum", 27: "GPSProcessingMethod", 28: "GPSAreaInformation", 29: "GPSDateStamp",
}

// exifPlain are tags of bytes that hold no text: maker notes, profiles, tables, picture data.
var exifPlain = map[uint16]bool{0x927c: true, 0x8773: true, 0x9101: true, 0xa302: true, 0x9000: true, 0xa000: true, 0xa300: true, 0xa301: true, 0x015b: true, 0xc4a5: true}

// exifSizes are those of the types of values, in bytes.
var exifSizes = []uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}

// maxIFDs bounds the directories of one file.
const maxIFDs = 256

// exif reads the directories of a TIFF structure, each once.
func (p *tagged) exif(b []byte) {
	if len(b) < 8 {
		p.bad = p.bad || len(b) > 0
		return
	}
	x := &exif{p: p, b: b, seen: map[uint32]bool{}}
	switch string(b[:4]) {
	case "II*\x00", "IIU\x00", "IIRO", "IIRS":
		x.o = binary.LittleEndian
	case "MM\x00*":
		x.o = binary.BigEndian
	default:
		p.bad = true
		return
	}
	x.directory(x.o.Uint32(b[4:]), 0)
}

// tiffImage reads a TIFF file. Its end is nowhere told.
func tiffImage(p *tagged) { p.exif(p.data) }

type exif struct {
	p    *tagged
	b    []byte
	o    binary.ByteOrder
	seen map[uint32]bool
}

// directory reads one at an offset, those that it leads to, and the next ones. inside is the tag that led there.
func (x *exif) directory(at uint32, inside uint16) {
	for at != 0 && x.p.err == nil {
		if x.seen[at] || len(x.seen) >= maxIFDs || uint64(at)+2 > uint64(len(x.b)) {
			x.p.bad = true
			return
		}
		x.seen[at] = true
		d := x.b[at:]
		n := int(x.o.Uint16(d))
		d = d[2:]
		if n*12 > len(d) {
			x.p.bad = true
			n = len(d) / 12
		}
		for i := range n {
			x.tag(d[i*12:i*12+12], inside)
		}
		if d = d[n*12:]; len(d) < 4 || inside != 0 && inside != 0x014a {
			return
		}
		at = x.o.Uint32(d)
	}
}

func (x *exif) tag(e []byte, inside uint16) {
	tag, kind, count := x.o.Uint16(e), x.o.Uint16(e[2:]), uint64(x.o.Uint32(e[4:]))
	if int(kind) >= len(exifSizes) {
		return
	}
	size, v := count*exifSizes[kind], e[8:12]
	if size > 4 {
		off := uint64(x.o.Uint32(v))
		if off > uint64(len(x.b)) {
			x.p.bad = true
			return
		}
		if v = x.b[off:]; size > uint64(len(v)) {
			x.p.bad = true
			size = uint64(len(v))
		}
	}
	v = v[:size]
	switch tag {
	case 0x8769, 0x8825, 0xa005, 0x014a: // Exif, GPS, interoperability, more images
		if kind != 4 && kind != 13 {
			return
		}
		for ; len(v) >= 4 && x.p.err == nil && len(x.seen) < maxIFDs; v = v[4:] {
			x.directory(x.o.Uint32(v), tag)
		}
		return
	case 0x0100, 0x0101:
		x.side(tag, kind, v, inside)
		return
	case 0x02bc:
		x.p.xmp(v)
		return
	case 0x83bb:
		x.p.iptc(v)
		return
	case 0x8649:
		x.p.resources(v)
		return
	}
	x.value(tag, kind, v, inside)
}

// side notes the size of the first image.
func (x *exif) side(tag, kind uint16, v []byte, inside uint16) {
	n := int64(0)
	if kind == 3 && len(v) >= 2 {
		n = int64(x.o.Uint16(v))
	} else if kind == 4 && len(v) >= 4 {
		n = int64(x.o.Uint32(v))
	}
	if inside != 0 || len(x.b) != len(x.p.data) { // of a thumbnail
		return
	}
	if tag == 0x0100 {
		x.p.width = max(x.p.width, n)
	} else {
		x.p.height = max(x.p.height, n)
	}
}

func (x *exif) value(tag, kind uint16, v []byte, inside uint16) {
	name := exifNames[tag]
	if inside == 0x8825 {
		name = gpsNames[tag]
	}
	if name == "" {
		name = fmt.Sprintf("tag 0x%04x", tag)
	}
	switch {
	case tag == 0x9286 || inside == 0x8825 && (tag == 27 || tag == 28):
		x.p.put(PartMetadata, name, x.comment(v))
	case tag >= 0x9c9b && tag <= 0x9c9f:
		x.p.put(PartMetadata, name, utf16Text(v, binary.LittleEndian))
	case kind == 2:
		x.p.put(PartMetadata, name, strings.ReplaceAll(plain(bytes.TrimRight(v, "\x00")), "\x00", "\n"))
	case inside == 0x8825 && (kind == 5 || kind == 10):
		x.p.put(PartMetadata, name, x.rationals(v))
	case (kind == 1 || kind == 7) && len(v) >= minRun && !exifPlain[tag]:
		x.p.runs(name, v[:min(len(v), 1<<20)])
	}
}

// comment decodes a text with the name of its encoding in front.
func (x *exif) comment(v []byte) string {
	if len(v) < 8 {
		return plain(v)
	}
	code, text := strings.TrimRight(string(v[:8]), "\x00 "), v[8:]
	switch {
	case code == "UNICODE":
		if len(text) >= 2 && text[0] == 0xff && text[1] == 0xfe {
			return utf16Text(text[2:], binary.LittleEndian)
		}
		if len(text) >= 2 && text[0] == 0xfe && text[1] == 0xff {
			return utf16Text(text[2:], binary.BigEndian)
		}
		if len(text) >= 2 && (text[0] == 0) != (text[1] == 0) { // Some write the other order than that of the file.
			if text[0] == 0 {
				return utf16Text(text, binary.BigEndian)
			}
			return utf16Text(text, binary.LittleEndian)
		}
		return utf16Text(text, x.o)
	case code == "", code == "ASCII", code == "JIS":
		return plain(text)
	}
	return plain(v)
}

func utf16Text(b []byte, o binary.ByteOrder) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = o.Uint16(b[2*i:])
	}
	return strings.TrimRight(string(utf16.Decode(u)), "\x00")
}

func (x *exif) rationals(v []byte) string {
	var out []string
	for ; len(v) >= 8 && len(out) < 8; v = v[8:] {
		if d := x.o.Uint32(v[4:]); d != 0 {
			out = append(out, strconv.FormatFloat(float64(x.o.Uint32(v))/float64(d), 'f', -1, 64))
		}
	}
	return strings.Join(out, " ")
}
