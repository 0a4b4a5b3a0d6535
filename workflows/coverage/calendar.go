package coverage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// MaxDays is how many days a calendar may have.
const MaxDays = 366

// States of a day of a stream.
const (
	DayComplete = "complete" // all of it was read
	DayPartial  = "partial"  // a part was read; the rest is still to come, as it is of today, or was not asked for
	DayGap      = "gap"      // something of it is not read that should be
	DayPending  = "pending"  // its history is not read yet
	DayNone     = "none"     // it need not be read: before the history that was asked for, or still to come
)

// Day is one day of a stream.
type Day struct {
	Date  string // 2006-01-02
	State string
	Tally // of the units whose own time is in the UTC day of that date
}

// StreamDays are the days of a stream, oldest first.
type StreamDays struct {
	Stream string
	Days   []Day
}

// Range is a span of whole days in a time zone.
type Range struct {
	From, To time.Time // midnights in the zone; To is exclusive
}

// Days are the midnights that the days of a range begin at.
func (r Range) days() []Span {
	var out []Span
	for from := r.From; from.Before(r.To) && len(out) < MaxDays; {
		y, m, d := from.Date()
		to := time.Date(y, m, d+1, 0, 0, 0, 0, from.Location()) // A day has 23 or 25 hours twice a year.
		out = append(out, Span{from, to})
		from = to
	}
	return out
}

// Calendar returns, for each stream, what was read of each day of a range. Whether a day is complete follows the zone of the range; the counts are
// of UTC days, as the ledger keeps them.
func Calendar(ctx context.Context, q store.Querier, c store.Connection, m *connectors.Manifest, r Range, now time.Time) ([]StreamDays, error) {
	f := facts{connection: c, thresholds: DefaultThresholds(), now: now}
	if err := f.loadTimes(ctx, q, m); err != nil {
		return nil, fmt.Errorf("calendar of connection %s: %w", c.ID, err)
	}
	days := r.days()
	if len(days) == 0 {
		return nil, nil
	}
	counts, err := store.DayCounts(ctx, q, c.ID, date(days[0].From), date(days[len(days)-1].From))
	if err != nil {
		return nil, fmt.Errorf("calendar of connection %s: %w", c.ID, err)
	}
	by := map[string]connectors.Stream{}
	for _, s := range m.Streams {
		by[s.ID] = s
	}
	tallies := map[string]map[string]*Tally{}
	for _, n := range counts {
		if _, known := by[n.Stream]; !known {
			by[n.Stream] = connectors.Stream{ID: n.Stream}
		}
		if tallies[n.Stream] == nil {
			tallies[n.Stream] = map[string]*Tally{}
		}
		name := n.At.UTC().Format(time.DateOnly)
		if tallies[n.Stream][name] == nil {
			tallies[n.Stream][name] = &Tally{}
		}
		tallies[n.Stream][name].add(n.Outcome, n.Reason, n.N)
	}
	out := make([]StreamDays, 0, len(by))
	for _, id := range slices.Sorted(maps.Keys(by)) {
		s := Summary{Stream: by[id]}
		f.progress(&s)
		f.spans(&s)
		line := StreamDays{Stream: id, Days: make([]Day, 0, len(days))}
		for _, d := range days {
			x := Day{Date: d.From.Format(time.DateOnly), State: s.day(d)}
			if s.Stream.Cursor == connectors.CursorSnapshot {
				x.State = s.snapshotDay(d, c.CreatedAt, now)
			}
			if t := tallies[id][x.Date]; t != nil {
				x.Tally = *t
			}
			line.Days = append(line.Days, x)
		}
		out = append(out, line)
	}
	return out, nil
}

// date is the UTC midnight of the date that a day has in its zone.
func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// day is the state of one day.
func (s *Summary) day(d Span) string {
	touches := func(spans []Span) bool { return len(within(spans, d)) > 0 }
	for _, g := range s.Gaps {
		if touches([]Span{g.Span}) {
			return DayGap
		}
	}
	read, pending := touches(s.Intervals), touches(s.Pending)
	switch {
	case pending && read:
		return DayPartial
	case pending:
		return DayPending
	case !read:
		return DayNone
	case len(minus([]Span{d}, s.Intervals)) > 0:
		return DayPartial
	}
	return DayComplete
}

// snapshotDay is the state of one day of a stream that is read as a whole: a day with a snapshot is complete, and one without shows nothing of what
// changed and was changed back in it.
func (s *Summary) snapshotDay(d Span, since, now time.Time) string {
	switch {
	case len(within(s.Intervals, d)) > 0:
		return DayComplete
	case !d.To.After(since) || d.From.After(now) || s.WatermarkAt.IsZero():
		return DayNone
	case d.To.After(s.WatermarkAt):
		return DayPartial
	}
	return DayGap
}
