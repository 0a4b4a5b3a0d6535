package coverage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

const day = 24 * time.Hour

// LiveStart is where the live lane of a connection begins and its history ends.
func LiveStart(c store.Connection) time.Time { return c.CreatedAt.Add(-time.Hour).UTC() }

// Slice is one slice of the history of a stream.
type Slice struct {
	Name string // in the key of its checkpoint
	Span
}

// History returns the slices of a stream's history, newest first: whole UTC days, from the day of backfill_from, without those of which the vendor
// keeps nothing. A snapshot has no history.
func History(c store.Connection, s connectors.Stream) []Slice {
	if c.BackfillFrom.IsZero() || s.Cursor == connectors.CursorSnapshot {
		return nil
	}
	var out []Slice
	oldest := c.BackfillFrom.UTC().Truncate(day)
	for to := LiveStart(c); to.After(oldest); {
		if s.History > 0 && to.Before(c.CreatedAt.Add(-time.Duration(s.History))) {
			break
		}
		from := to.Truncate(day)
		if !from.Before(to) {
			from = to.Add(-day)
		}
		out = append(out, Slice{from.Format(time.DateOnly), Span{from, to}})
		to = from
	}
	return out
}

// Progress is how far the reading of a connection's history is.
type Progress struct {
	Done, Total  int           // slices of all streams
	OldestReadAt time.Time     // every stream with a history is read back to here without a break; zero: none has one
	Left         time.Duration // at the pace of the last slices; 0: not known, or nothing is left
}

const (
	paceSlices = 20             // the newest slices that tell the pace
	paceSpan   = 24 * time.Hour // no slice older than this tells it
	paceLeast  = 3
)

// HistoryProgress counts the slices of the history that were read. Streams that another kind of key reads are left out.
func HistoryProgress(ctx context.Context, q store.Querier, c store.Connection, streams []connectors.Stream, now time.Time) (p Progress, err error) {
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return p, fmt.Errorf("history of connection %s: %w", c.ID, err)
	}
	type key struct{ stream, slice string }
	done := map[key]time.Time{}
	for _, cp := range checkpoints {
		if cp.Lane == store.LaneBackfill && cp.Done {
			done[key{cp.Stream, cp.Slice}] = cp.UpdatedAt
		}
	}
	var ends []time.Time
	for _, s := range streams {
		if len(s.Keys) > 0 && !slices.Contains(s.Keys, c.KeyKind) {
			continue
		}
		history := History(c, s)
		oldest, broken := LiveStart(c), false
		for _, slice := range history {
			at, ok := done[key{s.ID, slice.Name}]
			p.Total++
			if ok {
				p.Done++
				ends = append(ends, at)
			}
			if broken = broken || !ok; !broken {
				oldest = slice.From
			}
		}
		if len(history) > 0 && oldest.After(p.OldestReadAt) {
			p.OldestReadAt = oldest
		}
	}
	p.Left = pace(ends, now) * time.Duration(p.Total-p.Done)
	return p, nil
}

// pace is the time that one slice took of late; 0: not known.
func pace(ends []time.Time, now time.Time) time.Duration {
	slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
	ends = ends[:min(len(ends), paceSlices)]
	for len(ends) > 0 && now.Sub(ends[len(ends)-1]) > paceSpan {
		ends = ends[:len(ends)-1]
	}
	if len(ends) < paceLeast {
		return 0
	}
	return max(now.Sub(ends[len(ends)-1]), 0) / time.Duration(len(ends))
}
