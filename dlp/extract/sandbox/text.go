package sandbox

import (
	"errors"
	"io"

	"github.com/outband/outband/dlp/extract"
)

// Text is one text of a document, read as it comes from the child. It is valid inside take only, and for one goroutine.
type Text struct {
	f     *reading
	raw   bool
	got   int // bytes that came: offset of the next one
	left  int // of the record at hand
	over  error
	marks marks
}

var _ io.Reader = (*Text)(nil)

// Raw reports whether the text is the file itself, byte by byte: an offset in the text is one in the file.
func (t *Text) Raw() bool { return t.raw }

// Read gives the text as it comes. A child that dies ends the text with io.EOF: what came before stands. Another error is one of the reading, for take to
// return.
func (t *Text) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d, n := &t.f.child.dec, 0
	for n < len(p) && t.over == nil {
		if n > 0 && d.r.Buffered() == 0 {
			break // What is there is enough.
		}
		if t.left == 0 {
			t.next()
			continue
		}
		m := min(len(p)-n, t.left)
		m, err := d.Read(p[n : n+m])
		n, t.left, t.got = n+m, t.left-m, t.got+m
		if err != nil {
			t.over = t.f.lost(err)
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, t.over
}

// next reads a record of the text. That of something else ends the text, and waits for the reading.
func (t *Text) next() {
	d := &t.f.child.dec
	rec, err := d.next()
	if err != nil {
		t.over = t.f.lost(err)
		return
	}
	switch rec.op {
	case opText:
		t.left = rec.n
	case opMark:
		t.marks.add(mark{t.got, d.at, t.marks.source(t.got)})
	case opSource:
		t.marks.add(mark{t.got, t.marks.last.at, rec.value})
	default:
		t.f.next = &rec
		t.over = io.EOF
	}
}

// Locate says where the byte at an offset of the text stands, and which byte of the file it is; -1: none. The offset is one that was read, and that is
// not forgotten. Lines and columns of a raw text are for the caller to count.
func (t *Text) Locate(offset int) (at extract.Location, source int64) {
	at, source = t.marks.locate(offset)
	if t.raw {
		source = int64(offset)
	}
	return at, source
}

// Forget says that no offset before the given one is asked for any more: what is known of them goes. Without it a long text keeps the latest places, of
// at most 16 MiB, and those of offsets before have no more than their Path.
func (t *Text) Forget(before int) { t.marks.forget(before) }

// drain reads the rest of a text that take left.
func (t *Text) drain() error {
	if t.over == nil {
		buf := make([]byte, 32<<10)
		for t.over == nil {
			_, _ = t.Read(buf) // Its error is t.over.
		}
	}
	if errors.Is(t.over, io.EOF) {
		return nil
	}
	return t.over
}
