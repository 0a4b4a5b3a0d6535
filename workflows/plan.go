package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

const (
	laneReread = "reread" // windows that could not be read in their turn
	liveSlice  = "live"
	day        = 24 * time.Hour

	// beforeLive is how long before a connection was made its live lane begins.
	beforeLive = time.Hour

	// slicesAtOnce bounds the result of NextSlices.
	slicesAtOnce = 10
)

// liveStart is where a connection's live lane begins and its history ends.
func liveStart(c store.Connection) time.Time { return c.CreatedAt.Add(-beforeLive) }

// history returns the day slices of a connection, newest first. Whole days, so that an earlier backfill_from only adds slices.
func history(c store.Connection) []connectors.Slice {
	if c.BackfillFrom.IsZero() {
		return nil
	}
	var out []connectors.Slice
	oldest := c.BackfillFrom.UTC().Truncate(day)
	for to := liveStart(c).UTC(); to.After(oldest); {
		from := to.Truncate(day)
		if !from.Before(to) {
			from = to.Add(-day)
		}
		out = append(out, connectors.Slice{From: from, To: to})
		to = from
	}
	return out
}

const sliceTime = "2006-01-02T15:04:05.000000Z"

// sliceName is the name of a closed slice in its checkpoint's key: its start, and for a re-read its end too.
func sliceName(lane string, s connectors.Slice) string {
	if lane == laneReread {
		return s.From.UTC().Format(sliceTime) + "/" + s.To.UTC().Format(sliceTime)
	}
	return s.From.UTC().Format("2006-01-02")
}

// checkpoint returns the checkpoint of a slice, or the one that it starts with; fresh says that the cursor is not stored yet.
func checkpoint(ctx context.Context, q store.Querier, c store.Connection, stream connectors.Stream, ref SliceRef, now time.Time) (cp store.Checkpoint, fresh bool, err error) {
	key := store.CheckpointKey{ConnectionID: c.ID, Stream: ref.Stream, Lane: ref.Lane, Slice: ref.Slice}
	cp, err = store.GetCheckpoint(ctx, q, key)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return cp, false, err
	}
	if !known {
		cp = store.Checkpoint{CheckpointKey: key}
	}
	switch {
	case stream.Cursor == connectors.CursorSnapshot:
		run, err := connectors.Cursor(cp.Cursor).Slice()
		if known && !cp.Done && err == nil && now.Sub(run.From) < snapshotStale {
			return cp, false, nil
		}
		cp.Cursor, cp.Done = "", false // The run begins in the transaction that stores its cursor.
	case ref.Lane == store.LaneLive && stream.Cursor == connectors.CursorWindow && (!known || cp.Done):
		// The next window begins before the last one ended, since rows can appear late; ids absorb the overlap.
		from := liveStart(c)
		if known {
			from = cp.WatermarkAt.Add(-time.Duration(stream.Lookback))
		}
		cp.Cursor, cp.Done = string(connectors.Slice{From: from, To: now}.Cursor()), false
	case known:
		return cp, false, nil
	case ref.Lane == store.LaneLive:
		cp.Cursor = string(connectors.Slice{From: liveStart(c)}.Cursor())
	default:
		s, err := closedSlice(c, ref)
		if err != nil {
			return cp, false, err
		}
		cp.Cursor = string(s.Cursor())
	}
	return cp, true, nil
}

func closedSlice(c store.Connection, ref SliceRef) (connectors.Slice, error) {
	if ref.Lane == laneReread {
		var from, to string
		if len(ref.Slice) == 2*len(sliceTime)+1 {
			from, to = ref.Slice[:len(sliceTime)], ref.Slice[len(sliceTime)+1:]
		}
		f, ferr := time.Parse(sliceTime, from)
		t, terr := time.Parse(sliceTime, to)
		if ferr != nil || terr != nil {
			return connectors.Slice{}, fmt.Errorf("slice %q of lane %s is no window", ref.Slice, ref.Lane)
		}
		return connectors.Slice{From: f, To: t}, nil
	}
	for _, s := range history(c) {
		if sliceName(ref.Lane, s) == ref.Slice {
			return s, nil
		}
	}
	return connectors.Slice{}, fmt.Errorf("slice %q of lane %s is outside the history of connection %s", ref.Slice, ref.Lane, c.ID)
}

// reread is the window of a stream that is read again, once for each reread_every: rows can appear later than their time says.
func reread(c store.Connection, stream connectors.Stream, now time.Time) (connectors.Slice, bool) {
	if stream.Reread <= 0 || stream.Lateness <= 0 {
		return connectors.Slice{}, false
	}
	to := now.UTC().Truncate(time.Duration(stream.Reread))
	from := to.Add(-time.Duration(stream.Lateness))
	if start := liveStart(c).UTC().Truncate(time.Microsecond); from.Before(start) {
		from = start
	}
	return connectors.Slice{From: from, To: to}, to.After(from)
}

// nextSlices returns slices that are still to be read: gaps first, then what is due to be read again, then history, newest first.
func nextSlices(ctx context.Context, q store.Querier, c store.Connection, streams []connectors.Stream, skip []SliceRef, now time.Time) ([]SliceRef, error) {
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return nil, err
	}
	off := map[SliceRef]bool{}
	for _, cp := range checkpoints {
		if cp.Done {
			off[SliceRef{cp.Stream, cp.Lane, cp.Slice}] = true
		}
	}
	for _, s := range skip {
		off[s] = true
	}
	var out []SliceRef
	add := func(r SliceRef) {
		if !off[r] && len(out) < slicesAtOnce {
			out = append(out, r)
		}
	}
	gaps, err := store.Intervals(ctx, q, c.ID, store.IntervalGap)
	if err != nil {
		return nil, err
	}
	for _, g := range gaps {
		add(SliceRef{g.Stream, laneReread, sliceName(laneReread, connectors.Slice{From: g.From, To: g.To})})
	}
	for _, stream := range streams {
		if r, ok := reread(c, stream, now); ok {
			add(SliceRef{stream.ID, laneReread, sliceName(laneReread, r)})
		}
	}
	for _, s := range history(c) {
		for _, stream := range streams {
			if stream.Cursor == connectors.CursorSnapshot {
				continue // It shows what is, not what was.
			}
			if stream.History > 0 && s.To.Before(c.CreatedAt.Add(-time.Duration(stream.History))) {
				continue // The vendor keeps nothing of that age.
			}
			add(SliceRef{stream.ID, store.LaneBackfill, sliceName(store.LaneBackfill, s)})
		}
	}
	return out, nil
}
