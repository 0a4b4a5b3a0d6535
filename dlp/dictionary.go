package dlp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/outband/outband/dlp/view"
)

// Bounds of a list of words.
const (
	MaxWords     = 100_000 // entries
	MaxWordBytes = 200     // of one entry
	MaxWordList  = 8 << 20 // bytes of a list as it is uploaded
	maxInline    = 1000    // entries in the file of a detector
	maxWordUnits = 16      // words and signs of one entry
	minWord      = 3       // characters of an entry; two of a script that is written without blanks
	maxBlanks    = 64      // bytes between two words of an entry
)

// Words is a list of words and phrases that a text is searched for in one pass. It holds digests of the entries and of their beginnings, and no word in
// clear: 64 bits of them, so that a word that is not in the list is taken for one of it once in 10^13. It is never changed, and safe for concurrent use.
type Words struct {
	table     []uint64 // a hash table of beginnings, a power of two long; the two lowest bits say what follows
	front     []uint64 // a bit set of first words, which nearly all words of a text fail
	entries   int
	exactCase bool
	digest    string
}

// The two lowest bits of a beginning.
const (
	wordWhole = 1 // an entry ends here
	wordMore  = 2 // an entry goes on
)

// WordsError is an entry that cannot be used. It does not hold the entry.
type WordsError struct {
	Line   int // from 1
	Reason string
}

