package view

import "bytes"

// Kind is a way of hiding text.
type Kind int8

// Kinds of hidden text.
const (
	ZeroWidth Kind = iota + 1 // characters without a width, five of them with at most two others between
	Tag                       // characters of the block Tags, which mirror ASCII and show nothing
	Selector                  // variation selectors in a row, which can carry a byte each
	Bidi                      // an override of the direction, or right-to-left before text in ASCII
)

// Hidden is a place where characters that nobody sees stand in a way in which no writing system uses them. What folding left of it is in the text.
type Hidden struct {
	Kind     Kind
	From, To int    // bytes of the source
	At       int    // place in the text
	Raw      []byte // the characters, decoded; good as long as the view is
}

// longestHidden is how many characters of a run count. The rest of a longer run is left out, so that a run ends at the same place whatever part of
// the source is looked at.
const longestHidden = 256

// watch collects hidden text.
type watch struct {
	found []Hidden
	run   Hidden
	count int
	last  int // end of the run, also of the part that does not count
	src   []byte
}

func (w *watch) begin() { w.found, w.run, w.count, w.src = w.found[:0], Hidden{}, 0, nil }

// unseen returns the kind of r, 0 for a character of another kind.
func unseen(r rune) Kind {
	switch {
	case r < 0x180e:
		return 0
	case r < 0xfe00:
		switch {
		case r >= 0x200b && r <= 0x200d, r >= 0x2060 && r <= 0x2064, r == 0x180e:
			return ZeroWidth
		case r == 0x202b, r == 0x202d, r == 0x202e, r == 0x2067:
			return Bidi
		}
	case r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return Selector
	case r == 0xfeff:
		return ZeroWidth
	case r >= 0xe0000 && r <= 0xe007f:
		return Tag
	}
	return 0
}

// see hears of a character at src[i:i+width]; at is its place in the folded text.
func (w *watch) see(src []byte, k Kind, r rune, i, width, at int) {
	w.src = src
	if k == Bidi {
		ranged := i > 0 && src[i-1] == '-' || i+width < len(src) && src[i+width] == '-' // part of a class in an expression
		if !ranged && (r == 0x202d || r == 0x202e || latin(src[i+width:])) {
			w.found = append(w.found, Hidden{Kind: k, From: i, To: i + width, At: at, Raw: src[i : i+width]})
		}
		return
	}
	if k == w.run.Kind && (i == w.last || k == ZeroWidth && i-w.last <= 2 && plain(src[w.last:i])) {
		w.last = i + width
		if w.count < longestHidden {
			w.count++
			w.run.To = w.last
		}
		return
	}
	w.end()
	w.run, w.count, w.last = Hidden{Kind: k, From: i, To: i + width, At: at}, 1, i+width
}

// end closes a run and keeps it if it is long enough.
func (w *watch) end() {
	least := [...]int{ZeroWidth: 5, Tag: 2, Selector: 3, Bidi: 1}[w.run.Kind]
	if w.count >= max(least, 1) && !(w.run.Kind == Tag && w.count <= 7 && flag(w.src[:w.run.From])) {
		w.run.Raw = w.src[w.run.From:w.run.To]
		w.found = append(w.found, w.run)
	}
	w.run, w.count = Hidden{}, 0
}

// flag reports whether b ends with the black flag that the tags of a region follow, as in the flag of Scotland.
func flag(b []byte) bool { return bytes.HasSuffix(b, []byte("\U0001f3f4")) }

// latin reports whether b starts with eight characters of ASCII, which are not written from the right.
func latin(b []byte) bool { return len(b) >= 8 && plain(b[:8]) }

func plain(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c < ' ' {
			return false
		}
	}
	return true
}
