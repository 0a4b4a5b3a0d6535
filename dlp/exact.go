package dlp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a table of exact values.
const (
	MaxTableCells   = 4_000_000 // cells that hold a value: 12 bytes each, and 2 to 4 of the filter
	MaxTableFile    = 64 << 20  // bytes
	MaxTableColumns = 16
	MaxTableRows    = 1 << 28
	minCell         = 6   // bytes of a canonical value: shorter ones stand everywhere
	maxCell         = 128 // bytes of a canonical value
	maxCellTokens   = 4   // tokens that a value is written as
)

// TableKey is the key of a table. Who has it and the file can try values against it, so it is kept like a password; who has the file alone learns nothing
// but how many rows hold the same value.
type TableKey struct{ secret [32]byte }

// NewTableKey draws a key.
func NewTableKey() TableKey {
	var k TableKey
	_, _ = rand.Read(k.secret[:]) // Never fails: it ends the program instead.
	return k
}

const tableKeyPrefix = "obedm1_"

// ParseTableKey reads the text of a key, as Text gives it, with blanks around it.
func ParseTableKey(text string) (TableKey, error) {
	var k TableKey
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), tableKeyPrefix))
	if err != nil || len(b) != len(k.secret) {
		return k, errors.New("not the key of a table: " + tableKeyPrefix + " and 43 characters")
	}
	copy(k.secret[:], b)
	return k, nil
}

// Text is the key as it is shown and kept.
func (k TableKey) Text() string {
	return tableKeyPrefix + base64.RawURLEncoding.EncodeToString(k.secret[:])
}

// String shows nothing of the key.
func (k TableKey) String() string { return "table key " + k.ID() }

// GoString shows nothing of the key.
func (k TableKey) GoString() string { return k.String() }

// ID names the key and says nothing of it.
func (k TableKey) ID() string { return hex.EncodeToString(k.derive("id", "")[:8]) }

func (k TableKey) derive(purpose, table string) []byte {
	m := hmac.New(sha256.New, k.secret[:])
	m.Write([]byte("outband edm " + purpose + "\x00" + table))
	return m.Sum(nil)
}

// cellHasher digests the values of one table: every table has keys of its own, also when they are made from one key.
type cellHasher struct {
	cell   []byte
	k0, k1 uint64
}

func newCellHasher(k TableKey, table string) cellHasher {
	f := k.derive("filter", table)
	return cellHasher{k.derive("cell", table), binary.LittleEndian.Uint64(f), binary.LittleEndian.Uint64(f[8:])}
}

// digest is HMAC-SHA256 of a canonical value, cut to 64 bits. With the most cells that a table may have, a value that is not in it is taken for one that
// is once in 4·10^12; the key, not the length, is what keeps values from being guessed.
func (c cellHasher) digest(value []byte) uint64 {
	m := hmac.New(sha256.New, c.cell)
	m.Write(value)
	var sum [sha256.Size]byte
	return binary.BigEndian.Uint64(m.Sum(sum[:0]))
}

// quick is SipHash-1-3 of a canonical value: what the filter is asked with before a digest is worth its time.
func (c cellHasher) quick(b []byte) uint64 {
	v0, v1, v2, v3 := c.k0^0x736f6d6570736575, c.k1^0x646f72616e646f6d, c.k0^0x6c7967656e657261, c.k1^0x7465646279746573
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		m := binary.LittleEndian.Uint64(b)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32) + v3
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}

// beginMark turns the quick digest of a value into that of a value that begins so; both are in one word of the filter.
const beginMark = 0x96a5_d3b0_0000_0000

// filter is a Bloom filter that keeps the four bits of an entry in one word, so that it is asked with one access to memory.
type filter []uint64

// newFilter makes one with 12 to 24 bits for each of n entries: it is wrong about one in 150.
func newFilter(n int) filter { return make(filter, powerOver(n*3/16+1)) }

func filterBits(h uint64) uint64 {
	return 1<<(h>>58) | 1<<(h>>52&63) | 1<<(h>>46&63) | 1<<(h>>40&63)
}

func (f filter) add(h uint64) { f[h&uint64(len(f)-1)] |= filterBits(h) }

func (f filter) has(h uint64) bool {
	b := filterBits(h)
	return f[h&uint64(len(f)-1)]&b == b
}

// Table holds the digests of a table's cells, sorted. It is never changed, and safe for concurrent use.
type Table struct {
	Header
	hash   cellHasher
	filter filter
	cells  []uint64 // digests
	refs   []uint32 // row and column of each
	digest string
}

