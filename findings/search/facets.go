package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
)

// Count is how many findings have a value.
type Count struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Facets are the counts of a filter's findings by value. A field's counts leave out that field's own filter, so that they show what choosing
// another value would give. Values without a finding are left out; severity and status come in their own order, the others by count.
type Facets struct {
	Total  int64              `json:"total"`
	Fields map[string][]Count `json:"fields"`
}

// Facets counts. Its fields are those of filter.Fields but actor. Error: filter.ErrFilter.
func (r *Reader) Facets(ctx context.Context, f filter.Filter) (Facets, error) {
	c := r.cols
	c.mu.Lock()
	defer c.mu.Unlock()
	fails, which, err := r.selection(ctx, f)
	if err != nil {
		return Facets{}, err
	}
	out := Facets{Fields: map[string][]Count{}}
	for _, n := range fails {
		if n == 0 {
			out.Total++
		}
	}
	for d, dim := range c.dimensions() {
		name := filter.Fields()[d]
		byValue := map[string]int64{}
		for code, n := range dim.count(uint8(d), fails, which) {
			if n == 0 {
				continue
			}
			if name != "detector" {
				byValue[dim.names()[code]] += n
				continue
			}
			for _, id := range findings.SplitDetectors(dim.names()[code]) {
				byValue[id] += n
			}
		}
		counts := make([]Count, 0, len(byValue))
		for v, n := range byValue {
			counts = append(counts, Count{v, n})
		}
		slices.SortFunc(counts, func(a, b Count) int {
			switch name {
			case "severity":
				return slices.Index(findings.Severities(), a.Value) - slices.Index(findings.Severities(), b.Value)
			case "status":
				return slices.Index(findings.Statuses(), a.Value) - slices.Index(findings.Statuses(), b.Value)
			}
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		out.Fields[name] = counts
	}
	return out, nil
}

// excluded is more failures than a single dimension can explain: the row counts nowhere.
const excluded = 2

// selection brings the columns up to date and returns, per row, how many dimensions do not select it and which one if it is one. The columns are
// locked.
func (r *Reader) selection(ctx context.Context, f filter.Filter) (fails, which []uint8, err error) {
	if err := f.Validate(); err != nil {
		return nil, nil, err
	}
	c, q := r.cols, r.db.Read()
	if err := c.catchUp(ctx, q); err != nil {
		return nil, nil, err
	}
	fails, which = make([]uint8, len(c.live)), make([]uint8, len(c.live))
	for i, live := range c.live {
		if !live || c.first[i] < int64(f.From) || f.To != 0 && c.first[i] >= int64(f.To) {
			fails[i] = excluded
		}
	}
	// Text and people are asked of the database: neither is kept in memory.
	if len(f.Actor) > 0 || f.Query != "" {
		b := &builder{}
		rows, err := q.QueryContext(ctx, `SELECT f.doc FROM findings f WHERE `+b.where(filter.Filter{Actor: f.Actor, Query: f.Query}), b.args...)
		if err != nil {
			return nil, nil, fmt.Errorf("search findings: %w", err)
		}
		found := make([]bool, len(c.live))
		err = findings.Each(rows, func() error {
			var doc int64
			if err := rows.Scan(&doc); err != nil {
				return err
			}
			if doc <= int64(len(found)) { // A newer one is of the next question.
				found[doc-1] = true
			}
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("search findings: %w", err)
		}
		for i, ok := range found {
			if !ok {
				fails[i] = excluded
			}
		}
	}
	for d, dim := range c.dimensions() {
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
		dim.exclude(ok, uint8(d), fails, which)
	}
	return fails, which, nil
}

// Bucket counts the findings first seen from At until the next bucket.
type Bucket struct {
	At       findings.Time    `json:"at"`
	Total    int64            `json:"total"`
	Severity map[string]int64 `json:"severity"`
}

// maxBuckets bounds a timeline.
const maxBuckets = 1000

// Timeline counts findings by first_seen_at in [from, to), by hour, day, week (from Monday) or month of the time zone tz (IANA name; empty:
// UTC). Empty buckets are there. The first bucket may begin before from; only what is in the range is counted. Errors: filter.ErrFilter,
// ErrRange.
func (r *Reader) Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) ([]Bucket, error) {
	starts, err := bucketStarts(from, to, interval, tz)
	if err != nil {
		return nil, err
	}
	f.From, f.To = max(f.From, findings.TimeOf(from)), findings.TimeOf(to)
	c := r.cols
	c.mu.Lock()
	defer c.mu.Unlock()
	fails, _, err := r.selection(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Bucket, len(starts))
	for i, at := range starts {
		out[i] = Bucket{At: findings.Time(at), Severity: map[string]int64{}}
	}
	counts := make([][]int64, len(starts))
	for i, n := range fails {
		if n != 0 {
			continue
		}
		k, exact := slices.BinarySearch(starts, c.first[i])
		if !exact {
			k--
		}
		if counts[k] == nil {
			counts[k] = make([]int64, len(c.severity.dict))
		}
		counts[k][c.severity.values[i]]++
	}
	for k, bySeverity := range counts {
		for code, n := range bySeverity {
			if n > 0 {
				out[k].Severity[c.severity.dict[code]] = n
				out[k].Total += n
			}
		}
	}
	return out, nil
}

// bucketStarts returns the starts of the buckets as microseconds; the first is not after from.
func bucketStarts(from, to time.Time, interval, tz string) ([]int64, error) {
	zone, err := time.LoadLocation(tz)
	if err != nil {
		return nil, fmt.Errorf("%w: no such time zone", ErrRange)
	}
	if from.IsZero() || !to.After(from) {
		return nil, fmt.Errorf("%w: to is not after from", ErrRange)
	}
	local := from.In(zone)
	y, m, d := local.Date()
	var at time.Time
	next := func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	switch interval {
	case "hour":
		at = time.Date(y, m, d, local.Hour(), 0, 0, 0, zone)
		if at.After(from) {
			at = at.Add(-time.Hour) // The hour that a change of clocks repeats.
		}
		next = func(t time.Time) time.Time { return t.Add(time.Hour) }
	case "day":
		at = time.Date(y, m, d, 0, 0, 0, 0, zone)
	case "week":
		at = time.Date(y, m, d-(int(local.Weekday())+6)%7, 0, 0, 0, 0, zone)
		next = func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }
	case "month":
		at = time.Date(y, m, 1, 0, 0, 0, 0, zone)
		next = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	default:
		return nil, fmt.Errorf("%w: the interval is hour, day, week or month", ErrRange)
	}
	var out []int64
	for ; at.Before(to); at = next(at) {
		if len(out) == maxBuckets {
			return nil, fmt.Errorf("%w: over %d buckets", ErrRange, maxBuckets)
		}
		out = append(out, at.UnixMicro())
	}
	return out, nil
}
