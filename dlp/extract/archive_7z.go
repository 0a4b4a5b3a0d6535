package extract

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

const sevenMagic = "7z\xbc\xaf\x27\x1c"

// sevenHeader bounds the header of a 7z file, in bytes: a file takes some 100 of it.
const sevenHeader = 4 << 20

// seven is a 7z file in memory.
type seven struct {
	d       *Doc
	data    []byte // packed streams, behind the 32 bytes of the start header
	folders []sevenFolder
	files   []sevenFile
}

// sevenFolder is what 7z calls a folder: files one behind the other, packed together.
type sevenFolder struct {
	coders []sevenCoder
	bonds  [][2]uint64 // in, out
	packs  []uint64
	sizes  []uint64 // of what each coder gives
	parts  []uint64 // sizes of the files
	offset uint64   // of the first packed stream, in bytes
	packed uint64   // bytes of the first packed stream
}

type sevenCoder struct {
	id      string
	in, out uint64
	props   []byte
}

type sevenFile struct {
	name  string
	empty bool // without a stream: a directory, or a file of no bytes
}

// readSeven reads a 7z file. Counts and sizes of its header are bounded by the bytes of the header.
func readSeven(d *Doc) error {
	data, err := d.Bytes()
	if err != nil {
		return err
	}
	if len(data) < 32 {
		return errMalformed
	}
	off, size := binary.LittleEndian.Uint64(data[12:]), binary.LittleEndian.Uint64(data[20:])
	body := data[32:]
	if off > uint64(len(body)) || size > uint64(len(body))-off {
		return errMalformed
	}
	h := body[off : off+size]
	s := &seven{d: d, data: body[:off]}
	for range 4 { // A header may be packed, and the header of that again.
		if len(h) == 0 || h[0] != 0x17 {
			break
		}
		if h, err = s.unpackHeader(h[1:]); err != nil {
			return err
		}
	}
	if len(h) == 0 {
		return nil
	}
	if h[0] != 1 {
		return errMalformed
	}
	if len(h) > sevenHeader {
		return errMemory
	}
	if err := d.keep(int64(len(h)) * 16); err != nil {
		return err
	}
	r := &sevenReader{b: h[1:]}
	s.header(r)
	if r.bad {
		return errMalformed
	}
	if err := s.members(); err != nil {
		return err
	}
	return d.behind(bytes.NewReader(body[off+size:]))
}

func (s *seven) unpackHeader(h []byte) ([]byte, error) {
	r := &sevenReader{b: h}
	folders := r.streams()
	if r.bad || len(folders) != 1 {
		return nil, errMalformed
	}
	f := folders[0]
	size := f.sizes[len(f.sizes)-1]
	if size > sevenHeader {
		return nil, errMemory
	}
	rd, _, done, err := s.open(f)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := io.ReadAll(io.LimitReader(rd, int64(size)))
	if err != nil || uint64(len(out)) < size {
		return nil, errMalformed
	}
	return out, nil
}

