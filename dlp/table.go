package dlp

import (
	"bytes"
	"slices"
)

// In a table the name of a value stands rows above it or in the cell before it, and in an INSERT in a list before it, so that no operator assigns it. A header is the first line
// of a table: cells between separators, one of which is the name; the rows below have as many cells. The list of columns of an INSERT counts the same way.
const (
	// tableReach is how far below its header a row may begin, in bytes; and the rows of an INSERT below its list. It is less than margin, so that what is
	// found does not depend on the blocks. Rows below the first line of a text have no such limit.
	tableReach = 8 << 10

	// tableLine bounds a header and a row, in bytes.
	tableLine = 1 << 10

	// maxColumns bounds how many columns below one line are read: each is one more pass over its rows.
	maxColumns = 16
)

// column is a column below the first line of a text whose name is that of a rule.
type column struct {
	rule     *rule
	sep      byte
	cell, of int // its place among so many cells of a row
}

// columnEnd returns where the cell ends that a name ends at i, and whether it may be the name of a column.
func (s *state) columnEnd(i int) (int, bool) {
	t := s.text
	for i < len(t) && (t[i] == ' ' || t[i] == '"' || t[i] == '\'' || t[i] == '`' || t[i] == ']') {
		i++
	}
	return i, i >= len(t) || separates(t[i]) || t[i] == '\n' || t[i] == '\r' || t[i] == ')'
}

// columnNamed looks for the values of a rule below the name in [from, end), if that is the name of a column.
func (s *state) columnNamed(r *rule, from, end int) {
	t := s.text
	start := s.lineStart(from)
	if start < 0 || s.line.names == maxColumns {
		return
	}
	if open := bytes.LastIndexByte(t[start:from], '('); open >= 0 && bytes.IndexByte(t[start+open:from], ')') < 0 {
		s.line.names++
		s.inserted(r, start+open+1, from)
		return
	}
	line, whole := lineAt(t, start)
	if !whole {
		return
	}
	sep := separatorOf(line, from-start, end-start)
	if sep == 0 {
		return
	}
	c := column{r, sep, cells(line[:from-start], sep) - 1, cells(line, sep)}
	if c.of < 2 {
		return
	}
	if start == 0 && s.base == 0 {
		if len(s.columns) < maxColumns && !slices.Contains(s.columns, c) { // The next block may begin there too.
			s.columns = append(s.columns, c)
		}
		return
	}
	if start > 0 {
		above := max(0, start-1-tableLine)
		above += bytes.LastIndexByte(t[above:start-1], '\n') + 1
		if cells(t[above:start-1], sep) == c.of {
			return // It is a row itself.
		}
	}
	s.line.names++
	s.rowsBelow(c, start+len(line)+1, tableReach)
}

// openLine is the line whose names of columns were looked at last.
type openLine struct {
	block, start, seen int // seen: how far no other line begins
	names              int // whose rows were read
}

// lineStart returns where the line begins that has a name of a column at i, -1 if it is too long for a header.
func (s *state) lineStart(i int) int {
	l := &s.line
	from := max(0, i-tableLine)
	if l.start >= 0 && l.start < from {
		l.start = -1
	}
	if l.block != s.blocks || l.seen > i || l.seen < from {
		*l = openLine{block: s.blocks, start: -1, seen: from}
		if from == 0 {
			l.start = 0
		}
	}
	if nl := bytes.LastIndexByte(s.text[l.seen:i], '\n'); nl >= 0 {
		l.start, l.names = l.seen+nl+1, 0
	}
	l.seen = i
	return l.start
}

// nextCell returns where the text begins that follows a name in HTML, behind the tags that end the one and open the other: <td>api key</td><td>…
func (s *state) nextCell(i int) (int, bool) {
	const tags, tagBytes = 6, 200
	t := s.text
	for i < len(t) && (t[i] == ' ' || t[i] == ':') {
		i++
	}
	if i+1 >= len(t) || t[i] != '<' || t[i+1] != '/' {
		return 0, false
	}
	for n := 0; n < tags && i < len(t) && t[i] == '<'; n++ {
		end := bytes.IndexByte(t[i:min(len(t), i+tagBytes)], '>')
		if end < 0 {
			return 0, false
		}
		i = s.space(i + end + 1)
	}
	return i, true
}

// rowsBelow reads the rows of a table that begin at, or less than reach behind, a place, up to the first line that is none.
func (s *state) rowsBelow(c column, at, reach int) {
	for limit := at + reach; at < min(limit, len(s.text)) && !s.overdue(); {
		line, whole := lineAt(s.text, at)
		if !whole || !s.row(c, at, line) {
			return
		}
		at += len(line) + 1
	}
}

