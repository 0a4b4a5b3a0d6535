package extract

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Bounds of the names of columns. What is longer is no header.
const (
	maxHeaderCells = 4096
	maxHeaderName  = 64 // bytes
	maxHeaderWord  = 32 // characters; a longer one is a token
)

// readTable gives out CSV and TSV as it stands, each cell marked with its row and the name of its column, or with its place as in B4 where it has none. Line
// ends in quotes are part of a cell.
func readTable(d *Doc) error {
	head, err := d.head()
	if err != nil {
		return err
	}
	c := charsetOf(head, d.told, false)
	if c.wide || !c.raw {
		head = c.decode(head)
	}
	sep := byte('\t')
	if d.Type != "text/tab-separated-values" || bytes.IndexByte(head, '\t') < 0 {
		if sep = separator(head); sep == 0 {
			return readText(d)
		}
	}
	tb := &table{sep: sep, row: 1, unit: 1}
	tb.readHeader(bytes.TrimPrefix(head, utf8Mark))
	if !c.raw {
		tb.t = d.Text(Location{})
		return d.decodeText(c, tb.decoded)
	}
	tb.t, tb.skip = d.RawText(Location{}), c.skip
	if c.wide {
		tb.unit = 2
		if c.enc == utf16LE {
			tb.high = 1
		}
	}
	return pump(d.r, tb.write)
}

// table marks the cells of a text as it passes.
type table struct {
	t      *Text
	sep    byte
	header []string
	row    int
	col    int // from 0
	state  cellState
	unit   int // bytes of a character: 2 in UTF-16
	high   int // which of the two is the high one
	half   int // bytes of a character that came already
	low    byte
	wide   bool // the character is none of ASCII
	skip   int  // bytes of the mark at the beginning of the text
	named  bool // the cell's mark was told
}

type cellState int8

const (
	cellStart  cellState = iota
	cellPlain            // in a cell without quotes
	cellQuoted           // in quotes
	cellQuote            // behind a quote in quotes: its end, or the first of two
)

// decoded gives out what was decoded and begins at source in the file, -1 if it is not told.
func (tb *table) decoded(p []byte, source int64) error {
	tb.t.from(source)
	return tb.write(p)
}

// write gives out p, a cell or a piece of one at a time.
func (tb *table) write(p []byte) error {
	from := 0
	flush := func(to int) error {
		if to == from {
			return nil
		}
		if !tb.named {
			tb.t.At(tb.place())
			tb.named = true
		}
		_, err := tb.t.Write(p[from:to])
		from = to
		return err
	}
	for i := 0; i < len(p); i++ {
		b := p[i]
		switch {
		case tb.skip > 0:
			tb.skip--
			continue
		case tb.unit == 2:
			if tb.half == tb.high {
				tb.wide = b != 0
			} else {
				tb.low = b
			}
			if tb.half ^= 1; tb.half != 0 {
				continue
			}
			if b = tb.low; tb.wide {
				b = 'x'
			}
		}
		switch {
		case tb.state == cellQuoted:
			if b == '"' {
				tb.state = cellQuote
			}
		case b == '"' && tb.state == cellStart:
			tb.state = cellQuoted
		case b == '"' && tb.state == cellQuote:
			tb.state = cellQuoted
		case b == tb.sep:
			if err := flush(i + 1); err != nil {
				return err
			}
			tb.col++
			tb.state, tb.named = cellStart, false
		case b == '\n':
			if err := flush(i + 1); err != nil {
				return err
			}
			tb.row, tb.col = tb.row+1, 0
			tb.state, tb.named = cellStart, false
		default:
			tb.state = cellPlain
		}
	}
	return flush(len(p))
}

// place is where the cell stands that is being written.
func (tb *table) place() Location {
	if tb.col < len(tb.header) && tb.header[tb.col] != "" {
		return Location{Row: tb.row, Name: tb.header[tb.col]}
	}
	return Location{Row: tb.row, Cell: cellName(tb.col, tb.row)}
}

