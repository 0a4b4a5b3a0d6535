package findings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

// Total counts the stored matches of a finding whose detector a glob names, without those of one instance.resource. It is what a policy's total()
// answers.
func Total(ctx context.Context, q store.Querier, findingID, glob string, without Ref) (n int64, err error) {
	rows, err := q.QueryContext(ctx, `SELECT detector, SUM(count) FROM instances WHERE workspace_id = $1 AND finding_id = $2 AND NOT (resource_kind = $3 AND resource_id = $4) GROUP BY detector`,
		store.Workspace, findingID, without.Kind, without.ID)
	if err != nil {
		return 0, fmt.Errorf("count stored instances: %w", err)
	}
	err = Each(rows, func() error {
		var detector string
		var count int64
		if err := rows.Scan(&detector, &count); err != nil {
			return fmt.Errorf("count stored instances: %w", err)
		}
		if dlp.Glob(glob, detector) { // Databases disagree about globs.
			n += count
		}
		return nil
	})
	return n, err
}

// GetActor returns what is known of the person with a key. The empty key is nobody's, and so is that of a person who was erased.
func GetActor(ctx context.Context, q store.Querier, key string) (a Actor, err error) {
	if key == "" {
		return a, nil
	}
	err = q.QueryRowContext(ctx, `SELECT vendor_id, email, name, type, role FROM actors WHERE workspace_id = $1 AND key = $2`, store.Workspace, key).Scan(&a.ID, &a.Email, &a.Name, &a.Type, &a.Role)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("read actor: %w", err)
	}
	return a, nil
}

// Tally is how many findings have a severity and a status.
type Tally struct {
	Severity, Status string
	N                int64
}

// Count returns the number of findings by severity and status.
func Count(ctx context.Context, q store.Querier) (out []Tally, err error) {
	rows, err := q.QueryContext(ctx, `SELECT severity, status, COUNT(*) FROM findings WHERE workspace_id = $1 GROUP BY severity, status ORDER BY severity, status`, store.Workspace)
	if err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	err = Each(rows, func() error {
		var t Tally
		err := rows.Scan(&t.Severity, &t.Status, &t.N)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	return out, nil
}
