package extract

import (
	"bytes"
	"compress/flate"
	"io"
)

// pdfBudget takes what is decoded; an error of it ends the decoding.
type pdfBudget func(n int) error

// pdfDecode runs the filters of a stream (ISO 32000-2, 7.4) over raw. What a broken stream gave before it broke is given without an error. image is
// the name of the last filter, if it is one of an image: data is then as that filter needs it.
func pdfDecode(raw []byte, filters []pdfFilter, spend pdfBudget) (data []byte, image pdfName, err error) {
	if len(filters) > 8 {
		return nil, "", errMalformed
	}
	data = raw
	for _, f := range filters {
		switch f.name {
		case "FlateDecode", "Fl":
			data, err = pdfFlate(data, spend)
			data = pdfPredict(data, f.parms)
		case "LZWDecode", "LZW":
			data, err = pdfLZW(data, f.parms["EarlyChange"] != int64(0), spend)
			data = pdfPredict(data, f.parms)
		case "ASCII85Decode", "A85":
			data = pdfASCII85(data)
			err = spend(len(data))
		case "ASCIIHexDecode", "AHx":
			l := pdfLexer{b: data}
			data = []byte(l.hex())
			err = spend(len(data))
		case "RunLengthDecode", "RL":
			data, err = pdfRunLength(data, spend)
		case "Crypt":
		case "DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode":
			return data, f.name, nil
		default:
			return nil, "", errMalformed
		}
		if err != nil {
			return nil, "", err
		}
	}
	return data, "", nil
}

// pdfFilter is one step of the decoding.
type pdfFilter struct {
	name  pdfName
	parms pdfDict
}

// pdfFlate inflates, with or without a right zlib header, and takes no checksum.
func pdfFlate(raw []byte, spend pdfBudget) ([]byte, error) {
	for len(raw) > 0 && (raw[0] == '\r' || raw[0] == '\n') { // of writers that end the line twice
		raw = raw[1:]
	}
	body := raw
	if len(raw) > 2 && raw[0]&0x0f == 8 && (int(raw[0])<<8|int(raw[1]))%31 == 0 {
		body = raw[2:]
	}
	out, err := pdfInflate(body, spend)
	if err == nil && len(out) == 0 && len(raw) > 2 {
		return pdfInflate(raw[2:], spend)
	}
	return out, err
}

func pdfInflate(raw []byte, spend pdfBudget) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(raw))
	var out bytes.Buffer
	for {
		n, err := io.CopyN(&out, r, 64<<10)
		if serr := spend(int(n)); serr != nil {
			return nil, serr
		}
		if err != nil { // io.EOF, or a broken or cut stream: what came before it stays
			return out.Bytes(), nil
		}
	}
}

// pdfPredict undoes a predictor (7.4.4.4) in place.
func pdfPredict(data []byte, parms pdfDict) []byte {
	kind := pdfInt(parms["Predictor"], 1)
	if kind <= 1 {
		return data
	}
	colors, bits, columns := pdfInt(parms["Colors"], 1), pdfInt(parms["BitsPerComponent"], 8), pdfInt(parms["Columns"], 1)
	if colors < 1 || colors > 256 || bits < 1 || bits > 32 || columns < 1 || columns > 1<<26 {
		return data
	}
	bpp := max(1, colors*bits/8)
	row := (colors*bits*columns + 7) / 8
	if kind == 2 {
		if bits == 8 {
			for from := 0; from < len(data); from += row {
				line := data[from:min(from+row, len(data))]
				for i := bpp; i < len(line); i++ {
					line[i] += line[i-bpp]
				}
			}
		}
		return data
	}
	out := data[:0]
	prior := make([]byte, min(row, len(data)))
	for len(data) > 1 {
		tag := data[0]
		line := data[1:min(row+1, len(data))]
		data = data[1+len(line):]
		for i := range line {
			var a, b, c byte
			if i >= bpp {
				a, c = line[i-bpp], prior[i-bpp]
			}
			b = prior[i]
			switch tag {
			case 1:
				line[i] += a
			case 2:
				line[i] += b
			case 3:
				line[i] += byte((int(a) + int(b)) / 2)
			case 4:
				line[i] += pdfPaeth(a, b, c)
			}
		}
		copy(prior, line)
		out = append(out, line...)
	}
	return out
}

func pdfPaeth(a, b, c byte) byte {
	abs := func(n int) int { return max(n, -n) }
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

// pdfLZW is the LZW of PDF and TIFF: most significant bit first, codes one bit longer one code early unless early is false.
func pdfLZW(raw []byte, early bool, spend pdfBudget) ([]byte, error) {
	type entry struct{ at, n int } // a string that was put out
	var table [4096]entry
	var out []byte
	next, width := 258, 9
	var acc uint32
	var bits int
	prev := entry{n: -1}
	spent := 0
	add := 0
	if early {
		add = 1
	}
	for _, c := range raw {
		acc = acc<<8 | uint32(c)
		bits += 8
		if bits < width {
			continue
		}
		bits -= width
		code := int(acc>>bits) & (1<<width - 1)
		switch {
		case code == 256:
			next, width, prev = 258, 9, entry{n: -1}
			continue
		case code == 257:
			return out, spend(len(out) - spent)
		}
		at := len(out)
		switch {
		case code < 256:
			out = append(out, byte(code))
		case code < next && table[code].n > 0:
			e := table[code]
			out = append(out, out[e.at:e.at+e.n]...)
		case code == next && prev.n > 0:
			out = append(out, out[prev.at:prev.at+prev.n]...)
			out = append(out, out[at])
		default:
			return out, spend(len(out) - spent)
		}
		if prev.n > 0 && next < 4096 {
			table[next] = entry{prev.at, prev.n + 1} // The string before and the first byte of this one stand there already.
			next++
		}
		prev = entry{at, len(out) - at}
		for width < 12 && next+add >= 1<<width {
			width++
		}
		if len(out)-spent > 64<<10 {
			if err := spend(len(out) - spent); err != nil {
				return nil, err
			}
			spent = len(out)
		}
	}
	return out, spend(len(out) - spent)
}

func pdfASCII85(raw []byte) []byte {
	raw = bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("<~"))
	out := make([]byte, 0, len(raw)/5*4+4)
	var group [5]byte
	n := 0
	put := func(have int) {
		var v uint32
		for i := range group {
			d := byte(84)
			if i < have {
				d = group[i]
			}
			v = v*85 + uint32(d)
		}
		b := [4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
		out = append(out, b[:have-1]...)
	}
	for _, c := range raw {
		switch {
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
		case c >= '!' && c <= 'u':
			group[n] = c - '!'
			if n++; n == 5 {
				put(5)
				n = 0
			}
		case c == '~':
			if n > 1 {
				put(n)
			}
			return out
		}
	}
	if n > 1 {
		put(n)
	}
	return out
}

func pdfRunLength(raw []byte, spend pdfBudget) ([]byte, error) {
	var out []byte
	for i := 0; i < len(raw); {
		n := int(raw[i])
		i++
		switch {
		case n == 128:
			return out, spend(len(out))
		case n < 128:
			end := min(i+n+1, len(raw))
			out = append(out, raw[i:end]...)
			i = end
		case i < len(raw):
			out = append(out, bytes.Repeat(raw[i:i+1], 257-n)...)
			i++
		}
	}
	return out, spend(len(out))
}
