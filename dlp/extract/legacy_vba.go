package extract

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// maxModule bounds the source of one module of macros, in bytes; a compressed chunk of 4 KiB takes as few as 20.
const maxModule = 64 << 20

// vbaOf finds the storage with the modules of a VBA project: below the root of a document (Macros, _VBA_PROJECT_CUR), or of a project file.
func vbaOf(s *storage) *storage {
	for _, at := range []*storage{s, s.folder("Macros"), s.folder("_VBA_PROJECT_CUR")} {
		if at == nil {
			continue
		}
		if v := at.folder("VBA"); v != nil && v.has("dir") {
			return v
		}
	}
	if s.has("dir") && s.has("_VBA_PROJECT") {
		return s
	}
	return nil
}

// readVBA gives out the source of all modules of the project that a storage holds.
func readVBA(d *Doc, s *storage) error {
	v := vbaOf(s)
	if v == nil {
		return nil
	}
	packed, err := v.read("dir")
	if err != nil {
		return err
	}
	dir, derr := unpackVBA(packed)
	page, offsets := vbaModules(dir)
	for _, st := range v.streams {
		low := strings.ToLower(st.name)
		if low == "dir" || low == "_vba_project" || strings.HasPrefix(low, "__srp_") {
			st.used = low == "dir" && derr == nil
			continue
		}
		b, err := st.bytes()
		if err != nil {
			return err
		}
		at, ok := offsets[low]
		if !ok || at >= len(b) || b[at] != 1 {
			// Each module begins with an Attribute line, of which the first 8 letters are stored as they are.
			if at = bytes.Index(b, []byte("\x00Attribut")) - 3; at < 0 {
				st.used = false
				continue
			}
		}
		src, uerr := unpackVBA(b[at:])
		if err := d.Text(Location{Part: PartCode, Name: st.name}).WriteString(decodeANSI(src, page)); err != nil {
			return err
		}
		if uerr != nil {
			s.c.broken = true
		}
	}
	// Text of the project's properties, and captions of its forms.
	return nil
}

// vbaModules reads the dir stream, [MS-OVBA] 2.3.4.2: the code page and where in its stream each module's source begins.
func vbaModules(b []byte) (page int, offsets map[string]int) {
	page, offsets = 1252, map[string]int{}
	name := ""
	for len(b) >= 6 {
		id, size := binary.LittleEndian.Uint16(b), int64(binary.LittleEndian.Uint32(b[2:]))
		if id == 0x09 { // PROJECTVERSION tells 4 and has 6.
			size = 6
		}
		b = b[6:]
		if size > int64(len(b)) {
			break
		}
		v := b[:size]
		b = b[size:]
		switch id {
		case 0x03:
			if len(v) >= 2 {
				page = int(binary.LittleEndian.Uint16(v))
			}
		case 0x1A:
			name = strings.ToLower(decodeANSI(v, page))
		case 0x31:
			if len(v) >= 4 {
				offsets[name] = int(binary.LittleEndian.Uint32(v))
			}
		}
	}
	return page, offsets
}

// unpackVBA decompresses [MS-OVBA] 2.4.1.
func unpackVBA(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errMalformed
	}
	b = b[1:]
	var out []byte
	for len(b) >= 2 {
		h := binary.LittleEndian.Uint16(b)
		size := int(h&0x0FFF) + 3
		if h>>12&7 != 3 {
			return out, errMalformed
		}
		chunk := b[2:min(size, len(b))]
		b = b[min(size, len(b)):]
		if len(out) > maxModule {
			return out, errRatio
		}
		if h&0x8000 == 0 {
			out = append(out, chunk...)
			continue
		}
		start := len(out)
		for len(chunk) > 0 {
			flags := chunk[0]
			chunk = chunk[1:]
			for bit := 0; bit < 8 && len(chunk) > 0; bit++ {
				if flags>>bit&1 == 0 {
					out = append(out, chunk[0])
					chunk = chunk[1:]
					continue
				}
				if len(chunk) < 2 {
					return out, errMalformed
				}
				tok := binary.LittleEndian.Uint16(chunk)
				chunk = chunk[2:]
				bits := 4
				for 1<<bits < len(out)-start {
					bits++
				}
				length := int(tok&(0xFFFF>>bits)) + 3
				back := int(tok>>(16-bits)) + 1
				if back > len(out)-start || len(out)-start+length > 4096+2 {
					return out, errMalformed
				}
				for range length {
					out = append(out, out[len(out)-back])
				}
			}
		}
	}
	return out, nil
}
