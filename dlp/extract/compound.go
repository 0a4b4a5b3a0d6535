package extract

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

var compoundFormats = []format{{id: "compound", media: []string{"application/x-ole-storage"}, magic: isCompound, read: readCompound}}

var compoundMagic = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

func isCompound(head []byte) bool { return bytes.HasPrefix(head, compoundMagic) }

// Special sector numbers and entry numbers of [MS-CFB] 2.1 and 2.6.
const (
	cfbLast   = 0xFFFFFFFA // the highest number of a sector; above it are marks
	cfbNone   = 0xFFFFFFFF
	cfbCutoff = 4096 // bytes; shorter streams lie in the mini stream
	cfbMini   = 64   // bytes of a sector of the mini stream
)

// compound is an open compound file. Its tables are never longer than the file, and a sector belongs to the first stream that claims it, so that all
// streams together are not longer than the file either.
type compound struct {
	d       *Doc
	data    []byte
	shift   uint // sectors are 1<<shift bytes
	sectors uint32
	fat     []uint32
	minifat []uint32
	mini    []byte
	owner   []uint32 // number of the entry, plus 1, that a sector belongs to
	owners  []uint32 // of sectors of the mini stream
	broken  bool     // a chain ended before its stream did
}

// storage is a folder of a compound file, or its root.
type storage struct {
	c       *compound
	name    string
	clsid   [16]byte
	streams []*stream
	folders []*storage
}

// stream is a file of a compound file.
type stream struct {
	c     *compound
	name  string
	path  string
	id    uint32
	start uint32
	size  uint64
	used  bool // its text was given out
}

func readCompound(d *Doc) error {
	data, err := d.Bytes()
	if err != nil {
		return err
	}
	root, err := openCompound(d, data)
	if err != nil {
		return err
	}
	if err := readStorage(d, root); err != nil {
		return err
	}
	if root.c.broken {
		return errMalformed
	}
	return nil
}

// readStorage reads a root or an embedded object by its kind, and then the text of all streams that the kind left out.
func readStorage(d *Doc, s *storage) error {
	for _, k := range compoundKinds {
		if !k.is(s) {
			continue
		}
		d.as(k.id, k.media)
		err := k.read(d, s)
		if d.w.fatal != nil || err == errEncrypted {
			return err
		}
		if serr := scrapeRest(d, s, 0); serr != nil {
			return serr
		}
		return err
	}
	if err := readCommon(d, s); err != nil {
		return err
	}
	if err := scrapeRest(d, s, 0); err != nil {
		return err
	}
	return gapError{ReasonUnsupported} // Text came out where it lies open; there may be more.
}

