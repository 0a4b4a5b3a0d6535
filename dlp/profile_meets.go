package dlp

import (
	"cmp"
	"slices"
)

// Meets returns the indices of the matches by which a unit meets the profile: those that it counts, and with Within, those that stand in a window in
// which all thresholds are met. None: it does not meet it. texts says in which text of the unit each match stands; nil: all stand in one. Different
// values are told apart by Match.Value, so without keys all values are one. The work grows with n log n of the matches.
func (p *Profile) Meets(matches []Match, texts []int) []int {
	if len(matches) == 0 {
		return nil
	}
	w := window{profile: p, values: map[string]int{}, kinds: map[int]int{}}
	all := w.counted(matches, texts)
	switch {
	case len(all) < max(1, p.MinMatches):
		return nil
	case p.Within > 0:
		w.slide(all)
	default:
		for i := range all {
			w.add(&all[i])
		}
		for i := range all {
			all[i].met = w.met()
		}
	}
	var out []int
	for i := range all {
		if all[i].met {
			out = append(out, all[i].index)
		}
	}
	return out
}

// counted is a match that the profile counts.
type counted struct {
	index            int
	text, start, end int
	kind             int
	value            string
	inside, left     bool // of the window: it is, or it was or can no longer be
	since            int  // windows that had met the profile when it came in
	met              bool
}

// window holds counts of what stands in it.
type window struct {
	profile *Profile
	matches int
	values  map[string]int
	kinds   map[int]int
}

func (w *window) counted(matches []Match, texts []int) []counted {
	sort := sorter{profile: w.profile, known: map[string]int{}}
	var out []counted
	for i := range matches {
		m := &matches[i]
		if m.Confidence < w.profile.MinConfidence {
			continue
		}
		c := counted{index: i, start: m.Start, end: m.End, value: m.Value, kind: sort.kind(m.Detector)}
		if texts != nil {
			c.text = texts[i]
		}
		if c.kind >= 0 {
			out = append(out, c)
		}
	}
	return out
}

// sorter gives each detector its kind, and asks the globs once for each.
type sorter struct {
	profile *Profile
	known   map[string]int
	singles int // detectors that are a kind of their own
}

// kind is the number of the group, or one behind those for a detector that is in none; -1: the profile does not name it.
func (s *sorter) kind(detector string) int {
	k, ok := s.known[detector]
	if ok {
		return k
	}
	k = -1
	if s.profile.Has(detector) {
		k = slices.IndexFunc(s.profile.Groups, func(g Group) bool { return anyGlob(g.Detectors, detector) })
		if k < 0 {
			k = len(s.profile.Groups) + s.singles
			s.singles++
		}
	}
	s.known[detector] = k
	return k
}

func (w *window) add(c *counted) {
	w.matches++
	w.values[c.value]++
	w.kinds[c.kind]++
}

func (w *window) remove(c *counted) {
	w.matches--
	if w.values[c.value]--; w.values[c.value] == 0 {
		delete(w.values, c.value)
	}
	if w.kinds[c.kind]--; w.kinds[c.kind] == 0 {
		delete(w.kinds, c.kind)
	}
}

func (w *window) met() bool {
	p := w.profile
	if w.matches < max(1, p.MinMatches) || len(w.values) < p.MinDistinct || len(w.kinds) < p.MinKinds {
		return false
	}
	for _, id := range p.AllOf {
		if w.kinds[slices.IndexFunc(p.Groups, func(g Group) bool { return g.ID == id })] == 0 {
			return false
		}
	}
	return true
}

// slide moves the window over all ends of matches. What comes in at an end leaves when its start falls out; a match that is longer than the window
// never comes in.
func (w *window) slide(all []counted) {
	starts, ends := make([]*counted, len(all)), make([]*counted, len(all))
	for i := range all {
		starts[i], ends[i] = &all[i], &all[i]
	}
	slices.SortFunc(starts, func(a, b *counted) int { return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.start, b.start)) })
	slices.SortFunc(ends, func(a, b *counted) int { return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.end, b.end)) })
	times := 0
	leave := func(c *counted) {
		if c.inside {
			w.remove(c)
			c.met = times > c.since
		}
		c.inside, c.left = false, true
	}
	for _, c := range ends {
		for len(starts) > 0 && (starts[0].text < c.text || starts[0].text == c.text && starts[0].start < c.end-w.profile.Within) {
			leave(starts[0])
			starts = starts[1:]
		}
		if c.left {
			continue
		}
		w.add(c)
		c.inside, c.since = true, times
		if w.met() {
			times++
		}
	}
	for _, c := range starts {
		leave(c)
	}
}
