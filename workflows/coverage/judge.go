package coverage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

const day = 24 * time.Hour

// stoppedAfter is after how many pages in a row that could not be read a stream stands still.
const stoppedAfter = 3

// progress takes what the live lane says of a stream.
func (f *facts) progress(s *Summary) {
	for _, cp := range f.checkpoints {
		if cp.Stream != s.Stream.ID || cp.Lane != store.LaneLive {
			continue
		}
		switch cp.Error {
		case "":
		case workflows.Unavailable:
			s.Unavailable = true
		default:
			s.Error = cp.Error
		}
		if cp.WatermarkAt.After(s.WatermarkAt) {
			s.WatermarkAt = cp.WatermarkAt
		}
	}
	for i := range f.snapshots {
		if f.snapshots[i].Stream == s.Stream.ID && f.snapshots[i].State != "" {
			s.Snapshot = &f.snapshots[i]
		}
	}
	if !s.WatermarkAt.IsZero() {
		s.Lag = max(f.now.Sub(s.WatermarkAt), 0)
	}
}

// spans compares what was read with what should have been.
func (f *facts) spans(s *Summary) {
	known := func(all []store.Interval) (out []Span) {
		for _, i := range all {
			if i.Stream == s.Stream.ID {
				out = append(out, Span{i.From, i.To})
			}
		}
		return out
	}
	s.Intervals = join(known(f.read))
	for _, g := range f.gaps {
		if g.Stream == s.Stream.ID {
			s.Gaps = append(s.Gaps, Gap{Span{g.From, g.To}, g.Reason})
		}
	}
	due, pending := f.due(s)
	s.BackfillOpen = len(pending)
	s.Pending = join(pending)
	for _, hole := range minus(due, slices.Concat(s.Intervals, known(f.gaps), s.Pending)) {
		s.Gaps = append(s.Gaps, Gap{hole, ReasonHole})
	}
	slices.SortStableFunc(s.Gaps, func(a, b Gap) int { return a.From.Compare(b.From) })
}

// due is all time of which a stream should be read by now, and the slices of it that are history still to be read. A snapshot holds what is, not
// what was: no time of it is due.
func (f *facts) due(s *Summary) (due, pending []Span) {
	if s.Stream.Cursor == "" || s.Stream.Cursor == connectors.CursorSnapshot || !f.reads[s.Stream.ID] || s.Unavailable {
		return nil, nil
	}
	done := map[string]bool{}
	for _, cp := range f.checkpoints {
		if cp.Stream == s.Stream.ID && cp.Lane == store.LaneBackfill && cp.Done {
			done[cp.Slice] = true
		}
	}
	for _, slice := range workflows.HistorySlices(f.connection, s.Stream) {
		span := Span{slice.From, slice.To}
		due = append(due, span)
		if !done[slice.Name] {
			pending = append(pending, span)
		}
	}
	if !s.WatermarkAt.IsZero() {
		due = append(due, Span{workflows.LiveStart(f.connection), s.WatermarkAt})
	}
	return due, pending
}

// judge gives the stream its state and the reasons for it.
func (f *facts) judge(s *Summary) {
	if reason, ok := f.unreadable(s); ok {
		s.State, s.Reasons = Grey, []Notice{reason}
		return
	}
	s.Reasons = append(f.alerts(s), f.notes(s)...)
	s.State = Green
	for _, n := range s.Reasons {
		if slices.Contains(Alerts(), n.Code) && n.Code != CodeSkips {
			s.State = Red
			return
		}
		s.State = Amber
	}
}

// unreadable says why a stream is not read at all.
func (f *facts) unreadable(s *Summary) (Notice, bool) {
	if s.Stream.Cursor != "" && !f.reads[s.Stream.ID] {
		if slices.Contains(s.Stream.Keys, f.connection.KeyKind) {
			return Notice{CodeOtherConnected, "Another connection of this organisation reads it, with a key that sees more."}, true
		}
		return Notice{CodeOtherKey, fmt.Sprintf("It is not readable with a key of the kind %s, but with one of these kinds: %s.", f.connection.KeyKind, strings.Join(s.Stream.Keys, ", "))}, true
	}
	if s.Unavailable || s.Snapshot != nil && s.Snapshot.State == store.SnapshotUnavailable {
		return Notice{CodeUnavailable, "The app does not give this to your organisation now. What was known before stays as it is, and it is asked for again."}, true
	}
	return Notice{}, false
}

