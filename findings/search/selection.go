package search

import (
	"context"
	"slices"
	"sync"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/token"
)

// excluded marks a row that no single dimension explains: it counts nowhere.
const excluded = 0xff

// selection is what a filter selects of the columns, which are locked for reading while it is used.
type selection struct {
	*columns
	from, to int      // rows outside are not selected, and not looked at
	why      []uint8  // by row from there: 0 if it is selected, d+1 if dimension d alone leaves it out, else excluded
	rows     []uint32 // the selected ones, in order
}

// buffers are reused: a selection of a million findings takes 5 MB.
var buffers = sync.Pool{New: func() any { return &selection{} }}

// selected brings the columns up to date and gives use what the filter selects. Error: filter.ErrFilter.
func (r *Reader) selected(ctx context.Context, f filter.Filter, use func(*selection)) error {
	if err := f.Validate(); err != nil {
		return err
	}
	// Text and people are asked of the database. It comes first, so that the columns know at least all that was found.
	terms, ok := token.Parse(f.Query)
	texts := make([]hits, len(terms))
	for i, t := range terms {
		var err error
		if texts[i].docs, err = r.texts.docs(ctx, r, t); err != nil {
			return err
		}
		if texts[i].people, err = r.ActorKeysOf(ctx, t, maxPeople); err != nil {
			return err
		}
	}
	var people []string
	if len(f.Actor) > 0 {
		var err error
		if people, err = r.ActorKeys(ctx, f.Actor, maxPeople); err != nil {
			return err
		}
	}
	if err := r.cols.current(ctx, r.db.Read()); err != nil {
		return err
	}
	defer r.cols.mu.RUnlock()
	s := buffers.Get().(*selection)
	defer func() {
		s.columns = nil
		buffers.Put(s)
	}()
	s.begin(r.cols, f)
	if !ok {
		s.keep(func(int) bool { return false }) // Only punctuation: nothing holds it.
	}
	for _, h := range texts {
		who := s.actor.set(h.people)
		s.keep(func(i int) bool { return h.docs.has(i) || who[s.actor.values[i]] })
	}
	if len(f.Actor) > 0 {
		who := s.actor.set(people)
		s.keep(func(i int) bool { return who[s.actor.values[i]] })
	}
	for d, dim := range s.dimensions() {
		want := *f.Values()[d]
		if len(want) == 0 {
			continue
		}
		ok := make([]bool, len(dim.names()))
		for code, name := range dim.names() {
			if filter.Fields()[d] == "detector" {
				ok[code] = slices.ContainsFunc(findings.SplitDetectors(name), func(id string) bool { return slices.Contains(want, id) })
			} else {
				ok[code] = slices.Contains(want, name)
			}
		}
		dim.exclude(s, ok, uint8(d))
	}
	s.rows = slices.Grow(s.rows, len(s.why))
	for i, w := range s.why {
		if w == 0 {
			s.rows = append(s.rows, uint32(s.from+i))
		}
	}
	use(s)
	return nil
}

// maxPeople is more than there are.
const maxPeople = 1 << 40

// hits are what holds a term: findings themselves, and people.
type hits struct {
	docs   bits
	people []string
}

// begin selects every finding within the filter's bounds of time.
func (s *selection) begin(c *columns, f filter.Filter) {
	if f.To == 0 {
		f.To = 1<<63 - 1
	}
	s.columns, s.from, s.to, s.rows = c, 0, len(c.live), s.rows[:0]
	if c.sorted {
		s.from, _ = slices.BinarySearch(c.first, int64(f.From))
		s.to, _ = slices.BinarySearch(c.first, int64(f.To))
		s.from = min(s.from, s.to)
	}
	n := s.to - s.from
	s.why = slices.Grow(s.why[:0], n)[:n]
	clear(s.why)
	if c.sorted && c.dead == 0 {
		return
	}
	first := c.first[s.from:s.to]
	for i, live := range c.live[s.from:s.to] {
		if at := first[i]; !live || at < int64(f.From) || at >= int64(f.To) {
			s.why[i] = excluded
		}
	}
}

// keep leaves out what is not ok, for whatever else is filtered.
func (s *selection) keep(ok func(i int) bool) {
	for i, w := range s.why {
		if w == 0 && !ok(s.from+i) {
			s.why[i] = excluded
		}
	}
}

// dimension is one facet's column.
type dimension interface {
	grow(n int)
	put(i int, value string) error
	names() []string
	// exclude notes, for every row whose code is not ok, that dimension d does not select it.
	exclude(s *selection, ok []bool, d uint8)
	// count counts, by code, the rows that every dimension but d selects; filtered says whether d selects any.
	count(s *selection, d uint8, filtered bool) []int64
}

func (c *col[T]) exclude(s *selection, ok []bool, d uint8) {
	for i, code := range c.values[s.from:s.to] {
		if w := s.why[i]; w != excluded && !ok[code] {
			if w == 0 {
				s.why[i] = d + 1
			} else {
				s.why[i] = excluded
			}
		}
	}
}

func (c *col[T]) count(s *selection, d uint8, filtered bool) []int64 {
	out := make([]int64, len(c.dict))
	switch {
	case filtered:
		for i, code := range c.values[s.from:s.to] {
			if w := s.why[i]; w == 0 || w == d+1 {
				out[code]++
			}
		}
	case len(s.rows) == s.to-s.from:
		for _, code := range c.values[s.from:s.to] {
			out[code]++
		}
	default:
		for _, i := range s.rows {
			out[c.values[i]]++
		}
	}
	return out
}

// set returns which codes are among values.
func (c *col[T]) set(values []string) []bool {
	out := make([]bool, len(c.dict))
	for _, v := range values {
		if code, ok := c.codes[v]; ok {
			out[code] = true
		}
	}
	return out
}
