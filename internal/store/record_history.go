package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// RecordQuery asks for the records of a connection as of a time.
type RecordQuery struct {
	ConnectionID string
	Kind, ID     string    // empty: of all kinds, or all ids
	Stream       string    // empty: of all streams
	At           time.Time // zero: those that stand now
	AfterKind    string    // with AfterID: the record that the page before ended with
	AfterID      string
	Limit        int
}

// Records returns records in the order of kind and id, each as it was at the time that is asked for.
func Records(ctx context.Context, q Querier, in RecordQuery) ([]Record, error) {
	query := `SELECT ` + recordColumns + ` FROM ` + recordTable + ` WHERE r.workspace_id = $1 AND r.connection_id = $2`
	args := []any{Workspace, in.ConnectionID}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if in.Kind != "" {
		query += " AND r.kind = " + arg(in.Kind)
	}
	if in.ID != "" {
		query += " AND r.id = " + arg(in.ID)
	}
	if in.Stream != "" {
		query += " AND r.stream = " + arg(in.Stream)
	}
	if in.At.IsZero() {
		query += " AND r.valid_to = 0"
	} else {
		at := arg(Micros(in.At))
		query += " AND r.valid_from <= " + at + " AND (r.valid_to = 0 OR r.valid_to > " + at + ")"
	}
	switch {
	case in.AfterKind != "" && in.Kind == in.AfterKind:
		query += " AND r.id > " + arg(in.AfterID) // A comparison of pairs would begin at the kind's start.
	case in.AfterKind != "":
		query += " AND (r.kind, r.id) > (" + arg(in.AfterKind) + ", " + arg(in.AfterID) + ")"
	}
	query += " ORDER BY r.kind, r.id LIMIT " + arg(in.Limit)
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Record, error) { return scanRecord(r) })
}

// RecordHistory returns the versions of a record, the newest first, those that began before a time if it is not zero.
func RecordHistory(ctx context.Context, q Querier, connectionID, kind, id string, before time.Time, limit int) ([]Record, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+recordColumns+` FROM `+recordTable+` WHERE r.workspace_id = $1 AND r.connection_id = $2 AND r.kind = $3 AND r.id = $4 AND (r.valid_from < $5 OR $5 = 0)
		ORDER BY r.valid_from DESC LIMIT $6`, Workspace, connectionID, kind, id, Micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("read the history of a record: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Record, error) { return scanRecord(r) })
}

// Changes of records.
const (
	RecordAppeared = "appeared"
	RecordChanged  = "changed"
	RecordEnded    = "ended"
)

// RecordChange is one change between two snapshots. Record is the version that began with it, or the one that ended.
type RecordChange struct {
	Type string
	At   time.Time
	Record
}

// ChangeQuery asks for changes in [From, To). After are the time, kind and id of the change that the page before ended with.
type ChangeQuery struct {
	ConnectionID       string
	From, To           time.Time // a zero To: up to now
	AfterAt            time.Time
	AfterKind, AfterID string
	Limit              int
}

// RecordChanges returns the changes of a connection's records, the newest first; those of one moment by kind and id. No record changes twice in one
// moment.
func RecordChanges(ctx context.Context, q Querier, in ChangeQuery) ([]RecordChange, error) {
	to := in.To
	if to.IsZero() {
		to = time.Unix(1<<40, 0)
	}
	last := Micros(to)
	if !in.AfterAt.IsZero() {
		last = min(last, Micros(in.AfterAt)+1)
	}
	// One half for what began, one for what ended with nothing in its place.
	const half = `SELECT ` + recordColumns + ` AS before_fields, %s AS changed_at, %s AS change FROM ` + recordTable + ` WHERE r.workspace_id = $1 AND r.connection_id = $2 AND %s`
	began := fmt.Sprintf(half, `r.valid_from`, `CASE WHEN b.id IS NULL THEN '`+RecordAppeared+`' ELSE '`+RecordChanged+`' END`, `r.valid_from >= $3 AND r.valid_from < $4`)
	ended := fmt.Sprintf(half, `r.valid_to`, `'`+RecordEnded+`'`, `r.valid_to >= $3 AND r.valid_to < $4 AND r.valid_to > 0
		AND NOT EXISTS (SELECT 1 FROM records n WHERE n.workspace_id = r.workspace_id AND n.connection_id = r.connection_id AND n.kind = r.kind AND n.id = r.id AND n.valid_from = r.valid_to)`)
	rows, err := q.QueryContext(ctx, `SELECT * FROM (`+began+` UNION ALL `+ended+`) AS c WHERE c.changed_at < $5 OR $5 = 0 OR (c.changed_at = $5 AND (c.kind, c.id) > ($6, $7))
		ORDER BY changed_at DESC, kind, id LIMIT $8`, Workspace, in.ConnectionID, Micros(in.From), last, Micros(in.AfterAt), in.AfterKind, in.AfterID, in.Limit)
	if err != nil {
		return nil, fmt.Errorf("list the changes of records: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (RecordChange, error) {
		var c RecordChange
		var at int64
		var err error
		c.Record, err = scanRecord(r, &at, &c.Type)
		c.At = FromMicros(at)
		return c, err
	})
}

// RecordStreams returns the streams that hold a kind of records now.
func RecordStreams(ctx context.Context, q Querier, connectionID, kind string) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT stream FROM records WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND valid_to = 0 ORDER BY stream`, Workspace, connectionID, kind)
	if err != nil {
		return nil, fmt.Errorf("list the streams of records: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (stream string, err error) {
		if err := r.Scan(&stream); err != nil {
			return "", fmt.Errorf("list the streams of records: %w", err)
		}
		return stream, nil
	})
}

// PostureRuns returns which version of each posture policy has judged the records of a stream that stand.
func PostureRuns(ctx context.Context, q Querier, connectionID, stream string) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT policy_id, version FROM posture_runs WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3`, Workspace, connectionID, stream)
	if err != nil {
		return nil, fmt.Errorf("read what was judged: %w", err)
	}
	out := map[string]string{}
	_, err = collect(rows, func(r *sql.Rows) (struct{}, error) {
		var id, version string
		err := r.Scan(&id, &version)
		out[id] = version
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was judged: %w", err)
	}
	return out, nil
}

// PutPostureRun notes that a version of a policy has judged the records of a stream that stand.
func PutPostureRun(ctx context.Context, tx *Tx, connectionID, stream, policyID, version string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO posture_runs (workspace_id, connection_id, stream, policy_id, version, judged_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (workspace_id, connection_id, stream, policy_id) DO UPDATE SET version = excluded.version, judged_at = excluded.judged_at`,
		Workspace, connectionID, stream, policyID, version, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("note what was judged: %w", err)
	}
	return nil
}
