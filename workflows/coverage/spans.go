package coverage

import (
	"slices"
	"time"
)

// Span is a piece of time, [From, To).
type Span struct{ From, To time.Time }

func (s Span) empty() bool { return !s.To.After(s.From) }

// clip is the part of s within bounds; it may be empty.
func (s Span) clip(bounds Span) Span {
	if s.From.Before(bounds.From) {
		s.From = bounds.From
	}
	if s.To.After(bounds.To) {
		s.To = bounds.To
	}
	return s
}

// join returns the spans in order of time, those that touch or overlap made one, without the empty ones.
func join(spans []Span) []Span {
	sorted := slices.DeleteFunc(slices.Clone(spans), Span.empty)
	slices.SortFunc(sorted, func(a, b Span) int { return a.From.Compare(b.From) })
	var out []Span
	for _, s := range sorted {
		if n := len(out); n > 0 && !s.From.After(out[n-1].To) {
			if s.To.After(out[n-1].To) {
				out[n-1].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// minus returns what of the spans no span of without covers, in order of time.
func minus(spans, without []Span) []Span {
	spans, without = join(spans), join(without)
	var out []Span
	for _, s := range spans {
		for _, w := range without {
			if !w.To.After(s.From) {
				continue
			}
			if !w.From.Before(s.To) {
				break
			}
			if w.From.After(s.From) {
				out = append(out, Span{s.From, w.From})
			}
			if s.From = w.To; s.empty() {
				break
			}
		}
		if !s.empty() {
			out = append(out, s)
		}
	}
	return out
}

// within returns what of the spans lies in bounds, in order of time.
func within(spans []Span, bounds Span) []Span {
	out := make([]Span, 0, len(spans))
	for _, s := range spans {
		out = append(out, s.clip(bounds))
	}
	return join(out)
}
