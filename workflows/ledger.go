package workflows

import (
	"context"
	"errors"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// unitTail is the unit of the end of an item that was deleted before it was scanned, after its beginning was: of how much, nobody can say any more.
const unitTail = "tail"

// tell says of the units of an item whether they were counted before, where the source cannot: one that did not go on from a place gives all parts.
// Then what is not newer than the last scan is what that one saw.
func (f *fetched) tell(item connectors.Item, old store.Item) {
	if old.Ruleset == "" || item.Since != "" {
		return
	}
	for _, u := range f.units {
		if u.at.IsZero() {
			u.again = u.again || item.Version == old.Version
		} else {
			u.again = u.again || !u.at.After(old.At)
		}
	}
}

// units are the lines of the ledger for an item that was scanned: itself when it is for the first time, and each unit inside it that was not counted
// before.
func (p *page) units(units []*unit, item connectors.Item, old store.Item) (out []store.Count) {
	self := store.Count{Stream: p.ref.Stream, Unit: item.Kind, Outcome: store.OutcomeScanned, At: item.At, N: 1}
	for _, u := range units {
		c := store.Count{Stream: p.ref.Stream, Unit: u.ref.Kind, Outcome: store.OutcomeScanned, At: u.at, N: 1}
		if u.empty() {
			c.Outcome, c.Reason = store.OutcomeSkipped, u.skipped
		}
		if u.unread != "" {
			c.Outcome, c.Reason = store.OutcomeSkipped, u.unread
		}
		if u.ref == (connectors.Ref{Kind: item.Kind, ID: item.ID}) {
			self.Outcome, self.Reason = c.Outcome, c.Reason
			continue
		}
		if !u.again {
			out = append(p.line(out, c), p.membersOf(c, u.members)...)
		}
	}
	if old.Ruleset == "" {
		out = p.line(out, self)
	}
	return out
}

// line adds a line, joined with one that differs in nothing but the number, and one more if its unit is late: its time lies in what was read before
// it appeared.
func (p *page) line(lines []store.Count, c store.Count) []store.Count {
	add := func(c store.Count) {
		for i, l := range lines {
			if l.Unit == c.Unit && l.Outcome == c.Outcome && l.Reason == c.Reason && l.At.UTC().Truncate(day).Equal(c.At.UTC().Truncate(day)) {
				lines[i].N += c.N
				return
			}
		}
		lines = append(lines, c)
	}
	add(c)
	if p.late(c.At) {
		c.Outcome, c.Reason = store.OutcomeLate, ""
		add(c)
	}
	return lines
}

// seen is how far the live lane of a stream had come when a page was begun.
type seen struct {
	from, to time.Time
	holes    []store.Interval
}

// loadSeen reads what a row of the page can be late for. History is not late: it is read for the first time.
func (p *page) loadSeen(ctx context.Context) error {
	if p.ref.Lane == store.LaneBackfill || p.isSnapshot() {
		return nil
	}
	live := p.checkpoint
	if p.ref.Lane != store.LaneLive {
		var err error
		live, err = store.GetCheckpoint(ctx, p.DB.Read(), store.CheckpointKey{ConnectionID: p.connection.ID, Stream: p.ref.Stream, Lane: store.LaneLive, Slice: liveSlice})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if live.WatermarkAt.IsZero() {
		return nil
	}
	p.seen = seen{from: liveStart(p.connection), to: live.WatermarkAt}
	var err error
	p.seen.holes, err = store.Holes(ctx, p.DB.Read(), p.connection.ID, p.ref.Stream, p.seen.from, p.seen.to)
	return err
}

// late reports whether something of that time should have been seen before.
func (p *page) late(at time.Time) bool {
	if at.Before(p.seen.from) || !at.Before(p.seen.to) {
		return false
	}
	for _, h := range p.seen.holes {
		if !at.Before(h.From) && at.Before(h.To) {
			return false
		}
	}
	return true
}

// listedAgain notes a row that an earlier window or walk listed in the same state. It is counted once the page is through.
func (p *page) listedAgain(item connectors.Item) {
	at := item.At.UTC().Truncate(day)
	for i, c := range p.overlap {
		if c.Unit == item.Kind && c.At.Equal(at) {
			p.overlap[i].N++
			return
		}
	}
	p.overlap = append(p.overlap, store.Count{Stream: p.ref.Stream, Unit: item.Kind, Outcome: store.OutcomeOverlap, At: at, N: 1})
}
