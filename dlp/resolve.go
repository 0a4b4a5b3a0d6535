package dlp

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/outband/outband/internal/id"
)

// specificity is how much a rule says by its mere form; the most specific of overlapping matches wins.
func (r *rule) specificity() int {
	switch {
	case r.Specificity > 0:
		return r.Specificity
	case r.Kind == KindExact:
		return 60
	case r.Kind == KindAssignment:
		return 30
	}
	return 40
}

// finish resolves overlaps over the whole text, digests what is left, and runs the scanners that read matches instead of text.
func (s *state) finish() Result {
	if len(s.found) == 0 {
		return Result{Truncated: s.cut, Undecoded: s.nested.over}
	}
	order := indices(nil, len(s.found))
	if slices.ContainsFunc(s.found, func(f found) bool { return f.Encoding != nil }) {
		// What was decoded stands behind what was not.
		slices.SortStableFunc(order, func(x, y int) int {
			a, b := &s.found[x], &s.found[y]
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(len(a.Encoding), len(b.Encoding)), cmp.Compare(a.place, b.place))
		})
	}
	if len(s.keys.ID) > 0 {
		s.byID = id.NewSummer(s.keys.ID)
	}
	if len(s.keys.Fingerprint) > 0 {
		s.byFingerprint = id.NewSummer(s.keys.Fingerprint)
	}
	kept := resolve(s.found, slices.Clone(order))
	out := make([]Match, 0, len(kept)+len(s.engine.lists))
	type value struct {
		rule      *rule
		canonical string
	}
	digested := map[value]int{} // where in found
	for _, i := range kept {
		f := &s.found[i]
		v := value{f.rule, f.canonical}
		if n, ok := digested[v]; ok {
			f.Value, f.Fingerprint = s.found[n].Value, s.found[n].Fingerprint
		} else {
			s.digest(&f.Match, f.rule, f.canonical)
			digested[v] = i
		}
		f.atSource()
		out = append(out, f.Match)
		s.engine.usage[f.rule.index].match(f.Confidence)
	}
	for _, r := range s.engine.lists {
		if m, ok := s.addressList(r, order); ok {
			out = append(out, m)
			s.engine.usage[r.index].match(m.Confidence)
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), strings.Compare(a.Detector, b.Detector))
	})
	return Result{Matches: out, Truncated: s.cut, Undecoded: s.nested.over}
}

// resolve keeps, of matches that overlap, the most specific, then the surest, the validated, the longest, the one that was not encoded. The losers' detectors are named in
// the winner's Also. It returns the indices of the winners by place, in order, which holds those of all.
func resolve(all []found, order []int) []int {
	start := func(x, y int) int { return cmp.Compare(all[x].Start, all[y].Start) }
	if !slices.IsSortedFunc(order, start) {
		slices.SortStableFunc(order, start)
	}
	kept := order[:0]
	for from := 0; from < len(order); {
		to, end := from+1, all[order[from]].End
		for to < len(order) && all[order[to]].Start < end {
			end = max(end, all[order[to]].End)
			to++
		}
		// Nothing in [from, to) overlaps what is before or behind.
		kept = append(kept, contest(all, order[from:to])...)
		from = to
	}
	return kept
}

// indices puts the numbers below n in the place of what is in a slice.
func indices(into []int, n int) []int {
	into = slices.Grow(into[:0], n)
	for i := range n {
		into = append(into, i)
	}
	return into
}

