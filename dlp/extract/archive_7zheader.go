package extract

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf16"
)

// sevenReader reads the header of a 7z file (7zFormat.txt of the LZMA SDK). Past its end it gives zeros and is bad.
type sevenReader struct {
	b   []byte
	bad bool
}

// Properties of the header.
const (
	sevenEnd          = 0x00
	sevenArchiveProps = 0x02
	sevenAdditional   = 0x03
	sevenMain         = 0x04
	sevenFiles        = 0x05
	sevenPack         = 0x06
	sevenUnpack       = 0x07
	sevenSubStreams   = 0x08
	sevenSize         = 0x09
	sevenCRC          = 0x0a
	sevenFolders      = 0x0b
	sevenUnpackSize   = 0x0c
	sevenNumStreams   = 0x0d
	sevenEmptyStream  = 0x0e
	sevenNames        = 0x11
)

func (r *sevenReader) byte() byte {
	b := r.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *sevenReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// number reads one of up to 64 bits: the ones in front of the first byte tell how many bytes follow.
func (r *sevenReader) number() uint64 {
	b := r.byte()
	n := bits.LeadingZeros8(^b)
	var v uint64
	for i, c := range r.bytes(uint64(n)) {
		v |= uint64(c) << (8 * i)
	}
	if n < 7 {
		v |= uint64(b&(1<<(7-n)-1)) << (8 * n)
	}
	return v
}

// count reads how many things follow, each of at least one bit: the header bounds it.
func (r *sevenReader) count() int {
	n := r.number()
	if n > uint64(len(r.b))*8 {
		r.bad = true
		return 0
	}
	return int(n)
}

// bools reads n bits, or a byte that says that all are set.
func (r *sevenReader) bools(n int, optional bool) []bool {
	out := make([]bool, n)
	if optional && r.byte() != 0 {
		for i := range out {
			out[i] = true
		}
		return out
	}
	for i, b := range r.bytes(uint64(n+7) / 8) {
		for j := i * 8; j < min(n, i*8+8); j++ {
			out[j] = b&(0x80>>(j%8)) != 0
		}
	}
	return out
}

// digests passes over the sums of n streams, and tells which have one.
func (r *sevenReader) digests(n int) []bool {
	if n > len(r.b)*8 { // all of them may be told by one byte, but each has four more
		r.bad = true
		return nil
	}
	set := r.bools(n, true)
	for _, s := range set {
		if s {
			r.bytes(4)
		}
	}
	return set
}

// streams reads what is packed where. Sizes are as declared.
func (r *sevenReader) streams() []sevenFolder {
	var (
		pos     uint64
		sizes   []uint64
		folders []sevenFolder
		sums    []bool
		sub     bool
	)
	for !r.bad {
		switch r.byte() {
		case sevenEnd:
			r.place(folders, pos, sizes)
			for i := range folders {
				if !sub {
					folders[i].parts = []uint64{folders[i].size()}
				}
			}
			return folders
		case sevenPack:
			pos = r.number()
			sizes = r.packSizes()
		case sevenUnpack:
			folders, sums = r.unpack()
		case sevenSubStreams:
			r.substreams(folders, sums)
			sub = true
		default:
			r.bad = true
		}
	}
	return nil
}

func (r *sevenReader) packSizes() (sizes []uint64) {
	n := r.count()
	for !r.bad {
		switch r.byte() {
		case sevenEnd:
			return sizes
		case sevenSize:
			for i := 0; i < n && !r.bad; i++ {
				sizes = append(sizes, r.number())
			}
		case sevenCRC:
			r.digests(n)
		default:
			r.bad = true
		}
	}
	return nil
}

// size is that of what comes out of a folder: of the coder whose output no other one takes.
func (f *sevenFolder) size() uint64 {
	for i := range f.sizes {
		if !slices.ContainsFunc(f.bonds, func(b [2]uint64) bool { return b[1] == uint64(i) }) {
			return f.sizes[i]
		}
	}
	return 0
}

// place tells each folder where its packed streams are.
func (r *sevenReader) place(folders []sevenFolder, pos uint64, sizes []uint64) {
	for i := range folders {
		f := &folders[i]
		f.offset = pos
		for j := range f.packs {
			if len(sizes) == 0 {
				r.bad = true
				return
			}
			if j == 0 {
				f.packed = sizes[0]
			}
			if pos += sizes[0]; pos < sizes[0] || pos > 1<<62 {
				r.bad = true
				return
			}
			sizes = sizes[1:]
		}
	}
}

func (r *sevenReader) unpack() (folders []sevenFolder, sums []bool) {
	if r.byte() != sevenFolders {
		r.bad = true
		return nil, nil
	}
	n := r.count()
	if n > maxFolders || r.byte() != 0 { // 1: in another stream, which nothing writes
		r.bad = true
	}
	for i := 0; i < n && !r.bad; i++ {
		folders = append(folders, r.folder())
	}
	if r.byte() != sevenUnpackSize {
		r.bad = true
	}
	for i := range folders {
		for range folders[i].coders {
			folders[i].sizes = append(folders[i].sizes, r.number())
		}
	}
	sums = make([]bool, len(folders))
	for !r.bad {
		switch r.byte() {
		case sevenEnd:
			return folders, sums
		case sevenCRC:
			sums = r.digests(len(folders))
		default:
			r.bad = true
		}
	}
	return nil, nil
}

// maxFolders bounds the folders of a 7z file.
const maxFolders = 1 << 16

// maxCoders bounds the coders of a folder, as 7-Zip does.
const maxCoders = 32

func (r *sevenReader) folder() (f sevenFolder) {
	n := r.number()
	if n == 0 || n > maxCoders {
		r.bad = true
		return f
	}
	var in, out uint64
	for range n {
		flags := r.byte()
		c := sevenCoder{id: string(r.bytes(uint64(flags & 15))), in: 1, out: 1}
		if flags&0x10 != 0 {
			c.in, c.out = r.number(), r.number()
		}
		if flags&0x20 != 0 {
			c.props = r.bytes(r.number())
		}
		if c.in > maxCoders || c.out != 1 {
			r.bad = true
			return f
		}
		in, out = in+c.in, out+c.out
		f.coders = append(f.coders, c)
	}
	for range out - 1 {
		f.bonds = append(f.bonds, [2]uint64{r.number(), r.number()})
	}
	if in < out {
		r.bad = true
		return f
	}
	packs := in - (out - 1)
	if packs == 1 {
		for i := range in {
			if !slices.ContainsFunc(f.bonds, func(b [2]uint64) bool { return b[0] == i }) {
				f.packs = append(f.packs, i)
				break
			}
		}
		return f
	}
	for range packs {
		f.packs = append(f.packs, r.number())
	}
	return f
}

// substreams reads how many files each folder holds, and their sizes: that of the last one is what is left.
func (r *sevenReader) substreams(folders []sevenFolder, sums []bool) {
	id := r.byte()
	counts := make([]int, len(folders))
	for i := range counts {
		counts[i] = 1
		if id == sevenNumStreams {
			counts[i] = r.count()
		}
	}
	if id == sevenNumStreams {
		id = r.byte()
	}
	digests := 0
	for i := range folders {
		f := &folders[i]
		left := f.size()
		for j := 0; j < counts[i] && !r.bad; j++ {
			size := left
			if j < counts[i]-1 {
				if id != sevenSize {
					r.bad = true
					return
				}
				size = min(r.number(), left)
			}
			left -= size
			f.parts = append(f.parts, size)
		}
		if counts[i] != 1 || i >= len(sums) || !sums[i] {
			digests += counts[i]
		}
	}
	if id == sevenSize {
		id = r.byte()
	}
	for !r.bad && id != sevenEnd {
		if id != sevenCRC {
			r.bad = true
			return
		}
		r.digests(digests)
		id = r.byte()
	}
}

// header reads the list of files.
func (s *seven) header(r *sevenReader) {
	for !r.bad {
		switch r.byte() {
		case sevenEnd:
			return
		case sevenArchiveProps:
			for !r.bad && r.byte() != sevenEnd {
				r.bytes(r.number())
			}
		case sevenAdditional:
			r.streams()
		case sevenMain:
			s.folders = r.streams()
		case sevenFiles:
			s.list(r)
		default:
			r.bad = true
		}
	}
}

func (s *seven) list(r *sevenReader) {
	n := r.number()
	if n > uint64(len(r.b)) { // each has a name of two bytes at least
		r.bad = true
		return
	}
	s.files = make([]sevenFile, n)
	for !r.bad {
		id := r.byte()
		if id == sevenEnd {
			return
		}
		p := &sevenReader{b: r.bytes(r.number())}
		switch id {
		case sevenEmptyStream:
			for i, e := range p.bools(int(n), false) {
				s.files[i].empty = e
			}
		case sevenNames:
			if p.byte() != 0 {
				r.bad = true
				return
			}
			for i := range s.files {
				s.files[i].name = p.wide()
			}
		}
	}
}

// wide reads a name in UTF-16 up to its end.
func (r *sevenReader) wide() string {
	var u []uint16
	for len(r.b) >= 2 {
		c := uint16(r.b[0]) | uint16(r.b[1])<<8
		r.b = r.b[2:]
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return strings.ReplaceAll(string(utf16.Decode(u)), `\`, "/")
}
