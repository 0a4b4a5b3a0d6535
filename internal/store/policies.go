package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Policy is one version of a custom policy.
type Policy struct {
	ID      string
	Version int64
	YAML    string // empty where it is retired
}

// PolicyVersion is one version of a custom policy, with who made it, when and why.
type PolicyVersion struct {
	Policy
	Retired bool // it ends the policy; a later version brings it back
	Reason  string
	At      time.Time
	By      string // usr_ or tok_ id, or "cli"
}

const policyColumns = `id, version, yaml, retired, reason, created_at, created_by`

// CustomPolicies returns the newest version of each custom policy that is not retired.
func CustomPolicies(ctx context.Context, q Querier) ([]Policy, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, version, yaml FROM policies p WHERE workspace_id = $1 AND retired = 0 AND version = (SELECT MAX(version) FROM policies WHERE workspace_id = p.workspace_id AND id = p.id) ORDER BY id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Policy, error) {
		var p Policy
		if err := r.Scan(&p.ID, &p.Version, &p.YAML); err != nil {
			return p, fmt.Errorf("read policy: %w", err)
		}
		return p, nil
	})
}

// PolicyVersions returns the versions of a custom policy, the newest first, with a version below before (0: from the newest). A policy of which there
// is none has no versions.
func PolicyVersions(ctx context.Context, q Querier, id string, before int64, limit int) ([]PolicyVersion, error) {
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := q.QueryContext(ctx, `SELECT `+policyColumns+` FROM policies WHERE workspace_id = $1 AND id = $2 AND version < $3 ORDER BY version DESC LIMIT $4`, Workspace, id, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list the versions of a policy: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (PolicyVersion, error) { return scanPolicy(r) })
}

// GetPolicyVersion returns one version of a custom policy, 0 the newest one, or ErrNotFound.
func GetPolicyVersion(ctx context.Context, q Querier, id string, version int64) (PolicyVersion, error) {
	v, err := scanPolicy(q.QueryRowContext(ctx, `SELECT `+policyColumns+` FROM policies WHERE workspace_id = $1 AND id = $2 AND (version = $3 OR $3 = 0) ORDER BY version DESC LIMIT 1`, Workspace, id, version))
	if errors.Is(err, sql.ErrNoRows) {
		return v, fmt.Errorf("policy %s: %w", id, ErrNotFound)
	}
	return v, err
}

func scanPolicy(row interface{ Scan(...any) error }) (PolicyVersion, error) {
	var v PolicyVersion
	var retired, at int64
	if err := row.Scan(&v.ID, &v.Version, &v.YAML, &retired, &v.Reason, &at, &v.By); err != nil {
		return v, fmt.Errorf("read policy: %w", err)
	}
	v.Retired, v.At = retired != 0, FromMicros(at)
	return v, nil
}

// SavePolicy stores a version of a custom policy on top of the version that the caller has seen, 0 where there is none: ErrChanged if another one is
// the newest by now. The versions of a policy grow, also over its retirement. At is that of the transaction.
func SavePolicy(ctx context.Context, tx *Tx, seen int64, v PolicyVersion) error {
	var newest int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM policies WHERE workspace_id = $1 AND id = $2`, Workspace, v.ID).Scan(&newest)
	switch {
	case err != nil:
		return fmt.Errorf("read the version of policy %s: %w", v.ID, err)
	case newest != seen:
		return fmt.Errorf("policy %s is at version %d: %w", v.ID, newest, ErrChanged)
	case v.Version <= newest:
		return fmt.Errorf("version %d of policy %s does not follow version %d", v.Version, v.ID, newest)
	}
	retired := 0
	if v.Retired {
		retired = 1
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policies (workspace_id, id, version, yaml, retired, reason, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		Workspace, v.ID, v.Version, v.YAML, retired, v.Reason, Micros(tx.Now()), v.By)
	if err != nil {
		return fmt.Errorf("store policy %s: %w", v.ID, err)
	}
	return nil
}