// cellName names a cell as spreadsheets do: the column from 0 in letters, and the row from 1.
func cellName(col, row int) string {
	var buf [32]byte
	i := len(buf)
	for col++; col > 0; col = (col - 1) / 26 {
		i--
		buf[i] = byte('A' + (col-1)%26)
	}
	return string(strconv.AppendInt(append(make([]byte, 0, 24), buf[i:]...), int64(row), 10))
}

// separator returns what separates the cells of a table that begins with head: the most frequent in its first rows, of those that every one of them has. 0:
// there is none.
func separator(head []byte) byte {
	var best byte
	most := 0
	for _, sep := range []byte{',', ';', '\t', '|'} {
		if n := leastCells(head, sep); n > most {
			best, most = sep, n
		}
	}
	return best
}

// sniffed is how many rows are looked at to tell the separator.
const sniffed = 5

// leastCells is how often sep stands in the first rows of a table, in the row with the fewest; rows without a character do not count.
func leastCells(head []byte, sep byte) int {
	least := -1
	eachRow(head, sep, sniffed, func(n int, _ bool) {
		if least < 0 || n < least {
			least = n
		}
	})
	return max(least, 0)
}

// manyRows reports whether the first rows are three at least, each with the same number of cells, and two of them: a text of no name is a table then.
func manyRows(head []byte, sep byte) bool {
	rows, cells, same := 0, -1, true
	eachRow(head, sep, 20, func(n int, whole bool) {
		if !whole {
			return
		}
		rows++
		same = same && (cells < 0 || cells == n)
		cells = n
	})
	return same && rows >= 3 && cells >= 2
}

// eachRow calls f with how often sep stands outside of quotes in each of the first rows, and whether the row ends in head.
func eachRow(head []byte, sep byte, most int, f func(n int, whole bool)) {
	n, quoted, empty := 0, false, true
	for _, b := range head {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == sep:
			n++
		case b == '\n':
			if !empty {
				f(n, true)
				if most--; most == 0 {
					return
				}
			}
			n, empty = 0, true
			continue
		}
		empty = empty && (b == '\r' || b == ' ')
	}
	if !empty && n > 0 {
		f(n, false)
	}
}

// readHeader takes the first row for the names of the columns if each cell looks like a name: at least one letter, at most four digits, no word of
// more than maxHeaderWord characters, of at most maxHeaderName bytes, and no two of the same name. A name may be missing.
func (tb *table) readHeader(head []byte) {
	seen := map[string]bool{}
	var names []string
	for end := false; !end && len(names) < maxHeaderCells; {
		var cell []byte
		if len(head) > 0 && head[0] == '"' {
			n := bytes.IndexByte(head[1:], '"')
			if n < 0 {
				return
			}
			cell, head = head[1:1+n], head[n+2:]
			if len(head) > 0 && head[0] == '"' {
				return
			}
		} else {
			n := bytes.IndexAny(head, string([]byte{tb.sep, '\n'}))
			if n < 0 {
				return
			}
			cell, head = head[:n], head[n:]
		}
		head = bytes.TrimLeft(head, "\r ")
		if len(head) == 0 {
			return
		}
		end = head[0] == '\n'
		if !end && head[0] != tb.sep {
			return
		}
		head = head[1:]
		name := string(bytes.TrimSpace(cell))
		if name != "" && (!isColumnName(name) || seen[name]) {
			return
		}
		seen[name] = true
		names = append(names, name)
	}
	if len(names) > 1 {
		tb.header = names
	}
}

func isColumnName(s string) bool {
	if len(s) > maxHeaderName || !utf8.ValidString(s) {
		return false
	}
	letters, digits, word := 0, 0, 0
	for _, r := range s {
		if word++; word > maxHeaderWord {
			return false
		}
		switch {
		case unicode.IsLetter(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case r == ' ' || r == '_' || r == '-' || r == '.':
			word = 0
		case r == '@' || r == '\n' || r == '\r' || !unicode.IsPrint(r):
			return false
		}
	}
	return letters > 0 && digits <= 4
}
