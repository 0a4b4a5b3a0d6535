package dlp

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// prefilter finds the keywords of all rules in one pass. Four bytes at every second place, five bits of each (which folds case), index a bit set; only
// when a bit is set are the literals behind it compared, eight bytes at once. It is never changed after newPrefilter.
type prefilter struct {
	quads    quadSet
	ranks    [1 << 20 / 64]uint32 // how many bits are set in the words before
	beside   [besides]beside      // by the lowest bits of a quad
	buckets  []bucket             // one for each set bit, in their order
	entries  []entry              // those of a bucket together
	literals []literal
}

// quadSet has a bit for each hash of a quad.
type quadSet [1 << 20 / 64]uint64

// has returns 1 if a bit is set.
func (q *quadSet) has(quad uint32) uint64 { return q[quad>>6] >> (quad & 63) & 1 }

// octets is up to eight bytes that are compared at once.
type octets struct {
	mask, want uint64 // a text t matches when (t|fold)&mask == want
	at         int8   // where they start, from the quad on
	folds      uint8  // 1: case is folded
}

// bucket is the literals behind a quad. What they have in common is compared first.
type bucket struct {
	octets
	more  uint16 // how many entries it has beside the first
	first uint32
}

// entry is a literal behind a quad. Up to eight of its bytes, the quad's among them, are compared before the whole.
type entry struct {
	octets
	back    int16 // where the quad stands in the literal; -1: a byte before it
	literal uint32
}

// blanks has the bit in every byte by which small letters differ from capitals.
const blanks = 0x2020202020202020

// differs is 0 when the bytes of a text that starts there are those of the literals.
func (w *octets) differs(t uint64) uint64 {
	return (t|blanks*uint64(w.folds))&w.mask ^ w.want
}

// and leaves of octets what they and others, that start at the same place, have in common.
func (w *octets) and(v octets) {
	w.folds |= v.folds
	fold := blanks * uint64(w.folds)
	w.mask &= v.mask
	// A byte that differs, also by its case alone where it is not folded, is left out.
	for i := 0; i < 64; i += 8 {
		if ((w.want|fold)^(v.want|fold))>>i&0xff&(w.mask>>i) != 0 {
			w.mask &^= 0xff << i
		}
	}
	w.want = (w.want | fold) & w.mask
}

// beside has a bit for what may stand just before a quad, and another 32 for what may stand just behind it: the last five bits of the byte of any
// literal of the quad, or all.
type beside uint64

// besides is how many of these there are: quads share them, for a larger table is slower than what more of it would sift out.
const besides = 1 << 15

func newBeside(e entry, text string) beside {
	side := func(i int) uint64 {
		if i < 0 || i >= len(text) {
			return math.MaxUint32
		}
		return 1 << (text[i] & 31)
	}
	return beside(side(int(e.back)-1) | side(int(e.back)+4)<<32)
}

