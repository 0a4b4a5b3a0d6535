package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Signatures of the records of a zip file (APPNOTE 4.3).
const (
	zipLocal      = "PK\x03\x04"
	zipCentral    = "PK\x01\x02"
	zipEnd        = "PK\x05\x06"
	zipDescriptor = "PK\x07\x08"
	zipLocalLen   = 30
	zipCentralLen = 46
)

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte(zipLocal)) || bytes.HasPrefix(head, []byte(zipEnd)) || bytes.HasPrefix(head, []byte("PK00"+zipLocal)) ||
		bytes.HasPrefix(head, []byte(zipDescriptor+zipLocal))
}

// zipEntry is a file in a zip file, as a local header or the central directory describes it.
type zipEntry struct {
	name       string
	local      string // name in the local header
	method     uint16
	encrypted  bool
	crc        uint32
	start, end int64 // of the local header and of the data, in bytes
	data       int64 // where the data begin
	size       int64 // declared, of what comes out
	open       bool  // the local header does not say where the data end
	hidden     bool  // the central directory does not list it
}

// zipFile is a zip file in memory.
type zipFile struct {
	d       *Doc
	data    []byte
	z       *zip.Reader
	entries []zipEntry // listed ones, in the order of the directory
	dir     int64      // where the directory begins
}

// readZip reads a zip file: as the kind of document that it is, or each file in it; then the comments, and what no directory lists.
func readZip(d *Doc) error {
	data, err := d.Bytes()
	if err != nil {
		return err
	}
	f := &zipFile{d: d, data: data, dir: int64(len(data))}
	release, err := d.borrow(f.cost())
	if err != nil {
		return err
	}
	defer release()
	var bad error
	if f.z, err = zip.NewReader(bytes.NewReader(data), int64(len(data))); err != nil || f.z == nil || len(f.z.File) == 0 && bytes.Contains(data, []byte(zipLocal)) {
		if f.z, err = f.recover(); err != nil {
			return err
		}
		bad = errMalformed
	} else {
		f.list()
	}
	read, kind := f.members, false
	for i := range zipKinds {
		if k := &zipKinds[i]; k.is(f.z) {
			d.as(k.id, k.media)
			read, kind = func() error { return k.read(d, f.z) }, true
			break
		}
	}
	err = d.guarded(func(*Doc) error { return read() })
	if d.w.fatal != nil {
		return d.w.fatal
	}
	for _, more := range []func() error{f.comments, func() error { return f.unlisted(kind) }} {
		if e := more(); e != nil {
			return e
		}
	}
	if err == nil {
		err = bad
	}
	return err
}

// cost is what the directory may take in memory, in bytes: archive/zip keeps about 400 for each entry and its names.
func (f *zipFile) cost() int64 {
	end := bytes.LastIndex(f.data, []byte(zipEnd))
	if end >= 0 && end+22 <= len(f.data) {
		le := binary.LittleEndian
		size, off := int64(le.Uint32(f.data[end+12:])), int64(le.Uint32(f.data[end+16:]))
		if from := min(off, int64(end)-size); from >= 0 {
			f.dir = min(max(off, int64(end)-size), int64(end))
			return 2*(int64(end)-from) + 512*int64(bytes.Count(f.data[from:end], []byte(zipCentral)))
		}
	}
	return 512 * int64(bytes.Count(f.data, []byte(zipCentral))+bytes.Count(f.data, []byte(zipLocal)))
}

