package dlp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/bits"
	"slices"
)

// Bounds of the rule "n columns of one row, near each other".
const (
	defaultWithin = 30      // words
	maxWithin     = 200     // words
	withinBytes   = 4 << 10 // bytes, well within the margin of a block
	rareRows      = 8       // a value that stands in more rows than these tells no row by itself
	keptValues    = 24      // values that were seen last, of each rule
	keptRows      = 16      // rows that a frequent value is tried with
	maxGap        = 3       // bytes between two tokens of one value
)

// exactRule is what a detector looks for in a table.
type exactRule struct {
	table   *Table
	columns uint32 // bits
	least   int
	within  int
	place   int // among the rules of its table
}

// exactTable is a table with the rules that read it.
type exactTable struct {
	*Table
	rules []*rule
}

func (e *Engine) addExact(r *rule) {
	i := slices.IndexFunc(e.tables, func(t *exactTable) bool { return t.Table == r.exact.table })
	if i < 0 {
		i, e.tables = len(e.tables), append(e.tables, &exactTable{Table: r.exact.table})
	}
	r.exact.place = len(e.tables[i].rules)
	e.tables[i].rules = append(e.tables[i].rules, r)
}

// compileExact takes the table that the detector names.
func (r *rule) compileExact(stock Stock) error {
	if err := r.alone(); err != nil {
		return err
	}
	t := stock.Tables[r.Table]
	if t == nil {
		return r.fail("table", 0, "there is no exact table of that id, or it has no rows yet")
	}
	x := &exactRule{table: t, least: max(r.Least, 1), within: r.Within, columns: 1<<len(t.Columns) - 1}
	if len(r.Columns) > 0 {
		x.columns = 0
	}
	for i, c := range r.Columns {
		n := slices.Index(t.Columns, c)
		if n < 0 || x.columns&(1<<n) != 0 {
			return r.fail(fmt.Sprintf("columns.%d", i), 0, "the table has no such column, or it is named twice")
		}
		x.columns |= 1 << n
	}
	if r.Least < 0 || x.least > bits.OnesCount32(x.columns) {
		return r.fail("least", 0, "least is over the number of columns, which is %d", bits.OnesCount32(x.columns))
	}
	if x.within == 0 {
		x.within = defaultWithin
	}
	if x.within < 1 || x.within > maxWithin {
		return r.fail("within", 0, "within is not 1 to %d words", maxWithin)
	}
	r.exact = x
	return nil
}

// cellText is one token of the text that may begin or continue a value.
type cellText struct {
	start, end int
	word       int
	n          int
	text       [maxCell]byte // canonical, with - . + _
	digit      bool
	joined     bool // close enough to the token before to be part of one value
	begins     bool // by the filter, a value of several tokens may begin here
}

// seenValue is a value of the table that stands in the text.
type seenValue struct {
	start, end, word int
	from, to         int // its cells
}

// tableState is the working memory of one table in a scan.
type tableState struct {
	mac   hash.Hash
	last  [maxCellTokens]cellText // a ring
	seen  [][]seenValue           // by rule; the newest at the end
	sum   [sha256.Size]byte
	value [maxCellTokens * (maxCell + 1)]byte
}

// tables looks for the values of all tables.
func (s *state) tables() {
	if s.exact == nil {
		for _, t := range s.engine.tables {
			st := &tableState{mac: hmac.New(sha256.New, t.hash.cell), seen: make([][]seenValue, len(t.rules))}
			s.exact = append(s.exact, st)
		}
	}
	for i, t := range s.engine.tables {
		s.exact[i].wipe()
		s.table(t, s.exact[i])
	}
	s.current = nil
}

// wipe clears what is of a text (invariant 4).
func (st *tableState) wipe() {
	st.mac.Reset()
	st.last, st.value, st.sum = [maxCellTokens]cellText{}, [len(st.value)]byte{}, [sha256.Size]byte{}
	for i := range st.seen {
		st.seen[i] = st.seen[i][:0]
	}
}

func (s *state) table(t *exactTable, st *tableState) {
	run := 0 // tokens in the ring that are joined with each other
	end := 0
	for word := 0; !s.over; word++ {
		start, stop := cellToken(s.text, end)
		if start == stop {
			return
		}
		if stop-start > maxCell {
			run, end = 0, stop
			continue
		}
		c := &st.last[word%maxCellTokens]
		c.joined = run > 0 && joins(s.text[end:start])
		c.start, c.end, c.word = start, stop, word
		end = stop
		folded, digit := foldToken(c.text[:0], s.text[start:stop])
		c.n, c.digit = len(folded), digit
		if c.n > maxCell {
			run = 0
			continue
		}
		if !c.joined {
			run = 0
		}
		run = min(run+1, maxCellTokens)
		value := folded
		if digit {
			value = strip(append(st.value[:0], folded...))
		}
		h := t.hash.quick(value)
		c.begins = digit || t.filter.has(h^beginMark)
		if len(value) >= minCell && t.filter.has(h) {
			s.cell(t, st, value, c.start, c)
		}
		s.joins(t, st, word, run)
	}
}

