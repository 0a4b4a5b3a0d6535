package dlp

import (
	"bytes"

	"github.com/outband/outband/dlp/place"
	"github.com/outband/outband/dlp/view"
)

// Placed is a text that was taken from a document and knows where each of its bytes stood in it. ScanReader asks for the places of matches, block by
// block, so that no more of them need be held than those of a block.
type Placed interface {
	// Locate says where the byte at offset of the text stands, and which byte of the document's file it is; -1: none.
	Locate(offset int) (place.Location, int64)
	// Forget says that no offset below this one is asked for any more.
	Forget(before int)
}

// columns counts the characters of a line, over blocks. The zero value stands at the beginning of a text.
type charColumn struct {
	at   int // in the block
	char int // characters since the last line end before at
}

// to moves to a place of the block and returns its column, from 1. Places come in order as a rule; going back costs the way from the block's beginning.
func (c *charColumn) to(buf []byte, at int, enc view.Encoding, begin charColumn) int {
	if at < c.at {
		*c = begin
	}
	if at > c.at {
		c.char = charsSince(buf[c.at:at], enc, c.char)
		c.at = at
	}
	return c.char + 1
}

// charsSince counts the characters of b behind its last line end, or all of them and before.
func charsSince(b []byte, enc view.Encoding, before int) int {
	if enc == view.UTF8 {
		if n := bytes.LastIndexByte(b, '\n'); n >= 0 {
			b, before = b[n+1:], 0
		}
		for _, c := range b {
			if c&0xc0 != 0x80 { // A block may end within a character; its first byte counts.
				before++
			}
		}
		return before
	}
	low, high := 0, 1
	if enc == view.UTF16BE {
		low, high = 1, 0
	}
	n := 0
	for i := len(b) &^ 1; i >= 2; i -= 2 {
		if b[i-2+low] == '\n' && b[i-2+high] == 0 {
			return n
		}
		if b[i-2+high]&0xfc != 0xdc { // The second half of a pair is no character of its own.
			n++
		}
	}
	return before + n
}

// locate gives the matches of a block, which are those from had on, their columns and their places in the document.
func (s *state) locate(buf []byte, base, own, end int, enc view.Encoding, had int) {
	begin := s.columnAt
	begin.at = own
	now := begin
	for i := had; i < len(s.found); i++ {
		f := &s.found[i]
		at := f.Start - base
		if at < own {
			// It stands in the margin: the count begins at the line's beginning, or at the block's.
			f.Column = charsSince(buf[:max(at, 0)], enc, 0) + 1
		} else {
			f.Column = now.to(buf, at, enc, begin)
		}
		if s.placed != nil {
			f.Where, f.source = s.placed.Locate(f.Start)
			if f.source >= 0 {
				if _, last := s.placed.Locate(max(f.End-1, f.Start)); last >= 0 {
					f.sourceEnd = last + 1
				} else {
					f.sourceEnd = f.source + int64(f.End-f.Start)
				}
			}
		}
	}
	now.to(buf, end, enc, begin)
	s.columnAt = now
	if s.placed != nil {
		s.placed.Forget(base + own - margin)
	}
}

// atSource gives a match the offsets of the document's file, where its characters are bytes of it.
func (f *found) atSource() {
	if f.source >= 0 {
		f.Start, f.End, f.Source = int(f.source), int(f.sourceEnd), true
	}
}
