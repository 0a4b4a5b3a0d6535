package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/nwaples/rardecode/v2"
)

const (
	rar4Magic = "Rar!\x1a\x07\x00"
	rar5Magic = "Rar!\x1a\x07\x01\x00"

	rarWindow = 64 << 20
	// rar4Memory is what a text compressed by PPMd may make the decoder of RAR 4 take beside the window, which no option of it bounds: 256 MiB by the letter
	// of the format, of which the limit of memory knows 128.
	rar4Memory = 128 << 20
)

func isRar(head []byte) bool { return prefix(rar4Magic)(head) || prefix(rar5Magic)(head) }

// readRar reads a RAR 4 or 5 file. Of several volumes only the first is there.
func readRar(d *Doc) error {
	br := bufio.NewReaderSize(d.Reader(), headBytes)
	head, _ := br.Peek(headBytes)
	need := int64(rarWindow)
	comment := rar5Comment(head)
	if strings.HasPrefix(string(head), rar4Magic) {
		need += rar4Memory
		comment = rar4Comment(head)
	}
	if err := d.keep(need); err != nil {
		return err
	}
	if err := d.Text(Location{}).Put(Location{Part: PartComment}, comment); err != nil {
		return err
	}
	src := &counted{r: br}
	z, err := rardecode.NewReader(src, rardecode.MaxDictionarySize(rarWindow), rardecode.BufferSize(64<<10))
	if err != nil {
		return rarError(err)
	}
	for {
		h, err := z.Next()
		if errors.Is(err, io.EOF) {
			return d.behind(src)
		}
		if d.w.fatal != nil {
			return d.w.fatal
		}
		if err != nil {
			return rarError(err)
		}
		if h.IsDir {
			if err := d.Text(Location{}).Put(Location{Part: PartName}, display(h.Name)); err != nil {
				return err
			}
			continue
		}
		body := &lenient{r: z}
		start := src.n
		m := Member{Name: h.Name, Size: max(h.UnPackedSize, 0), Body: body}
		// The reader takes the packed bytes of a file in advance, never more than the archive has.
		m.In = func() int64 { return src.n - start + 64<<10 }
		if h.Encrypted || h.HeaderEncrypted {
			m.Body = failing{errEncrypted}
		}
		if err := d.Member(m); err != nil {
			return err
		}
		if body.err != nil {
			d.broken(h.Name, rarError(body.err))
			if errors.Is(body.err, rardecode.ErrMultiVolume) {
				return nil
			}
		}
	}
}

func rarError(err error) error {
	var g gapError
	switch {
	case errors.As(err, &g):
		return g
	case errors.Is(err, rardecode.ErrArchiveEncrypted), errors.Is(err, rardecode.ErrArchivedFileEncrypted):
		return errEncrypted
	case errors.Is(err, rardecode.ErrDictionaryTooLarge):
		return errMemory
	case errors.Is(err, rardecode.ErrUnknownVersion):
		return gapError{ReasonUnsupported}
	}
	return errMalformed
}

// rar5Comment finds the comment of a RAR 5 archive near its beginning: a service block of the name CMT that is stored.
func rar5Comment(b []byte) string {
	if !strings.HasPrefix(string(b), rar5Magic) {
		return ""
	}
	for b = b[8:]; len(b) > 7; {
		size, n := binary.Uvarint(b[4:min(len(b), 4+4)])
		if n <= 0 || size > uint64(len(b)-4-n) {
			return ""
		}
		h := b[4+n : 4+n+int(size)]
		r := &varints{b: h}
		kind, flags := r.next(), r.next()
		var extra, data uint64
		if flags&1 != 0 {
			extra = r.next()
		}
		if flags&2 != 0 {
			data = r.next()
		}
		b = b[4+n+int(size):]
		if r.bad || data > uint64(len(b)) || extra > size || kind == 4 || kind == 5 { // 4: encrypted from here on
			return ""
		}
		if kind == 3 { // service
			fileFlags := r.next()
			r.next() // size
			r.next() // attributes
			if fileFlags&2 != 0 {
				r.skip(4)
			}
			if fileFlags&4 != 0 {
				r.skip(4)
			}
			method := r.next() >> 7 & 7
			r.next() // system
			if name := r.bytes(r.next()); !r.bad && name == "CMT" && method == 0 {
				return strings.TrimRight(strings.ToValidUTF8(string(b[:data]), "\uFFFD"), "\x00")
			}
		}
		b = b[data:]
	}
	return ""
}

// varints reads the numbers of a RAR 5 header.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) next() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) bytes(n uint64) string {
	if n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *varints) skip(n uint64) { r.bytes(n) }

// rar4Comment finds the comment of a RAR 4 archive near its beginning: a sub-block of the name CMT that is stored.
func rar4Comment(b []byte) string {
	le := binary.LittleEndian
	for b = b[7:]; len(b) >= 11; {
		kind, flags, size := b[2], le.Uint16(b[3:]), int64(le.Uint16(b[5:]))
		data := int64(0)
		if flags&0x8000 != 0 || kind == 0x74 || kind == 0x7a {
			data = int64(le.Uint32(b[7:]))
		}
		if size < 7 || size+data > int64(len(b)) {
			return ""
		}
		if kind == 0x7a && size >= 35 && b[25] == 0x30 && flags&4 == 0 && le.Uint16(b[26:]) == 3 && string(b[32:35]) == "CMT" {
			s := b[size : size+data]
			if flags&1 == 0 && len(s)%2 == 0 && len(s) > 1 && s[1] == 0 {
				return strings.Join(wideRuns(nil, s, 0, 1), " ")
			}
			return strings.ToValidUTF8(string(s), "\uFFFD")
		}
		b = b[size+data:]
	}
	return ""
}
