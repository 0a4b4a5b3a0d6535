package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Outcomes counted in the coverage ledger, per connection and stream. Read counts items of list pages once for each version; the others say
// what became of them.
const (
	OutcomeRead    = "read"
	OutcomeScanned = "scanned"
	OutcomeSkipped = "skipped"
	OutcomeFailed  = "failed"
	OutcomeLate    = "late"
)

// Count is one line of the coverage ledger.
type Count struct {
	Stream, Outcome, Reason string
	N                       int64
}

// AddCount adds n to a line of the ledger. It runs in the transaction of the item that it counts.
func AddCount(ctx context.Context, tx *Tx, connectionID, stream, outcome, reason string, n int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO coverage_counts (workspace_id, connection_id, stream, outcome, reason, n) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (workspace_id, connection_id, stream, outcome, reason) DO UPDATE SET n = coverage_counts.n + excluded.n`, Workspace, connectionID, stream, outcome, reason, n)
	if err != nil {
		return fmt.Errorf("count coverage: %w", err)
	}
	return nil
}

// Counts returns the ledger of a connection.
func Counts(ctx context.Context, q Querier, connectionID string) ([]Count, error) {
	rows, err := q.QueryContext(ctx, `SELECT stream, outcome, reason, n FROM coverage_counts WHERE workspace_id = $1 AND connection_id = $2 ORDER BY stream, outcome, reason`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("read coverage: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Count, error) {
		var c Count
		if err := r.Scan(&c.Stream, &c.Outcome, &c.Reason, &c.N); err != nil {
			return c, fmt.Errorf("read coverage: %w", err)
		}
		return c, nil
	})
}

// CountItems returns the number of items of a connection by stream, state and reason: what waits or was given up.
func CountItems(ctx context.Context, q Querier, connectionID string) ([]Count, error) {
	rows, err := q.QueryContext(ctx, `SELECT stream, state, reason, COUNT(*) FROM items WHERE workspace_id = $1 AND connection_id = $2 GROUP BY stream, state, reason ORDER BY stream, state, reason`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("count items: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Count, error) {
		var c Count
		if err := r.Scan(&c.Stream, &c.Outcome, &c.Reason, &c.N); err != nil {
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

// CloseGap marks a gap as read, now that it is. Without a gap of these bounds it does nothing.
func CloseGap(ctx context.Context, tx *Tx, connectionID, stream string, from, to time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE coverage_intervals SET state = $1, reason = '', updated_at = $2 WHERE workspace_id = $3 AND connection_id = $4 AND stream = $5 AND from_at = $6 AND to_at = $7 AND state = $8`,
		IntervalRead, Micros(tx.Now()), Workspace, connectionID, stream, Micros(from), Micros(to), IntervalGap)
	if err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	return nil
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
