package extract

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the streams of an xz file with its own bounds: the dictionary of a block is as declared in its header, and up to 4 GiB.
type xzReader struct {
	d      *Doc
	src    *counted
	br     *bufio.Reader
	block  io.Reader // open block
	start  int64     // of the data of the block
	check  int       // bytes of the check behind each block
	spent  int64     // on dictionaries, in bytes
	held   func()
	inside bool // of a stream
}

// maxDictionaries bounds the bytes that the dictionaries of all blocks of one file are made of, which cost time.
const maxDictionaries = 16 << 30

const xzMagic = "\xfd7zXZ\x00"

// xz opens a file of xz streams.
func (d *Doc) xz(src io.Reader) (io.Reader, func(), error) {
	x := &xzReader{d: d, src: &counted{r: src}, held: func() {}}
	x.br = bufio.NewReaderSize(x.src, 4096)
	return x, func() { x.held() }, nil
}

// offset is how many bytes of the file were taken.
func (x *xzReader) offset() int64 { return x.src.n - int64(x.br.Buffered()) }

func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block != nil {
			n, err := x.block.Read(p)
			if n > 0 || err == nil {
				return n, nil
			}
			if !errors.Is(err, io.EOF) {
				return 0, err
			}
			x.block = nil
			skip := (x.start-x.offset())&3 + int64(x.check)
			if _, err := io.CopyN(io.Discard, x.br, skip); err != nil {
				return 0, errMalformed
			}
		}
		if err := x.next(); err != nil {
			return 0, err
		}
	}
}

// next opens the next block, or the next stream.
func (x *xzReader) next() error {
	if !x.inside {
		return x.stream()
	}
	size, err := x.br.ReadByte()
	if err != nil {
		return errMalformed
	}
	if size == 0 {
		return x.index()
	}
	h := make([]byte, int(size)*4+3) // with the CRC, without the size
	if _, err := io.ReadFull(x.br, h); err != nil {
		return errMalformed
	}
	return x.open(h[:len(h)-4])
}

// stream reads the header of a stream; zeros may stand in front of it.
func (x *xzReader) stream() error {
	for {
		b, err := x.br.Peek(1)
		if err != nil {
			return io.EOF
		}
		if b[0] != 0 {
			break
		}
		if _, err := x.br.Discard(1); err != nil {
			return err
		}
	}
	h := make([]byte, 12)
	if _, err := io.ReadFull(x.br, h); err != nil || string(h[:6]) != xzMagic || h[6] != 0 {
		return errMalformed
	}
	x.check = []int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[h[7]&15]
	x.inside = true
	return nil
}

// index passes over the index and the footer.
func (x *xzReader) index() error {
	at := x.offset() - 1
	n, err := binary.ReadUvarint(x.br)
	for ; err == nil && n > 0; n-- { // Each record is two bytes at least, so the file bounds it.
		if _, err = binary.ReadUvarint(x.br); err == nil {
			_, err = binary.ReadUvarint(x.br)
		}
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, x.br, (at-x.offset())&3+4+12)
	}
	if err != nil {
		return errMalformed
	}
	x.inside = false
	return nil
}

// open begins a block: flags, two optional sizes, and up to four filters, of which the last is LZMA2.
func (x *xzReader) open(h []byte) error {
	r := bytes.NewReader(h)
	flags, err := r.ReadByte()
	size := int64(-1)
	if err == nil && flags&0x40 != 0 {
		_, err = binary.ReadUvarint(r)
	}
	if err == nil && flags&0x80 != 0 {
		var n uint64
		if n, err = binary.ReadUvarint(r); n < 1<<62 {
			size = int64(n)
		}
	}
	if err != nil {
		return errMalformed
	}
	var filters []xzFilter
	for range flags&3 + 1 {
		id, err1 := binary.ReadUvarint(r)
		n, err2 := binary.ReadUvarint(r)
		if err1 != nil || err2 != nil || n > uint64(r.Len()) {
			return errMalformed
		}
		props := make([]byte, n)
		if _, err := io.ReadFull(r, props); err != nil {
			return errMalformed
		}
		filters = append(filters, xzFilter{id, props})
	}
	last := filters[len(filters)-1]
	if last.id != 0x21 || len(last.props) != 1 {
		return gapError{ReasonUnsupported}
	}
	x.start = x.offset()
	b, err := x.lzma2(last.props[0], size)
	if err != nil {
		return err
	}
	for i := len(filters) - 2; i >= 0; i-- {
		if b, err = filters[i].open(b); err != nil {
			return err
		}
	}
	x.block = b
	return nil
}

func (x *xzReader) lzma2(prop byte, size int64) (io.Reader, error) {
	dict, err := lzma.DecodeDictCap(prop)
	if err != nil {
		return nil, errMalformed
	}
	if size >= 0 {
		dict = min(dict, size)
	}
	dict = max(dict, lzma.MinDictCap)
	if x.spent += dict; dict > maxWindow || x.spent > maxDictionaries {
		return nil, errMemory
	}
	x.held()
	x.held = func() {}
	done, err := x.d.borrow(dict)
	if err != nil {
		return nil, err
	}
	x.held = done
	r, err := lzma.Reader2Config{DictCap: int(dict)}.NewReader2(x.br)
	if err != nil {
		return nil, errMalformed
	}
	return r, nil
}

// xzFilter is one of the filters of a block.
type xzFilter struct {
	id    uint64
	props []byte
}

// open puts a filter behind r: delta; those of machine code change nothing that is text, so they are left out.
func (f xzFilter) open(r io.Reader) (io.Reader, error) {
	switch {
	case f.id == 3 && len(f.props) == 1:
		return &delta{r: r, distance: int(f.props[0]) + 1}, nil
	case f.id >= 4 && f.id <= 0xb:
		return r, nil
	}
	return nil, gapError{ReasonUnsupported}
}

// delta adds to each byte the one at a distance of up to 256 before it.
type delta struct {
	r        io.Reader
	distance int
	past     [256]byte
	at       int
}

func (f *delta) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	for i := range p[:n] {
		p[i] += f.past[f.at]
		f.past[f.at] = p[i]
		f.at = (f.at + 1) % f.distance
	}
	return n, err
}
