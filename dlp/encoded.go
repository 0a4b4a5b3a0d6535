package dlp

import (
	"cmp"
	"slices"
	"sort"

	"github.com/outband/outband/dlp/view"
)

// Bounds of what is decoded in a text. All follow from places in it, so that the size of a block changes nothing.
const (
	// maxDepth is how many codes are undone inside one another; what is compressed within one counts as part of it.
	maxDepth = 2

	// pieceBytes is how much of a run is decoded at once. Longer runs are decoded in pieces that overlap by more than a long key takes. Both are bytes
	// of the text as it was given, and a piece is shorter than margin.
	pieceBytes   = 18 << 10
	overlapBytes = 5 << 10

	// overlapLead is what a piece sees before the first match of its own.
	overlapLead = 64

	// maxInflated and maxRatio bound what comes out of one compressed run.
	maxInflated = 256 << 10
	maxRatio    = 64

	// openedFloor and openedShare bound what is decoded in all: so many bytes, and so many for each byte of the text up to there.
	openedFloor = 256 << 10
	openedShare = 4
)

// piece is a part of a run.
type piece struct {
	view.Run
	at    int // where it begins in the source
	first bool
	next  int // where the next piece of the run begins in the text; 0: this is the last one
}

// nested is what a state needs to decode the runs in its text.
type nested struct {
	depth   int
	root    *state       // of the whole text
	outer   *view.Opened // what the text was decoded from; nil at the root
	inner   *state       // of the texts in the runs; made when there is one
	runs    []view.Run
	pieces  []piece
	opened  view.Opened
	used    bool            // something was decoded since the last wipe
	pending [view.Codes]int // where the next piece of a run begins in the whole text; 0: none
	groups  int

	// Of the root only.
	kept  []int // matches in decoded text kept so far, by rule
	spent int   // bytes decoded so far
	place int   // of the piece at work
	over  bool  // something was not decoded to its end
}

// begin forgets the text before.
func (n *nested) begin() {
	n.pending, n.spent, n.place, n.over = [view.Codes]int{}, 0, 0, false
	clear(n.kept)
}

// outside reports whether a match is of the text around what was decoded: it is found there.
func (n *nested) outside(from, to int) bool {
	return n.outer != nil && !n.outer.Whole && !n.outer.Touches(from, to)
}

// wipe overwrites decoded text (invariant 4).
func (n *nested) wipe() {
	if !n.used {
		return
	}
	n.used = false
	n.opened.Wipe()
	if n.inner != nil {
		n.inner.clear()
	}
}

// working returns the rule at work, also of one that looks at decoded text.
func (s *state) working() *rule {
	for ; s != nil; s = s.nested.inner {
		if s.current != nil {
			return s.current
		}
	}
	return nil
}

// encoded decodes the runs that begin in the block's own part, and adds the matches in them. line is that of the beginning of that part.
func (s *state) encoded(base, own, end int, enc view.Encoding, line int) {
	n := &s.nested
	if n.depth == maxDepth {
		return
	}
	n.runs, n.pieces = view.Runs(n.runs[:0], s.text), n.pieces[:0]
	for c, pending := range n.pending {
		if at := pending - base; pending > 0 && at >= own && at < end {
			n.pending[c] = 0
			from, code := sort.Search(len(s.text), func(i int) bool { return s.view.Start(i) >= at }), view.Code(c)
			s.pieces(base, end, view.Run{Code: code, At: from, From: from, To: code.Continue(s.text, from)}, false)
		}
	}
	for _, r := range n.runs {
		at := s.view.Start(r.At)
		if at < own || at >= end || n.outer != nil && !n.outer.Touches(base+s.view.Start(r.From), base+s.view.End(r.To)) {
			continue // The last: the same run stands in the text around, and is read there.
		}
		s.pieces(base, end, r, true)
	}
	slices.SortFunc(n.pieces, func(a, b piece) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Code, b.Code)) })
	last := max(own, 0)
	for _, p := range n.pieces {
		if n.depth == 0 {
			n.place = base + p.at
		}
		if root := n.root; root.nested.spent > openedFloor+openedShare*root.nested.place {
			root.nested.over = true
			return
		}
		if s.overdue() {
			return
		}
		had := len(s.found)
		s.piece(base, p)
		if n.depth > 0 || len(s.found) == had {
			continue
		}
		line += countLines(s.src[last:max(last, p.at)], enc)
		last = max(last, p.at)
		s.setLines(s.found[had:], base, last, enc, line)
	}
}

