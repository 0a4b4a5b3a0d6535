package extract

import (
	"errors"
	"io"
)

// limited counts the bytes of a file as they come out, and ends with the reason of the limit that is passed.
type limited struct {
	r    io.Reader
	d    *Doc
	in   func() int64
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
	case l.d.depth > 0 && w.report.Bytes > lim.Item:
		w.gap(l.d.path, ReasonItemSize, l.d.Type)
		n, err = 0, w.stop(errStop)
	case err != nil && !errors.Is(err, io.EOF) && l.d.depth == 0:
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
