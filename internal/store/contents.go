package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Content is what scanning some bytes gave. The digest is a keyed one: without the installation's key nobody can ask whether a known file was seen.
type Content struct {
	Digest, Ruleset string
	Result          string // masks and keyed digests only (invariant 4)
}

// GetContent returns the result of scanning the bytes of a digest under a ruleset, ErrNotFound if there is none.
func GetContent(ctx context.Context, q Querier, digest, ruleset string) (Content, error) {
	c := Content{Digest: digest, Ruleset: ruleset}
	err := q.QueryRowContext(ctx, `SELECT result FROM contents WHERE workspace_id = $1 AND digest = $2 AND ruleset = $3`, Workspace, digest, ruleset).Scan(&c.Result)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read the result of a content: %w", err)
	}
	return c, nil
}

// PutContent keeps a result in place of that under another ruleset.
func PutContent(ctx context.Context, tx *Tx, c Content) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO contents (workspace_id, digest, ruleset, result, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (workspace_id, digest) DO UPDATE SET ruleset = excluded.ruleset, result = excluded.result, updated_at = excluded.updated_at`,
		Workspace, c.Digest, c.Ruleset, c.Result, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("keep the result of a content: %w", err)
	}
	return nil
}

// PurgeContents deletes up to limit results that were kept before a time, and returns how many. Nothing is lost by it but the time of a scan.
func PurgeContents(ctx context.Context, tx *Tx, before time.Time, limit int) (int64, error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM contents WHERE workspace_id = $1 AND digest IN (SELECT digest FROM contents WHERE workspace_id = $1 AND updated_at < $2 LIMIT $3)`,
		Workspace, Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("purge the results of contents: %w", err)
	}
	return res.RowsAffected()
}
