package extract

import "encoding/binary"

// rtfDictionary is what compressed RTF may refer to before anything was written, [MS-OXRTFCP] 2.1.2.1.
const rtfDictionary = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// unpackRTF decompresses the RTF of a message. What came out before an error stays.
func unpackRTF(b []byte, lim Limits) ([]byte, error) {
	if len(b) < 16 {
		return nil, errMalformed
	}
	kind := binary.LittleEndian.Uint32(b[8:])
	in := b[16:]
	if kind == 0x414C454D { // Not compressed.
		return in, nil
	}
	if kind != 0x75465A4C {
		return nil, errMalformed
	}
	var dict [4096]byte
	w := copy(dict[:], rtfDictionary)
	var out []byte
	for len(in) > 0 {
		if int64(len(out)) > lim.File {
			return out, errTooBig
		}
		flags := in[0]
		in = in[1:]
		for bit := range 8 {
			if len(in) == 0 {
				break
			}
			if flags>>bit&1 == 0 {
				out = append(out, in[0])
				dict[w] = in[0]
				w, in = (w+1)&4095, in[1:]
				continue
			}
			if len(in) < 2 {
				return out, errMalformed
			}
			at, n := int(in[0])<<4|int(in[1])>>4, int(in[1]&15)+2
			in = in[2:]
			if at == w {
				return out, nil
			}
			for range n {
				c := dict[at]
				out = append(out, c)
				dict[w] = c
				at, w = (at+1)&4095, (w+1)&4095
			}
		}
	}
	return out, errMalformed // The end mark is missing.
}
