package extract

import (
	"encoding/binary"
	"slices"
	"strings"
)

// sqliteCell is a row in the page of a tree.
type sqliteCell struct {
	rowid int64
	size  uint64 // declared, of the payload
	local []byte
	next  uint32 // first overflow page
}

// page is the n-th one, from 1; the last may be cut.
func (s *sqlite) page(n int) []byte {
	if n < 1 || n > s.pages {
		return nil
	}
	from := (n - 1) * s.size
	return s.data[from:min(len(s.data), from+s.size)]
}

// walk visits the rows of a tree, and notes what its pages do not use. With no visit, it does only the latter.
func (s *sqlite) walk(root int, table string, visit func(c sqliteCell) error) error {
	stack := []int{root}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n < 1 || n > s.pages || s.seen[n] {
			s.bad = true
			continue
		}
		s.seen[n] = true
		if err := s.d.Context().Err(); err != nil {
			return err
		}
		p := s.page(n)
		h := 0
		if n == 1 {
			h = 100
		}
		if len(p) < h+12 {
			s.bad = true
			continue
		}
		kind := p[h]
		interior := kind == 2 || kind == 5
		if !interior && kind != 10 && kind != 13 {
			s.bad = true
			s.seen[n] = false // It is no page of a tree: what it holds is loose.
			continue
		}
		cells := int(binary.BigEndian.Uint16(p[h+3:]))
		array := h + 8
		if interior {
			array = h + 12
		}
		if array+2*cells > len(p) {
			s.bad = true
			cells = max(0, (len(p)-array)/2)
		}
		var children []int
		for i := range cells {
			at := int(binary.BigEndian.Uint16(p[array+2*i:]))
			if at < array || at+4 > len(p) {
				s.bad = true
				continue
			}
			c, child, ok := s.cellAt(p, at, kind)
			if interior {
				children = append(children, child)
			}
			if !ok {
				s.bad = true
				continue
			}
			if kind == 5 {
				continue
			}
			s.overflow(c, table, nil)
			if visit != nil {
				if err := visit(c); err != nil {
					return err
				}
			}
		}
		if interior {
			children = append(children, int(binary.BigEndian.Uint32(p[h+8:])))
		}
		slices.Reverse(children)
		stack = append(stack, children...)
		s.gaps(n, p, h, array+2*cells, table)
	}
	return nil
}

// cellAt reads the cell at an offset of a page.
func (s *sqlite) cellAt(p []byte, at int, kind byte) (c sqliteCell, child int, ok bool) {
	if kind == 2 || kind == 5 {
		child = int(binary.BigEndian.Uint32(p[at:]))
		at += 4
	}
	if kind == 5 {
		return c, child, true
	}
	size, n := sqliteVarint(p[at:])
	if n == 0 || size > uint64(len(s.data)) {
		return c, child, false
	}
	at += n
	most := uint64((s.usable-12)*64/255 - 23)
	if kind == 13 {
		id, n := sqliteVarint(p[at:])
		if n == 0 {
			return c, child, false
		}
		c.rowid = int64(id)
		at += n
		most = uint64(s.usable - 35)
	}
	c.size = size
	local := size
	if size > most {
		least := uint64((s.usable-12)*32/255 - 23)
		local = least + (size-least)%uint64(s.usable-4)
		if local > most {
			local = least
		}
		if uint64(at)+local+4 > uint64(len(p)) {
			return c, child, false
		}
		c.next = binary.BigEndian.Uint32(p[at+int(local):])
	}
	if uint64(at)+local > uint64(len(p)) {
		return c, child, false
	}
	c.local = p[at : at+int(local)]
	return c, child, true
}

// payload puts a record together.
func (c sqliteCell) payload(s *sqlite) []byte {
	if s.budget -= int64(len(c.local)); s.budget < 0 {
		s.bad = true
		return nil
	}
	if c.next == 0 {
		return c.local
	}
	return s.overflow(c, "", slices.Clone(c.local))
}

// overflow follows the pages that a record goes on in, and adds what they hold to out unless that is nil. It marks them as used.
func (s *sqlite) overflow(c sqliteCell, table string, out []byte) []byte {
	left := c.size - uint64(len(c.local))
	for n := int(c.next); n != 0 && left > 0; {
		p := s.page(n)
		if s.budget -= int64(s.size); len(p) < 4 || s.budget < 0 {
			s.bad = true
			break
		}
		end := min(uint64(len(p)), 4+min(left, uint64(s.usable-4)))
		if out != nil {
			out = append(out, p[4:end]...)
		} else if !s.seen[n] {
			s.seen[n] = true
			s.spare(n, int(end), len(p), table)
		} else {
			s.bad = true // two rows in one page
			break
		}
		left -= end - 4
		n = int(binary.BigEndian.Uint32(p))
		if n < 0 || n > s.pages {
			s.bad = true
			break
		}
	}
	return out
}

