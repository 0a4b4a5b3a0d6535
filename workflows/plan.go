package workflows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

const (
	laneReread = "reread" // windows that could not be read in their turn, or are read once more
	liveSlice  = "live"
	day        = 24 * time.Hour

	// beforeLive is how long before a connection was made its live lane begins.
	beforeLive = time.Hour

	// slicesAtOnce bounds the result of NextSlices.
	slicesAtOnce = 10

	// unavailableEvery is the least time between two looks at a stream that the app does not give to this tenant.
	unavailableEvery = 15 * time.Minute
)

// Unavailable is the error of a live checkpoint whose stream the app does not give to this tenant. It is no failure.
const Unavailable = "unavailable"

// liveStart is where a connection's live lane begins and its history ends.
func liveStart(c store.Connection) time.Time { return c.CreatedAt.Add(-beforeLive) }

// Streams returns the streams that a connection reads, in the order in which a scan reads them: activities, the content of every scan, other content,
// records. A stream that names kinds of keys is read by the connection whose key is of the first of them that is connected for the organisation.
func Streams(ctx context.Context, q store.Querier, c store.Connection, m *connectors.Manifest) ([]connectors.Stream, error) {
	kind := c.KeyKind
	if kind == "" && len(m.Keys) > 0 {
		kind = m.Keys[0].Kind // A connection from before kinds were told apart.
	}
	covers := map[string]bool{}
	var out []connectors.Stream
	for _, s := range m.Streams {
		reads := len(s.Keys) == 0
		for _, k := range s.Keys {
			if k == kind {
				reads = true
				break
			}
			known, asked := covers[k]
			if !asked {
				var err error
				if known, err = covered(ctx, q, c, k); err != nil {
					return nil, err
				}
				covers[k] = known
			}
			if known {
				break
			}
		}
		if reads {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b connectors.Stream) int { return cmp.Compare(rank(a), rank(b)) })
	return out, nil
}

// rank orders streams by what is lost if they wait.
func rank(s connectors.Stream) int {
	switch {
	case s.Kind == connectors.StreamActivities:
		return 0
	case s.Kind == connectors.StreamContent && s.Every == 0:
		return 1 // A user may delete it before it is read.
	case s.Kind == connectors.StreamContent:
		return 2
	}
	return 3
}

// covered reports whether another connection with a key of the kind reads the organisation of c.
func covered(ctx context.Context, q store.Querier, c store.Connection, kind string) (bool, error) {
	all, err := store.ListConnections(ctx, q)
	if err != nil {
		return false, err
	}
	for _, other := range all {
		if other.ID == c.ID || other.Connector != c.Connector || other.KeyKind != kind || c.AccountID == "" {
			continue
		}
		if other.AccountID == c.AccountID {
			return true, nil
		}
		// A key of a parent organisation reaches several.
		n, err := store.CountStanding(ctx, q, other.ID, "organization", "id", c.AccountID)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// dueStreams returns the streams whose live lane is to be read now, in the order of streams.
func dueStreams(ctx context.Context, q store.Querier, c store.Connection, streams []connectors.Stream, now time.Time) ([]connectors.Stream, error) {
	var out []connectors.Stream
	for _, s := range streams {
		cp, err := store.GetCheckpoint(ctx, q, store.CheckpointKey{ConnectionID: c.ID, Stream: s.ID, Lane: store.LaneLive, Slice: liveSlice})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if due(s, cp, now) {
			out = append(out, s)
		}
	}
	return out, nil
}

// due reports whether a stream's live lane is to be read. The watermark moves when a read ends, so that one that was cut goes on at once.
func due(s connectors.Stream, live store.Checkpoint, now time.Time) bool {
	every := time.Duration(s.Every)
	if live.Error == Unavailable {
		return now.Sub(live.UpdatedAt) >= max(every, unavailableEvery)
	}
	return every == 0 || live.WatermarkAt.IsZero() || now.Sub(live.WatermarkAt) >= every+time.Duration(s.Settle)
}

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
		out = append(out, connectors.Slice{From: from, To: to, History: true})
		to = from
	}
	return out
}

// hasHistory reports whether a slice of history is one of the stream.
func hasHistory(c store.Connection, stream connectors.Stream, s connectors.Slice) bool {
	if stream.Cursor == connectors.CursorSnapshot {
		return false // It shows what is, not what was.
	}
	return stream.History == 0 || !s.To.Before(c.CreatedAt.Add(-time.Duration(stream.History))) // The vendor keeps nothing that is older.
}

// History says how far the history of a connection has been read: the slices that are read and all of them, a slice being one day of one stream; and back
// to when everything of it is, without a break, zero while not even the newest day is.
func History(ctx context.Context, q store.Querier, c store.Connection, m *connectors.Manifest) (done, total int64, oldest time.Time, err error) {
	streams, err := Streams(ctx, q, c, m)
	if err != nil {
		return 0, 0, oldest, err
	}
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return 0, 0, oldest, err
	}
	state := states(checkpoints)
	whole := true
	for _, s := range history(c) {
		for _, stream := range streams {
			if !hasHistory(c, stream, s) || state.grey[stream.ID] {
				continue
			}
			total++
			if state.done[SliceRef{stream.ID, store.LaneBackfill, sliceName(store.LaneBackfill, s)}] {
				done++
			} else {
				whole = false
			}
		}
		if whole {
			oldest = s.From
		}
	}
	return done, total, oldest, nil
}

