package dlp

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
)

// prefilter finds the keywords of all rules in one pass. Four bytes at every second place, five bits of each (which folds case), index a bit set; only
// when a bit is set are the literals behind it compared, eight bytes at once. It is never changed after newPrefilter.
type prefilter struct {
	quads    [1 << 20 / 64]uint64
	ranks    [1 << 20 / 64]uint32 // how many bits are set in the words before
	first    []uint32             // where the entries of each set bit begin, and one more
	entries  []entry
	literals []literal
}

// entry is a literal behind a quad. Up to eight of its bytes, the quad's among them, are compared first.
type entry struct {
	mask, fold, want uint64 // a text t matches when (t|fold)&mask == want
	window           int16  // where these bytes start, from the quad on
	back             int16  // where the quad stands in the literal; -1: a byte before it
	literal          uint32
}

// literal is a keyword and the rules that wait for it.
type literal struct {
	text  string // lower case when fold
	fold  bool
	rules []*rule
}

func newPrefilter(rules []*rule) *prefilter {
	type key struct {
		text string
		fold bool
	}
	p := &prefilter{}
	byText := map[key][]*rule{}
	var keys []key
	add := func(text string, fold bool, r *rule) {
		if fold {
			text = strings.ToLower(text)
		}
		k := key{text, fold}
		if _, ok := byText[k]; !ok {
			keys = append(keys, k)
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
	for _, k := range keys {
		for i := 0; i+4 <= len(k.text); i++ {
			held[quad(k.text[i:])]++
		}
	}
	type place struct {
		quad  uint32
		entry entry
	}
	var places []place
	for n, k := range keys {
		l := literal{k.text, k.fold, byText[k]}
		p.literals = append(p.literals, l)
		put := func(q string, back int) {
			e := l.entry(back)
			e.literal = uint32(n)
			places = append(places, place{quad(q), e})
		}
		// One of two neighbouring quads stands at an even place. A short literal has any byte around it.
		switch len(k.text) {
		case 3:
			for c := range 32 {
				put(k.text+string(rune(c)), 0)
				put(string(rune(c))+k.text, -1)
			}
		case 4:
			put(k.text, 0)
			for c := range 32 {
				put(k.text[1:]+string(rune(c)), 1)
			}
		default:
			at := rarest(k.text, held)
			put(k.text[at:], at)
			put(k.text[at+1:], at+1)
		}
	}
	order := make([]uint64, len(places))
	for i, at := range places {
		order[i] = uint64(at.quad)<<32 | uint64(i)
	}
	slices.Sort(order)
	p.entries = make([]entry, len(places))
	for i, n := range order {
		if quad := uint32(n >> 32); i == 0 || quad != uint32(order[i-1]>>32) {
			p.quads[quad>>6] |= 1 << (quad & 63)
			p.first = append(p.first, uint32(i))
		}
		p.entries[i] = places[uint32(n)].entry
	}
	p.first = append(p.first, uint32(len(p.entries)))
	n := uint32(0)
	for i, w := range p.quads {
		p.ranks[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	return p
}

// entry returns what is compared first when the quad stands back bytes into the literal: the eight bytes around it, or the whole of a shorter one.
func (l *literal) entry(back int) entry {
	from := max(0, min(back-2, len(l.text)-8))
	e := entry{window: int16(from - back), back: int16(back)}
	for i, c := range []byte(l.text[from:min(from+8, len(l.text))]) {
		e.mask |= 0xff << (8 * i)
		e.want |= uint64(c) << (8 * i)
		if l.fold && isLetter(c) {
			e.fold |= 0x20 << (8 * i)
		}
	}
	return e
}

// quad returns the bit of the first four bytes of s.
func quad(s string) uint32 {
	return quadBit(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

// quadBit is a hash of the lower five bits of four bytes. The factor is one of those under which few quads of texts share a bit with those of keywords.
func quadBit(x uint32) uint32 { return x & 0x1f1f1f1f * 0x7b9b0793 >> 12 }

// batch is how many bytes are looked at before the quads seen in them are compared. Looking and comparing apart spares the processor from guessing.
const batch = 1 << 10

// find calls confirm for every keyword in text, in the order of their quads.
func (p *prefilter) find(s *state) {
	var hits [batch / 2]uint16
	text := s.text
	at := 0
	for ; at+batch+2 <= len(text); at += batch {
		n := 0
		for i := 0; i < batch; i += 8 {
			b := text[at+i : at+i+10 : at+i+10]
			x := binary.LittleEndian.Uint64(b)
			q := [4]uint32{quadBit(uint32(x)), quadBit(uint32(x >> 16)), quadBit(uint32(x >> 32)), quadBit(binary.LittleEndian.Uint32(b[6:]))}
			for k, q := range q {
				hits[n&(batch/2-1)] = uint16(i + 2*k)
				n += int(p.quads[q>>6] >> (q & 63) & 1)
			}
		}
		for _, i := range hits[:n] {
			p.at(s, at+int(i))
		}
	}
	for ; at < len(text); at += 2 {
		if q := tailQuad(text[at:]); p.quads[q>>6]>>(q&63)&1 != 0 {
			p.at(s, at)
		}
	}
}

// tailQuad returns the bit of the quad at the start of b; zeros follow the end of a text.
func tailQuad(b []byte) uint32 {
	if len(b) >= 4 {
		return quadBit(binary.LittleEndian.Uint32(b))
	}
	var end [4]byte
	copy(end[:], b)
	return quadBit(binary.LittleEndian.Uint32(end[:]))
}

// at compares the literals of the quad at i, whose bit is set.
func (p *prefilter) at(s *state, i int) {
	text := s.text
	q := tailQuad(text[i:])
	rank := p.ranks[q>>6] + uint32(bits.OnesCount64(p.quads[q>>6]&(1<<(q&63)-1)))
	list := p.entries[p.first[rank]:p.first[rank+1]]
	for n := range list {
		e := &list[n]
		if from := i + int(e.window); from >= 0 && from+8 <= len(text) && (binary.LittleEndian.Uint64(text[from:])|e.fold)&e.mask != e.want {
			continue
		}
		p.confirm(s, &p.literals[e.literal], i-int(e.back))
	}
}

// confirm calls confirm for the rules of a literal if it stands at from.
func (p *prefilter) confirm(s *state, l *literal, from int) {
	to := from + len(l.text)
	if from < 0 || to > len(s.text) || l.fold && !equalFold(s.text[from:to], l.text) || !l.fold && string(s.text[from:to]) != l.text {
		return
	}
	for _, r := range l.rules {
		s.confirm(r, from, to)
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
