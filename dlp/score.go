package dlp

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/outband/outband/dlp/validate"
)

const (
	negativeWeight = 0.35          // what a negative word near takes away
	weakWeight     = 0.3           // what a weak part of the value takes away
	floor          = ConfidenceLow // candidates below are noise and are dropped
	example        = 0.1           // what a published example is worth
	filler         = 0.15          // the most that a value with a filler word is worth
)

// judged is the last candidate of a rule and what became of it: several keywords of a name lead to one value.
type judged struct {
	block, start, end int
	confidence        float64 // as it was confirmed
	kept              int     // its place in state.cands, plus one; 0: it was dropped
}

// add scores a confirmed candidate and keeps it.
func (s *state) add(c candidate) {
	if s.overdue() {
		return
	}
	r := c.rule
	if s.tried[r.index] == 0 {
		s.touched = append(s.touched, r.index)
	}
	s.tried[r.index]++
	last := &s.judged[r.index]
	if last.block == s.blocks && last.start == c.start && last.end == c.end && last.confidence == c.confidence && c.raw == nil {
		if last.kept > 0 {
			s.cands = append(s.cands, s.cands[last.kept-1])
		}
		return
	}
	*last = judged{block: s.blocks, start: c.start, end: c.end, confidence: c.confidence}
	if kept := len(s.cands); s.score(&c) {
		last.kept = kept + 1
	}
}

// verdicts is how many values a state remembers its verdict of, by a hash of them and of their rule.
const verdicts = 256

// verdict is what a value is worth by itself, whatever stands around it. Texts repeat their values, and some checks take as long as a kilobyte of text.
// Only the place of the value is kept (invariant 4), so that it is good for one block.
type verdict struct {
	rule       *rule
	block      int
	start, end int
	check      validate.Verdict
	rejected   bool // by its check or its entropy
	looked     bool // the rest is known
	weak       bool
	filler     bool
	allowed    bool
}

// verdict is what the value of a candidate is worth, as far as the check and the entropy go.
func (s *state) verdict(r *rule, start, end int) *verdict {
	v := s.text[start:end]
	k := &s.verdicts[valueHash(v, r.index)%verdicts]
	if k.rule == r && k.block == s.blocks && bytes.Equal(s.text[k.start:k.end], v) {
		return k
	}
	*k = verdict{rule: r, block: s.blocks, start: start, end: end}
	if r.validator.Check != nil {
		k.check = r.validator.Check(v)
		k.rejected = k.check == validate.Reject
	}
	if !k.rejected && r.Entropy > 0 {
		k.rejected = validate.Entropy(v) < r.Entropy
	}
	return k
}

// valueHash hashes the first and the last bytes of a value, its length and a number.
func valueHash(v []byte, n int) uint64 {
	var head, tail [8]byte
	copy(head[:], v)
	copy(tail[:], v[max(0, len(v)-8):])
	x := binary.LittleEndian.Uint64(head[:])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(tail[:])*0xc2b2ae3d27d4eb4f ^ uint64(n)<<32 ^ uint64(len(v))
	return x * 0x9e3779b97f4a7c15 >> 40
}

// look adds to a verdict what only matters where the words around a value speak for it.
func (s *state) look(k *verdict) {
	if k.looked {
		return
	}
	r, v := k.rule, s.text[k.start:k.end]
	k.looked = true
	k.weak = slices.ContainsFunc(r.Weak, func(w string) bool { return indexFold(v, w) >= 0 })
	k.filler = secret(r) && validate.Filler(v)
	k.allowed = r.allowed(v) || s.published != nil && s.published.has(r.index, v, &s.room)
}

// score keeps a candidate that is worth it. The verdict on its value comes first: most candidates end there, without an allocation.
func (s *state) score(c *candidate) bool {
	r := c.rule
	k := s.verdict(r, c.start, c.end)
	c.base = c.confidence
	if k.rejected {
		return false
	}
	if k.check == validate.Pass {
		c.validated = !r.validator.Soft
		c.confidence += r.validator.Weight
		c.marks |= markCheck
	}
	if !s.weigh(c) {
		return false
	}
	s.look(k)
	if k.weak {
		c.confidence -= weakWeight
		c.marks |= markWeak
	}
	if k.filler {
		c.confidence = min(c.confidence, filler)
	}
	if k.allowed {
		c.confidence = min(c.confidence, example)
	}
	if c.confidence < floor {
		return false
	}
	c.confidence = min(c.confidence, 0.99)
	s.cands = append(s.cands, *c)
	return true
}

// secret reports whether values of the rule are drawn at random, so that words within them mean something. A copy of a built-in detector says it by its id too.
func secret(r *rule) bool {
	return (r.Kind == KindToken || r.Kind == KindAssignment || r.Kind == KindPattern) && (strings.HasPrefix(r.ID, "secret.") || strings.HasPrefix(r.ID, "custom.secret_"))
}

func (r *rule) allowed(v []byte) bool {
	if r.allowValues[string(v)] {
		return true
	}
	for _, re := range r.allowRegexp {
		if m := re().FindIndex(v); m != nil {
			return true
		}
	}
	return false
}
