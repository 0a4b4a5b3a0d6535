package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Outcomes counted in the coverage ledger, per connection and stream: what became of a unit (one instance.resource), counted once for each version
// of it. What was read is the sum of scanned, skipped and failed, and of the items that wait.
const (
	OutcomeScanned = "scanned"
	OutcomeSkipped = "skipped"
	OutcomeFailed  = "failed"
)

// Outcomes that are counted beside them: members of files, units that appeared behind the watermark, and rows that were listed again because windows overlap.
const (
	OutcomeMember  = "member" // files inside of a file that were not scanned; their file has a line of its own
	OutcomeLate    = "late"
	OutcomeOverlap = "overlap"
)

// Count is one line of the coverage ledger.
type Count struct {
	Stream, Unit, Outcome, Reason string
	At                            time.Time // the unit's own time, of which the day is kept; zero: not known, or of all days
	N                             int64
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// AddCounts adds to lines of the ledger. It runs in the transaction of the items that they count.
func AddCounts(ctx context.Context, tx *Tx, connectionID string, lines ...Count) error {
	for _, c := range lines {
		if err := addCount(ctx, tx, connectionID, c); err != nil {
			return err
		}
	}
	return nil
}

func addCount(ctx context.Context, tx *Tx, connectionID string, c Count) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO coverage_units (workspace_id, connection_id, stream, day, unit, outcome, reason, n) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (workspace_id, connection_id, stream, day, unit, outcome, reason) DO UPDATE SET n = coverage_units.n + excluded.n`,
		Workspace, connectionID, c.Stream, max(Micros(c.At), 0)/dayMicros, c.Unit, c.Outcome, c.Reason, c.N)
	if err != nil {
		return fmt.Errorf("count coverage: %w", err)
	}
	return nil
}

// Counts returns the ledger of a connection, all days together.
func Counts(ctx context.Context, q Querier, connectionID string) ([]Count, error) {
	return counts(ctx, q, `SELECT stream, 0, unit, outcome, reason, SUM(n) FROM coverage_units WHERE workspace_id = $1 AND connection_id = $2
		GROUP BY stream, unit, outcome, reason HAVING SUM(n) <> 0 ORDER BY stream, unit, outcome, reason`, Workspace, connectionID)
}

// DayCounts returns the ledger of a connection by day, from the day of from to that of to; days without a count are left out, and so is what has no
// known time.
func DayCounts(ctx context.Context, q Querier, connectionID string, from, to time.Time) ([]Count, error) {
	return counts(ctx, q, `SELECT stream, day, unit, outcome, reason, n FROM coverage_units WHERE workspace_id = $1 AND connection_id = $2 AND day BETWEEN $3 AND $4 AND day > 0
		ORDER BY stream, day, unit, outcome, reason`, Workspace, connectionID, Micros(from)/dayMicros, Micros(to)/dayMicros)
}

func counts(ctx context.Context, q Querier, query string, args ...any) ([]Count, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read coverage: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Count, error) {
		var c Count
		var day int64
		if err := r.Scan(&c.Stream, &day, &c.Unit, &c.Outcome, &c.Reason, &c.N); err != nil {
			return c, fmt.Errorf("read coverage: %w", err)
		}
		c.At = FromMicros(day * dayMicros)
		return c, nil
	})
}

// CountItems returns the number of items of a connection by stream, kind, state and reason: what waits or was given up.
func CountItems(ctx context.Context, q Querier, connectionID string) ([]Count, error) {
	rows, err := q.QueryContext(ctx, `SELECT stream, kind, state, reason, COUNT(*) FROM items WHERE workspace_id = $1 AND connection_id = $2 GROUP BY stream, kind, state, reason ORDER BY stream, kind, state, reason`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("count items: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Count, error) {
		var c Count
		if err := r.Scan(&c.Stream, &c.Unit, &c.Outcome, &c.Reason, &c.N); err != nil {
			return c, fmt.Errorf("count items: %w", err)
		}
		return c, nil
	})
}

// States of an interval.
const (
	IntervalRead = "read"
	IntervalGap  = "gap"
)

// Interval is a time window of a stream that was read to its end, or is a gap with a reason.
type Interval struct {
	Stream        string
	From, To      time.Time
	State, Reason string
}

// PutInterval stores an interval, or changes its state.
func PutInterval(ctx context.Context, tx *Tx, connectionID string, i Interval) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO coverage_intervals (workspace_id, connection_id, stream, from_at, to_at, state, reason, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (workspace_id, connection_id, stream, from_at, to_at) DO UPDATE SET state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at`,
		Workspace, connectionID, i.Stream, Micros(i.From), Micros(i.To), i.State, i.Reason, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store interval: %w", err)
	}
	return nil
}

