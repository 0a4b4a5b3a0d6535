package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// pictures reads the images of a page that has no text, or notes that they were not read.
func (p *pdfFile) pictures(c *pdfContent, at Location) error {
	at.Part = PartImage
	if c.pixels { // inline, or too many
		p.imaged = true
	}
	for _, s := range c.images {
		w, h := pdfInt(p.resolve(s.dict["Width"]), 0), pdfInt(p.resolve(s.dict["Height"]), 0)
		if w <= 0 || h <= 0 || w > 1<<20 || h > 1<<20 || w*h < 3000 || !p.fresh(pdfRef{s.num, s.gen}, true) {
			continue // Smaller ones hold no word.
		}
		if !p.d.w.opt.OCR {
			p.imaged = true
			return nil
		}
		if int64(w)*int64(h) > p.d.w.opt.Limits.Pixels {
			p.gap(ReasonPixels)
			continue
		}
		file, err := p.picture(s, w, h)
		if err != nil {
			return err
		}
		if file == nil {
			p.imaged = true
			continue
		}
		text, err := p.d.OCR(file)
		var g gapError
		switch {
		case errors.As(err, &g) && g.reason == ReasonImage:
			p.imaged = true
		case errors.As(err, &g):
			p.gap(g.reason)
		case err != nil:
			return err
		}
		if err := p.put(at, text); err != nil {
			return err
		}
	}
	return nil
}

// picture makes an image file of an image: JPEG as it is, TIFF around a fax, and PGM of pixels. nil: it is of another kind.
func (p *pdfFile) picture(s *pdfStream, w, h int) ([]byte, error) {
	data, kind, err := p.decode(s)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "DCTDecode", "DCT":
		return data, nil
	case "CCITTFaxDecode", "CCF":
		filters := p.filters(s.dict)
		return pdfTIFF(data, filters[len(filters)-1].parms, w, h), nil
	case "":
		return p.gray(s, data, w, h), nil
	}
	return nil, nil
}

// pdfTIFF is a TIFF file with one strip in the coding of a fax (ITU-T T.4 or T.6).
func pdfTIFF(data []byte, parms pdfDict, w, h int) []byte {
	k := pdfInt(parms["K"], 0)
	compression, options := uint32(4), uint32(0)
	if k >= 0 {
		compression = 3
		if k > 0 {
			options = 1
		}
	}
	photometric := uint32(0)
	if parms["BlackIs1"] == true {
		photometric = 1
	}
	tags := [][2]uint32{{256, uint32(pdfInt(parms["Columns"], 1728))}, {257, uint32(h)}, {258, 1}, {259, compression}, {262, photometric}, {273, 0}, {277, 1},
		{278, uint32(h)}, {279, uint32(len(data))}}
	if compression == 3 {
		tags = append(tags, [2]uint32{292, options})
	}
	out := []byte("II*\x00\x08\x00\x00\x00")
	out = binary.LittleEndian.AppendUint16(out, uint16(len(tags)))
	tags[5][1] = uint32(8 + 2 + 12*len(tags) + 4)
	for _, t := range tags {
		out = binary.LittleEndian.AppendUint16(out, uint16(t[0]))
		out = binary.LittleEndian.AppendUint16(out, 4) // LONG
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = binary.LittleEndian.AppendUint32(out, t[1])
	}
	return append(append(out, 0, 0, 0, 0), data...)
}

// gray makes a PGM file of decoded pixels.
func (p *pdfFile) gray(s *pdfStream, data []byte, w, h int) []byte {
	bits := pdfInt(p.resolve(s.dict["BitsPerComponent"]), 8)
	comps, lookup := p.colors(s.dict["ColorSpace"])
	if p.resolve(s.dict["ImageMask"]) == true {
		bits, comps = 1, 1
	}
	if comps == 0 || bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 {
		return nil
	}
	row := (w*comps*bits + 7) / 8
	h = min(h, len(data)/row)
	if h == 0 || p.d.w.held+int64(w)*int64(h) > p.d.w.opt.Limits.Memory {
		return nil
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "P5 %d %d 255\n", w, h)
	out.Grow(w * h)
	most := 1<<min(bits, 8) - 1
	sample := func(line []byte, i int) int {
		if bits == 16 {
			return int(line[2*i])
		}
		at := i * bits
		return int(line[at/8]>>(8-bits-at%8)) & most
	}
	for y := range h {
		line := data[y*row : (y+1)*row]
		for x := range w {
			v := 0
			switch {
			case lookup != nil:
				if i := sample(line, x); i < len(lookup) {
					v = int(lookup[i])
				}
			case comps == 3:
				v = (299*sample(line, 3*x) + 587*sample(line, 3*x+1) + 114*sample(line, 3*x+2)) * 255 / most / 1000
			case comps == 4:
				k := 255 - sample(line, 4*x+3)*255/most
				v = max(0, k-(sample(line, 4*x)+sample(line, 4*x+1)+sample(line, 4*x+2))*255/most/3)
			default:
				v = sample(line, x*comps) * 255 / most
			}
			out.WriteByte(byte(v))
		}
	}
	return out.Bytes()
}

// colors tells how many parts a pixel has, and the gray of each number of a palette; 0: a space that is not known.
func (p *pdfFile) colors(v any) (comps int, lookup []byte) {
	kind := p.resolve(v)
	list, _ := kind.([]any)
	if len(list) > 0 {
		kind = p.resolve(list[0])
	}
	switch name, _ := kind.(pdfName); name {
	case "DeviceGray", "CalGray", "G", "Separation":
		return 1, nil
	case "DeviceRGB", "CalRGB", "RGB", "Lab":
		return 3, nil
	case "DeviceCMYK", "CMYK":
		return 4, nil
	case "ICCBased":
		if len(list) > 1 {
			if n := pdfInt(p.resolve(p.dict(list[1])["N"]), 0); n == 1 || n == 3 || n == 4 {
				return n, nil
			}
		}
	case "Indexed", "I":
		if len(list) < 4 {
			return 0, nil
		}
		if _, nested := p.resolve(list[1]).([]any); nested {
			if a := p.array(list[1]); len(a) == 0 || pdfIs(p.resolve(a[0]), "Indexed", "I") {
				return 0, nil
			}
		}
		n, _ := p.colors(list[1])
		table, _ := p.resolve(list[3]).(pdfString)
		raw := []byte(table)
		if s, ok := p.resolve(list[3]).(*pdfStream); ok {
			data, _, err := p.decode(s)
			if err != nil {
				return 0, nil
			}
			raw = data
		}
		for i := 0; n > 0 && i+n <= len(raw) && len(lookup) < 256; i += n {
			sum := 0
			for _, c := range raw[i : i+n] {
				sum += int(c)
			}
			if n == 4 {
				lookup = append(lookup, byte(255-min(255, sum)))
			} else {
				lookup = append(lookup, byte(sum/n))
			}
		}
		return 1, lookup
	}
	return 0, nil
}