func (f *facts) alerts(s *Summary) (out []Notice) {
	holes, gaps := 0, 0
	for _, g := range s.Gaps {
		if g.Reason == ReasonHole {
			holes++
		} else {
			gaps++
		}
	}
	if holes > 0 {
		out = append(out, Notice{CodeHole, "Nothing says that this time was read. Scans read it again; if it comes back, report it: it is a fault of Outband, or of its database."})
	}
	if gaps > 0 {
		out = append(out, Notice{CodeGap, "A page of this time could not be read. It is tried again in every scan; the code beside it says why."})
	}
	if stopped, _ := f.failures(s); stopped {
		out = append(out, Notice{CodeStopped, "The stream stands still: the same page could not be read several times in a row. Look up the code."})
	}
	if late, limit := f.late(s); late {
		out = append(out, Notice{CodeLag, fmt.Sprintf("What is new is not read: the watermark is more than %s back. Look at the connection's scans.", text(limit))})
	}
	if n, ok := f.thresholds.skips(f.shares(s.Stream.ID)); ok {
		out = append(out, n)
	}
	return out
}

// every is how often a stream is read.
func (f *facts) every(s *Summary) time.Duration {
	return max(f.connection.Every, time.Duration(s.Stream.Every))
}

// late reports whether the watermark is too far back. A connection that a person paused is not late, and neither is a stream that has none.
func (f *facts) late(s *Summary) (bool, time.Duration) {
	limit := f.thresholds.lagLimit(f.every(s))
	if s.Stream.Cursor == "" || f.connection.State == store.ConnectionPaused {
		return false, limit
	}
	since := s.WatermarkAt
	if since.IsZero() {
		since = f.connection.CreatedAt
	}
	return f.now.Sub(since) > limit, limit
}

// failures says whether the live lane stands still, or stumbled and is trying again.
func (f *facts) failures(s *Summary) (stopped, retrying bool) {
	for _, cp := range f.checkpoints {
		if cp.Stream == s.Stream.ID && cp.Lane == store.LaneLive && cp.Failures > 0 {
			stopped = stopped || cp.Failures >= stoppedAfter
			retrying = true
		}
	}
	return stopped, retrying && !stopped
}

// shares are the units of the last days and of the days before them.
func (f *facts) shares(stream string) (recent, before share) {
	first := f.now.UTC().Truncate(day).AddDate(0, 0, 1-f.thresholds.RecentDays)
	for _, n := range f.days {
		switch {
		case n.Stream != stream:
		case n.At.Before(first):
			before.add(n)
		default:
			recent.add(n)
		}
	}
	return recent, before
}

func (f *facts) notes(s *Summary) (out []Notice) {
	switch late, _ := f.late(s); {
	case f.connection.State == store.ConnectionPaused:
		out = append(out, Notice{CodePaused, "The connection is paused: nothing is read until it is resumed."})
	case s.Stream.Cursor != "" && s.WatermarkAt.IsZero() && !late:
		out = append(out, Notice{CodeNotRead, "Nothing of it was read to its end yet."})
	}
	if _, retrying := f.failures(s); retrying {
		out = append(out, Notice{CodeRetrying, "A page could not be read and is tried again."})
	}
	if s.BackfillOpen > 0 && f.connection.BackfillPaused {
		out = append(out, Notice{CodeHistoryPaused, "The reading of the history is paused."})
	} else if s.BackfillOpen > 0 {
		out = append(out, Notice{CodeHistory, "The history is being read, the newest day first."})
	}
	if s.Snapshot != nil && s.Snapshot.State == store.SnapshotPartial {
		out = append(out, Notice{CodePartial, "The last snapshot lacks a part that the app did not give: nothing of that part is closed or taken for gone."})
	}
	if s.Quarantined > 0 {
		out = append(out, Notice{CodeQuarantined, "Some items could not be scanned and are tried again, for 72 hours."})
	}
	return out
}

// text is a duration for people: 10 minutes, 30 hours.
func text(d time.Duration) string {
	if d%time.Hour == 0 && d > time.Hour {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", int(d.Round(time.Minute)/time.Minute))
}
