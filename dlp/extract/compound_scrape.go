package extract

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf16"
)

// What scrape looks for.
const (
	scrapeBytes = 1 << iota // runs of printable ASCII
	scrapeWide              // runs of UTF-16, little endian
	scrapeBoth  = scrapeBytes | scrapeWide
)

// scrapeLeast is the length of the shortest run that is taken for text, in characters.
const scrapeLeast = 6

// scrape gives out the runs of bytes that read as text, one a line: for what no format describes, or a file too broken to follow. Runs of UTF-16 are of one
// block of 256 characters and ASCII, which bytes at random seldom are.
func scrape(d *Doc, at Location, data []byte, what int) error {
	t := d.Text(at)
	if what&scrapeBytes != 0 {
		for i := 0; i < len(data); {
			n := i
			for n < len(data) && (data[n] >= ' ' && data[n] < 0x7f || data[n] == '\t') {
				n++
			}
			if n-i >= scrapeLeast {
				if _, err := t.Write(append(bytes.Clone(data[i:n]), '\n')); err != nil {
					return err
				}
			}
			i = n + 1
		}
	}
	if what&scrapeWide == 0 {
		return nil
	}
	for i := 0; i+1 < len(data); {
		n, ascii := wideRun(data[i:])
		if n < 2*scrapeLeast || !ascii && n < 4*scrapeLeast {
			i += max(1, n)
			if n > 1 {
				i-- // The run may be one byte off.
			}
			continue
		}
		if err := t.WriteString(utf16String(data[i:i+n]) + "\n"); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// wideRun is the length in bytes of the run of UTF-16 that data begins with, and whether any of it is ASCII.
func wideRun(data []byte) (n int, ascii bool) {
	block := byte(0)
	for n+1 < len(data) {
		lo, hi := data[n], data[n+1]
		switch {
		case hi == 0 && (lo >= ' ' && lo < 0x7f || lo == '\t' || lo >= 0xA0):
			ascii = ascii || lo < 0x7f
		case hi == 0 || hi >= 0xD8 && hi < 0xF9:
			return n, ascii
		case block != 0 && hi != block, !unicode.IsPrint(rune(hi)<<8 | rune(lo)):
			return n, ascii
		default:
			block = hi
		}
		n += 2
	}
	return n, ascii
}

// utf16String decodes UTF-16, little endian; an odd byte at the end is left out.
func utf16String(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