// joins tries the values of two to four tokens that end with this one.
func (s *state) joins(t *exactTable, st *tableState, word, run int) {
	last := &st.last[word%maxCellTokens]
	for n := 2; n <= run; n++ {
		first := &st.last[(word-n+1)%maxCellTokens]
		if !first.begins {
			continue
		}
		value, digit := st.value[:0], false
		for i := word - n + 1; i <= word; i++ {
			c := &st.last[i%maxCellTokens]
			if len(value) > 0 {
				value = append(value, ' ')
			}
			value = append(value, c.text[:c.n]...)
			digit = digit || c.digit
		}
		if digit {
			value = strip(value)
		}
		if len(value) >= minCell && len(value) <= maxCell && t.filter.has(t.hash.quick(value)) {
			s.cell(t, st, value, first.start, last)
		}
	}
}

// joins reports whether two tokens with this between them may be one value.
func joins(gap []byte) bool {
	if len(gap) > maxGap {
		return false
	}
	for _, c := range gap {
		switch c {
		case ' ', '\t', ',', '.', '/', '(', ')', '-', '+':
		default:
			return false
		}
	}
	return true
}

// cell looks a value up that the filter let through.
func (s *state) cell(t *exactTable, st *tableState, value []byte, start int, last *cellText) {
	if s.overdue() {
		return
	}
	st.mac.Reset()
	st.mac.Write(value)
	v := seenValue{start: start, end: last.end, word: last.word}
	v.from, v.to = t.find(binary.BigEndian.Uint64(st.mac.Sum(st.sum[:0])))
	if v.from == v.to {
		return
	}
	for _, r := range t.rules {
		s.current = r
		s.seeValue(t, st, r, v)
	}
}

// seeValue adds a value to those that a rule has seen, and keeps what is complete by it.
func (s *state) seeValue(t *exactTable, st *tableState, r *rule, v seenValue) {
	x := r.exact
	if x.least == 1 {
		for _, ref := range t.refs[v.from:min(v.to, v.from+64)] {
			if x.columns&(1<<(ref&15)) != 0 {
				s.addExact(r, v)
				return
			}
		}
		return
	}
	seen := st.seen[x.place]
	old := 0
	for old < len(seen) && (v.word-seen[old].word > x.within || v.end-seen[old].start > withinBytes) {
		old++
	}
	if old = max(old, len(seen)-keptValues+1); old > 0 {
		seen = seen[:copy(seen, seen[old:])]
	}
	seen = append(seen, v)
	st.seen[x.place] = seen
	var rows [keptRows]uint32
	n := 0
	note := func(o seenValue) {
		if o.to-o.from > rareRows {
			return
		}
		for _, ref := range t.refs[o.from:o.to] {
			if n < len(rows) && !slices.Contains(rows[:n], ref>>4) {
				rows[n] = ref >> 4
				n++
			}
		}
	}
	if note(v); n == 0 {
		for i := len(seen) - 2; i >= 0; i-- {
			note(seen[i])
		}
	}
	for _, row := range rows[:n] {
		s.complete(t, r, seen, row)
	}
}

// complete keeps the values of a row if enough of its columns are among those seen, the last one too.
func (s *state) complete(t *exactTable, r *rule, seen []seenValue, row uint32) {
	x := r.exact
	var set uint32
	var parts [keptValues]bool
	n := 0
	for i, o := range seen {
		if got := t.columns(o.from, o.to, row) & x.columns; got != 0 {
			parts[i], set = true, set|got
			n++
		}
	}
	// A value that stands in two columns of its row is one value all the same.
	if !parts[len(seen)-1] || min(n, bits.OnesCount32(set)) < x.least {
		return
	}
	for i, o := range seen {
		if parts[i] {
			s.addExact(r, o)
		}
	}
}

// addExact keeps a value. The same one is kept again by every value that completes it: collect drops what is there twice.
func (s *state) addExact(r *rule, v seenValue) {
	s.add(candidate{rule: r, start: v.start, end: v.end, confidence: r.Confidence, validated: true})
}
