package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

const sqliteMagic = "SQLite format 3\x00"

var databaseFormats = []format{
	{id: "sqlite", media: []string{"application/vnd.sqlite3"}, magic: prefix(sqliteMagic), read: readSQLite},
}

// sqlite is a database file in memory (sqlite.org/fileformat2.html). No page is read twice as one of a tree, and all payloads together are bounded.
type sqlite struct {
	d      *Doc
	data   []byte
	size   int // of a page, in bytes
	usable int
	pages  int
	text   encodingOf
	seen   []bool // pages that belong to a tree or to the overflow of one
	budget int64  // bytes of payloads that may still be put together
	bad    bool   // something did not fit
	loose  []looseText
	blobs  []sqliteBlob
}

// encodingOf decodes the text of a database.
type encodingOf func(b []byte) string

// looseText is a range of the file that no row uses.
type looseText struct {
	from, to int
	table    string
}

// sqliteBlob is a file in a column.
type sqliteBlob struct {
	cell   sqliteCell
	column int
	name   string
}

// readSQLite reads a database: schema, rows, files in its columns, and the texts of deleted rows in what no row uses.
func readSQLite(d *Doc) error {
	data, err := d.Bytes()
	if err != nil {
		return err
	}
	if len(data) < 512 || !bytes.HasPrefix(data, []byte(sqliteMagic)) {
		return errMalformed
	}
	s := &sqlite{d: d, data: data, size: int(binary.BigEndian.Uint16(data[16:])), budget: 4*int64(len(data)) + 1<<20}
	if s.size == 1 {
		s.size = 64 << 10
	}
	s.usable = s.size - int(data[20])
	if s.size < 512 || s.size&(s.size-1) != 0 || s.usable < 480 {
		return errMalformed
	}
	s.pages = (len(data) + s.size - 1) / s.size
	s.seen = make([]bool, s.pages+1)
	switch binary.BigEndian.Uint32(data[56:]) {
	case 2:
		s.text = wide(unicode.LittleEndian)
	case 3:
		s.text = wide(unicode.BigEndian)
	default:
		s.text = func(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
	}
	if err := s.tables(); err != nil {
		return err
	}
	if err := s.free(); err != nil {
		return err
	}
	if s.bad || len(data)%s.size != 0 {
		return errMalformed
	}
	return nil
}

func wide(e unicode.Endianness) encodingOf {
	return func(b []byte) string {
		s, err := unicode.UTF16(e, unicode.IgnoreBOM).NewDecoder().Bytes(b)
		if err != nil {
			return ""
		}
		return string(s)
	}
}

// sqliteObject is a row of the schema.
type sqliteObject struct {
	kind, name, table, sql string
	root                   int
}

func (s *sqlite) tables() error {
	var objects []sqliteObject
	err := s.walk(1, "sqlite_schema", func(c sqliteCell) error {
		v := s.values(c.payload(s))
		if len(v) < 5 {
			s.bad = true
			return nil
		}
		objects = append(objects, sqliteObject{s.string(v[0]), s.string(v[1]), s.string(v[2]), s.string(v[4]), int(v[3].int())})
		return nil
	})
	if err != nil {
		return err
	}
	schema := s.d.Text(Location{})
	for _, o := range objects {
		if err := schema.Put(Location{Sheet: display(o.name), Part: PartCode}, o.sql); err != nil {
			return err
		}
	}
	for _, o := range objects {
		switch {
		case o.root < 1 || o.root > s.pages:
		case o.kind == "table":
			if err := s.table(o); err != nil {
				return err
			}
		default:
			if err := s.walk(o.root, o.table, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// table gives out the names of the columns in one line, and then each row in one.
func (s *sqlite) table(o sqliteObject) error {
	columns := sqliteColumns(o.sql)
	sheet := display(o.name)
	t := s.d.Text(Location{Sheet: sheet})
	if len(columns) > 0 {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = c.name
		}
		if err := t.WriteString(strings.Join(names, "\t") + "\n"); err != nil {
			return err
		}
	}
	first := len(s.blobs)
	ordinal := 0
	err := s.walk(o.root, sheet, func(c sqliteCell) error {
		ordinal++
		row := ordinal
		if c.rowid > 0 && c.rowid <= math.MaxInt {
			row = int(c.rowid)
		}
		for i, v := range s.values(c.payload(s)) {
			at := Location{Sheet: sheet, Row: row, Name: "column " + strconv.Itoa(i+1)}
			if i < len(columns) {
				at.Name = columns[i].name
				if columns[i].rowid && v.kind == 0 {
					v = sqliteValue{kind: 6, b: binary.BigEndian.AppendUint64(nil, uint64(c.rowid))}
				}
			}
			if i > 0 {
				if err := t.WriteString("\t"); err != nil {
					return err
				}
			}
			t.At(at)
			out, file := s.cell(v)
			if file && len(s.blobs) < maxBlobs {
				s.blobs = append(s.blobs, sqliteBlob{c, i, fmt.Sprintf("%s/%d/%s", sheet, row, at.Name)})
			}
			if err := t.WriteString(out); err != nil {
				return err
			}
		}
		return t.WriteString("\n")
	})
	if err != nil {
		return err
	}
	return s.files(first)
}

// maxBlobs bounds the files in columns that are read.
const maxBlobs = 1000

// files reads the files in columns.
func (s *sqlite) files(first int) error {
	for _, b := range s.blobs[first:] {
		v := s.values(b.cell.payload(s))
		if b.column >= len(v) {
			continue
		}
		if err := s.d.Member(Member{Name: b.name, Size: int64(len(v[b.column].b)), Body: bytes.NewReader(v[b.column].b), Quiet: true}); err != nil {
			return err
		}
	}
	return nil
}

// cell is a value as text. file says that it is a file of a known type.
func (s *sqlite) cell(v sqliteValue) (out string, file bool) {
	switch {
	case v.kind == 0 || v.kind == 10 || v.kind == 11:
		return "", false
	case v.kind == 7:
		return strconv.FormatFloat(math.Float64frombits(uint64(v.int())), 'g', -1, 64), false
	case v.kind < 12:
		return strconv.FormatInt(v.int(), 10), false
	case v.kind%2 == 1:
		return s.text(v.b), false
	case utf8.Valid(v.b) && !bytes.ContainsFunc(v.b, func(r rune) bool { return !isPrintable(r) }):
		return string(v.b), false
	}
	head := v.b[:min(len(v.b), headBytes)]
	if f := formatOf(detect(head), head); f != nil && len(v.b) >= 16 && f.id != "text" {
		return "", true
	}
	return strings.Join(textRuns(v.b, minRun), " "), false
}

func (s *sqlite) string(v sqliteValue) string {
	if v.kind >= 13 && v.kind%2 == 1 {
		return s.text(v.b)
	}
	return ""
}

// sqliteValue is one of a record; kind is its serial type.
type sqliteValue struct {
	kind uint64
	b    []byte
}

func (v sqliteValue) int() int64 {
	switch v.kind {
	case 9:
		return 1
	case 1, 2, 3, 4, 5, 6, 7:
		n := int64(0)
		for i, c := range v.b {
			if i == 0 {
				n = int64(int8(c))
			} else {
				n = n<<8 | int64(c)
			}
		}
		return n
	}
	return 0
}

// values splits a record.
func (s *sqlite) values(p []byte) (out []sqliteValue) {
	size, n := sqliteVarint(p)
	if n == 0 || size < uint64(n) || size > uint64(len(p)) {
		s.bad = s.bad || len(p) > 0
		return nil
	}
	head, body := p[n:size], p[size:]
	for len(head) > 0 {
		kind, n := sqliteVarint(head)
		if n == 0 {
			s.bad = true
			return out
		}
		head = head[n:]
		length := uint64(0)
		switch {
		case kind >= 12:
			length = (kind - 12) / 2
		case kind < 8:
			length = []uint64{0, 1, 2, 3, 4, 6, 8, 8}[kind]
		}
		if length > uint64(len(body)) {
			s.bad = true
			length = uint64(len(body)) // what is left of a record that was cut
			if kind < 12 {
				return out
			}
		}
		out = append(out, sqliteValue{kind, body[:length]})
		body = body[length:]
	}
	return out
}

// sqliteVarint reads a number of up to nine bytes, high ones first.
func sqliteVarint(b []byte) (v uint64, n int) {
	for i, c := range b {
		if i == 8 {
			return v<<8 | uint64(c), 9
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