// scrapeRest gives out what reads as text in streams that nothing has read.
func scrapeRest(d *Doc, s *storage, depth int) error {
	for _, st := range s.streams {
		if st.used {
			continue
		}
		data, err := st.bytes()
		if err != nil {
			return err
		}
		if err := scrape(d, Location{Part: PartMetadata, Name: st.path}, data, scrapeBoth); err != nil {
			return err
		}
	}
	if depth > 64 {
		s.c.broken = true
		return nil
	}
	for _, f := range s.folders {
		if err := scrapeRest(d, f, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// openCompound reads the tables and the tree of a compound file.
func openCompound(d *Doc, data []byte) (*storage, error) {
	if len(data) < 512 || !isCompound(data) {
		return nil, errMalformed
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	c := &compound{d: d, data: data, shift: uint(binary.LittleEndian.Uint16(data[30:]))}
	if c.shift < 7 || c.shift > 16 {
		c.shift = 9
	}
	size := 1 << c.shift
	c.sectors = uint32((max(0, len(data)-size) + size - 1) >> c.shift)
	// The tables: 4 bytes for a sector of 128 at least, twice, and the owners.
	if err := d.keep(int64(c.sectors) * 12); err != nil {
		return nil, err
	}
	var fats []uint32
	for at := 76; at < 512; at += 4 {
		fats = append(fats, u32(at))
	}
	for sect, n := u32(68), uint32(0); sect <= cfbLast && n <= c.sectors; n++ {
		b := c.sector(sect)
		if len(b) < size {
			c.broken = c.broken || len(b) == 0 && u32(72) > 0
			break
		}
		for at := 0; at+8 <= size; at += 4 {
			fats = append(fats, binary.LittleEndian.Uint32(b[at:]))
		}
		if uint32(len(fats)) > c.sectors+109 {
			break
		}
		sect = binary.LittleEndian.Uint32(b[size-4:])
	}
	for _, f := range fats {
		if f > cfbLast {
			continue
		}
		if uint32(len(c.fat)) >= c.sectors {
			break
		}
		b := c.sector(f)
		for at := 0; at < size; at += 4 {
			v := uint32(cfbNone)
			if at+4 <= len(b) {
				v = binary.LittleEndian.Uint32(b[at:])
			}
			c.fat = append(c.fat, v)
		}
	}
	c.owner = make([]uint32, c.sectors)
	dir := c.chain(u32(48), cfbNone-1, uint64(len(data)))
	mf := c.chain(u32(60), cfbNone-2, uint64(len(data)))
	c.minifat = make([]uint32, len(mf)/4)
	for i := range c.minifat {
		c.minifat[i] = binary.LittleEndian.Uint32(mf[4*i:])
	}
	c.owners = make([]uint32, len(c.minifat))
	return c.tree(dir)
}

// sector gives the bytes of a sector, fewer at the end of the file.
func (c *compound) sector(n uint32) []byte {
	at := (int64(n) + 1) << c.shift
	if n >= c.sectors || at >= int64(len(c.data)) {
		return nil
	}
	return c.data[at:min(at+1<<c.shift, int64(len(c.data)))]
}

// chain gives the bytes of a stream that begins at a sector, at most size of them. It does not copy what lies in one piece.
func (c *compound) chain(start uint32, id uint32, size uint64) []byte {
	var out []byte
	first, last, run := start, start, true // run: all so far in one piece
	n := uint32(0)
	for sect := start; sect <= cfbLast && uint64(n)<<c.shift < size; n++ {
		if sect >= c.sectors || n >= c.sectors || c.owner[sect] != 0 && c.owner[sect] != id+1 {
			c.broken = true
			break
		}
		c.owner[sect] = id + 1
		b := c.sector(sect)
		if run && n > 0 && sect != last+1 {
			out, run = append(out, c.piece(first, n)...), false
		}
		if !run {
			out = append(out, b...)
		}
		last = sect
		if sect >= uint32(len(c.fat)) {
			c.broken = true
			n++
			break
		}
		sect = c.fat[sect]
	}
	if run {
		out = c.piece(first, n)
	}
	if uint64(len(out)) > size {
		out = out[:size]
	}
	return out[:len(out):len(out)]
}

// piece is n sectors that follow one another.
func (c *compound) piece(first, n uint32) []byte {
	if n == 0 {
		return nil
	}
	at := (int64(first) + 1) << c.shift
	return c.data[min(at, int64(len(c.data))):min(at+int64(n)<<c.shift, int64(len(c.data)))]
}

// bytes reads a stream. What is missing of it makes the file broken. The error is one to return.
func (s *stream) bytes() ([]byte, error) {
	c := s.c
	s.used = true
	if s.size == 0 {
		return nil, nil
	}
	if s.size >= cfbCutoff {
		b := c.chain(s.start, s.id, s.size)
		if uint64(len(b)) < s.size {
			c.broken = true
		}
		if len(b) > 0 && s.size > 1<<c.shift && !within(b, c.data) {
			return b, c.d.keep(int64(len(b)))
		}
		return b, nil
	}
	var out []byte
	for sect := s.start; uint64(len(out)) < s.size; {
		at := int64(sect) * cfbMini
		if sect >= uint32(len(c.minifat)) || at >= int64(len(c.mini)) || c.owners[sect] != 0 && c.owners[sect] != s.id+1 {
			c.broken = true
			break
		}
		c.owners[sect] = s.id + 1
		out = append(out, c.mini[at:min(at+cfbMini, int64(len(c.mini)))]...)
		sect = c.minifat[sect]
	}
	if uint64(len(out)) > s.size {
		out = out[:s.size]
	}
	return out, nil
}

// within reports whether b is a part of data rather than a copy.
func within(b, data []byte) bool {
	return cap(data) > 0 && &data[:cap(data)][cap(data)-1] == &b[:cap(b)][cap(b)-1]
}

// tree makes storages of the directory. Each entry is taken once; those that hang nowhere are put into the root.
func (c *compound) tree(dir []byte) (*storage, error) {
	n := uint32(len(dir) / 128)
	if n == 0 {
		return nil, errMalformed
	}
	if err := c.d.keep(int64(n) * 256); err != nil {
		return nil, err
	}
	entry := func(i uint32) []byte { return dir[int(i)*128 : int(i)*128+128] }
	link := func(i uint32, at int) uint32 { return binary.LittleEndian.Uint32(entry(i)[at:]) }
	size := func(i uint32) uint64 {
		v := binary.LittleEndian.Uint64(entry(i)[120:])
		if c.shift == 9 {
			v &= 0xFFFFFFFF // Version 3 leaves rubbish in the upper half.
		}
		return v
	}
	root := &storage{c: c}
	copy(root.clsid[:], entry(0)[80:])
	c.mini = c.chain(link(0, 116), 0, min(size(0), uint64(len(c.data))))
	if len(c.mini) > 0 && !within(c.mini, c.data) {
		if err := c.d.keep(int64(len(c.mini))); err != nil {
			return nil, err
		}
	}
	seen := make([]bool, n)
	seen[0] = true
	type todo struct {
		i     uint32
		in    *storage
		path  string
		depth int
	}
	walk := func(list []todo) {
		for len(list) > 0 {
			t := list[len(list)-1]
			list = list[:len(list)-1]
			if t.i >= n || seen[t.i] {
				if t.i != cfbNone {
					c.broken = true
				}
				continue
			}
			seen[t.i] = true
			e := entry(t.i)
			list = append(list, todo{link(t.i, 68), t.in, t.path, t.depth}, todo{link(t.i, 72), t.in, t.path, t.depth})
			name := entryName(e)
			switch e[66] {
			case 1:
				f := &storage{c: c, name: name}
				copy(f.clsid[:], e[80:])
				t.in.folders = append(t.in.folders, f)
				if t.depth > 64 { // Paths stay short; what is deeper hangs where it is.
					f, t.path, name = t.in, "", ""
				}
				list = append(list, todo{link(t.i, 76), f, t.path + name + "/", t.depth + 1})
			case 2:
				t.in.streams = append(t.in.streams, &stream{c: c, name: name, path: t.path + display(strings.TrimLeft(name, "\x01\x02\x03\x05")), id: t.i, start: link(t.i, 116), size: size(t.i)})
			}
		}
	}
	walk([]todo{{link(0, 76), root, "", 0}})
	for i := range n {
		if !seen[i] && (entry(i)[66] == 1 || entry(i)[66] == 2) {
			walk([]todo{{i, root, "", 0}})
		}
	}
	root.sort(0)
	return root, nil
}

// sort puts all into the order of the names, as the tree of a file is by another one.
func (s *storage) sort(depth int) {
	slices.SortStableFunc(s.streams, func(a, b *stream) int { return strings.Compare(a.name, b.name) })
	slices.SortStableFunc(s.folders, func(a, b *storage) int { return strings.Compare(a.name, b.name) })
	if depth > 70 {
		return
	}
	for _, f := range s.folders {
		f.sort(depth + 1)
	}
}

func entryName(e []byte) string {
	n := min(int(binary.LittleEndian.Uint16(e[64:])), 64)
	var u []uint16
	for at := 0; at+2 <= n; at += 2 {
		v := binary.LittleEndian.Uint16(e[at:])
		if v == 0 {
			break
		}
		u = append(u, v)
	}
	return string(utf16.Decode(u))
}

// stream finds a stream by name, in any case; nil: it is not there.
func (s *storage) stream(name string) *stream {
	for _, st := range s.streams {
		if strings.EqualFold(st.name, name) {
			return st
		}
	}
	return nil
}

// folder finds a storage by name, in any case.
func (s *storage) folder(name string) *storage {
	for _, f := range s.folders {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

// has reports whether one of the streams is there.
func (s *storage) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return s.stream(n) != nil })
}

// read gives the bytes of a stream; none if it is not there.
func (s *storage) read(name string) ([]byte, error) {
	if st := s.stream(name); st != nil {
		return st.bytes()
	}
	return nil, nil
}