// CloseGaps removes the gaps of a stream that are read now: what one window covers, or several that were joined.
func CloseGaps(ctx context.Context, tx *Tx, connectionID, stream string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM coverage_intervals WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3 AND state = $4 AND EXISTS (
		SELECT 1 FROM coverage_intervals r WHERE r.workspace_id = $1 AND r.connection_id = $2 AND r.stream = $3 AND r.state = $5 AND r.from_at <= coverage_intervals.from_at AND r.to_at >= coverage_intervals.to_at)`,
		Workspace, connectionID, stream, IntervalGap, IntervalRead)
	if err != nil {
		return fmt.Errorf("close gaps: %w", err)
	}
	return nil
}

// Holes returns what of [from, to) no interval covers that was read, oldest first: what is marked as a gap, and what nothing is known of.
func Holes(ctx context.Context, q Querier, connectionID, stream string, from, to time.Time) ([]Interval, error) {
	rows, err := q.QueryContext(ctx, `SELECT from_at, to_at FROM coverage_intervals WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3 AND state = $4 AND from_at < $5 AND to_at > $6 ORDER BY from_at, to_at`,
		Workspace, connectionID, stream, IntervalRead, Micros(to), Micros(from))
	if err != nil {
		return nil, fmt.Errorf("look for holes: %w", err)
	}
	read, err := collect(rows, func(r *sql.Rows) ([2]int64, error) {
		var i [2]int64
		return i, r.Scan(&i[0], &i[1])
	})
	if err != nil {
		return nil, fmt.Errorf("look for holes: %w", err)
	}
	var out []Interval
	at, end := Micros(from), Micros(to)
	hole := func(until int64) {
		if until > at {
			out = append(out, Interval{Stream: stream, From: FromMicros(at), To: FromMicros(until), State: IntervalGap})
		}
	}
	for _, i := range read {
		hole(min(i[0], end))
		at = max(at, i[1])
	}
	hole(end)
	return out, nil
}

// ExtendInterval adds a window that was read to its end, joined with those that it overlaps or touches, so that an unbroken run of windows is one
// row in whatever order they were read.
func ExtendInterval(ctx context.Context, tx *Tx, connectionID, stream string, from, to time.Time) error {
	if !to.After(from) {
		return nil
	}
	const joined = `workspace_id = $1 AND connection_id = $2 AND stream = $3 AND state = $4 AND from_at <= $5 AND to_at >= $6`
	args := []any{Workspace, connectionID, stream, IntervalRead, Micros(to), Micros(from)}
	var first, last int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MIN(from_at), $6), COALESCE(MAX(to_at), $5) FROM coverage_intervals WHERE `+joined, args...).Scan(&first, &last)
	if err != nil {
		return fmt.Errorf("extend interval: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM coverage_intervals WHERE `+joined, args...); err != nil {
		return fmt.Errorf("extend interval: %w", err)
	}
	first, last = min(first, Micros(from)), max(last, Micros(to))
	return PutInterval(ctx, tx, connectionID, Interval{Stream: stream, From: FromMicros(first), To: FromMicros(last), State: IntervalRead})
}

// Intervals returns the intervals of a connection in a state, oldest first.
func Intervals(ctx context.Context, q Querier, connectionID, state string) ([]Interval, error) {
	rows, err := q.QueryContext(ctx, `SELECT stream, from_at, to_at, state, reason FROM coverage_intervals WHERE workspace_id = $1 AND connection_id = $2 AND state = $3 ORDER BY stream, from_at`, Workspace, connectionID, state)
	if err != nil {
		return nil, fmt.Errorf("read intervals: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Interval, error) {
		var i Interval
		var from, to int64
		if err := r.Scan(&i.Stream, &from, &to, &i.State, &i.Reason); err != nil {
			return i, fmt.Errorf("read intervals: %w", err)
		}
		i.From, i.To = FromMicros(from), FromMicros(to)
		return i, nil
	})
}
