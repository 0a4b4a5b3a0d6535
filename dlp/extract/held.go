package extract

import (
	"bytes"
	"strings"
)

// Held is a file that is in memory already: a format that wants the whole of it gets these bytes, and no second copy.
type Held struct {
	bytes.Reader
	data []byte
}

// Hold makes bytes a file for Read. They are Read's from then on.
func Hold(data []byte) *Held {
	h := &Held{data: data}
	h.Reset(data)
	return h
}

// spooled is the file itself, if it is held, within the limits, and nothing of it was read but to tell its type.
func (d *Doc) spooled() ([]byte, bool) {
	h, lim := d.w.file, d.w.opt.Limits
	if h == nil || d.depth > 0 || h.Len()+d.r.Buffered() != len(h.data) || int64(len(h.data)) > min(lim.File, lim.Memory) {
		return nil, false
	}
	d.w.report.Bytes += int64(h.Len())
	d.r.Reset(strings.NewReader("")) // All of it is given out.
	return h.data, true
}

// typed is a Sink that wants to know the type of the file before its texts, so that it is known of a file that the reading dies of.
type typed interface {
	Typed(media, format string) error
}

// tell tells the sink the type of the file itself.
func (d *Doc) tell() error {
	if s, ok := d.w.sink.(typed); ok && d.depth == 0 {
		if err := s.Typed(d.Type, d.format); err != nil {
			return d.w.stop(err)
		}
	}
	return nil
}