// list takes the entries of the directory.
func (f *zipFile) list() {
	for _, z := range f.z.File {
		e := zipEntry{name: zipName(z.Name, z.Extra, z.NonUTF8), local: z.Name, method: z.Method, encrypted: z.Flags&1 != 0, crc: z.CRC32, size: int64(z.UncompressedSize64)}
		if at, err := z.DataOffset(); err == nil && at <= int64(len(f.data)) {
			e.data, e.start = at, f.header(at)
			e.end = at + min(int64(z.CompressedSize64), int64(len(f.data))-at) // a negative size, of 2^63 and more, is none
			if e.end < at {
				e.end = int64(len(f.data))
			}
			if e.start < at {
				h := f.data[e.start:at]
				e.local = string(h[zipLocalLen : zipLocalLen+int(binary.LittleEndian.Uint16(h[26:]))])
				e.encrypted = e.encrypted && h[6]&1 != 0 // One bit alone is a trick against scanners.
			}
		} else {
			e.data = -1
		}
		f.entries = append(f.entries, e)
	}
}

// header finds the local header of the data at an offset.
func (f *zipFile) header(at int64) int64 {
	from := max(0, at-zipLocalLen-2*0xffff)
	for end := at; ; {
		i := int64(bytes.LastIndex(f.data[from:end], []byte(zipLocal)))
		if i < 0 {
			return at
		}
		if p := from + i; p+zipLocalLen <= at && f.after(p) == at {
			return p
		}
		end = from + i
	}
}

// after is where the data behind the local header at p begin.
func (f *zipFile) after(p int64) int64 {
	h := f.data[p:]
	return p + zipLocalLen + int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
}

// next finds the first local header in a range that may be one, and how far its data reach at most.
func (f *zipFile) next(from, to int64) (e zipEntry, ok bool) {
	for {
		i := bytes.Index(f.data[from:to], []byte(zipLocal))
		if i < 0 {
			return e, false
		}
		p := from + int64(i)
		from = p + 4
		if p+zipLocalLen > to || f.after(p) > to {
			continue
		}
		h, le := f.data[p:], binary.LittleEndian
		flags, comp, n := le.Uint16(h[6:]), int64(le.Uint32(h[18:])), int64(le.Uint16(h[26:]))
		if h[4] > 99 || flags&0x20 != 0 && flags&0x40 == 0 && le.Uint16(h[8:]) == 0xffff {
			continue
		}
		e = zipEntry{start: p, data: f.after(p), method: le.Uint16(h[8:]), encrypted: flags&1 != 0, crc: le.Uint32(h[14:]), size: int64(le.Uint32(h[22:]))}
		e.local = string(h[zipLocalLen : zipLocalLen+n])
		extra := f.data[p+zipLocalLen+n : e.data]
		e.name = zipName(e.local, extra, flags&0x800 == 0)
		if comp == 0xffffffff {
			if x := zipExtra(extra, 1); len(x) >= 16 {
				e.size, comp = int64(le.Uint64(x)), int64(le.Uint64(x[8:]))
			}
		}
		e.end = e.data + comp
		if flags&8 != 0 && comp == 0 {
			f.descriptor(&e, to)
		} else if e.end > to || e.end < e.data {
			e.end, e.open = to, true
			if i := bytes.Index(f.data[e.data:to], []byte(zipLocal)); i >= 0 && e.method != zip.Store {
				e.end = e.data + int64(i)
			}
		}
		return e, true
	}
}

// descriptor finds the record behind the data of an entry whose header does not tell its size.
func (f *zipFile) descriptor(e *zipEntry, to int64) {
	e.end, e.open, e.crc, e.size = to, true, 0, 0
	le := binary.LittleEndian
	for from, tries := e.data, 0; tries < 1000; tries++ {
		i := bytes.Index(f.data[from:to], []byte("PK"))
		if i < 0 {
			return
		}
		at := from + int64(i)
		rest := f.data[at:to]
		switch {
		case len(rest) >= 16 && string(rest[:4]) == zipDescriptor && int64(le.Uint32(rest[8:])) == at-e.data:
			e.end, e.open, e.crc, e.size = at, false, le.Uint32(rest[4:]), int64(le.Uint32(rest[12:]))
			return
		case len(rest) >= 4 && (string(rest[:4]) == zipLocal || string(rest[:4]) == zipCentral) && e.method != zip.Store:
			if n := at - e.data; n >= 12 && int64(le.Uint32(f.data[at-8:])) == n-12 { // a descriptor without a signature
				e.end, e.open, e.crc, e.size = at-12, false, le.Uint32(f.data[at-12:]), int64(le.Uint32(f.data[at-4:]))
			} else {
				e.end = at
			}
			return
		}
		from = at + 2
	}
}