// may is 1 if a quad may stand between two bytes.
func (b beside) may(before, behind byte) int {
	return int(b >> (before & 31) & (b >> (32 + behind&31)) & 1)
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
			places = append(places, place{quad(q), entry{octets: l.octets(back, l.around(back)), back: int16(back), literal: uint32(n)}})
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
	for i, n := range order {
		quad, e := uint32(n>>32), places[uint32(n)].entry
		p.beside[quad%besides] |= newBeside(e, keys[e.literal].text)
		if i == 0 || quad != uint32(order[i-1]>>32) {
			p.quads[quad>>6] |= 1 << (quad & 63)
			p.buckets = append(p.buckets, bucket{first: uint32(len(p.entries)), octets: p.literals[e.literal].strangest(int(e.back))})
		} else {
			b := &p.buckets[len(p.buckets)-1]
			b.more++
			b.and(p.literals[e.literal].octets(int(e.back), int(b.at)))
		}
		p.entries = append(p.entries, e)
	}
	n := uint32(0)
	for i, w := range p.quads {
		p.ranks[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	return p
}

// octets returns the bytes of a literal from at on, counted from a quad that stands back bytes into it.
func (l *literal) octets(back, at int) octets {
	w := octets{at: int8(at)}
	if l.fold {
		w.folds = 1
	}
	for i := range 8 {
		if k := back + at + i; k >= 0 && k < len(l.text) {
			w.mask |= 0xff << (8 * i)
			w.want |= uint64(l.text[k]) << (8 * i)
		}
	}
	w.want |= blanks & w.mask * uint64(w.folds)
	return w
}

// around is where the octets of an entry start: they are those on both sides of the quad, or the whole of a shorter literal.
func (l *literal) around(back int) int { return max(0, min(back-2, len(l.text)-8)) - back }

// strangest returns the octets of a bucket of one: those eight that are the least expected beside the quad.
func (l *literal) strangest(back int) octets {
	best, at := -1, l.around(back)
	for from := max(0, back+math.MinInt8); from+8 <= len(l.text) && from-back <= math.MaxInt8; from++ {
		sum := 0
		for i := from; i < from+8; i++ {
			if i > 0 && (i < back || i >= back+4) {
				sum += unexpected(l.text[i-1], l.text[i])
			}
		}
		if sum > best {
			best, at = sum, from-back
		}
	}
	return l.octets(back, at)
}

// quad returns the bit of the first four bytes of s.
func quad(s string) uint32 {
	return quadBit(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

// fives has the bits of a byte that are looked at, in every byte.
const fives = 0x1f1f1f1f1f1f1f1f

// quadBit is a hash of the lower five bits of four bytes.
func quadBit(x uint32) uint32 { return quadHash(x & (fives & math.MaxUint32)) }

// quadHash is that of four bytes of which no more is left. The factor is one of those under which few quads of texts share a bit with those of keywords.
func quadHash(x uint32) uint32 { return x * 0x7b9b0793 >> 12 }

// batch is how many bytes are looked at before the quads seen in them are compared. Looking and comparing apart spares the processor from guessing.
const batch = 1 << 10

// find calls confirm for every keyword in text, in the order of their quads.
func (p *prefilter) find(s *state) {
	var hits [batch / 2]uint16
	text := s.text
	at := 0
	for ; at < len(text) && at < 2; at += 2 {
		p.look(s, at)
	}
	for size := 0; ; at += size {
		size = min(batch, (len(text)-at-3)&^7) // A place needs five bytes, the last one of a batch stands two before its end.
		if size <= 0 {
			break
		}
		n := p.mark(text[at:at+size+2], &hits)
		n = p.sift(text[at-1:], hits[:n])
		for _, i := range hits[:p.narrow(text, at, hits[:n])] {
			p.at(s, at+int(i))
		}
	}
	for ; at < len(text); at += 2 {
		p.look(s, at)
	}
}

// mark notes the places of a batch where a quad of a keyword stands, and returns how many these are. The text has two bytes more than the batch.
func (p *prefilter) mark(text []byte, hits *[batch / 2]uint16) int {
	n := 0
	for at := 0; at+2 < len(text); at += 128 {
		t := text[at:min(at+130, len(text))]
		m := p.quads.places(t)
		for end := at + len(t) - 2; m != 0; n++ {
			k := bits.Len64(m)
			hits[n&(batch/2-1)] = uint16(end - 2*k)
			m &^= 1 << ((k - 1) & 63)
		}
	}
	return n
}

// places has a bit for every second place of a text of up to 130 bytes, the last one lowest: whether the quad there is in the set. It stays a function
// of its own, whose variables have room in registers.
//
//go:noinline
func (q *quadSet) places(text []byte) (m uint64) {
	for ; len(text) >= 10; text = text[8:] {
		t := (*[10]byte)(text)[:]
		x := binary.LittleEndian.Uint64(t) & fives
		m = m + m + q.has(quadHash(uint32(x)))
		m = m + m + q.has(quadHash(uint32(x>>16)))
		m = m + m + q.has(quadHash(uint32(x>>32)))
		m = m + m + q.has(quadBit(binary.LittleEndian.Uint32(t[6:])))
	}
	return m
}

// sift keeps, of the places of quads, those with such bytes on both sides as a literal of the quad has. The text begins a byte before the first place.
// It returns how many these are.
func (p *prefilter) sift(text []byte, hits []uint16) int {
	n := 0
	for _, i := range hits {
		t := text[i : int(i)+6]
		hits[n] = i
		n += p.beside[quadBit(binary.LittleEndian.Uint32(t[1:]))%besides].may(t[0], t[5])
	}
	return n
}

// narrow keeps, of the places of quads from at on, those where what all literals of the quad have in common stands. It returns how many these are.
func (p *prefilter) narrow(text []byte, at int, hits []uint16) int {
	n := 0
	for _, i := range hits {
		g := p.bucket(binary.LittleEndian.Uint32(text[at+int(i):]))
		from := at + int(i) + int(g.at)
		within := min(max(from, 0), len(text)-8)
		d := g.differs(binary.LittleEndian.Uint64(text[within:]))
		if within != from {
			d = 0 // Near the edge of a text nothing is known.
		}
		hits[n] = i
		n += int((d|-d)>>63 ^ 1)
	}
	return n
}

// bucket returns that of four bytes, whose bit is set.
func (p *prefilter) bucket(x uint32) *bucket {
	q := quadBit(x)
	return &p.buckets[p.ranks[q>>6]+uint32(bits.OnesCount64(p.quads[q>>6]&(1<<(q&63)-1)))]
}

// look looks at a place near the edge of a text.
func (p *prefilter) look(s *state, at int) {
	if p.quads.has(quadBit(tailBytes(s.text[at:]))) != 0 {
		p.at(s, at)
	}
}

// tailBytes returns the first four bytes of b; zeros follow the end of a text.
func tailBytes(b []byte) uint32 {
	if len(b) >= 4 {
		return binary.LittleEndian.Uint32(b)
	}
	var end [4]byte
	copy(end[:], b)
	return binary.LittleEndian.Uint32(end[:])
}

// at compares the literals of the quad at i, whose bit is set, and calls confirm for those that stand there.
func (p *prefilter) at(s *state, i int) {
	g := p.bucket(tailBytes(s.text[i:]))
	entries := p.entries[g.first:][:int(g.more)+1]
	for n := range entries {
		e := &entries[n]
		if from := i + int(e.at); from >= 0 && from+8 <= len(s.text) && e.differs(binary.LittleEndian.Uint64(s.text[from:])) != 0 {
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

// nextDigit returns the place of the first decimal digit from i on, or len(b).
func nextDigit(b []byte, i int) int {
	for ; i+32 <= len(b); i += 32 {
		t := b[i : i+32 : i+32]
		m0, m1 := borrows(binary.LittleEndian.Uint64(t)), borrows(binary.LittleEndian.Uint64(t[8:]))
		m2, m3 := borrows(binary.LittleEndian.Uint64(t[16:])), borrows(binary.LittleEndian.Uint64(t[24:]))
		switch {
		case m0|m1|m2|m3 == 0:
		case m0 != 0:
			return i + bits.TrailingZeros64(m0)/8
		case m1 != 0:
			return i + 8 + bits.TrailingZeros64(m1)/8
		case m2 != 0:
			return i + 16 + bits.TrailingZeros64(m2)/8
		default:
			return i + 24 + bits.TrailingZeros64(m3)/8
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if m := borrows(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && !isDigit(b[i]) {
		i++
	}
	return i
}

// borrows is 0 when none of eight bytes is a digit, and its lowest bit is in the first that is: a byte less than ten after taking away '0' borrows
// into its top bit.
func borrows(x uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x ^= ones * '0'
	return (x - ones*10) & ^x & tops
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isWord reports whether c continues a word: a match never starts or ends in the middle of one. Bytes of other scripts do not count, for
// those are written without spaces.
func isWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
