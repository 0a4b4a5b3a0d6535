package view

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"
)

// Opened is the text that a run holds, and the way back to the text in which it stands. It reuses its buffers, so it is not safe for concurrent
// use, and Text is good until the next call.
type Opened struct {
	Text  []byte
	Names []string // of the codes, the outermost first
	Whole bool     // it was compressed: every place in it is the whole run
	Cut   bool     // it was compressed and is longer than allowed

	run   Run
	raw   []byte
	flat  []byte
	in    bytes.Reader
	gzip  *gzip.Reader
	zlib  io.ReadCloser
	lines []edge // of Base64 and Hex: to is the number of the line's first character
	step  step
}

// names of codes as they are shown.
var names = [Codes][]string{{"base64"}, {"hex"}, {"percent"}, {"html"}, {"quoted_printable"}}

// Open decodes a run of text. Compressed text is read as far as most bytes. It reports false when the run holds no text.
func (o *Opened) Open(text []byte, r Run, most int) bool {
	o.run, o.Names, o.Whole, o.Cut, o.lines, o.raw = r, names[r.Code], false, false, o.lines[:0], o.raw[:0]
	if r.Code > Hex {
		o.sparse(text[:r.To])
		o.Text = o.step.out
		return true
	}
	o.dense(text)
	o.Text = o.raw
	if gzipped(o.raw) || zlibbed(o.raw) {
		o.inflate(most)
	}
	return textual(o.Text)
}

// Wipe overwrites what is left in the buffers.
func (o *Opened) Wipe() {
	o.step.wipe()
	clear(o.raw[:cap(o.raw)])
	clear(o.flat[:cap(o.flat)])
	// What was read last is still in these.
	o.gzip, o.zlib, o.Text = nil, nil, nil
	o.in.Reset(nil)
}

func (o *Opened) dense(text []byte) {
	table, bits := &base64Values, 6
	if o.run.Code == Hex {
		table, bits = &hexValues, 4
	}
	var v uint32
	chars, have, fresh := 0, 0, true
	for i, c := range text[o.run.From:o.run.To] {
		d := table[c]
		if d == none {
			fresh = true
			continue
		}
		if fresh {
			o.lines = append(o.lines, edge{to: chars, from: o.run.From + i})
			fresh = false
		}
		v = v<<bits | uint32(d)
		chars++
		if have += bits; have >= 8 {
			have -= 8
			o.raw = append(o.raw, byte(v>>have))
		}
	}
}

func (o *Opened) sparse(text []byte) {
	s, src := &o.step, text[o.run.From:]
	s.empty()
	last := 0
	s.begin(src, 0)
	for i := o.run.Code.next(text, o.run.From, len(text)); i < len(text); i = o.run.Code.next(text, i, len(text)) {
		at := i - o.run.From
		s.out = append(s.out, src[last:at]...)
		r, w := o.run.Code.char(text[i:])
		to := len(s.out)
		switch {
		case w < 0:
			w = softBreak(text, i)
		case o.run.Code == Entity:
			s.out = utf8.AppendRune(s.out, r)
		default:
			s.out = append(s.out, byte(r))
		}
		s.replace(to, at, w)
		last, i = at+w, i+w
	}
	s.out = append(s.out, src[last:]...)
}

// inflate reads what is compressed. When it is damaged or cut off, what came before counts.
func (o *Opened) inflate(most int) {
	name, z := "gzip", o.gzipReader
	if !gzipped(o.raw) {
		name, z = "zlib", o.zlibReader
	}
	o.in.Reset(o.raw)
	in, err := z()
	if err != nil {
		return
	}
	if cap(o.flat) <= most {
		o.flat = make([]byte, most+1)
	}
	// An error means that the rest is missing.
	n, _ := io.ReadFull(in, o.flat[:most+1])
	if n == 0 {
		return
	}
	o.Text, o.Whole, o.Cut, o.Names = o.flat[:min(n, most)], true, n > most, []string{names[o.run.Code][0], name}
}

func (o *Opened) gzipReader() (io.Reader, error) {
	if o.gzip == nil {
		z, err := gzip.NewReader(&o.in)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		o.gzip = z
		return z, nil
	}
	if err := o.gzip.Reset(&o.in); err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	return o.gzip, nil
}

func (o *Opened) zlibReader() (io.Reader, error) {
	if o.zlib == nil {
		z, err := zlib.NewReader(&o.in)
		if err != nil {
			return nil, fmt.Errorf("read zlib: %w", err)
		}
		o.zlib = z
		return z, nil
	}
	// zlib's readers are Resetters.
	if err := o.zlib.(zlib.Resetter).Reset(&o.in, nil); err != nil {
		return nil, fmt.Errorf("read zlib: %w", err)
	}
	return o.zlib, nil
}

// textual reports whether b is text for the most part: few control characters, and those beyond ASCII form UTF-8 or are few.
func textual(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if enc, _ := Detect(b); enc != UTF8 {
		return true
	}
	control, broken := 0, 0
	for i := 0; i < len(b); {
		w := 1
		switch c := b[i]; {
		case c >= utf8.RuneSelf:
			if _, w = utf8.DecodeRune(b[i:]); w == 1 {
				broken++
			}
		case !printable(c):
			control++
		}
		i += w
	}
	return 20*control <= len(b) && 5*broken <= len(b)
}

// Start maps the offset of a byte of Text to where it begins in the text of the run.
func (o *Opened) Start(i int) int {
	switch {
	case o.Whole:
		return o.run.From
	case o.run.Code == Base64:
		return o.char(i/3*4 + i%3)
	case o.run.Code == Hex:
		return o.char(2 * i)
	}
	return o.run.From + o.step.start(i)
}

// End maps an exclusive end in Text to the exclusive end of the byte before it.
func (o *Opened) End(i int) int {
	switch {
	case o.Whole:
		return o.run.To
	case i == 0:
		return o.Start(0)
	case o.run.Code == Base64:
		return o.char((i-1)/3*4+(i-1)%3+1) + 1
	case o.run.Code == Hex:
		return o.char(2*i-1) + 1
	}
	return o.run.From + o.step.end(i)
}

// char returns the place of a character of the alphabet.
func (o *Opened) char(n int) int {
	at := sort.Search(len(o.lines), func(i int) bool { return o.lines[i].to > n })
	if at == 0 {
		return o.run.From
	}
	l := o.lines[at-1]
	return l.from + n - l.to
}

// Touches reports whether anything within Text[i:j], or right beside it, was encoded. If not, the same stands in the text of the run.
func (o *Opened) Touches(i, j int) bool {
	if o.run.Code <= Hex {
		return true
	}
	edges := o.step.edges[1:] // The first is the beginning.
	n := sort.Search(len(edges), func(n int) bool { return edges[n].to >= i-1 })
	return n < len(edges) && edges[n].to <= j
}