// recover lists the entries of a file without a directory by their local headers, and makes a directory for it.
func (f *zipFile) recover() (*zip.Reader, error) {
	var dir []byte
	le := binary.LittleEndian
	n := 0
	for from := int64(0); n <= f.d.w.opt.Limits.Entries; n++ {
		e, ok := f.next(from, int64(len(f.data)))
		if !ok {
			break
		}
		from = e.end
		size := e.size
		if e.open {
			size = 0xfffffffe
		}
		h := f.data[e.start:]
		c := make([]byte, zipCentralLen, zipCentralLen+len(e.local))
		copy(c, zipCentral)
		copy(c[6:], h[4:14]) // version, flags, method, time and date
		c[8] &^= 8
		le.PutUint32(c[16:], e.crc)
		le.PutUint32(c[20:], uint32(e.end-e.data))
		le.PutUint32(c[24:], uint32(min(size, 0xfffffffe)))
		le.PutUint16(c[28:], uint16(len(e.local)))
		le.PutUint32(c[42:], uint32(e.start))
		dir = append(append(dir, c...), e.local...)
		f.entries = append(f.entries, e)
	}
	if n == 0 {
		return nil, errMalformed
	}
	end := make([]byte, 22)
	copy(end, zipEnd)
	le.PutUint16(end[8:], uint16(n))
	le.PutUint16(end[10:], uint16(n))
	le.PutUint32(end[12:], uint32(len(dir)))
	le.PutUint32(end[16:], uint32(len(f.data)))
	dir = append(dir, end...)
	z, err := zip.NewReader(&zipJoined{f.data, dir}, int64(len(f.data)+len(dir)))
	if err != nil {
		return nil, errMalformed
	}
	return z, nil
}

// zipJoined reads b behind a.
type zipJoined struct{ a, b []byte }