// contest is resolve for the matches in order, which it sorts.
func contest(all []found, order []int) []int {
	if len(order) == 1 {
		slices.Sort(all[order[0]].Also)
		return order
	}
	slices.SortStableFunc(order, func(x, y int) int {
		a, b := &all[x], &all[y]
		return cmp.Or(cmp.Compare(b.rule.specificity(), a.rule.specificity()), cmp.Compare(b.Confidence, a.Confidence),
			cmp.Compare(truth(b.Validated), truth(a.Validated)), cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(len(a.Encoding), len(b.Encoding)),
			cmp.Compare(a.Start, b.Start), strings.Compare(a.Detector, b.Detector), cmp.Compare(a.place, b.place))
	})
	kept := order[:0] // by Start; no two overlap. It never grows past what was read of order.
	for _, n := range order {
		f := &all[n]
		at, _ := slices.BinarySearchFunc(kept, f.End, func(k, end int) int { return cmp.Compare(all[k].Start, end) })
		if at > 0 && all[kept[at-1]].End > f.Start && (f.group == 0 || f.group != all[kept[at-1]].group) {
			w := &all[kept[at-1]]
			if f.Detector != w.Detector && !slices.Contains(w.Also, f.Detector) {
				w.Also = append(w.Also, f.Detector)
			}
			continue
		}
		kept = slices.Insert(kept, at, n)
	}
	for _, n := range kept {
		slices.Sort(all[n].Also)
	}
	return kept
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// listSize is how many distinct addresses make a list.
const listSize = 10

// addressList makes one match of many distinct addresses: its span goes from the first to the tenth, its value is that of the ten. order is that of all matches.
func (s *state) addressList(r *rule, order []int) (Match, bool) {
	var first, last *found
	var values []string
	for _, i := range order {
		f := &s.found[i]
		if f.rule.Scanner != "email" || slices.Contains(values, f.canonical) || len(values) == listSize {
			continue
		}
		if first == nil {
			first = f
		}
		last = f
		values = append(values, f.canonical)
	}
	if len(values) < listSize {
		return Match{}, false
	}
	m := Match{
		Detector: r.ID, Start: first.Start, End: last.End, Line: first.Line, Column: first.Column, Where: first.Where, Confidence: r.Confidence, Base: r.Confidence, Masked: first.Masked,
		Before: first.Before, After: last.After,
	}
	slices.Sort(values)
	s.digest(&m, r, "addresses "+strings.Join(values, " "))
	return m, true
}

// match makes a match of a candidate, the nth in order, as far as it takes to resolve overlaps.
func (s *state) match(n, base, line int) found {
	c := &s.cands[s.order[n].n]
	return found{rule: c.rule, order: n, source: -1, Match: Match{
		Detector: c.rule.ID, Start: base + c.from, End: base + c.to, Line: line, Confidence: round(c.confidence), Validated: c.validated, Base: c.base, Marks: c.marks,
	}}
}

// settle completes the matches from the first on. When they are all that overlap one another, the losers among them end here, so that a text that is full of
// matches costs little more than its winners; but an address in a list may be a loser.
func (s *state) settle(first int, all bool) {
	if s.nested.depth > 0 {
		return // Which of the matches in decoded text count is known in the text around it: see piece.
	}
	matches := s.found[first:]
	if all && len(matches) > 1 {
		s.contest = indices(s.contest, len(matches))
		kept := contest(matches, s.contest)
		slices.Sort(kept)
		n := 0
		for i := range matches {
			won := len(kept) > 0 && kept[0] == i
			if won {
				kept = kept[1:]
			}
			if won || len(s.engine.lists) > 0 && matches[i].rule.Scanner == "email" {
				matches[n] = matches[i]
				n++
			}
		}
		clear(matches[n:])
		matches, s.found = matches[:n], s.found[:first+n]
	}
	for i := range matches {
		s.describe(&matches[i])
	}
}

// describe adds what outlives the block of a match. The value is kept until finish only (invariant 4).
func (s *state) describe(f *found) {
	c, r := &s.cands[s.order[f.order].n], f.rule
	v := s.text[c.start:c.end]
	if c.raw != nil {
		v = c.raw
	}
	f.Masked = mask(v, r.Mask == "head")
	f.Before, f.After = s.shapes(f.order)
	for _, w := range c.words {
		if w > 0 {
			f.Context = append(f.Context, r.Detector.Context[w-1])
		}
	}
	f.canonical = r.canonical(v)
}

// digest fills Value and Fingerprint.
func (s *state) digest(m *Match, r *rule, canonical string) {
	if s.byID != nil {
		sum := s.byID.Sum("value", canonical)
		m.Value = hex.EncodeToString(sum[:16])
	}
	if s.byFingerprint != nil {
		sum := s.byFingerprint.Sum("fingerprint", r.ID, canonical)
		m.Fingerprint = s.keys.FingerprintID + ":" + hex.EncodeToString(sum[:16])
	}
}

// canonical is the form in which two spellings of one value are equal.
func (r *rule) canonical(v []byte) string {
	switch {
	case r.Kind == KindExact:
		return string(canonicalCell(nil, v))
	case r.words != nil && !r.words.exactCase && r.Canonical == "":
		return strings.ToLower(strings.Join(strings.Fields(string(v)), " "))
	}
	switch r.Canonical {
	case "digits":
		return strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, string(v))
	case "upper":
		return strings.Map(func(c rune) rune {
			if c == ' ' || c == '-' || c == '.' || c == '/' {
				return -1
			}
			return c
		}, strings.ToUpper(string(v)))
	case "lower":
		return strings.ToLower(string(v))
	}
	return string(v)
}

// round keeps the confidence to a hundredth, so that sums of floats compare equal.
func round(c float64) float64 { return float64(int(c*100+0.5)) / 100 }
