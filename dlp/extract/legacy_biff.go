package extract

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// biffRecord is a record of a workbook with the CONTINUE records behind it.
type biffRecord struct {
	typ   uint16
	at    int // offset in the stream
	parts [][]byte
}

// first is the data of the record itself.
func (r *biffRecord) first() []byte { return r.parts[0] }

// biffNext reads the record at an offset; false at the end.
func biffNext(b []byte, at int) (biffRecord, int, bool) {
	if at+4 > len(b) {
		return biffRecord{}, at, false
	}
	r := biffRecord{typ: binary.LittleEndian.Uint16(b[at:]), at: at}
	take := func() {
		n := int(binary.LittleEndian.Uint16(b[at+2:]))
		at += 4
		r.parts = append(r.parts, b[at:min(at+n, len(b))])
		at = min(at+n, len(b))
	}
	take()
	for at+4 <= len(b) && binary.LittleEndian.Uint16(b[at:]) == 0x3C {
		take()
	}
	return r, at, true
}

// biffReader reads over the parts of a record.
type biffReader struct {
	parts [][]byte
	b     []byte
}

func (r *biffRecord) reader() *biffReader { return &biffReader{r.parts[1:], r.parts[0]} }

// next moves to the next part if this one is read; false at the end.
func (r *biffReader) next() bool {
	for len(r.b) == 0 {
		if len(r.parts) == 0 {
			return false
		}
		r.b, r.parts = r.parts[0], r.parts[1:]
	}
	return true
}

func (r *biffReader) skip(n int64) {
	for n > 0 && r.next() {
		k := min(n, int64(len(r.b)))
		r.b = r.b[k:]
		n -= k
	}
}

func (r *biffReader) u8() int {
	if !r.next() {
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return int(v)
}

func (r *biffReader) u16() int { return r.u8() | r.u8()<<8 }

func (r *biffReader) u32() uint32 { return uint32(r.u16()) | uint32(r.u16())<<16 }

// str reads a string of [MS-XLS] 2.5.293 (rich and extended) of n characters. Each part that it goes on in begins with its width.
func (r *biffReader) str(n int) string {
	flags := r.u8()
	runs, ext := 0, uint32(0)
	if flags&8 != 0 {
		runs = r.u16()
	}
	if flags&4 != 0 {
		ext = r.u32()
	}
	s := r.chars(n, flags&1 != 0)
	r.skip(4*int64(runs) + int64(ext))
	return s
}

func (r *biffReader) chars(n int, wide bool) string {
	var u []uint16
	for n > 0 {
		if len(r.b) == 0 {
			if !r.next() {
				break
			}
			wide = r.b[0]&1 != 0
			r.b = r.b[1:]
			continue
		}
		if wide {
			k := min(n, len(r.b)/2)
			for i := range k {
				u = append(u, binary.LittleEndian.Uint16(r.b[2*i:]))
			}
			r.b = r.b[2*k:]
			n -= k
			if k == 0 {
				r.b = nil // An odd byte.
			}
			continue
		}
		k := min(n, len(r.b))
		for _, c := range r.b[:k] {
			u = append(u, uint16(c))
		}
		r.b = r.b[k:]
		n -= k
	}
	return string(utf16.Decode(u))
}

// biffSST reads the shared strings, [MS-XLS] 2.4.265.
func biffSST(d *Doc, r biffRecord) ([]string, error) {
	in := r.reader()
	in.u32()
	n := in.u32()
	var out []string
	for range n {
		if !in.next() {
			break
		}
		s := in.str(in.u16())
		if err := d.keep(int64(len(s)) + 40); err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, nil
}

// biffShort is a string with its length before it: of one byte or two, with flags in BIFF8.
func biffShort(b []byte, width int, old bool, page int) string {
	r := &biffReader{b: b}
	n := r.u8()
	if width == 2 {
		n |= r.u8() << 8
	}
	if old {
		return decodeANSI(r.b[:min(n, len(r.b))], page)
	}
	return r.str(n)
}

// biffConstants gives the strings in the tokens of a formula: ptgStr, [MS-XLS] 2.5.198.89.
func biffConstants(b []byte, old bool) string {
	var out []string
	for i := 0; i+3 < len(b); i++ {
		n, at, wide := int(b[i+1]), i+2, false
		if b[i] != 0x17 || n < 2 {
			continue
		}
		if !old {
			if b[at] > 1 {
				continue
			}
			wide = b[at] == 1
			at++
		}
		size := n
		if wide {
			size *= 2
		}
		if at+size > len(b) {
			continue
		}
		var s string
		if wide {
			s = utf16String(b[at : at+size])
		} else {
			s, _ = charmap.Windows1252.NewDecoder().String(string(b[at : at+size]))
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' }) {
			continue
		}
		out = append(out, s)
		i = at + size - 1
	}
	return strings.Join(out, "\t")
}

// biffRK is a number in 4 bytes, [MS-XLS] 2.5.222.
func biffRK(v uint32) float64 {
	var f float64
	if v&2 != 0 {
		f = float64(int32(v) >> 2)
	} else {
		f = math.Float64frombits(uint64(v&^3) << 32)
	}
	if v&1 != 0 {
		f /= 100
	}
	return f
}
