package extract

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/klauspost/compress/snappy"
	"golang.org/x/text/encoding/charmap"
)

// streamFormats are those of one compressed file without names of files in it, but for gzip.
var streamFormats = []format{
	{id: "gzip", media: []string{"application/gzip"}, read: readGzip},
	{id: "bzip2", media: []string{"application/x-bzip2"}, read: readBzip2},
	{id: "xz", media: []string{"application/x-xz"}, read: readXZ},
	{id: "zstd", media: []string{"application/zstd"}, magic: isZstd, read: readZstd},
	{id: "lzma", magic: isLZMA, read: readLZMA},
	{id: "compress", magic: prefix("\x1f\x9d"), read: readCompress},
	{id: "snappy", magic: prefix("\xff\x06\x00\x00sNaPpY"), read: readSnappy},
}

func prefix(s string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(s)) }
}

// maxMembers bounds the gzip members whose names are given out.
const maxMembers = 1000

// readGzip reads a gzip file: its members one after another are one file, as gunzip gives it, and each may have a name and a comment.
func readGzip(d *Doc) error {
	done, err := d.borrow(flateMemory)
	if err != nil {
		return err
	}
	defer done()
	src := &counted{r: d.Reader()}
	br := bufio.NewReader(src)
	z, err := gzip.NewReader(br)
	if err != nil {
		return errMalformed
	}
	g := &gzipReader{z: z, br: br}
	g.note()
	name := latin(z.Name)
	if err := d.stream(Member{Name: name, In: src.taken}, g); err != nil && d.w.fatal != nil {
		return err
	} else if err != nil {
		g.err = err
	}
	t := d.Text(Location{})
	for _, n := range g.notes {
		if n.part == PartName && latin(n.text) == name {
			continue
		}
		if err := t.Put(Location{Part: n.part}, latin(n.text)); err != nil {
			return err
		}
	}
	if len(g.trailer) > 0 {
		if err := d.Member(Member{Name: "behind", Body: io.MultiReader(bytes.NewReader(g.trailer), br), Quiet: true, At: Location{Hidden: true}}); err != nil {
			return err
		}
	}
	return g.err
}

// gzipReader reads the members of a gzip file and notes what their headers hold.
type gzipReader struct {
	z       *gzip.Reader
	br      *bufio.Reader
	notes   []gzipNote
	trailer []byte // the first bytes behind the last member
	ended   bool
	err     error
}

type gzipNote struct{ part, text string }

func (g *gzipReader) note() {
	g.z.Multistream(false)
	h := g.z.Header
	for _, n := range []gzipNote{{PartName, h.Name}, {PartComment, h.Comment}} {
		if n.text != "" && len(g.notes) < maxMembers {
			g.notes = append(g.notes, n)
		}
	}
	for _, s := range textRuns(h.Extra, minRun) {
		if len(g.notes) < maxMembers {
			g.notes = append(g.notes, gzipNote{PartMetadata, s})
		}
	}
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for !g.ended {
		n, err := g.z.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		head, _ := g.br.Peek(2)
		if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			g.ended = true
			g.behind()
			break
		}
		if err := g.z.Reset(g.br); err != nil {
			return 0, errMalformed
		}
		g.note()
	}
	return 0, io.EOF
}

// behind looks at what follows the last member: padding with zeros is usual.
func (g *gzipReader) behind() {
	buf := make([]byte, 4096)
	for {
		n, err := io.ReadFull(g.br, buf)
		if b := bytes.TrimLeft(buf[:n], "\x00"); len(b) > 0 {
			g.trailer = b
			return
		}
		if err != nil {
			return
		}
	}
}

// latin decodes a text that is UTF-8 or, by the letter of RFC 1952, ISO 8859-1. gzip.Reader has made UTF-8 of the latter.
func latin(s string) string {
	if b, err := charmap.ISO8859_1.NewEncoder().String(s); err == nil && utf8.ValidString(b) {
		return b
	}
	return s
}

func readBzip2(d *Doc) error {
	done, err := d.borrow(bzip2Memory)
	if err != nil {
		return err
	}
	defer done()
	src := &counted{r: d.Reader()}
	return d.stream(Member{In: src.taken}, bzip2.NewReader(bufio.NewReader(src)))
}

func readXZ(d *Doc) error {
	src := &counted{r: d.Reader()}
	r, done, err := d.xz(bufio.NewReader(src))
	if err != nil {
		return err
	}
	defer done()
	return d.stream(Member{In: src.taken}, r)
}

func isZstd(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	m := binary.LittleEndian.Uint32(head)
	if m&^0xf == 0x184d2a50 { // A skippable frame may come first: pzstd begins so.
		n := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
		return n+4 <= int64(len(head)) && isZstd(append(head[n:len(head):len(head)], 0, 0, 0, 0))
	}
	return m == 0xfd2fb528
}

