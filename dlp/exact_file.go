package dlp

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A table file is, in this order: the 8 bytes tableMagic; the length of the header, 4 bytes, and the header, JSON; the filter, words of 8 bytes; the cells,
// 12 bytes each, sorted: digest, then row·16 + column; SHA-256 of all before. Numbers are little endian. It holds no value in clear.
const (
	tableMagic     = "OBEDM\x00\x00\x01"
	maxTableHeader = 64 << 10
	maxFilter      = 2 << 20 // words
	cellSize       = 12
)

// Header says what a table file holds.
type Header struct {
	ID      string   `json:"id"`
	Columns []string `json:"columns"`
	Rows    int      `json:"rows"`
	Cells   int      `json:"cells"`  // those that hold a value that can be looked for
	Short   int      `json:"short"`  // cells left out: under 6 bytes, or nothing but signs
	Long    int      `json:"long"`   // cells left out: over 128 bytes or 4 words
	Filter  int      `json:"filter"` // words of the filter
	KeyID   string   `json:"key_id"`
}

// Errors of a table file.
var (
	ErrTableForm = errors.New("not a table file of this version")
	ErrTableSum  = errors.New("the table file is damaged: its checksum is wrong")
	ErrTableKey  = errors.New("the table file was made with another key, or for another table")
)

var tableID = regexp.MustCompile(`^[a-z][a-z0-9_]{0,59}$`)

// TableID reports whether id can name a table or a dictionary: small letters, digits and underscores, at most 60.
func TableID(id string) bool { return tableID.MatchString(id) }

func (h Header) check() error {
	switch {
	case !TableID(h.ID):
		return fmt.Errorf("%w: its id is not small letters, digits and underscores", ErrTableForm)
	case len(h.Columns) == 0 || len(h.Columns) > MaxTableColumns:
		return fmt.Errorf("%w: it has %d columns, not 1 to %d", ErrTableForm, len(h.Columns), MaxTableColumns)
	case h.Rows < 1 || h.Rows > MaxTableRows || h.Cells < 1 || h.Cells > MaxTableCells || h.Cells > h.Rows*len(h.Columns):
		return fmt.Errorf("%w: it has %d cells in %d rows; at most %d cells are taken", ErrTableForm, h.Cells, h.Rows, MaxTableCells)
	case h.Filter < 1 || h.Filter > maxFilter || bits.OnesCount(uint(h.Filter)) != 1:
		return fmt.Errorf("%w: its filter has a size that cannot be", ErrTableForm)
	}
	for i, c := range h.Columns {
		if !TableID(c) || slices.Contains(h.Columns[:i], c) {
			return fmt.Errorf("%w: a column's name is there twice, or is not small letters, digits and underscores", ErrTableForm)
		}
	}
	return nil
}

// RowError is a row of a CSV file that cannot be read. It does not hold the row.
type RowError struct {
	Row    int // from 1; the names of the columns are row 1
	Reason string
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %s", e.Row, e.Reason) }

// cell is a cell on its way into a file.
type cell struct {
	digest uint64
	ref    uint32
}

// HashTable reads CSV whose first row names its columns, and writes a table file of the columns named. The values stay where they are: the file holds keyed digests.
// The error is a *RowError where a row is at fault.
func HashTable(w io.Writer, in io.Reader, id string, columns []string, key TableKey) (Header, error) {
	head := Header{ID: id, KeyID: key.ID()}
	for _, c := range columns {
		head.Columns = append(head.Columns, columnName(c))
	}
	if err := (Header{ID: id, Columns: head.Columns, Rows: 1, Cells: 1, Filter: 1}).check(); err != nil {
		return head, err
	}
	r := csv.NewReader(in)
	r.ReuseRecord = true
	first, err := r.Read()
	if err != nil {
		return head, rowError(err, 1)
	}
	at := make([]int, len(head.Columns))
	for i, c := range head.Columns {
		if at[i] = slices.IndexFunc(first, func(s string) bool { return columnName(s) == c }); at[i] < 0 {
			return head, &RowError{1, fmt.Sprintf("there is no column %q; the columns are %s", columns[i], strings.Join(first, ", "))}
		}
	}
	hash := newCellHasher(key, id)
	var cells []cell
	var quick []uint64
	var buf []byte
	for row := 2; ; row++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return head, rowError(err, row)
		}
		if head.Rows++; head.Rows > MaxTableRows {
			return head, &RowError{row, "there are too many rows"}
		}
		for i, column := range at {
			value := []byte(record[column])
			if !utf8.Valid(value) {
				return head, &RowError{row, fmt.Sprintf("column %s is not UTF-8", head.Columns[i])}
			}
			buf = canonicalCell(buf[:0], value)
			begin, tokens := firstToken(value)
			switch {
			case len(buf) < minCell:
				head.Short++
				continue
			case len(buf) > maxCell || tokens > maxCellTokens:
				head.Long++
				continue
			case len(cells) == MaxTableCells:
				return head, &RowError{row, fmt.Sprintf("more than %d cells; leave out columns or rows", MaxTableCells)}
			}
			cells = append(cells, cell{hash.digest(buf), ref(head.Rows-1, i)})
			quick = append(quick, hash.quick(buf))
			if tokens > 1 {
				quick = append(quick, hash.quick(begin)^beginMark)
			}
			if letters := leadingLetters(buf); letters > 0 {
				quick = append(quick, hash.quick(buf[:letters])^beginMark) // AB-99 is also written AB 99.
			}
		}
	}
	if head.Cells = len(cells); head.Cells == 0 {
		return head, errors.New("no cell holds a value that can be looked for: one has 6 to 128 bytes and at most 4 words")
	}
	return head, writeTable(w, head, cells, quick)
}

