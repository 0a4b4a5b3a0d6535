package extract

import (
	"archive/zip"
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// limited counts the bytes of a file as they come out, and ends with the reason of the limit that is passed.
type limited struct {
	r    io.Reader
	d    *Doc
	in   func() int64
	part bool // of a document that is a zip file: it counts as a member does, though it is none
	read int64
	err  error
}

func (l *limited) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	w := l.d.w
	if w.fatal != nil {
		return 0, w.fatal
	}
	if err := w.ctx.Err(); err != nil {
		return 0, w.stop(err)
	}
	n, err := l.r.Read(p)
	l.read += int64(n)
	w.report.Bytes += int64(n)
	lim := w.opt.Limits
	switch {
	case l.read > lim.File:
		n, err = n-int(l.read-lim.File), errTooBig // What is within the limit is read.
	case l.in != nil && l.read > ratioAfter && l.read > lim.Ratio*max(l.in(), 1):
		n, err = 0, errRatio
	case (l.d.depth > 0 || l.part) && w.report.Bytes > lim.Item:
		w.gap(l.d.path, ReasonItemSize, l.d.Type)
		n, err = 0, w.stop(errStop)
	case err != nil && !errors.Is(err, io.EOF) && l.d.depth == 0 && !l.part:
		err = w.stop(err) // The source broke off, which is no fault of the file.
	}
	l.err = err
	return n, err
}

// counted counts what is taken from r, for Member.In.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) taken() int64 { return c.n }

// part opens a part of a document that is a zip file inside. What comes out counts into the limits of a file, of the item and of the ratio. The
// checksum is not looked at: a part that differs from it still holds text. The error is one to return or to note with partGap.
func (d *Doc) part(f *zip.File) (io.Reader, error) {
	if f.Flags&1 != 0 {
		return nil, errEncrypted
	}
	raw, err := f.OpenRaw()
	if err != nil {
		return nil, errMalformed
	}
	from := &counted{r: raw}
	l := &limited{r: from, d: d, in: from.taken, part: true}
	switch f.Method {
	case zip.Store:
	case zip.Deflate:
		l.r = flate.NewReader(bufio.NewReader(from))
	default:
		return nil, gapError{ReasonUnsupported}
	}
	return l, nil
}

// partGap notes that a part could not be read to its end, and returns what ends the whole reading, if that is why.
func (d *Doc) partGap(err error) error {
	if d.w.fatal != nil || err == nil {
		return d.w.fatal
	}
	var g gapError
	if !errors.As(err, &g) {
		g = errMalformed
	}
	d.Gap(g.reason)
	return nil
}

// hold counts n bytes of memory that a format keeps until it gives them back by release. The error is one to return.
func (d *Doc) hold(n int64) error {
	if n < 0 || n > d.w.opt.Limits.Memory-d.w.held {
		return errMemory
	}
	d.w.held += n
	return nil
}

func (d *Doc) release(n int64) { d.w.held -= n }