// Bytes is how much memory the table takes.
func (t *Table) Bytes() int { return 8*len(t.filter) + 8*len(t.cells) + 4*len(t.refs) }

// ref packs a row and a column.
func ref(row, column int) uint32 { return uint32(row)<<4 | uint32(column) }

// find returns where the cells with this digest are. Digests are spread evenly, so the search begins near the end of it.
func (t *Table) find(h uint64) (from, to int) {
	n := len(t.cells)
	guess, _ := bits.Mul64(h, uint64(n))
	lo, hi, jump := int(guess), int(guess), 64
	for lo > 0 && t.cells[lo-1] >= h {
		lo, jump = max(0, lo-jump), 2*jump
	}
	for jump = 64; hi < n && t.cells[hi] < h; jump *= 2 {
		hi = min(n, hi+jump)
	}
	from = lo + sort.Search(hi-lo, func(i int) bool { return t.cells[lo+i] >= h })
	if from == n || t.cells[from] != h {
		return from, from
	}
	rest := t.cells[from:]
	end := sort.Search(len(rest), func(i int) bool { return rest[i] > h })
	return from, from + end
}

// columns returns which columns of a row are among the cells from to to, as bits.
func (t *Table) columns(from, to int, row uint32) (set uint32) {
	refs := t.refs[from:to]
	for i := sort.Search(len(refs), func(i int) bool { return refs[i]>>4 >= row }); i < len(refs) && refs[i]>>4 == row; i++ {
		set |= 1 << (refs[i] & 15)
	}
	return set
}

// cellByte reports what belongs to a token of a value: letters, digits and @ . _ - + & '.
func cellByte(c byte) bool {
	return isWord(c) || c == '@' || c == '.' || c == '-' || c == '+' || c == '&' || c == '\''
}

// cellToken returns the next token from i on: its place, or start == len(text) if there is none.
func cellToken(text []byte, i int) (start, end int) {
	for {
		for i < len(text) {
			if c := text[i]; c < utf8.RuneSelf {
				if isLetter(c) || isDigit(c) || c == '@' {
					break
				}
				i++
				continue
			}
			r, width := utf8.DecodeRune(text[i:])
			if cellRune(r) {
				break
			}
			i += width
		}
		start = i
		for i < len(text) {
			if c := text[i]; c < utf8.RuneSelf {
				if !cellByte(c) {
					break
				}
				i++
				continue
			}
			r, width := utf8.DecodeRune(text[i:])
			if !cellRune(r) {
				break
			}
			i += width
		}
		end = i
		for end > start && text[end-1] < utf8.RuneSelf && !isLetter(text[end-1]) && !isDigit(text[end-1]) {
			end-- // The full stop of a sentence.
		}
		if end > start || i >= len(text) {
			return start, end
		}
	}
}

func cellRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// foldToken appends a token in its canonical spelling (NFKC, lower case) and reports whether it has a digit.
func foldToken(dst, token []byte) (out []byte, digit bool) {
	from := len(dst)
	ascii := true
	for _, c := range token {
		ascii = ascii && c < utf8.RuneSelf
		digit = digit || isDigit(c)
		dst = append(dst, lower(c))
	}
	if ascii {
		return dst, digit
	}
	dst = dst[:from]
	for _, r := range norm.NFKC.String(string(token)) {
		digit = digit || r >= '0' && r <= '9'
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
	}
	return dst, digit
}

// stripped reports whether c is left out of a value with a digit: numbers are written with and without it.
func stripped(c byte) bool { return c == '-' || c == '.' || c == '+' || c == '_' || c == ' ' }

// strip removes what is left out of a value with a digit, in place.
func strip(b []byte) []byte {
	out := b[:0]
	for _, c := range b {
		if !stripped(c) {
			out = append(out, c)
		}
	}
	return out
}

// canonicalCell appends the form in which two spellings of one value are equal: its tokens, in lower case, with one blank between them; with nothing between
// them and without - . + _ if one has a digit.
func canonicalCell(dst, value []byte) []byte {
	from, any := len(dst), false
	for i := 0; i < len(value); {
		start, end := cellToken(value, i)
		if i = end; start == end {
			break
		}
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		var digit bool
		dst, digit = foldToken(dst, value[start:end])
		any = any || digit
	}
	if any {
		return dst[:from+len(strip(dst[from:]))]
	}
	return dst
}
