package extract

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

// bzip2Memory is what a bzip2 decompressor takes, in bytes: 900,000 words of four bytes, and tables.
const bzip2Memory = 4 << 20

// flateMemory is what a deflate decompressor takes, in bytes.
const flateMemory = 64 << 10

// unzip opens the data of an entry by its method. done frees what it holds.
func (d *Doc) unzip(e zipEntry, src *bytes.Reader) (r io.Reader, done func(), err error) {
	switch e.method {
	case zip.Store:
		return src, func() {}, nil
	case zip.Deflate:
		done, err = d.borrow(flateMemory)
		return flate.NewReader(src), done, err
	case 12:
		done, err = d.borrow(bzip2Memory)
		return bzip2.NewReader(src), done, err
	case 14:
		return d.zipLZMA(e, src)
	case 20, 93:
		return d.zstd(src)
	case 95:
		return d.xz(bufio.NewReader(src))
	case 99:
		return nil, nil, errEncrypted
	}
	return nil, nil, gapError{ReasonUnsupported}
}

// zipLZMA opens method 14: a version, the length of the properties, these, and the stream (APPNOTE 5.8.8).
func (d *Doc) zipLZMA(e zipEntry, src *bytes.Reader) (io.Reader, func(), error) {
	h := make([]byte, 9)
	if _, err := io.ReadFull(src, h); err != nil || binary.LittleEndian.Uint16(h[2:]) != 5 {
		return nil, nil, errMalformed
	}
	size := uint64(1<<64 - 1)
	if !e.open && e.size > 0 {
		size = uint64(e.size)
	}
	return d.lzma(io.MultiReader(bytes.NewReader(binary.LittleEndian.AppendUint64(h[4:], size)), src))
}

// lzma opens a stream of the classic format.
func (d *Doc) lzma(src io.Reader) (io.Reader, func(), error) {
	br := bufio.NewReaderSize(src, 4096)
	h, err := br.Peek(lzma.HeaderLen)
	if err != nil {
		return nil, nil, errMalformed
	}
	dict := max(int64(binary.LittleEndian.Uint32(h[1:])), lzma.MinDictCap)
	if size := binary.LittleEndian.Uint64(h[5:]); size < uint64(dict) {
		dict = max(int64(size), lzma.MinDictCap)
	}
	if dict > maxWindow {
		return nil, nil, errMemory
	}
	done, err := d.borrow(dict)
	if err != nil {
		return nil, nil, err
	}
	r, err := lzma.ReaderConfig{DictCap: 1<<32 - 1}.NewReader(br)
	if err != nil {
		done()
		return nil, nil, errMalformed
	}
	return r, done, nil
}

// zstd opens a stream of frames.
func (d *Doc) zstd(src io.Reader) (io.Reader, func(), error) {
	done, err := d.borrow(zstdMemory)
	if err != nil {
		return nil, nil, err
	}
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdMemory), zstd.WithDecoderMaxMemory(1<<40))
	if err != nil {
		done()
		return nil, nil, errMalformed
	}
	return zstdReader{z}, func() { z.Close(); done() }, nil
}

// zstdMemory is the greatest window, in bytes: that of zstd -19 is 8 MiB, of --ultra -22 128 MiB.
const zstdMemory = 64 << 20

// zstdReader names the gap of a window that is too big.
type zstdReader struct{ z *zstd.Decoder }

func (z zstdReader) Read(p []byte) (int, error) {
	n, err := z.z.Read(p)
	if err == zstd.ErrWindowSizeExceeded || err == zstd.ErrDecoderSizeExceeded {
		err = errMemory
	}
	return n, err
}
