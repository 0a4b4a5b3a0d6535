package extract

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

var legacyKinds = []compoundKind{
	{id: "ooxml_encrypted", media: "application/x-ole-storage", is: func(s *storage) bool { return s.has("EncryptedPackage") }, read: readEncryptedPackage},
	{id: "doc", media: "application/msword", is: func(s *storage) bool { return s.has("WordDocument") }, read: readDOC},
	{id: "ppt", media: "application/vnd.ms-powerpoint", is: func(s *storage) bool { return s.has("PowerPoint Document") }, read: readPPT},
	{id: "xls", media: "application/vnd.ms-excel", is: func(s *storage) bool { return s.has("Workbook", "Book") }, read: readXLS},
	{id: "ole_object", media: "application/x-ole-storage", is: func(s *storage) bool { return s.has("\x01Ole10Native", "Package", "CONTENTS") }, read: readObject},
	{id: "vba", media: "application/x-ole-storage", is: func(s *storage) bool { return vbaOf(s) != nil }, read: readCommon},
}

func readEncryptedPackage(d *Doc, s *storage) error {
	if err := readProperties(d, s); err != nil {
		return err
	}
	return errEncrypted
}

// readCommon reads what all documents in compound files may have: properties, macros, embedded objects.
func readCommon(d *Doc, s *storage) error {
	if err := readProperties(d, s); err != nil {
		return err
	}
	if err := readVBA(d, s); err != nil {
		return err
	}
	for _, f := range s.folders {
		switch up := strings.ToUpper(f.name); {
		case up == "OBJECTPOOL":
			for _, o := range f.folders {
				if err := embedded(d, o, Location{}); err != nil {
					return err
				}
			}
		case strings.HasPrefix(up, "MBD"), strings.HasPrefix(up, "LNK"):
			if err := embedded(d, f, Location{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// embedded reads an object that a document holds as a storage. That of a file that was put in as it is has the file's name alone.
func embedded(d *Doc, s *storage, at Location) error {
	return d.Inner(Member{Name: s.name, At: at, Inline: s.has("\x01Ole10Native")}, "application/x-ole-storage", "compound", func(c *Doc) error { return readStorage(c, s) })
}

// readObject reads what a storage holds as a file: a package of the Packager, an office file, a PDF file.
func readObject(d *Doc, s *storage) error {
	for _, name := range []string{"\x01Ole10Native", "Package", "CONTENTS"} {
		b, err := s.read(name)
		if err != nil {
			return err
		}
		m := Member{Name: strings.TrimLeft(name, "\x01"), Size: int64(len(b)), Quiet: name == "CONTENTS"}
		if len(b) == 0 {
			continue
		}
		if name[0] == 1 {
			var told []string
			m.Name, b, told = ole10Native(b)
			for _, p := range told {
				if err := d.Text(Location{Part: PartProperty, Name: "path"}).WriteString("path: " + p + "\n"); err != nil {
					return err
				}
			}
		}
		m.Body = bytes.NewReader(b)
		if err := d.Member(m); err != nil {
			return err
		}
	}
	return readCommon(d, s)
}

// ole10Native takes a package apart: its file's name, its bytes, and the paths that it tells. What is no package is given whole.
func ole10Native(b []byte) (name string, data []byte, paths []string) {
	if len(b) < 6 {
		return "Ole10Native", b, nil
	}
	rest := b[6:]
	str := func() string {
		s, after, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(s) > 4096 {
			return ""
		}
		rest = after
		return decodeANSI(s, 0)
	}
	label, file := str(), str()
	if len(rest) < 8 {
		return "Ole10Native", b[4:], nil
	}
	rest = rest[4:]
	n := int64(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n > int64(len(rest)) {
		return "Ole10Native", b[4:], nil
	}
	temp := decodeANSI(bytes.TrimRight(rest[:n], "\x00"), 0)
	if rest = rest[n:]; len(rest) < 4 {
		return "Ole10Native", b[4:], nil
	}
	size := int64(binary.LittleEndian.Uint32(rest))
	rest = rest[4:]
	if name = baseName(label); name == "" {
		name = baseName(file)
	}
	for _, p := range []string{file, temp} {
		if p != "" && p != name && !slices.Contains(paths, p) {
			paths = append(paths, display(p))
		}
	}
	return name, rest[:min(size, int64(len(rest)))], paths
}

// baseName is what follows the last slash or backslash.
func baseName(p string) string { return p[strings.LastIndexAny(p, `/\:`)+1:] }

// codepage is the encoding of a number of a Windows code page; that of Western Europe where it is unknown.
func codepage(n int) encoding.Encoding {
	switch n {
	case 65001:
		return unicode.UTF8
	case 1200:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case 932:
		return japanese.ShiftJIS
	case 949:
		return korean.EUCKR
	case 936, 54936:
		return simplifiedchinese.GB18030
	case 950:
		return traditionalchinese.Big5
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 866:
		return charmap.CodePage866
	case 874:
		return charmap.Windows874
	case 1250:
		return charmap.Windows1250
	case 1251:
		return charmap.Windows1251
	case 1253:
		return charmap.Windows1253
	case 1254:
		return charmap.Windows1254
	case 1255:
		return charmap.Windows1255
	case 1256:
		return charmap.Windows1256
	case 1257:
		return charmap.Windows1257
	case 1258:
		return charmap.Windows1258
	case 10000:
		return charmap.Macintosh
	case 20866:
		return charmap.KOI8R
	case 21866:
		return charmap.KOI8U
	case 28592:
		return charmap.ISO8859_2
	case 28595:
		return charmap.ISO8859_5
	case 28597:
		return charmap.ISO8859_7
	case 28599:
		return charmap.ISO8859_9
	case 28605:
		return charmap.ISO8859_15
	case 50220, 50221, 50222:
		return japanese.ISO2022JP
	case 51932:
		return japanese.EUCJP
	}
	return charmap.Windows1252
}

// decodeANSI decodes bytes of a code page; 0: that of Western Europe.
func decodeANSI(b []byte, page int) string {
	out, err := codepage(page).NewDecoder().Bytes(b)
	if err != nil {
		out, _ = charmap.Windows1252.NewDecoder().Bytes(b) // It has a character for each byte.
	}
	return string(out)
}
