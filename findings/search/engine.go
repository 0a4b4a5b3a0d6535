package search

import (
	"context"
	"errors"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
)

// Engine answers questions about many findings. Every engine answers alike for the same data: the same rows in the same order, the same counts,
// the same errors for a question that is wrong, and cursors that another engine takes. Package searchtest holds the cases.
//
// An engine that is not the store may be behind it; what it promises is that a row which it returns is as the store has it now.
type Engine interface {
	// List returns a page of findings without instances. Errors: filter.ErrFilter, ErrSort, ErrCursor.
	List(ctx context.Context, q Query) (Page, error)
	// Facets counts by the values of each field. Error: filter.ErrFilter.
	Facets(ctx context.Context, f filter.Filter) (Facets, error)
	// Timeline counts by first_seen_at in [from, to). Errors: filter.ErrFilter, ErrRange.
	Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) (Timeline, error)
	// People returns those with the most findings. Error: filter.ErrFilter.
	People(ctx context.Context, f filter.Filter, limit int) (People, error)
}

// ErrUnsuited is what an engine other than the store answers to a question that it cannot answer exactly. It is no failure: the store answers.
var ErrUnsuited = errors.New("this question is one for the store")

// refused reports whether an error is about the question: every engine would give it.
func refused(err error) bool {
	return errors.Is(err, filter.ErrFilter) || errors.Is(err, ErrSort) || errors.Is(err, ErrCursor) || errors.Is(err, ErrRange)
}

// Query is a question for a list.
type Query struct {
	Filter filter.Filter
	Sort   string // a key of SortKeys, with - before it for descending; empty: -first_seen_at
	Limit  int    // 0: DefaultLimit; at most MaxLimit
	Cursor string // of the page before, of the same filter and sort
}

// Page is one page of a list. NextCursor is empty on the last one. A page may hold fewer items than its limit and still have a next one: what
// changed since it was indexed and no longer fits the filter is left out.
type Page struct {
	Items      []findings.Finding `json:"items"`
	NextCursor string             `json:"next_cursor"`
	Degraded   bool               `json:"degraded,omitempty"` // the store stood in for another engine
}

// Count is how many findings have a value.
type Count struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Facets are the counts of a filter's findings by value. A field's counts leave out that field's own filter, so that they show what choosing
// another value would give. Values without a finding are left out; severity and status come in their own order, the others by count.
type Facets struct {
	Total    int64              `json:"total"`
	Fields   map[string][]Count `json:"fields"`
	Degraded bool               `json:"degraded,omitempty"` // the store stood in for another engine
}

// Bucket counts the findings first seen from At until the next bucket.
type Bucket struct {
	At       findings.Time    `json:"at"`
	Total    int64            `json:"total"`
	Severity map[string]int64 `json:"severity"`
}

// Timeline holds the buckets of a range, the oldest first, also the empty ones.
type Timeline struct {
	Items    []Bucket `json:"items"`
	Degraded bool     `json:"degraded,omitempty"` // the store stood in for another engine
}

// PersonCount is how many findings a person has.
type PersonCount struct {
	Actor findings.Person `json:"actor"`
	Count int64           `json:"count"`
}

// People are those with the most findings, the most first.
type People struct {
	Items    []PersonCount `json:"items"`
	Degraded bool          `json:"degraded,omitempty"` // the store stood in for another engine
}

var (
	_ Engine = (*Reader)(nil)
	_ Engine = (*Switch)(nil)
)
