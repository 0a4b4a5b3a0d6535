// Package view turns bytes as they were found into the text that detectors read, and maps every place back: UTF-16 becomes UTF-8, JSON escapes
// are undone, invisible characters go, and digits, spaces, dashes and quotes of other scripts become ASCII. Text that needs none of it is
// returned as it is. Runs finds what stands in a text in a code, such as base64, and Opened is what that holds. A Decoder reuses its buffers, so it is
// not safe for concurrent use, and a result is good until the next call.
package view

import (
	"encoding/binary"
	"sort"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how bytes stand for characters.
type Encoding int8

// Encodings that are told apart.
const (
	UTF8 Encoding = iota // and single-byte encodings, whose letters beyond ASCII are not read
	UTF16LE
	UTF16BE
)

// maxEscapes is how many layers of JSON strings inside JSON strings are undone.
const maxEscapes = 3

// Decoder makes views.
type Decoder struct {
	steps [2 + maxEscapes]step
	used  int
	watch watch
}

// edge starts a run of the output. width 0: the bytes from here on are copies, one for one. width > 0: the bytes up to the next edge come
// from the width bytes of the input at from.
type edge struct{ to, from, width int }

type step struct {
	out   []byte
	edges []edge
	char  [composed]byte
	most  int // bytes that were in out since it was wiped
}

// View is a text and the way back to its source.
type View struct {
	Text   []byte
	Hidden []Hidden // in no order
	d      *Decoder
}

// Decode returns the view of src. With nothing to undo, Text is src itself.
func (d *Decoder) Decode(src []byte, enc Encoding) View {
	d.used = 0
	if enc != UTF8 {
		s := d.next()
		s.utf16(src, enc)
		src = d.keep(s)
	}
	for range maxEscapes {
		s := d.next()
		if !s.unescape(src) {
			break
		}
		src = d.keep(s)
	}
	d.watch.begin()
	before := d.used
	if s := d.next(); s.fold(src, &d.watch) {
		src = d.keep(s)
	}
	d.watch.end()
	for i := range d.watch.found {
		h := &d.watch.found[i]
		h.From, h.To = d.start(before, h.From), d.end(before, h.To)
	}
	return View{Text: src, Hidden: d.watch.found, d: d}
}

// Wipe overwrites what is left in the buffers. The view must not be used any more.
func (d *Decoder) Wipe() {
	for i := range d.steps {
		d.steps[i].wipe()
	}
	d.watch.begin()
	clear(d.watch.found[:cap(d.watch.found)])
	d.used = 0
}

// next hands out the next step, empty. It counts only once kept.
func (d *Decoder) next() *step {
	s := &d.steps[d.used]
	s.empty()
	return s
}

func (s *step) empty() {
	s.most = max(s.most, len(s.out))
	s.out, s.edges = s.out[:0], s.edges[:0]
}

func (s *step) wipe() {
	s.empty()
	clear(s.out[:s.most])
	s.most, s.char = 0, [composed]byte{}
}

func (d *Decoder) keep(s *step) []byte {
	d.used++
	return s.out
}

// Start maps the offset of a byte of Text to where its source begins.
func (v View) Start(i int) int { return v.d.start(v.d.used, i) }

// End maps an exclusive end in Text to the exclusive end of the source of the byte before it.
func (v View) End(i int) int { return v.d.end(v.d.used, i) }

// start maps an offset behind the first used steps to the source.
func (d *Decoder) start(used, i int) int {
	for n := used - 1; n >= 0; n-- {
		i = d.steps[n].start(i)
	}
	return i
}

func (d *Decoder) end(used, i int) int {
	for n := used - 1; n >= 0; n-- {
		i = d.steps[n].end(i)
	}
	return i
}

func (s *step) start(i int) int {
	e := s.at(i)
	if e.width > 0 {
		return e.from
	}
	return e.from + i - e.to
}

func (s *step) end(i int) int {
	if i == 0 {
		return s.start(0)
	}
	e := s.at(i - 1)
	if e.width > 0 {
		return e.from + e.width
	}
	return e.from + i - e.to
}

func (s *step) at(i int) edge {
	n := sort.Search(len(s.edges), func(n int) bool { return s.edges[n].to > i })
	if n == 0 {
		return edge{}
	}
	return s.edges[n-1]
}

// begin copies the part of src that needs no change and starts the map.
func (s *step) begin(src []byte, n int) {
	s.edges = append(s.edges, edge{})
	s.out = append(s.out, src[:n]...)
}

// replace notes that the bytes appended since to come from src[from:from+width], and that copying goes on behind them.
func (s *step) replace(to, from, width int) {
	if len(s.out) > to {
		s.edges = append(s.edges, edge{to, from, width})
	}
	s.edges = append(s.edges, edge{len(s.out), from + width, 0})
}

func (s *step) utf16(src []byte, enc Encoding) {
	order := binary.ByteOrder(binary.LittleEndian)
	if enc == UTF16BE {
		order = binary.BigEndian
	}
	for i := 0; i < len(src); {
		to, width, r := len(s.out), 2, utf8.RuneError
		if i+1 < len(src) {
			r = rune(order.Uint16(src[i:]))
			if utf16.IsSurrogate(r) {
				low := rune(0)
				if i+3 < len(src) {
					low = rune(order.Uint16(src[i+2:]))
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					width = 4
				}
			}
		} else {
			width = 1 // Half a unit at the end of a damaged text.
		}
		s.out = utf8.AppendRune(s.out, r)
		s.edges = append(s.edges, edge{to, i, width})
		i += width
	}
}
