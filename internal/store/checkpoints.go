package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Lanes of a stream.
const (
	LaneLive     = "live"
	LaneBackfill = "backfill"
)

// CheckpointKey names one checkpoint.
type CheckpointKey struct {
	ConnectionID, Stream, Lane, Slice string
}

// Checkpoint is a cursor made durable, only after the findings of its page are (invariant 1).
type Checkpoint struct {
	CheckpointKey
	Cursor      string
	Done        bool      // a closed slice that has been read to its end
	WatermarkAt time.Time // everything of the stream before it has been read
	Pages       int64
	Failures    int64 // of the page after the cursor, in a row
	Error       string
	UpdatedAt   time.Time
}

const checkpointColumns = `connection_id, stream, lane, slice, cursor, done, watermark_at, pages, failures, error, updated_at`

func scanCheckpoint(row interface{ Scan(...any) error }) (Checkpoint, error) {
	var c Checkpoint
	var done, watermark, updated int64
	err := row.Scan(&c.ConnectionID, &c.Stream, &c.Lane, &c.Slice, &c.Cursor, &done, &watermark, &c.Pages, &c.Failures, &c.Error, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("checkpoint: %w", ErrNotFound)
	}
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	c.Done, c.WatermarkAt, c.UpdatedAt = done != 0, FromMicros(watermark), FromMicros(updated)
	return c, nil
}

// GetCheckpoint returns one checkpoint, or ErrNotFound.
func GetCheckpoint(ctx context.Context, q Querier, k CheckpointKey) (Checkpoint, error) {
	return scanCheckpoint(q.QueryRowContext(ctx, `SELECT `+checkpointColumns+` FROM checkpoints WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3 AND lane = $4 AND slice = $5`,
		Workspace, k.ConnectionID, k.Stream, k.Lane, k.Slice))
}

// ListCheckpoints returns all checkpoints of a connection, the newest slice of a lane first.
func ListCheckpoints(ctx context.Context, q Querier, connectionID string) ([]Checkpoint, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+checkpointColumns+` FROM checkpoints WHERE workspace_id = $1 AND connection_id = $2 ORDER BY stream, lane, slice DESC`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Checkpoint, error) { return scanCheckpoint(r) })
}

// PutCheckpoint stores c.
func PutCheckpoint(ctx context.Context, tx *Tx, c Checkpoint) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO checkpoints (workspace_id, `+checkpointColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (workspace_id, connection_id, stream, lane, slice) DO UPDATE SET cursor = excluded.cursor, done = excluded.done, watermark_at = excluded.watermark_at,
			pages = excluded.pages, failures = excluded.failures, error = excluded.error, updated_at = excluded.updated_at`,
		Workspace, c.ConnectionID, c.Stream, c.Lane, c.Slice, c.Cursor, truth(c.Done), Micros(c.WatermarkAt), c.Pages, c.Failures, c.Error, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store checkpoint %s/%s/%s: %w", c.Stream, c.Lane, c.Slice, err)
	}
	return nil
}