// columnName is the form of a column's name in a table: small letters, digits and underscores.
func columnName(s string) string {
	s = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")))
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' {
			return '_'
		}
		return r
	}, s)
}

// firstToken returns the first token of a value in its canonical form, and how many there are.
func firstToken(value []byte) (first []byte, n int) {
	for i := 0; i < len(value); {
		start, end := cellToken(value, i)
		if i = end; start == end {
			break
		}
		if n++; n == 1 {
			var digit bool
			if first, digit = foldToken(nil, value[start:end]); digit {
				first = strip(first)
			}
		}
	}
	return first, n
}

// leadingLetters is how long the letters are that a canonical value with a digit begins with; 0 if there are none.
func leadingLetters(value []byte) int {
	for i, c := range value {
		switch {
		case isDigit(c):
			return i
		case !isLetter(c):
			return 0
		}
	}
	return 0
}

func rowError(err error, row int) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return &RowError{row, "the file is empty"}
	case errors.As(err, &parse):
		return &RowError{row, "not CSV: " + parse.Err.Error()}
	}
	return fmt.Errorf("read row %d: %w", row, err)
}

func writeTable(w io.Writer, head Header, cells []cell, quick []uint64) error {
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Or(cmp.Compare(a.digest, b.digest), cmp.Compare(a.ref, b.ref)) })
	slices.Sort(quick)
	quick = slices.Compact(quick)
	f := newFilter(len(quick))
	for _, h := range quick {
		f.add(h)
	}
	head.Filter = len(f)
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write the header: %w", err)
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	// A bufio.Writer keeps its first error for Flush.
	out.WriteString(tableMagic)
	var b [cellSize]byte
	binary.LittleEndian.PutUint32(b[:], uint32(len(text)))
	out.Write(b[:4])
	out.Write(text)
	for _, word := range f {
		binary.LittleEndian.PutUint64(b[:], word)
		out.Write(b[:8])
	}
	for _, c := range cells {
		binary.LittleEndian.PutUint64(b[:], c.digest)
		binary.LittleEndian.PutUint32(b[8:], c.ref)
		out.Write(b[:])
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// ReadTable reads a table file. What it says of itself is checked, down to the order of its cells; the errors wrap ErrTableForm, ErrTableSum or ErrTableKey.
// Memory is taken as the file goes on, so that a short file with a great header takes little.
func ReadTable(in io.Reader, id string, key TableKey) (*Table, error) {
	r := &tableReader{in: bufio.NewReaderSize(in, 64<<10), sum: sha256.New()}
	head, err := r.header()
	if err != nil {
		return nil, err
	}
	if head.ID != id || head.KeyID != key.ID() {
		return nil, ErrTableKey
	}
	t := &Table{Header: head, hash: newCellHasher(key, id)}
	var b [cellSize]byte
	const atOnce = 1 << 16
	t.filter = make(filter, 0, min(head.Filter, atOnce))
	for range head.Filter {
		if err := r.read(b[:8]); err != nil {
			return nil, err
		}
		t.filter = append(t.filter, binary.LittleEndian.Uint64(b[:]))
	}
	t.cells, t.refs = make([]uint64, 0, min(head.Cells, atOnce)), make([]uint32, 0, min(head.Cells, atOnce))
	for i := range head.Cells {
		if err := r.read(b[:]); err != nil {
			return nil, err
		}
		c := cell{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint32(b[8:])}
		if int(c.ref>>4) >= head.Rows || int(c.ref&15) >= len(head.Columns) || i > 0 && (c.digest < t.cells[i-1] || c.digest == t.cells[i-1] && c.ref <= t.refs[i-1]) {
			return nil, fmt.Errorf("%w: cell %d is out of place", ErrTableForm, i+1)
		}
		if i == atOnce {
			// The file is long in earnest: the rest is taken in one piece, without room to spare.
			t.cells, t.refs = slices.Grow(t.cells, head.Cells-i), slices.Grow(t.refs, head.Cells-i)
		}
		t.cells, t.refs = append(t.cells, c.digest), append(t.refs, c.ref)
	}
	sum, err := r.end()
	t.digest = hex.EncodeToString(sum[:8])
	return t, err
}

// tableReader reads a table file and sums what it reads.
type tableReader struct {
	in  *bufio.Reader
	sum hash.Hash
}

func (r *tableReader) read(b []byte) error {
	if _, err := io.ReadFull(r.in, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too soon", ErrTableForm)
	} else if err != nil {
		return fmt.Errorf("read the table: %w", err)
	}
	r.sum.Write(b)
	return nil
}

func (r *tableReader) header() (h Header, err error) {
	var b [len(tableMagic) + 4]byte
	if err := r.read(b[:]); err != nil {
		return h, err
	}
	n := binary.LittleEndian.Uint32(b[len(tableMagic):])
	if string(b[:len(tableMagic)]) != tableMagic || n > maxTableHeader {
		return h, ErrTableForm
	}
	text := make([]byte, n)
	if err := r.read(text); err != nil {
		return h, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil {
		return h, fmt.Errorf("%w: its header cannot be read", ErrTableForm)
	}
	return h, h.check()
}

// end checks the sum, and that nothing follows.
func (r *tableReader) end() ([]byte, error) {
	want := r.sum.Sum(nil)
	var have [sha256.Size + 1]byte
	n, err := io.ReadFull(r.in, have[:])
	if n != sha256.Size || !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(have[:n], want) {
		return want, ErrTableSum
	}
	return want, nil
}
