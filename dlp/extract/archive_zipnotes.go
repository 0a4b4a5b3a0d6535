package extract

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// comments gives out the comments of the archive and of its entries, and text in extra fields.
func (f *zipFile) comments() error {
	t := f.d.Text(Location{})
	if err := t.Put(Location{Part: PartComment}, zipText(f.z.Comment, true)); err != nil {
		return err
	}
	for _, z := range f.z.File[:min(len(f.z.File), f.d.w.opt.Limits.Entries)] {
		name := display(zipName(z.Name, z.Extra, z.NonUTF8))
		if err := t.Put(Location{Part: PartComment, Name: name}, zipText(z.Comment, z.NonUTF8)); err != nil {
			return err
		}
		for id, x := range zipExtras(z.Extra) {
			if slices.Contains(zipPlainExtras, id) {
				continue
			}
			for _, s := range textRuns(x, minRun) {
				if err := t.Put(Location{Part: PartMetadata, Name: name, Hidden: true}, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// zipPlainExtras are the extra fields that hold numbers, or a name that is read elsewhere: zip64, NTFS and Unix times and owners, AES, Unicode names.
var zipPlainExtras = []uint16{0x0001, 0x000a, 0x000d, 0x5455, 0x5855, 0x7855, 0x7875, 0x7075, 0x9901, 0xcafe}

// zipExtras gives the extra fields by their ids.
func zipExtras(extra []byte) func(func(uint16, []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(extra) >= 4 {
			id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
			extra = extra[4:]
			if n > len(extra) {
				return
			}
			if !yield(id, extra[:n]) {
				return
			}
			extra = extra[n:]
		}
	}
}

func zipExtra(extra []byte, want uint16) []byte {
	for id, x := range zipExtras(extra) {
		if id == want {
			return x
		}
	}
	return nil
}

// zipName decodes the name of an entry: a Unicode one in the extra fields (Info-ZIP), UTF-8, or code page 437.
func zipName(raw string, extra []byte, legacy bool) string {
	if x := zipExtra(extra, 0x7075); len(x) > 5 && x[0] == 1 && binary.LittleEndian.Uint32(x[1:]) == crc32.ChecksumIEEE([]byte(raw)) && utf8.Valid(x[5:]) {
		return string(x[5:])
	}
	return zipText(raw, legacy)
}

func zipText(raw string, legacy bool) string {
	if !legacy || utf8.ValidString(raw) {
		return raw
	}
	s, err := charmap.CodePage437.NewDecoder().String(raw)
	if err != nil {
		return raw
	}
	return s
}
