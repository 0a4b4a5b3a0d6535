package coverage

import (
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
