package dlp

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// prefilter finds the keywords of all rules in one pass. Four bytes, five bits of each (which folds case), index a bit set; only when a bit is set are
// the literals behind it compared. It is never changed after newPrefilter.
type prefilter struct {
	quads [1 << 20 / 64]uint64
	slots []slot // a hash table of quads, a power of two long
	lists [][]literal
}

// slot is where the literals of a quad are.
type slot struct {
	quad uint32
	list int32 // index into lists + 1; 0: the slot is free
}

// literal is a keyword and the rules that wait for it.
type literal struct {
	text  string // lower case when fold
	fold  bool
	off   int // where the last three of its four bytes stand in text; 0: any byte may stand before them
	rules []*rule
}

func newPrefilter(rules []*rule) *prefilter {
	type key struct {
		text string
		fold bool
	}
	p := &prefilter{}
	lists := map[uint32]int32{}
	byText := map[key][]*rule{}
	var order []key
	add := func(text string, fold bool, r *rule) {
		if fold {
			text = strings.ToLower(text)
		}
		k := key{text, fold}
		if _, ok := byText[k]; !ok {
			order = append(order, k)
		}
		byText[k] = append(byText[k], r)
	}
	for _, r := range rules {
		for _, s := range r.Prefixes {
			add(s, false, r)
		}
		for _, part := range r.parts {
			for _, s := range part.Keywords {
				add(s, true, part)
			}
		}
		if r.Kind != KindToken && len(r.parts) == 0 {
			for _, s := range r.Keywords {
				add(s, true, r)
			}
		}
	}
	held := map[uint32]int{}
	for _, k := range order {
		for i := 0; i+4 <= len(k.text); i++ {
			held[quad(k.text[i:])]++
		}
	}
	for _, k := range order {
		l := literal{k.text, k.fold, rarest(k.text, held), byText[k]}
		h := trigram(k.text[l.off:])
		if l.off > 0 {
			p.put(lists, quad(k.text[l.off-1:]), l)
			continue
		}
		for before := range uint32(32) {
			p.put(lists, before<<15|h, l)
		}
	}
	p.slots = make([]slot, 1<<bits.Len(uint(2*len(lists))))
	for quad, list := range lists {
		at := p.slot(quad)
		for p.slots[at].list != 0 {
			at = (at + 1) & (len(p.slots) - 1)
		}
		p.slots[at] = slot{quad, list + 1}
	}
	return p
}

func (p *prefilter) put(lists map[uint32]int32, quad uint32, l literal) {
	n, ok := lists[quad]
	if !ok {
		n = int32(len(p.lists))
		lists[quad] = n
		p.quads[quad>>6] |= 1 << (quad & 63)
		p.lists = append(p.lists, nil)
	}
	p.lists[n] = append(p.lists[n], l)
}

// slot is where the search for a quad begins.
func (p *prefilter) slot(quad uint32) int { return int(quad*0x9e3779b1>>7) & (len(p.slots) - 1) }

// of returns the literals of a quad that has its bit set.
func (p *prefilter) of(quad uint32) []literal {
	at := p.slot(quad)
	for p.slots[at].quad != quad || p.slots[at].list == 0 {
		at = (at + 1) & (len(p.slots) - 1)
	}
	return p.lists[p.slots[at].list-1]
}

func quad(s string) uint32 { return uint32(s[0]&31)<<15 | trigram(s[1:]) }

func trigram(s string) uint32 {
	return uint32(s[0]&31)<<10 | uint32(s[1]&31)<<5 | uint32(s[2]&31)
}

// literals calls confirm for every keyword in text, in the order of their quads.
func (p *prefilter) literals(s *state) {
	text := s.text
	if len(text) < 3 {
		return
	}
	h := uint32(text[0]&31)<<5 | uint32(text[1]&31)
	for i, c := range text[2:] {
		h = h<<5 | uint32(c&31)
		if q := h & (1<<20 - 1); p.quads[q>>6]&(1<<(q&63)) != 0 {
			p.at(s, q, i)
		}
	}
}

// at compares the literals of a quad whose last three bytes stand at i.
func (p *prefilter) at(s *state, quad uint32, i int) {
	list := p.of(quad)
	for n := range list {
		l := &list[n]
		from := i - l.off
		to := from + len(l.text)
		if from < 0 || to > len(s.text) {
			continue
		}
		if l.fold && !equalFold(s.text[from:to], l.text) || !l.fold && string(s.text[from:to]) != l.text {
			continue
		}
		for _, r := range l.rules {
			s.confirm(r, from, to)
		}
	}
}

// equalFold compares ASCII without case; lower is in lower case.
func equalFold(b []byte, lower string) bool {
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// nextDigit returns the place of the first decimal digit from i on, or len(b). Eight bytes are looked at together: a byte less than ten after
// taking away '0' borrows into its top bit.
func nextDigit(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ ones*'0'
		if m := (x - ones*10) & ^x & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && !isDigit(b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isWord reports whether c continues a word: a match never starts or ends in the middle of one. Bytes of other scripts do not count, for
// those are written without spaces.
func isWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
