package search

import (
	"cmp"
	"container/heap"
	"context"

	"github.com/outband/outband/findings/filter"
)

// maxChosen is how many rows a page is sorted from, at most, where the columns choose them.
const maxChosen = 2000

// choose finds out from the columns which findings a page can hold, so that the database need not look through all for the few that a filter selects.
// ok is false where that is no help: then the database looks for itself. after is the place of the page before, or nil.
func (r *Reader) choose(ctx context.Context, f filter.Filter, o Order, limit int, after *int64) (docs []any, ok bool, err error) {
	if f.Query == "" && !hasValues(f) {
		return nil, false, nil // In order of the index it finds the first page at once.
	}
	err = r.selected(ctx, f, func(s *selection) {
		docs, ok = s.rowsOfPage(o, limit, after)
	})
	return docs, ok, err
}

func hasValues(f filter.Filter) bool {
	for _, v := range f.Values() {
		if len(*v) > 0 {
			return true
		}
	}
	return false
}

// rowsOfPage returns the numbers of the findings among which the next limit of the order are, if there are not too many.
func (s *selection) rowsOfPage(o Order, limit int, after *int64) ([]any, bool) {
	within := func(int64) bool { return true }
	if o.Key == "first_seen_at" {
		// Rows that tie with the place or with the end of the page are among them: the database knows their ids.
		beyond := func(at int64) bool {
			return after == nil || !o.Down && at >= *after || o.Down && at <= *after
		}
		last, full := s.lastOfPage(o.Down, limit, after)
		within = func(at int64) bool {
			return beyond(at) && (!full || !o.Down && at <= last || o.Down && at >= last)
		}
	} else if len(s.rows) > maxChosen {
		return nil, false
	}
	docs := []any{}
	for _, i := range s.rows {
		if within(s.first[i]) {
			if len(docs) == maxChosen {
				return nil, false
			}
			docs = append(docs, int64(i)+1)
		}
	}
	return docs, true
}

// lastOfPage returns the time of the limit-th selected row strictly beyond a place, in order; full is false if there are fewer.
func (s *selection) lastOfPage(down bool, limit int, after *int64) (last int64, full bool) {
	sign := int64(1)
	if down {
		sign = -1
	}
	h := &farthest{}
	for n := range s.rows {
		i := n
		if down { // The newest have the highest numbers: most others are turned away at once.
			i = len(s.rows) - 1 - n
		}
		at := sign * s.first[s.rows[i]]
		if after != nil && at <= sign**after {
			continue
		}
		switch {
		case len(*h) < limit:
			heap.Push(h, at)
		case at < (*h)[0]:
			(*h)[0] = at
			heap.Fix(h, 0)
		}
	}
	if len(*h) < limit {
		return 0, false
	}
	return sign * (*h)[0], true
}

// farthest is a heap with the greatest at its top.
type farthest []int64

func (h farthest) Len() int           { return len(h) }
func (h farthest) Less(i, j int) bool { return cmp.Less(h[j], h[i]) }
func (h farthest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *farthest) Push(x any)        { *h = append(*h, x.(int64)) }

// Pop implements heap.Interface.
func (h *farthest) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