// pieces cuts a run into pieces, up to the end of the block's own part.
func (s *state) pieces(base, end int, r view.Run, first bool) {
	n := &s.nested
	for at := s.view.Start(r.At); ; first = false {
		p := piece{Run: r, at: at, first: first}
		if to := s.reach(r, pieceBytes); to < r.To {
			p.To = to
			p.next = r.Code.Align(s.text, r.From, s.reach(r, pieceBytes-overlapBytes))
		}
		if p.next <= r.From {
			p.next = 0
		}
		n.pieces = append(n.pieces, p)
		if p.next == 0 {
			return
		}
		r.From = p.next
		if at = s.view.Start(p.next); at >= end {
			n.pending[r.Code] = base + at
			return
		}
	}
}

// reach returns the end of what of a run comes from so many bytes of the source.
func (s *state) reach(r view.Run, size int) int {
	start := s.view.Start(r.From)
	if s.view.End(r.To)-start <= size {
		return r.To
	}
	return r.From + sort.Search(r.To-r.From, func(i int) bool { return s.view.End(r.From+i+1)-start > size })
}

// piece scans what a piece holds, and adds the matches in it.
func (s *state) piece(base int, p piece) {
	n, root := &s.nested, s.nested.root
	o := &n.opened
	n.used = true
	if !o.Open(s.text, p.Run, min(maxInflated, maxRatio*(p.To-p.From))) {
		return
	}
	root.nested.spent += len(o.Text)
	if o.Cut || o.Whole && p.next > 0 {
		root.nested.over = true // Of what is compressed only the beginning can be read.
	}
	c := n.inner
	if c == nil {
		c = newState(s.engine)
		c.nested.depth, c.nested.root, c.nested.outer = n.depth+1, root, o
		n.inner = c
	}
	clear(c.kept)
	c.found, c.reached, c.columns, c.deadline, c.over, c.cut = c.found[:0], 0, c.columns[:0], s.deadline, false, false
	c.published, c.nested.pending = s.published, [view.Codes]int{}
	enc, skip := view.Detect(o.Text)
	c.block(o.Text, 0, 0, len(o.Text), skip, enc, 1)
	s.over = c.over
	root.cut = root.cut || c.cut

	own, end, group := 0, len(o.Text), 0
	if !p.first {
		own = overlapLead
	}
	if p.next > 0 {
		end = sort.Search(len(o.Text), func(i int) bool { return o.Start(i) >= p.next }) + overlapLead
	}
	var order []int
	if o.Whole {
		// All of it has one place, so it is decided here which of them overlap.
		own, end, order = 0, len(o.Text), resolve(c.found, indices(nil, len(c.found)))
		n.groups++
		group = n.groups*maxDepth + n.depth + 1
	}
	first := 0 // of those that were not decoded again: they come before the others
	for first < len(c.found) && c.found[first].Encoding != nil {
		first++
	}
	for i := range c.found {
		f := c.found[(first+i)%len(c.found)]
		if o.Whole {
			if i == len(order) {
				break
			}
			f = c.found[order[i]]
			f.group, f.place = group, i
		}
		if f.Start < own || f.Start >= end || f.Encoding == nil && !o.Touches(f.Start, f.End) {
			continue
		}
		if n.depth == 0 {
			if n.kept[f.rule.index] >= s.engine.cfg.MaxMatches {
				s.cut = true
				continue
			}
			n.kept[f.rule.index]++
		}
		if f.Encoding == nil {
			c.describe(&f)
		}
		from, to := o.Start(f.Start), o.End(f.End)
		f.Start, f.End = base+s.view.Start(from), base+s.view.End(to)
		f.Encoding = append(slices.Clip(o.Names), f.Encoding...)
		s.found = append(s.found, f)
	}
	clear(c.found)
}

// setLines sets the lines of matches; that of the source at the place is given.
func (s *state) setLines(all []found, base, at int, enc view.Encoding, line int) {
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(a.Start, b.Start) })
	for i := range all {
		from := all[i].Start - base
		if from < at {
			all[i].Line = line - countLines(s.src[from:at], enc)
			continue
		}
		line += countLines(s.src[at:from], enc)
		at, all[i].Line = from, line
	}
}
