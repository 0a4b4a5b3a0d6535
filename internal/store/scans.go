package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/internal/id"
)

// States of a scan.
const (
	ScanQueued    = "queued"
	ScanRunning   = "running"
	ScanSucceeded = "succeeded"
	ScanPartial   = "partial"
	ScanFailed    = "failed"
	ScanCancelled = "cancelled"
)

// Causes of a scan.
const (
	CauseFirst    = "first"
	CauseSchedule = "schedule"
	CauseRequest  = "request"
)

// Scan is one run over a connection's streams.
type Scan struct {
	ID           string
	ConnectionID string
	State        string
	Cause        string
	WorkflowID   string
	RunID        string
	QueuedAt     time.Time
	StartedAt    time.Time
	FinishedAt   time.Time
	ItemsRead    int64
	ItemsScanned int64
	ItemsSkipped int64
	FindingsNew  int64
	ErrorCode    string
	Error        string
	UpdatedAt    time.Time
}

const scanColumns = `id, connection_id, state, cause, workflow_id, run_id, queued_at, started_at, finished_at, items_read, items_scanned, items_skipped, findings_new, error_code, error, updated_at`

func scanScan(row interface{ Scan(...any) error }) (Scan, error) {
	var s Scan
	var queued, started, finished, updated int64
	err := row.Scan(&s.ID, &s.ConnectionID, &s.State, &s.Cause, &s.WorkflowID, &s.RunID, &queued, &started, &finished, &s.ItemsRead, &s.ItemsScanned, &s.ItemsSkipped, &s.FindingsNew, &s.ErrorCode, &s.Error, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("scan: %w", ErrNotFound)
	}
	if err != nil {
		return s, fmt.Errorf("read scan: %w", err)
	}
	s.QueuedAt, s.StartedAt, s.FinishedAt, s.UpdatedAt = FromMicros(queued), FromMicros(started), FromMicros(finished), FromMicros(updated)
	return s, nil
}

// QueueScan returns the queued scan of a connection, or queues one: requests that overlap share it.
func QueueScan(ctx context.Context, tx *Tx, connectionID, cause string) (Scan, error) {
	s, err := scanScan(tx.QueryRowContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND connection_id = $2 AND state = $3 ORDER BY queued_at, id LIMIT 1`, Workspace, connectionID, ScanQueued))
	if err == nil || !errors.Is(err, ErrNotFound) {
		return s, err
	}
	s = Scan{ID: id.New("scn_"), ConnectionID: connectionID, State: ScanQueued, Cause: cause, QueuedAt: tx.Now(), UpdatedAt: tx.Now()}
	_, err = tx.ExecContext(ctx, `INSERT INTO scans (workspace_id, `+scanColumns+`, progress) VALUES ($1, $2, $3, $4, $5, '', '', $6, 0, 0, 0, 0, 0, 0, '', '', $6, '')`,
		Workspace, s.ID, s.ConnectionID, s.State, s.Cause, Micros(s.QueuedAt))
	if err != nil {
		return s, fmt.Errorf("queue scan: %w", err)
	}
	return s, nil
}

// ClaimScan gives the workflow its scan: the one it has already, else the one that a dead workflow left running, else the oldest queued one,
// else a new one.
func ClaimScan(ctx context.Context, tx *Tx, connectionID, workflowID, runID string) (Scan, error) {
	s, err := scanScan(tx.QueryRowContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND connection_id = $2 AND state IN ($3, $4)
		ORDER BY CASE state WHEN $3 THEN 0 ELSE 1 END, queued_at, id LIMIT 1`, Workspace, connectionID, ScanRunning, ScanQueued))
	if errors.Is(err, ErrNotFound) {
		s, err = QueueScan(ctx, tx, connectionID, CauseSchedule)
	}
	if err != nil {
		return s, err
	}
	if s.StartedAt.IsZero() {
		s.StartedAt = tx.Now()
	}
	s.State, s.WorkflowID, s.RunID = ScanRunning, workflowID, runID
	return s, one(tx.ExecContext(ctx, `UPDATE scans SET state = $1, workflow_id = $2, run_id = $3, started_at = $4, updated_at = $5 WHERE workspace_id = $6 AND id = $7`,
		s.State, s.WorkflowID, s.RunID, Micros(s.StartedAt), Micros(tx.Now()), Workspace, s.ID))("scan " + s.ID)
}