// members reads the files of each folder in order. One that cannot be read on costs the rest of its folder.
func (s *seven) members() error {
	next := 0
	for _, f := range s.folders {
		if len(f.parts) == 0 {
			continue
		}
		rd, taken, done, err := s.open(f)
		if err != nil {
			rd, done = failing{err}, func() {}
		}
		body := &lenient{r: rd}
		if err == nil {
			err = s.folder(f, body, taken, &next)
		} else {
			err = s.folder(f, rd, nil, &next)
		}
		done()
		if err != nil {
			return err
		}
	}
	t := s.d.Text(Location{})
	for _, f := range s.files {
		if f.empty {
			if err := t.Put(Location{Part: PartName}, display(f.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *seven) folder(f sevenFolder, rd io.Reader, taken func() int64, next *int) error {
	for _, size := range f.parts {
		for *next < len(s.files) && s.files[*next].empty {
			*next++
		}
		name := "content"
		if *next < len(s.files) {
			name = s.files[*next].name
			*next++
		}
		start := int64(0)
		if taken != nil {
			start = taken()
		}
		part := &counted{r: io.LimitReader(rd, int64(min(size, 1<<62)))}
		sum := crc32.NewIEEE()
		m := Member{Name: name, Size: int64(min(size, 1<<62)), Body: io.TeeReader(part, sum)}
		if taken != nil {
			m.In = func() int64 { return taken() - start + 4096 }
		}
		if err := s.d.Member(m); err != nil {
			return err
		}
		l, ok := rd.(*lenient)
		if !ok {
			continue
		}
		// What the format left unread stands before the next file. It is passed over within the limits of a file.
		if left := int64(min(size, 1<<62)) - part.n; left > 0 && l.err == nil {
			if left > s.d.w.opt.Limits.File {
				l.err = errTooBig
			} else if n, _ := io.CopyN(io.Discard, part, left); n < left && l.err == nil {
				l.err = errMalformed
			}
		}
		s.d.broken(name, l.err)
	}
	return nil
}

// open makes the chain of decompressors of a folder. taken tells how many packed bytes were read.
func (s *seven) open(f sevenFolder) (r io.Reader, taken func() int64, done func(), err error) {
	backs := []func(){}
	done = func() {
		for _, b := range backs {
			b()
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	if len(f.coders) == 0 || f.offset > uint64(len(s.data)) {
		return nil, nil, done, errMalformed
	}
	for _, c := range f.coders {
		if c.id == "\x06\xf1\x07\x01" {
			return nil, nil, done, errEncrypted
		}
	}
	src := &counted{r: bytes.NewReader(s.data[f.offset:min(uint64(len(s.data)), f.offset+f.packed)])}
	if len(f.packs) != 1 {
		return nil, nil, done, gapError{ReasonUnsupported} // BCJ2: four streams of machine code
	}
	at := f.packs[0]
	r = bufio.NewReader(src)
	for range f.coders { // each coder once, from the packed bytes outward
		if at >= uint64(len(f.coders)) {
			return nil, nil, done, errMalformed
		}
		var back func()
		if r, back, err = s.coder(f.coders[at], f.sizes[at], r); err != nil {
			return nil, nil, done, err
		}
		backs = append(backs, back)
		i := slices.IndexFunc(f.bonds, func(b [2]uint64) bool { return b[1] == at })
		if i < 0 {
			return r, func() int64 { return src.n }, done, nil
		}
		at = f.bonds[i][0]
	}
	return nil, nil, done, errMalformed
}

func (s *seven) coder(c sevenCoder, size uint64, src io.Reader) (io.Reader, func(), error) {
	none := func() {}
	if c.in != 1 || c.out != 1 {
		return nil, none, gapError{ReasonUnsupported}
	}
	bounded := func(r io.Reader, back func(), err error) (io.Reader, func(), error) {
		if err != nil {
			return nil, none, err
		}
		return io.LimitReader(r, int64(min(size, 1<<62))), back, nil
	}
	switch c.id {
	case "\x00":
		return bounded(src, none, nil)
	case "\x03":
		if len(c.props) != 1 {
			return nil, none, errMalformed
		}
		return &delta{r: src, distance: int(c.props[0]) + 1}, none, nil
	case "\x03\x03\x01\x03", "\x03\x03\x02\x05", "\x03\x03\x04\x01", "\x03\x03\x05\x01", "\x03\x03\x07\x01", "\x03\x03\x08\x05", "\x0a", "\x0b":
		return src, none, nil // of machine code: text stays as it is
	case "\x03\x01\x01":
		if len(c.props) != 5 {
			return nil, none, errMalformed
		}
		h := binary.LittleEndian.AppendUint64(slices.Clone(c.props), size)
		return s.d.lzma(io.MultiReader(bytes.NewReader(h), src))
	case "\x21":
		return s.lzma2(c, size, src)
	case "\x04\x01\x08":
		back, err := s.d.borrow(flateMemory)
		return bounded(flate.NewReader(src), back, err)
	case "\x04\x02\x02":
		back, err := s.d.borrow(bzip2Memory)
		return bounded(bzip2.NewReader(src), back, err)
	case "\x04\xf7\x11\x01":
		return bounded(s.d.zstd(src))
	}
	return nil, none, gapError{ReasonUnsupported}
}

func (s *seven) lzma2(c sevenCoder, size uint64, src io.Reader) (io.Reader, func(), error) {
	if len(c.props) != 1 {
		return nil, nil, errMalformed
	}
	dict, err := lzma.DecodeDictCap(c.props[0])
	if err != nil {
		return nil, nil, errMalformed
	}
	dict = max(min(dict, int64(min(size, 1<<62))), lzma.MinDictCap)
	if dict > maxWindow {
		return nil, nil, errMemory
	}
	back, err := s.d.borrow(dict)
	if err != nil {
		return nil, nil, err
	}
	r, err := lzma.Reader2Config{DictCap: int(dict)}.NewReader2(src)
	if err != nil {
		back()
		return nil, nil, errMalformed
	}
	return r, back, nil
}