func (j *zipJoined) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(j.a)) {
		n = copy(p, j.a[off:])
		off += int64(n)
	}
	if n < len(p) && off-int64(len(j.a)) < int64(len(j.b)) {
		n += copy(p[n:], j.b[off-int64(len(j.a)):])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// members reads the listed files. Entries that overlap one that was read are refused: each compressed byte is read once.
func (f *zipFile) members() error {
	taken := make([]zipEntry, 0, min(len(f.entries), f.d.w.opt.Limits.Entries))
	for _, e := range f.entries {
		if strings.HasSuffix(e.name, "/") && e.end == e.data {
			if err := f.d.Text(Location{}).Put(Location{Part: PartName}, display(e.name)); err != nil {
				return err
			}
			continue
		}
		at, _ := slices.BinarySearchFunc(taken, e.start, func(t zipEntry, s int64) int { return int(min(max(t.start-s, -1), 1)) })
		switch {
		case e.data < 0, at < len(taken) && taken[at].start < e.end, at > 0 && taken[at-1].end > e.start:
			if err := f.d.Member(Member{Name: e.name, Body: failing{errMalformed}}); err != nil {
				return err
			}
			continue
		}
		taken = slices.Insert(taken, at, e)
		if _, err := f.member(e); err != nil {
			return err
		}
	}
	return nil
}

// member reads one file, and returns where its data end.
func (f *zipFile) member(e zipEntry) (int64, error) {
	if e.local != e.name && display(e.local) != display(e.name) {
		if name := zipName(e.local, nil, true); name != e.name {
			if err := f.d.Text(Location{}).Put(Location{Part: PartName, Hidden: true}, display(name)); err != nil {
				return 0, err
			}
		}
	}
	m := Member{Name: e.name, Size: max(e.size, 0), At: Location{Hidden: e.hidden}}
	src := bytes.NewReader(f.data[e.data:e.end])
	sum := crc32.NewIEEE()
	body := &lenient{}
	if e.encrypted {
		m.Body = failing{errEncrypted}
		return e.end, f.d.Member(m)
	}
	r, done, err := f.d.unzip(e, src)
	if err != nil {
		m.Body = failing{err}
		return e.end, f.d.Member(m)
	}
	defer done()
	body.r = r
	all := int64(src.Len())
	m.In = func() int64 { return all - int64(src.Len()) }
	m.Body = io.TeeReader(body, sum)
	if err := f.d.Member(m); err != nil {
		return 0, err
	}
	if body.err == nil && sum.Sum32() != e.crc && e.crc != 0 && f.ended(body) {
		body.err = errMalformed
	}
	f.d.broken(e.name, body.err)
	if e.open && e.method != zip.Store {
		return e.end - int64(src.Len()), nil
	}
	return e.end, nil
}

// ended tells whether a body was read to its end, so that its sum counts.
func (f *zipFile) ended(body *lenient) bool {
	n, err := body.r.Read(make([]byte, 1))
	return n == 0 && err == io.EOF
}

// unlisted reads what no entry of the directory covers: entries that only local headers tell, and files in front, between and behind.
func (f *zipFile) unlisted(kind bool) error {
	if len(f.entries) > f.d.w.opt.Limits.Entries {
		return nil
	}
	f.entries = slices.DeleteFunc(f.entries, func(e zipEntry) bool { return e.data < 0 })
	slices.SortFunc(f.entries, func(a, b zipEntry) int { return int(min(max(a.start-b.start, -1), 1)) })
	from := int64(0)
	for _, e := range append(f.entries, zipEntry{start: f.dir, end: int64(len(f.data))}) {
		if e.start > from {
			if err := f.between(from, e.start, from == 0); err != nil {
				return err
			}
		}
		from = max(from, e.end)
	}
	return f.trailer()
}

// trailer reads what stands behind the end of the directory and its comment.
func (f *zipFile) trailer() error {
	end := bytes.LastIndex(f.data, []byte(zipEnd))
	if end < 0 || end+22 > len(f.data) {
		return nil
	}
	end += 22 + int(binary.LittleEndian.Uint16(f.data[end+20:]))
	if end >= len(f.data) {
		return nil
	}
	return f.loose(f.data[end:], "behind")
}

// between reads the bytes of a range that belong to no listed entry.
func (f *zipFile) between(from, to int64, front bool) error {
	for {
		e, ok := f.next(from, to)
		end := to
		if ok {
			end = e.start
		}
		name := "between"
		if front {
			name = "front"
		}
		if err := f.loose(f.data[from:end], name); err != nil {
			return err
		}
		if !ok {
			return nil
		}
		e.hidden = true
		if strings.HasSuffix(e.name, "/") && e.end == e.data {
			from = e.end
			continue
		}
		var err error
		if from, err = f.member(e); err != nil {
			return err
		}
		front = false
	}
}

// minLoose is how many bytes between the entries are looked at: data descriptors have up to 24.
const minLoose = 8

// loose reads bytes that are no entry's as a file, if they are one or hold text.
func (f *zipFile) loose(b []byte, name string) error {
	if len(b) >= 16 && string(b[:4]) == zipDescriptor {
		b = b[16:]
		if len(b) == 8 { // of a zip64 entry
			return nil
		}
	}
	if b = bytes.TrimLeft(b, "\x00"); len(bytes.TrimRight(b, "\x00")) < minLoose || len(b) <= 24 && !utf8.Valid(b) {
		return nil
	}
	return f.d.Member(Member{Name: name, Body: bytes.NewReader(b), Quiet: true, At: Location{Hidden: true}})
}
