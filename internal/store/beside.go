package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// LastScan returns the newest scan of a connection, or ErrNotFound.
func LastScan(ctx context.Context, q Querier, connectionID string) (Scan, error) {
	return scanScan(q.QueryRowContext(ctx, `SELECT `+scanColumns+` FROM scans WHERE workspace_id = $1 AND connection_id = $2 ORDER BY queued_at DESC, id DESC LIMIT 1`, Workspace, connectionID))
}

// CredentialTimes returns when each secret of a connection or destination was stored, by field. No secret is opened.
func CredentialTimes(ctx context.Context, q Querier, ownerID string) (map[string]time.Time, error) {
	rows, err := q.QueryContext(ctx, `SELECT field, updated_at FROM credentials WHERE workspace_id = $1 AND owner_id = $2`, Workspace, ownerID)
	if err != nil {
		return nil, fmt.Errorf("list credentials of %s: %w", ownerID, err)
	}
	out := map[string]time.Time{}
	_, err = collect(rows, func(r *sql.Rows) (struct{}, error) {
		var field string
		var at int64
		if err := r.Scan(&field, &at); err != nil {
			return struct{}{}, fmt.Errorf("read credential: %w", err)
		}
		out[field] = FromMicros(at)
		return struct{}{}, nil
	})
	return out, err
}
