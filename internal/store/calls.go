package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// RequestsKept is how long the ids of our own requests are kept.
	RequestsKept = 48 * time.Hour

	// seenKept is how long the numbers of calls are kept that the app's log has shown. A run is over long before, and its numbers with it.
	seenKept = 4 * 24 * time.Hour

	// undecidedKept is how long a row waits for its key to become known as a connection's own. After it the key is another program's.
	undecidedKept = 48 * time.Hour

	// namesAtOnce bounds the parameters of one query.
	namesAtOnce = 500
)

// CallRun is one process that calls with a connection's key, for a day at most. Runs are kept: a signature of a run that is over is no proof any more.
type CallRun struct {
	Run          string
	ConnectionID string // "": the tests of keys that are not saved
	StartedAt    time.Time
	FlushedAt    time.Time // up to then the ids of its requests are stored
	StoppedAt    time.Time // zero: it goes on, or was killed
	Proven       bool      // the app's log has shown a signature of it
}

// StartCallRun stores a run before its first call.
func StartCallRun(ctx context.Context, tx *Tx, run, connectionID string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO call_runs (workspace_id, run, connection_id, started_at, flushed_at, stopped_at, proven) VALUES ($1, $2, $3, $4, $4, 0, 0)`,
		Workspace, run, connectionID, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store a run of calls: %w", err)
	}
	return nil
}

// FlushCalls stores ids of requests that a run has made, and with it that there are no others up to now. With stop, the run is over.
func FlushCalls(ctx context.Context, tx *Tx, run, connectionID string, requestIDs []string, stop bool) error {
	for some := range slices.Chunk(requestIDs, namesAtOnce/4) {
		args := []any{Workspace, connectionID, Micros(tx.Now())}
		rows := make([]string, 0, len(some))
		for _, id := range some {
			args = append(args, id)
			rows = append(rows, fmt.Sprintf("($1, $2, $%d, $3)", len(args)))
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO call_requests (workspace_id, connection_id, request_id, at) VALUES `+strings.Join(rows, ", ")+` ON CONFLICT (workspace_id, connection_id, request_id) DO NOTHING`, args...)
		if err != nil {
			return fmt.Errorf("store ids of requests: %w", err)
		}
	}
	stopped := int64(0)
	if stop {
		stopped = Micros(tx.Now())
	}
	_, err := tx.ExecContext(ctx, `UPDATE call_runs SET flushed_at = $1, stopped_at = CASE WHEN stopped_at = 0 THEN $2 ELSE stopped_at END WHERE workspace_id = $3 AND run = $4`,
		Micros(tx.Now()), stopped, Workspace, run)
	if err != nil {
		return fmt.Errorf("store a run of calls: %w", err)
	}
	return nil
}

const runColumns = `run, connection_id, started_at, flushed_at, stopped_at, proven`

func scanRun(row interface{ Scan(...any) error }) (CallRun, error) {
	var r CallRun
	var started, flushed, stopped, proven int64
	err := row.Scan(&r.Run, &r.ConnectionID, &started, &flushed, &stopped, &proven)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("run of calls: %w", ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("read a run of calls: %w", err)
	}
	r.StartedAt, r.FlushedAt, r.StoppedAt, r.Proven = FromMicros(started), FromMicros(flushed), FromMicros(stopped), proven != 0
	return r, nil
}

// GetCallRun returns a run.
func GetCallRun(ctx context.Context, q Querier, run string) (CallRun, error) {
	return scanRun(q.QueryRowContext(ctx, `SELECT `+runColumns+` FROM call_runs WHERE workspace_id = $1 AND run = $2`, Workspace, run))
}

