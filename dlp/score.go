package dlp

import (
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
	if kept := len(s.cands); s.score(c) {
		last.kept = kept + 1
	}
}

// score keeps a candidate that is worth it. The validator speaks first: most candidates end there, without an allocation.
func (s *state) score(c candidate) bool {
	r := c.rule
	v := s.text[c.start:c.end]
	c.base = c.confidence
	if r.validator.Check != nil {
		switch r.validator.Check(v) {
		case validate.Reject:
			return false
		case validate.Pass:
			c.validated = !r.validator.Soft
			c.confidence += r.validator.Weight
			c.marks |= markCheck
		case validate.Unknown:
		}
	}
	if r.Entropy > 0 && validate.Entropy(v) < r.Entropy {
		return false
	}
	if !s.weigh(&c) {
		return false
	}
	if slices.ContainsFunc(r.Weak, func(w string) bool { return indexFold(v, w) >= 0 }) {
		c.confidence -= weakWeight
		c.marks |= markWeak
	}
	if secret(r) && validate.Filler(v) {
		c.confidence = min(c.confidence, filler)
	}
	if r.allowed(v) || s.published != nil && s.published.has(r.index, v, &s.room) {
		c.confidence = min(c.confidence, example)
	}
	if c.confidence < floor {
		return false
	}
	c.confidence = min(c.confidence, 0.99)
	s.cands = append(s.cands, c)
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