// gaps notes what the page of a tree does not use: between the list of cells and the cells, and blocks that were freed.
func (s *sqlite) gaps(n int, p []byte, h, from int, table string) {
	to := int(binary.BigEndian.Uint16(p[h+5:]))
	if to == 0 {
		to = 64 << 10
	}
	if to = min(to, len(p)); to > from {
		s.spare(n, from, to, table)
	}
	for at, steps := int(binary.BigEndian.Uint16(p[h+1:])), 0; at >= from && at+4 <= len(p) && steps < s.size/4; steps++ {
		next, size := int(binary.BigEndian.Uint16(p[at:])), int(binary.BigEndian.Uint16(p[at+2:]))
		s.spare(n, at+4, min(at+size, len(p)), table)
		if next <= at { // They are in order.
			break
		}
		at = next
	}
}

// spare notes a range of a page that no row uses.
func (s *sqlite) spare(n, from, to int, table string) {
	if to-from >= minRun {
		base := (n - 1) * s.size
		s.loose = append(s.loose, looseText{base + from, base + to, table})
	}
}

// free gives out the texts in what no row uses: pages of no tree, and the ranges that were noted.
func (s *sqlite) free() error {
	for n := 1; n <= s.pages; n++ {
		if !s.seen[n] {
			s.spare(n, 0, len(s.page(n)), "")
		}
	}
	t := s.d.Text(Location{Hidden: true})
	for _, l := range s.loose {
		for _, r := range s.runs(s.data[l.from:l.to]) {
			if err := t.Put(Location{Sheet: l.table, Hidden: true}, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sqlite) runs(b []byte) []string {
	for _, c := range b {
		if c != 0 {
			return textRuns(b, minRun)
		}
	}
	return nil
}

// sqliteColumn is a column of a table, in the order of its records.
type sqliteColumn struct {
	name  string
	rowid bool // it is another name of the row's number, and not stored
	key   bool
}

// sqliteColumns takes the names of the columns from CREATE TABLE. Without rowids, those of the primary key stand first in a record.
func sqliteColumns(sql string) (out []sqliteColumn) {
	open := strings.IndexByte(sql, '(')
	if open < 0 || !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(sql)), "CREATE TABLE") {
		return nil
	}
	parts, rest := sqlParts(sql[open+1:])
	var key []string
	for _, part := range parts {
		name, def := sqlName(part)
		words := strings.Fields(strings.ToUpper(def))
		switch upper := strings.ToUpper(name); {
		case name == "":
		case !sqlQuoted(part) && slices.Contains([]string{"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}, upper):
			if at := strings.Index(strings.ToUpper(part), "PRIMARY KEY"); at >= 0 {
				if _, list, ok := strings.Cut(part[at:], "("); ok {
					names, _ := sqlParts(list)
					for _, n := range names {
						n, _ = sqlName(n)
						key = append(key, n)
					}
				}
			}
		default:
			c := sqliteColumn{name: display(name)}
			if at := slices.Index(words, "PRIMARY"); at >= 0 && len(words) > at+1 && strings.HasPrefix(words[at+1], "KEY") {
				c.key, c.rowid = true, words[0] == "INTEGER"
			}
			if !slices.Contains(words, "VIRTUAL") || !strings.Contains(def, "(") { // computed ones are not stored
				out = append(out, c)
			}
		}
	}
	for i := range out {
		if at := slices.IndexFunc(key, func(k string) bool { return strings.EqualFold(k, out[i].name) }); at >= 0 {
			out[i].key = true
			out[i].rowid = len(key) == 1
		}
	}
	if strings.Contains(strings.Join(strings.Fields(strings.ToUpper(rest)), " "), "WITHOUT ROWID") {
		slices.SortStableFunc(out, func(a, b sqliteColumn) int { return keyRank(a, key) - keyRank(b, key) })
		for i := range out {
			out[i].rowid = false
		}
	}
	return out
}

func keyRank(c sqliteColumn, key []string) int {
	if at := slices.IndexFunc(key, func(k string) bool { return strings.EqualFold(k, c.name) }); at >= 0 {
		return at
	}
	if c.key {
		return 0
	}
	return 1 << 20
}

// sqlParts splits what stands up to the closing parenthesis at its commas, and gives what is behind that.
func sqlParts(s string) (parts []string, rest string) {
	depth, from := 0, 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '[':
			quote = ']'
		case c == '-' && strings.HasPrefix(s[i:], "--"):
			if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
				i += n
			}
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return append(parts, s[from:i]), s[i+1:]
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:]), ""
}

func sqlQuoted(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && strings.IndexByte("\"'`[", s[0]) >= 0
}

// sqlName takes the name in front of a definition.
func sqlName(s string) (name, rest string) {
	s = strings.TrimSpace(s)
	for strings.HasPrefix(s, "--") {
		_, s, _ = strings.Cut(s, "\n")
		s = strings.TrimSpace(s)
	}
	if s == "" {
		return "", ""
	}
	if sqlQuoted(s) {
		end := s[0]
		if end == '[' {
			end = ']'
		}
		if i := strings.IndexByte(s[1:], end); i >= 0 {
			return s[1 : 1+i], s[2+i:]
		}
		return s[1:], ""
	}
	if i := strings.IndexAny(s, " \t\r\n("); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