// UnprovenCallRuns returns the newest runs of a connection, and of tests, of which the app's log has shown no signature.
func UnprovenCallRuns(ctx context.Context, q Querier, connectionID string) ([]CallRun, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+runColumns+` FROM call_runs WHERE workspace_id = $1 AND connection_id IN ('', $2) AND proven = 0 ORDER BY started_at DESC LIMIT 500`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("list runs of calls: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (CallRun, error) { return scanRun(r) })
}

// ProveCallRun notes that the app's log has shown a signature of a run.
func ProveCallRun(ctx context.Context, tx *Tx, run string) error {
	_, err := tx.ExecContext(ctx, `UPDATE call_runs SET proven = 1 WHERE workspace_id = $1 AND run = $2`, Workspace, run)
	if err != nil {
		return fmt.Errorf("store a run of calls: %w", err)
	}
	return nil
}

// KnownRequests returns which of the ids are those of requests that a connection made, or a test of a key.
func KnownRequests(ctx context.Context, q Querier, connectionID string, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for some := range slices.Chunk(ids, namesAtOnce) {
		args := []any{Workspace, connectionID}
		in := In(&args, some)
		rows, err := q.QueryContext(ctx, `SELECT request_id FROM call_requests WHERE workspace_id = $1 AND connection_id IN ('', $2) AND request_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("look for requests: %w", err)
		}
		found, err := collect(rows, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
		if err != nil {
			return nil, fmt.Errorf("look for requests: %w", err)
		}
		for _, id := range found {
			out[id] = true
		}
	}
	return out, nil
}

// OwnKeys returns the app's ids of the keys that a connection calls with.
func OwnKeys(ctx context.Context, q Querier, connectionID string) (map[string]bool, error) {
	rows, err := q.QueryContext(ctx, `SELECT key_id FROM own_keys WHERE workspace_id = $1 AND connection_id = $2`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("list own keys: %w", err)
	}
	keys, err := collect(rows, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("list own keys: %w", err)
	}
	out := make(map[string]bool, len(keys))
	for _, k := range keys {
		out[k] = true
	}
	return out, nil
}

// AddOwnKey notes a key as one that a connection calls with.
func AddOwnKey(ctx context.Context, tx *Tx, connectionID, keyID string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO own_keys (workspace_id, connection_id, key_id, first_seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, connection_id, key_id) DO NOTHING`,
		Workspace, connectionID, keyID, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store an own key: %w", err)
	}
	return nil
}

// SeenCall is the row of the app's log that has shown a call.
type SeenCall struct {
	Run                   string
	N                     int64
	ActivityID, RequestID string
	At                    time.Time
}

// GetSeenCall returns the row that has shown a call, or ErrNotFound.
func GetSeenCall(ctx context.Context, q Querier, run string, n int64) (SeenCall, error) {
	s := SeenCall{Run: run, N: n}
	var at int64
	err := q.QueryRowContext(ctx, `SELECT activity_id, request_id, at FROM calls_seen WHERE workspace_id = $1 AND run = $2 AND n = $3`, Workspace, run, n).Scan(&s.ActivityID, &s.RequestID, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("call: %w", ErrNotFound)
	}
	if err != nil {
		return s, fmt.Errorf("read a call that was seen: %w", err)
	}
	s.At = FromMicros(at)
	return s, nil
}

// PutSeenCall stores the row that shows a call, in the place of another one if there is.
func PutSeenCall(ctx context.Context, tx *Tx, s SeenCall) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO calls_seen (workspace_id, run, n, activity_id, request_id, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (workspace_id, run, n) DO UPDATE SET activity_id = excluded.activity_id, request_id = excluded.request_id, at = excluded.at`,
		Workspace, s.Run, s.N, s.ActivityID, s.RequestID, Micros(s.At))
	if err != nil {
		return fmt.Errorf("store a call that was seen: %w", err)
	}
	return nil
}

// UndecidedCall is a stored row of the app's log whose key is not known as the connection's own, or was not when it was stored.
type UndecidedCall struct {
	ActivityID, KeyID, RequestID string
	At                           time.Time
}

// PutUndecidedCall stores such a row.
func PutUndecidedCall(ctx context.Context, tx *Tx, connectionID string, c UndecidedCall) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO calls_undecided (workspace_id, connection_id, activity_id, key_id, request_id, at, noted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (workspace_id, connection_id, activity_id) DO NOTHING`, Workspace, connectionID, c.ActivityID, c.KeyID, c.RequestID, Micros(c.At), Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store an undecided call: %w", err)
	}
	return nil
}

// DecidableCalls returns rows that were undecided and whose key is now known as the connection's own.
func DecidableCalls(ctx context.Context, q Querier, connectionID string, limit int) ([]UndecidedCall, error) {
	rows, err := q.QueryContext(ctx, `SELECT u.activity_id, u.key_id, u.request_id, u.at FROM calls_undecided u
		JOIN own_keys k ON k.workspace_id = u.workspace_id AND k.connection_id = u.connection_id AND k.key_id = u.key_id
		WHERE u.workspace_id = $1 AND u.connection_id = $2 ORDER BY u.activity_id LIMIT $3`, Workspace, connectionID, limit)
	if err != nil {
		return nil, fmt.Errorf("list undecided calls: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (UndecidedCall, error) {
		var c UndecidedCall
		var at int64
		if err := r.Scan(&c.ActivityID, &c.KeyID, &c.RequestID, &at); err != nil {
			return c, fmt.Errorf("read an undecided call: %w", err)
		}
		c.At = FromMicros(at)
		return c, nil
	})
}

// DropUndecidedCall forgets that a row was undecided.
func DropUndecidedCall(ctx context.Context, tx *Tx, connectionID, activityID string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM calls_undecided WHERE workspace_id = $1 AND connection_id = $2 AND activity_id = $3`, Workspace, connectionID, activityID)
	if err != nil {
		return fmt.Errorf("delete an undecided call: %w", err)
	}
	return nil
}

// GetActivity returns a stored activity, or ErrNotFound.
func GetActivity(ctx context.Context, q Querier, connectionID, activityID string) (Activity, error) {
	a := Activity{ConnectionID: connectionID, ID: activityID}
	var at int64
	err := q.QueryRowContext(ctx, `SELECT type, at, actor_key, resource_kind, resource_id, fields FROM activities WHERE workspace_id = $1 AND connection_id = $2 AND id = $3`, Workspace, connectionID, activityID).
		Scan(&a.Type, &at, &a.ActorKey, &a.ResourceKind, &a.ResourceID, &a.Fields)
	if errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("activity: %w", ErrNotFound)
	}
	if err != nil {
		return a, fmt.Errorf("read an activity: %w", err)
	}
	a.At = FromMicros(at)
	return a, nil
}

// SetActivityFields changes the fields of a stored activity.
func SetActivityFields(ctx context.Context, tx *Tx, connectionID, activityID, fields string) error {
	return one(tx.ExecContext(ctx, `UPDATE activities SET fields = $1 WHERE workspace_id = $2 AND connection_id = $3 AND id = $4`, fields, Workspace, connectionID, activityID))("activity")
}

// PurgeCalls deletes what of calls is kept for a time only.
func PurgeCalls(ctx context.Context, tx *Tx) error {
	for _, p := range []struct {
		query string
		kept  time.Duration
	}{
		{`DELETE FROM call_requests WHERE workspace_id = $1 AND at < $2`, RequestsKept},
		{`DELETE FROM calls_seen WHERE workspace_id = $1 AND at < $2`, seenKept},
		{`DELETE FROM calls_undecided WHERE workspace_id = $1 AND noted_at < $2`, undecidedKept},
	} {
		if _, err := tx.ExecContext(ctx, p.query, Workspace, Micros(tx.Now().Add(-p.kept))); err != nil {
			return fmt.Errorf("purge calls: %w", err)
		}
	}
	return nil
}