// laneStates is what the checkpoints of a connection say.
type laneStates struct {
	done      map[SliceRef]bool
	watermark map[string]time.Time // of the live lane, by stream
	grey      map[string]bool      // streams that the app does not give
}

func states(checkpoints []store.Checkpoint) laneStates {
	s := laneStates{map[SliceRef]bool{}, map[string]time.Time{}, map[string]bool{}}
	for _, cp := range checkpoints {
		if cp.Done {
			s.done[SliceRef{cp.Stream, cp.Lane, cp.Slice}] = true
		}
		if cp.Lane == store.LaneLive {
			s.watermark[cp.Stream], s.grey[cp.Stream] = cp.WatermarkAt, cp.Error == Unavailable
		}
	}
	return s
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
	from := liveStart(c)
	if !cp.WatermarkAt.IsZero() {
		// The next read begins before the last one ended, since rows can appear late; what is known absorbs the overlap.
		from = cp.WatermarkAt.Add(-time.Duration(stream.Lookback))
	}
	switch {
	case stream.Cursor == connectors.CursorSnapshot:
		run, err := connectors.Cursor(cp.Cursor).Slice()
		if known && !cp.Done && err == nil && now.Sub(run.From) < snapshotStale {
			return cp, false, nil
		}
		cp.Cursor = "" // The run begins in the transaction that stores its cursor.
	case ref.Lane == store.LaneLive && (!known || cp.Done):
		next := connectors.Slice{From: from}
		if stream.Cursor == connectors.CursorWindow {
			next.To = now
		}
		cp.Cursor = string(next.Cursor())
	case known && (ref.Lane != laneReread || !cp.Done):
		return cp, false, nil
	default: // Or a window that was read again and has a hole once more.
		s, err := closedSlice(c, ref)
		if err != nil {
			return cp, false, err
		}
		cp.Cursor = string(s.Cursor())
	}
	cp.Done = false
	return cp, true, nil
}

// errNoSlice is the error of a slice of history that the connection has no more, since its start was moved.
var errNoSlice = errors.New("no such slice of history")

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
		return connectors.Slice{From: f, To: t, History: !t.After(liveStart(c))}, nil
	}
	for _, s := range history(c) {
		if sliceName(ref.Lane, s) == ref.Slice {
			return s, nil
		}
	}
	return connectors.Slice{}, fmt.Errorf("slice %q of lane %s of connection %s: %w", ref.Slice, ref.Lane, c.ID, errNoSlice)
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

// holes are the windows of a stream that should have been read and were not, newest first, none longer than a day. The intervals say what was: so
// it does not matter how a hole came to be.
func holes(ctx context.Context, q store.Querier, c store.Connection, stream connectors.Stream, state laneStates) ([]connectors.Slice, error) {
	if stream.Cursor == connectors.CursorSnapshot || state.grey[stream.ID] {
		return nil, nil
	}
	from := liveStart(c).UTC().Truncate(time.Microsecond)
	spans := []connectors.Slice{{From: from, To: state.watermark[stream.ID]}}
	for _, s := range history(c) {
		if hasHistory(c, stream, s) && state.done[SliceRef{stream.ID, store.LaneBackfill, sliceName(store.LaneBackfill, s)}] {
			spans = append(spans, s)
		}
	}
	if len(spans) > 1 || !spans[0].To.IsZero() {
		// One question tells whether there are any at all.
		first, last := spans[len(spans)-1].From, spans[0].To
		if last.IsZero() {
			last = spans[1].To
		}
		found, err := store.Holes(ctx, q, c.ID, stream.ID, first, last)
		if err != nil || len(found) == 0 {
			return nil, err
		}
	}
	var out []connectors.Slice
	for _, span := range spans {
		found, err := store.Holes(ctx, q, c.ID, stream.ID, span.From, span.To)
		if err != nil {
			return nil, err
		}
		for _, h := range slices.Backward(found) {
			for to := h.To; to.After(h.From); {
				from := to.Add(-time.Microsecond).UTC().Truncate(day)
				if from.Before(h.From) {
					from = h.From
				}
				out = append(out, connectors.Slice{From: from, To: to})
				to = from
			}
		}
	}
	return out, nil
}

// nextSlices returns slices that are still to be read: gaps first, then what is due to be read again, then history, newest first, unless it is
// paused.
func nextSlices(ctx context.Context, q store.Querier, c store.Connection, streams []connectors.Stream, skip []SliceRef, now time.Time) ([]SliceRef, error) {
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return nil, err
	}
	state := states(checkpoints)
	var out []SliceRef
	add := func(r SliceRef, again bool) {
		if (again || !state.done[r]) && !slices.Contains(skip, r) && !slices.Contains(out, r) && len(out) < slicesAtOnce {
			out = append(out, r)
		}
	}
	for _, stream := range streams {
		found, err := holes(ctx, q, c, stream, state)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			add(SliceRef{stream.ID, laneReread, sliceName(laneReread, h)}, true)
		}
	}
	for _, stream := range streams {
		if r, ok := reread(c, stream, now); ok && !state.grey[stream.ID] {
			add(SliceRef{stream.ID, laneReread, sliceName(laneReread, r)}, false)
		}
	}
	if c.BackfillPaused {
		return out, nil
	}
	for _, s := range history(c) {
		for _, stream := range streams {
			if hasHistory(c, stream, s) && !state.grey[stream.ID] {
				add(SliceRef{stream.ID, store.LaneBackfill, sliceName(store.LaneBackfill, s)}, false)
			}
		}
	}
	return out, nil
}
