package dlp

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// prefilter finds the keywords of all rules in one pass. Three bytes, five bits of each (which folds case), index a bit set; only when a bit is
// set are the literals behind it compared. It is never changed after newPrefilter.
type prefilter struct {
	set    [1 << 15 / 64]uint64
	bucket [1 << 15]uint16 // index into lists, 0 is empty
	lists  [][]literal
}

// literal is a keyword and the rules that wait for it.
type literal struct {
	text  string // lower case when fold
	fold  bool
	off   int // where the trigram stands in text
	rules []*rule
}

func newPrefilter(rules []*rule) *prefilter {
	type key struct {
		text string
		fold bool
	}
	p := &prefilter{lists: make([][]literal, 1)}
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
	for _, k := range order {
		off := rarest(k.text)
		h := trigram(k.text[off:])
		if p.bucket[h] == 0 {
			p.set[h>>6] |= 1 << (h & 63)
			p.bucket[h] = uint16(len(p.lists))
			p.lists = append(p.lists, nil)
		}
		b := p.bucket[h]
		p.lists[b] = append(p.lists[b], literal{k.text, k.fold, off, byText[k]})
	}
	return p
}

func trigram(s string) uint32 {
	return uint32(s[0]&31)<<10 | uint32(s[1]&31)<<5 | uint32(s[2]&31)
}

// commonness ranks bytes by how often their five bits occur in English text and code; a space counts as 0 and is the most common.
const commonness = "\x00etaoinsrhldcumfpgwybvkxjqz_-"

// commonTrigrams are so frequent that a keyword takes another one if it can.
var commonTrigrams = []string{
	"the", "and", "ing", "ion", "ent", "tio", "for", "her", "ter", "hat", "tha", "ere", "ate", "his", "con", "res", "ver", "all", "ons", "nce",
	"men", "ith", "ted", "ers", "pro", "thi", "wit", "are", "ess", "not", "ive", "was", "ect", "rea", "com", "eve", "per", "int", "est", "sta",
	"cti", "ica", "ist", "ear", "ain", "one", "our", "iti", "rat", "ser", "use", "key", "str", "ret", "turn", "age", "err", "ser",
}

// rarest returns where the rarest trigram of s starts.
func rarest(s string) int {
	best, at := -1, 0
	low := strings.ToLower(s)
	for i := 0; i+3 <= len(low); i++ {
		score := 0
		for _, c := range []byte(low[i : i+3]) {
			n := strings.IndexByte(commonness, c)
			if c == ' ' {
				n = 0
			}
			if n < 0 {
				n = 20 // Digits and punctuation share their five bits with letters of middling frequency.
			}
			score += n
		}
		for _, t := range commonTrigrams {
			if t == low[i:i+3] {
				score -= 30
			}
		}
		if best < 0 || score > best {
			best, at = score, i
		}
	}
	return at
}

// literals calls confirm for every keyword in text, in the order of their trigrams.
func (p *prefilter) literals(s *state) {
	text := s.text
	if len(text) < 3 {
		return
	}
	h := uint32(text[0]&31)<<5 | uint32(text[1]&31)
	for i, c := range text[2:] {
		h = (h<<5 | uint32(c&31)) & (1<<15 - 1)
		if p.set[h>>6]&(1<<(h&63)) != 0 {
			p.at(s, h, i)
		}
	}
}

// at compares the literals whose trigram stands at i.
func (p *prefilter) at(s *state, h uint32, i int) {
	for n := range p.lists[p.bucket[h]] {
		l := &p.lists[p.bucket[h]][n]
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