// columnRows reads what the block has of the rows below the first line of the text. Lines that are no rows are left out: a cell may hold a line feed.
func (s *state) columnRows() {
	at := 0
	if s.base > 0 {
		at = bytes.IndexByte(s.text, '\n') + 1
	}
	for at < len(s.text) && !s.overdue() {
		line, whole := lineAt(s.text, at)
		if !whole {
			// It is too long for a row; the next begins behind it.
			n := bytes.IndexByte(s.text[at:], '\n')
			if n < 0 {
				return
			}
			at += n + 1
			continue
		}
		for _, c := range s.columns {
			s.row(c, at, line)
		}
		at += len(line) + 1
	}
}

// row looks at the cell of a column in a line, and reports whether the line is a row of its table.
func (s *state) row(c column, at int, line []byte) bool {
	from, to, of := cellSpan(line, c.sep, c.cell)
	if of != c.of {
		return false
	}
	s.cellValue(c.rule, at+from, at+to)
	return true
}

// cellValue takes a whole cell for a value of the rule if it is one.
func (s *state) cellValue(r *rule, from, to int) {
	t := s.text
	for from < to && blank(t[from]) {
		from++
	}
	for to > from && blank(t[to-1]) {
		to--
	}
	if to-from > 2 && quotes(t[from]) && t[to-1] == t[from] {
		from, to = from+1, to-1
	}
	if n := to - from; n < r.Length.Min || n > r.Length.Max {
		return
	}
	for _, b := range t[from:to] {
		if !r.set[b] {
			return
		}
	}
	if r.value == nil || r.value.matches(t[from:to]) {
		s.add(candidate{rule: r, start: from, end: to, confidence: r.Confidence})
	}
}

// inserted reads the values of an INSERT at the place that the name at from has in the list of columns that begins at start.
func (s *state) inserted(r *rule, start, from int) {
	t := s.text
	cell := 0
	for _, b := range t[start:from] {
		if b == ',' {
			cell++
		}
	}
	limit := min(len(t), from+tableReach)
	at := bytes.IndexByte(t[from:min(limit, from+tableLine)], ')')
	if at < 0 {
		return
	}
	at = s.space(from + at + 1)
	if at+6 > len(t) || !equalFold(t[at:at+6], "values") {
		return
	}
	for at = s.space(at + 6); at < limit && t[at] == '(' && !s.overdue(); {
		from, to, end := listCell(t[at+1:min(len(t), at+1+tableLine)], cell)
		if end < 0 {
			return
		}
		s.cellValue(r, at+1+from, at+1+to)
		at = s.space(at + 1 + end + 1)
		if at < len(t) && t[at] == ',' {
			at = s.space(at + 1)
		}
	}
}

// space skips blanks and line feeds.
func (s *state) space(i int) int {
	for n := 0; n < 64 && i < len(s.text) && (blank(s.text[i]) || s.text[i] == '\n'); n++ {
		i++
	}
	return i
}

// lineAt returns the line that begins at a place, without its line feed, and whether it is there to its end and no longer than tableLine.
func lineAt(t []byte, at int) (line []byte, whole bool) {
	rest := t[at:min(len(t), at+tableLine+1)]
	if n := bytes.IndexByte(rest, '\n'); n >= 0 {
		return rest[:n], true
	}
	return rest, len(rest) <= tableLine
}

func separates(b byte) bool { return b == ',' || b == ';' || b == '\t' || b == '|' }
func quotes(b byte) bool    { return b == '"' || b == '\'' || b == '`' }
func blank(b byte) bool     { return b == ' ' || b == '\t' || b == '\r' }

// separatorOf returns what separates the cell in [from, end) of a header from the next, or from the one before if it is the last; 0: it is no cell.
func separatorOf(line []byte, from, end int) byte {
	i := from
	for i > 0 && from-i < nameTail && !separates(line[i-1]) {
		i--
	}
	switch {
	case i > 0 && !separates(line[i-1]):
		return 0
	case end < len(line) && separates(line[end]) && (i == 0 || line[i-1] == line[end]):
		return line[end]
	case i > 0 && (end >= len(line) || line[end] == '\r'):
		return line[i-1]
	}
	return 0
}

// cells is how many cells a line has.
func cells(line []byte, sep byte) int {
	_, _, of := cellSpan(line, sep, 0)
	return of
}

// cellSpan returns the span of a cell of a line, and how many cells there are.
func cellSpan(line []byte, sep byte, cell int) (from, to, of int) {
	quoted := false
	to = len(line)
	for i, b := range line {
		switch {
		case b == '"':
			quoted = !quoted
		case b == sep && !quoted:
			if of == cell {
				to = i
			}
			if of++; of == cell {
				from = i + 1
			}
		}
	}
	return from, to, of + 1
}

// listCell returns the span of a value in a list in brackets and where the bracket closes; -1: it does not, or has no such value.
func listCell(list []byte, cell int) (from, to, end int) {
	n, quote := 0, byte(0)
	to = -1
	for i, b := range list {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '\'' || b == '"':
			quote = b
		case b == ',' || b == ')':
			if n == cell {
				to = i
			}
			if b == ')' {
				if to < 0 {
					return 0, 0, -1
				}
				return from, to, i
			}
			if n++; n == cell {
				from = i + 1
			}
		}
	}
	return 0, 0, -1
}