func readZstd(d *Doc) error {
	src := &counted{r: d.Reader()}
	r, done, err := d.zstd(src)
	if err != nil {
		return err
	}
	defer done()
	return d.stream(Member{In: src.taken}, r)
}

// isLZMA tells the header of lzma_alone: there is no signature, so only what its writers make is taken: lc=3, lp=0, pb=2, a dictionary of 2^n or
// 2^n+2^(n-1) bytes, and a size that is unknown or below 2^38.
func isLZMA(head []byte) bool {
	if len(head) < 18 || head[0] != 0x5d || head[13] != 0 {
		return false
	}
	dict, size := binary.LittleEndian.Uint32(head[1:]), binary.LittleEndian.Uint64(head[5:])
	for dict > 3 && dict&1 == 0 {
		dict >>= 1
	}
	return (dict == 1 || dict == 2 || dict == 3) && (size == 1<<64-1 || size < 1<<38)
}

func readLZMA(d *Doc) error {
	src := &counted{r: d.Reader()}
	r, done, err := d.lzma(src)
	if err != nil {
		return err
	}
	defer done()
	d.as("lzma", "application/x-lzma")
	return d.stream(Member{In: src.taken}, r)
}

func readSnappy(d *Doc) error {
	src := &counted{r: d.Reader()}
	d.as("snappy", "application/x-snappy-framed")
	return d.stream(Member{In: src.taken}, snappy.NewReader(src))
}

// readCompress reads the format of compress(1).
func readCompress(d *Doc) error {
	src := &counted{r: d.Reader()}
	d.as("compress", "application/x-compress")
	r, err := newUncompress(bufio.NewReader(src))
	if err != nil {
		return err
	}
	return d.stream(Member{In: src.taken}, r)
}

// uncompress decodes the LZW of compress(1): codes of 9 to 16 bits, low bits first, in blocks of eight codes of one width.
type uncompress struct {
	r       io.ByteReader
	block   bool // code 256 clears the table
	max     uint // bits
	width   uint
	bits    uint32
	have    uint
	inBlock int // bytes that are left of the block of eight codes
	next    int
	prev    int
	first   byte
	prefix  [1 << 16]uint16
	suffix  [1 << 16]byte
	out     []byte // decoded, last byte first
}

func newUncompress(r *bufio.Reader) (*uncompress, error) {
	h := make([]byte, 3)
	if _, err := io.ReadFull(r, h); err != nil {
		return nil, errMalformed
	}
	u := &uncompress{r: r, block: h[2]&0x80 != 0, max: uint(h[2] & 0x1f), width: 9, prev: -1}
	if u.max < 9 || u.max > 16 || h[2]&0x60 != 0 {
		return nil, errMalformed
	}
	u.clear()
	return u, nil
}

func (u *uncompress) clear() {
	u.width, u.prev, u.next = 9, -1, 256
	if u.block {
		u.next = 257
	}
}

func (u *uncompress) Read(p []byte) (n int, err error) {
	for n < len(p) {
		for len(u.out) > 0 && n < len(p) {
			p[n] = u.out[len(u.out)-1]
			u.out = u.out[:len(u.out)-1]
			n++
		}
		if n == len(p) {
			break
		}
		if err := u.step(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// code reads the next code.
func (u *uncompress) code() (int, error) {
	for u.have < u.width {
		if u.inBlock == 0 {
			u.inBlock = int(u.width)
		}
		b, err := u.r.ReadByte()
		if err != nil {
			return 0, err
		}
		u.inBlock--
		u.bits |= uint32(b) << u.have
		u.have += 8
	}
	c := int(u.bits & (1<<u.width - 1))
	u.bits >>= u.width
	u.have -= u.width
	return c, nil
}

// skip drops what is left of a block of eight codes, as the width changes.
func (u *uncompress) skip() error {
	for ; u.inBlock > 0; u.inBlock-- {
		if _, err := u.r.ReadByte(); err != nil {
			return err
		}
	}
	u.bits, u.have = 0, 0
	return nil
}

func (u *uncompress) step() error {
	if u.next > 1<<u.width-1 && u.width < u.max {
		if err := u.skip(); err != nil {
			return err
		}
		u.width++
	}
	c, err := u.code()
	if err != nil {
		return err
	}
	if c == 256 && u.block {
		if err := u.skip(); err != nil {
			return err
		}
		u.clear()
		return nil
	}
	in := c
	if c >= u.next {
		if u.prev < 0 || c > u.next {
			return errMalformed
		}
		u.out = append(u.out, u.first)
		c = u.prev
	}
	for c >= 256 { // Prefixes lead to smaller codes only.
		u.out = append(u.out, u.suffix[c])
		c = int(u.prefix[c])
	}
	u.first = byte(c)
	u.out = append(u.out, u.first)
	if u.prev >= 0 && u.next < 1<<u.max {
		u.prefix[u.next], u.suffix[u.next] = uint16(u.prev), u.first
		u.next++
	}
	u.prev = in
	return nil
}
