package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// GetMeta returns a value of the installation, or ErrNotFound.
func GetMeta(ctx context.Context, q Querier, key string) (string, error) {
	var v string
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE workspace_id = $1 AND key = $2`, Workspace, key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("%s: %w", key, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", key, err)
	}
	return v, nil
}

// SetMeta stores a value of the installation.
func SetMeta(ctx context.Context, tx *Tx, key, value string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (workspace_id, key, value) VALUES ($1, $2, $3) ON CONFLICT (workspace_id, key) DO UPDATE SET value = excluded.value`, Workspace, key, value)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// Epoch counts how often a backup was restored. It is part of every event's id, so that receivers and indices are not left stale.
func Epoch(ctx context.Context, q Querier) (int64, error) {
	v, err := GetMeta(ctx, q, "epoch")
	if errors.Is(err, ErrNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the stored epoch is not a number")
	}
	return n, nil
}

// Override changes the severity or mode of a policy or detector; empty fields change nothing. It survives upgrades.
type Override struct{ Kind, ID, Severity, Mode string }

// Overrides returns all overrides.
func Overrides(ctx context.Context, q Querier) ([]Override, error) {
	rows, err := q.QueryContext(ctx, `SELECT kind, id, severity, mode FROM overrides WHERE workspace_id = $1 ORDER BY kind, id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list overrides: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Override, error) {
		var o Override
		if err := r.Scan(&o.Kind, &o.ID, &o.Severity, &o.Mode); err != nil {
			return o, fmt.Errorf("read override: %w", err)
		}
		return o, nil
	})
}

// PutOverride stores an override.
func PutOverride(ctx context.Context, tx *Tx, o Override, by string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO overrides (workspace_id, kind, id, severity, mode, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (workspace_id, kind, id) DO UPDATE SET severity = excluded.severity, mode = excluded.mode, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		Workspace, o.Kind, o.ID, o.Severity, o.Mode, Micros(tx.Now()), by)
	if err != nil {
		return fmt.Errorf("store override: %w", err)
	}
	return nil
}

// DropOverride removes an override, if there is one.
func DropOverride(ctx context.Context, tx *Tx, kind, id string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM overrides WHERE workspace_id = $1 AND kind = $2 AND id = $3`, Workspace, kind, id); err != nil {
		return fmt.Errorf("drop override: %w", err)
	}
	return nil
}
