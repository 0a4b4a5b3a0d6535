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

// Facets counts. Its fields are those of filter.Fields but actor. Error: filter.ErrFilter.
func (r *Reader) Facets(ctx context.Context, f filter.Filter) (Facets, error) {
	out := Facets{Fields: map[string][]Count{}}
	err := r.selected(ctx, f, func(s *selection) {
		out.Total = int64(len(s.rows))
		for d, dim := range s.dimensions() {
			name := filter.Fields()[d]
			byValue := map[string]int64{}
			for code, n := range dim.count(s, uint8(d), len(*f.Values()[d]) > 0) {
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
			SortCounts(name, counts)
			out.Fields[name] = counts
		}
	})
	if err != nil {
		return Facets{}, err
	}
	return out, nil
}

// SortCounts puts the counts of a field into their order.
func SortCounts(field string, counts []Count) {
	slices.SortFunc(counts, func(a, b Count) int {
		switch field {
		case "severity":
			return slices.Index(findings.Severities(), a.Value) - slices.Index(findings.Severities(), b.Value)
		case "status":
			return slices.Index(findings.Statuses(), a.Value) - slices.Index(findings.Statuses(), b.Value)
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
}

// maxBuckets bounds a timeline.
const maxBuckets = 1000

// Timeline counts findings by first_seen_at in [from, to), by hour, day, week (from Monday) or month of the time zone tz (IANA name; empty:
// UTC). Empty buckets are there. The first bucket may begin before from; only what is in the range is counted. Errors: filter.ErrFilter,
// ErrRange.
func (r *Reader) Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) (Timeline, error) {
	starts, err := BucketStarts(from, to, interval, tz)
	if err != nil {
		return Timeline{}, err
	}
	out := NewTimeline(starts)
	err = r.selected(ctx, Within(f, from, to), func(s *selection) {
		counts := make([][]int64, len(starts))
		k := 0
		for _, i := range s.rows {
			at := s.first[i]
			// Rows come about in the order of their times: the bucket is mostly that of the row before.
			if at < starts[k] || k+1 < len(starts) && at >= starts[k+1] {
				var exact bool
				if k, exact = slices.BinarySearch(starts, at); !exact {
					k--
				}
			}
			if counts[k] == nil {
				counts[k] = make([]int64, len(s.severity.dict))
			}
			counts[k][s.severity.values[i]]++
		}
		for k, bySeverity := range counts {
			for code, n := range bySeverity {
				if n > 0 {
					out.Items[k].Severity[s.severity.dict[code]] = n
					out.Items[k].Total += n
				}
			}
		}
	})
	if err != nil {
		return Timeline{}, err
	}
	return out, nil
}

// Within narrows a filter to the range of a timeline.
func Within(f filter.Filter, from, to time.Time) filter.Filter {
	f.From = max(f.From, findings.TimeOf(from))
	if end := findings.TimeOf(to); f.To == 0 || end < f.To {
		f.To = end
	}
	return f
}

// NewTimeline makes empty buckets.
func NewTimeline(starts []int64) Timeline {
	out := Timeline{Items: make([]Bucket, len(starts))}
	for i, at := range starts {
		out.Items[i] = Bucket{At: findings.Time(at), Severity: map[string]int64{}}
	}
	return out
}

// BucketStarts returns the starts of a timeline's buckets as microseconds; the first is not after from. Error: ErrRange.
func BucketStarts(from, to time.Time, interval, tz string) ([]int64, error) {
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