func (e *WordsError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// ParseWords reads a list: UTF-8, one word or phrase on a line, at most MaxWords of at most MaxWordBytes. Lines without a word are skipped, entries that are there
// twice count once. The error is a *WordsError, or says that the list is empty or too large.
func ParseWords(data []byte, exactCase bool) (*Words, error) {
	if len(data) > MaxWordList {
		return nil, fmt.Errorf("the list is larger than %d bytes", MaxWordList)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	b := newWordsBuilder(exactCase)
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if reason := b.add(line); reason != "" {
			return nil, &WordsError{n, reason}
		}
	}
	if len(b.entries) == 0 {
		return nil, errors.New("the list holds no word")
	}
	return b.build(), nil
}

// Entries is how many words and phrases the list holds.
func (w *Words) Entries() int { return w.entries }

// Bytes is how much memory the list takes.
func (w *Words) Bytes() int { return 8 * (len(w.table) + len(w.front)) }

// wordsBuilder gathers the beginnings of entries.
type wordsBuilder struct {
	exactCase bool
	entries   map[uint64]bool
	begins    map[uint64]uint64 // what follows a beginning
	firsts    []uint64
	decoder   view.Decoder
	sum       [sha256.Size]byte
}

func newWordsBuilder(exactCase bool) *wordsBuilder {
	return &wordsBuilder{exactCase: exactCase, entries: map[uint64]bool{}, begins: map[uint64]uint64{}}
}

// add takes an entry, and returns why it cannot.
func (b *wordsBuilder) add(entry []byte) string {
	if len(entry) > MaxWordBytes {
		return fmt.Sprintf("an entry has at most %d bytes", MaxWordBytes)
	}
	if !utf8.Valid(entry) {
		return "not UTF-8"
	}
	if len(b.entries) >= MaxWords {
		return fmt.Sprintf("a list has at most %d entries", MaxWords)
	}
	text := b.decoder.Decode(entry, view.UTF8).Text // The text that is searched is folded likewise.
	text = bytes.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	var begins, firsts []uint64
	h, characters, least := uint64(0), 0, minWord
	for i := 0; i < len(text); {
		u := readUnit(text, i)
		characters += utf8.RuneCount(text[i:u.end])
		i = u.end
		h = follow(h, u.hash(b.exactCase))
		if u.kind == unitBlank {
			continue
		}
		if u.kind == unitUnspaced {
			least = minWord - 1
		}
		begins = append(begins, h)
		if len(begins) == 1 {
			firsts = append(firsts, h)
		}
	}
	if characters < least {
		return fmt.Sprintf("an entry has at least %d characters, or %d of a script that is written without blanks", minWord, minWord-1)
	}
	if len(begins) > maxWordUnits {
		return fmt.Sprintf("an entry has at most %d words and signs", maxWordUnits)
	}
	if b.entries[h] {
		return ""
	}
	b.entries[h] = true
	sum := sha256.Sum256(text)
	for i := range b.sum {
		b.sum[i] ^= sum[i] // The order of the entries does not matter.
	}
	for _, at := range begins[:len(begins)-1] {
		b.begins[at] |= wordMore
	}
	b.begins[h] |= wordWhole
	b.firsts = append(b.firsts, firsts...)
	return ""
}

func (b *wordsBuilder) build() *Words {
	sum := sha256.Sum256(fmt.Append(b.sum[:], b.exactCase))
	w := &Words{entries: len(b.entries), exactCase: b.exactCase, digest: hex.EncodeToString(sum[:8])}
	w.table = make([]uint64, powerOver(len(b.begins)*4/3+1))
	for h, flags := range b.begins {
		at := int(h>>20) & (len(w.table) - 1)
		for w.table[at] != 0 {
			at = (at + 1) & (len(w.table) - 1)
		}
		w.table[at] = h&^3 | flags
	}
	w.front = make([]uint64, powerOver(len(b.firsts)/4+8))
	for _, h := range b.firsts {
		w.front[w.frontAt(h)] |= 1 << (h >> 58)
	}
	return w
}

// powerOver is the least power of two that is not under n.
func powerOver(n int) int {
	p := 1
	for p < n {
		p <<= 1
	}
	return p
}

func (w *Words) frontAt(h uint64) int { return int(h>>20) & (len(w.front) - 1) }

// begins returns what the list knows of a beginning: 0 if it is none.
func (w *Words) begins(h uint64) uint64 {
	for at := int(h>>20) & (len(w.table) - 1); ; at = (at + 1) & (len(w.table) - 1) {
		switch have := w.table[at]; {
		case have == 0:
			return 0
		case have&^3 == h&^3:
			return have & 3
		}
	}
}

// longest returns the end of the longest entry that begins with the unit u, or -1.
func (w *Words) longest(text []byte, u unit) int {
	h := follow(0, u.hash(w.exactCase))
	if w.front[w.frontAt(h)]&(1<<(h>>58)) == 0 {
		return -1
	}
	best := -1
	for {
		flags := w.begins(h)
		if flags&wordWhole != 0 {
			best = u.end
		}
		if flags&wordMore == 0 || u.end >= len(text) {
			return best
		}
		if u = readUnit(text, u.end); u.kind == unitBlank {
			if u.long || u.end >= len(text) {
				return best
			}
			h = follow(h, u.hash(w.exactCase))
			u = readUnit(text, u.end)
		}
		h = follow(h, u.hash(w.exactCase))
	}
}

// dictionaries searches the text for the words of all lists.
func (s *state) dictionaries() {
	for i := 0; i < len(s.text) && !s.over; {
		u := readUnit(s.text, i)
		if u.kind != unitBlank && !u.long {
			for _, r := range s.engine.dictionaries {
				if end := r.words.longest(s.text, u); end > 0 {
					s.current = r
					s.add(candidate{rule: r, start: i, end: end, confidence: r.Confidence})
				}
			}
			s.current = nil
		}
		i = u.end
	}
}

// Kinds of units.
const (
	unitWord     = iota // letters, digits and underscores: a whole word
	unitUnspaced        // one character of a script that is written without blanks
	unitSign            // one other character
	unitBlank           // what is between words
)

// unit is the smallest part of a text that an entry is compared by. A word is one unit, so that an entry begins and ends at the edges of words.
type unit struct {
	folded, exact uint64
	end           int
	kind          int8
	long          bool // too long for any entry
}

func (u unit) hash(exactCase bool) uint64 {
	if exactCase {
		return u.exact
	}
	return u.folded
}

// follow is the digest of a beginning and the unit behind it.
func follow(h, unit uint64) uint64 {
	h = (h ^ unit) * 0x9fb21c651e98df25
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>29
}

const (
	unitSeed  = 0xcbf29ce484222325
	unitPrime = 0x9e3779b97f4a7c15
)

func step(h, c uint64) uint64 {
	h = (h ^ c) * unitPrime
	return h ^ h>>31
}

// wordBytes are the bytes that continue a word, with their lower case; 0 for those that do not.
var wordBytes = func() (t [256]byte) {
	for c := range utf8.RuneSelf {
		if isWord(byte(c)) {
			t[c] = lower(byte(c))
		}
	}
	return t
}()

// readUnit reads the unit at i.
func readUnit(text []byte, i int) unit {
	c := text[i]
	switch {
	case c <= ' ':
		end := i + 1
		for end < len(text) && text[end] <= ' ' {
			end++
		}
		return unit{folded: ' ', exact: ' ', end: end, kind: unitBlank, long: end-i > maxBlanks}
	case c < utf8.RuneSelf && wordBytes[c] == 0:
		return unit{folded: uint64(c), exact: uint64(c), end: i + 1, kind: unitSign}
	}
	u := unit{folded: unitSeed, exact: unitSeed, kind: unitWord}
	start := i
	var folded, exact, have uint64 // up to eight letters that are not digested yet
	for i < len(text) {
		c := text[i]
		if l := wordBytes[c]; l != 0 {
			folded, exact = folded<<8|uint64(l), exact<<8|uint64(c)
			i++
			if have++; have == 8 {
				u.folded, u.exact = step(u.folded, folded), step(u.exact, exact)
				folded, exact, have = 0, 0, 0
			}
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, width := utf8.DecodeRune(text[i:])
		if kind := runeKind(r); kind != unitWord {
			if i == start {
				return unit{folded: uint64(r), exact: uint64(r), end: i + width, kind: kind}
			}
			break
		}
		u.folded, u.exact = step(u.folded, folded<<8|have), step(u.exact, exact<<8|have)
		u.folded, u.exact = step(u.folded, uint64(unicode.ToLower(r))), step(u.exact, uint64(r))
		folded, exact, have = 0, 0, 0
		i += width
	}
	u.folded, u.exact = step(u.folded, folded<<8|have), step(u.exact, exact<<8|have)
	u.end, u.long = i, i-start > MaxWordBytes
	return u
}

// unspaced are the scripts whose words have no blanks between them, or have endings without a blank behind them.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

func runeKind(r rune) int8 {
	switch {
	case r >= 0x0e00 && unicode.In(r, unspaced...):
		return unitUnspaced
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return unitWord
	}
	return unitSign
}

// compileDictionary takes the words of the detector's own file, or those of a stored list.
func (r *rule) compileDictionary(stock Stock) error {
	if err := r.alone(); err != nil {
		return err
	}
	switch {
	case r.List != "" && len(r.Words) > 0:
		return r.fail("list", 0, "a dictionary has words or names a list, not both")
	case r.List != "" && r.CaseSensitive:
		return r.fail("case_sensitive", 0, "whether case matters is a setting of the list")
	case r.List != "":
		if r.words = stock.Lists[r.List]; r.words == nil {
			return r.fail("list", 0, "there is no dictionary of that id")
		}
		return nil
	case len(r.Words) == 0:
		return r.fail("", 0, "a dictionary needs words, or a list that names a stored dictionary")
	case len(r.Words) > maxInline:
		return r.fail("words", 0, "more than %d words; store them as a dictionary and name it with list", maxInline)
	}
	b := newWordsBuilder(r.CaseSensitive)
	for i, w := range r.Words {
		if reason := b.add([]byte(strings.TrimSpace(w))); reason != "" {
			return r.fail(fmt.Sprintf("words.%d", i), 0, "%s", reason)
		}
	}
	r.words = b.build()
	return nil
}

// alone refuses what means nothing to a detector that reads a list or a table.
func (r *rule) alone() error {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"keywords", len(r.Keywords) > 0}, {"prefixes", len(r.Prefixes) > 0}, {"charset", r.Charset != ""}, {"pattern", r.Pattern != ""}, {"scanner", r.Scanner != ""},
		{"shapes", len(r.Shapes) > 0}, {"lines", len(r.Lines) > 0},
	} {
		if f.set {
			return r.fail(f.field, 0, "%s means nothing to a detector of this kind", f.field)
		}
	}
	return nil
}