// AddProgress adds to the counts of a running scan. It runs in the transaction of the items that it counts.
func AddProgress(ctx context.Context, tx *Tx, scanID string, read, scanned, skipped, findings int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE scans SET items_read = items_read + $1, items_scanned = items_scanned + $2, items_skipped = items_skipped + $3, findings_new = findings_new + $4, updated_at = $5
		WHERE workspace_id = $6 AND id = $7`, read, scanned, skipped, findings, Micros(tx.Now()), Workspace, scanID)
	if err != nil {
		return fmt.Errorf("store progress of scan %s: %w", scanID, err)
	}
	return nil
}

// FinishScan stores the end of a scan. A scan that has ended already is left as it is.
func FinishScan(ctx context.Context, tx *Tx, scanID, state, code, message string) error {
	_, err := tx.ExecContext(ctx, `UPDATE scans SET state = $1, error_code = $2, error = $3, finished_at = $4, updated_at = $4 WHERE workspace_id = $5 AND id = $6 AND state IN ($7, $8)`,
		state, code, message, Micros(tx.Now()), Workspace, scanID, ScanQueued, ScanRunning)
	if err != nil {
		return fmt.Errorf("finish scan %s: %w", scanID, err)
	}
	return nil
}

// GetScan returns a scan.
func GetScan(ctx context.Context, q Querier, scanID string) (Scan, error) {
	return scanScan(q.QueryRowContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND id = $2`, Workspace, scanID))
}

// ListScans returns scans, newest first, after the (queued_at, id) of the last row of the page before; connectionID "" means all connections.
func ListScans(ctx context.Context, q Querier, connectionID string, beforeAt time.Time, beforeID string, limit int) ([]Scan, error) {
	if beforeAt.IsZero() {
		beforeAt, beforeID = FromMicros(1<<62), ""
	}
	rows, err := q.QueryContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND ($2 = '' OR connection_id = $2) AND (queued_at < $3 OR (queued_at = $3 AND id < $4))
		ORDER BY queued_at DESC, id DESC LIMIT $5`, Workspace, connectionID, Micros(beforeAt), beforeID, limit)
	if err != nil {
		return nil, fmt.Errorf("list scans: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Scan, error) { return scanScan(r) })
}

// RunningScans returns all scans in the state running.
func RunningScans(ctx context.Context, q Querier) ([]Scan, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND state = $2`, Workspace, ScanRunning)
	if err != nil {
		return nil, fmt.Errorf("list running scans: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Scan, error) { return scanScan(r) })
}

// HasOpenScan reports whether a connection has a scan that is queued or running.
func HasOpenScan(ctx context.Context, q Querier, connectionID string) (bool, error) {
	var n int64
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM scans WHERE workspace_id = $1 AND connection_id = $2 AND state IN ($3, $4)`, Workspace, connectionID, ScanQueued, ScanRunning).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("count open scans: %w", err)
	}
	return n > 0, nil
}

// PurgeScans deletes scheduled scans that read nothing and ended well before a time, at most limit rows, and returns how many went: a poll each minute
// makes half a million rows a year. The last scan of a connection stays.
func PurgeScans(ctx context.Context, tx *Tx, before time.Time, limit int) (int64, error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM scans WHERE workspace_id = $1 AND id IN (SELECT s.id FROM scans s WHERE s.workspace_id = $1 AND s.cause = $2 AND s.state = $3 AND s.items_read = 0 AND s.findings_new = 0
		AND s.queued_at < $4 AND s.finished_at < $4 AND EXISTS (SELECT 1 FROM scans n WHERE n.workspace_id = $1 AND n.connection_id = s.connection_id AND n.queued_at > s.queued_at) LIMIT $5)`,
		Workspace, CauseSchedule, ScanSucceeded, Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("purge scans: %w", err)
	}
	return res.RowsAffected()
}

// CountScans returns the number of scans by state.
func CountScans(ctx context.Context, q Querier) (map[string]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT state, COUNT(*) FROM scans WHERE workspace_id = $1 GROUP BY state`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("count scans: %w", err)
	}
	out := map[string]int64{}
	_, err = collect(rows, func(r *sql.Rows) (struct{}, error) {
		var state string
		var n int64
		if err := r.Scan(&state, &n); err != nil {
			return struct{}{}, fmt.Errorf("count scans: %w", err)
		}
		out[state] = n
		return struct{}{}, nil
	})
	return out, err
}

// ScanPlace returns how many scans run or wait before a scan: those that are running, and those that were queued earlier. It is 0 for one that is not
// queued.
func ScanPlace(ctx context.Context, q Querier, scanID string) (int64, error) {
	var n int64
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM scans me JOIN scans o ON o.workspace_id = me.workspace_id AND o.id <> me.id
		AND (o.state = $3 OR (o.state = $4 AND (o.queued_at < me.queued_at OR (o.queued_at = me.queued_at AND o.id < me.id))))
		WHERE me.workspace_id = $1 AND me.id = $2 AND me.state = $4`, Workspace, scanID, ScanRunning, ScanQueued).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the scans before scan %s: %w", scanID, err)
	}
	return n, nil
}
