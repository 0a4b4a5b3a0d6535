package findings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/internal/store"
)

// MaxShadow is how many shadow findings are kept of one policy: enough to judge it by.
const MaxShadow = 1000

// shadowEvery is how often it is noted that a shadow finding was seen again.
const shadowEvery = time.Hour

// ShadowFinding is what a policy in shadow would have made a finding of. It has no instances, no status and no row in the log, and no search, count or
// destination knows it.
type ShadowFinding struct {
	ID            string // of the finding that it would be
	PolicyID      string
	PolicyVersion int
	Severity      string
	ConnectionID  string
	Resource      Resource
	FirstSeenAt   time.Time
	LastSeenAt    time.Time // to the hour
}

// commitShadow keeps what a policy in shadow found. What an older version found goes with the first that a newer one finds.
func commitShadow(ctx context.Context, tx *store.Tx, connectionID, id string, d Detection) error {
	var version, last int64
	var severity string
	err := tx.QueryRowContext(ctx, `SELECT policy_version, severity, last_seen_at FROM shadow_findings WHERE workspace_id = $1 AND id = $2`, store.Workspace, id).Scan(&version, &severity, &last)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read shadow finding: %w", err)
	}
	worst := d.Severity
	if known && version == int64(d.PolicyVersion) {
		if d.Graded && slices.Index(Severities(), severity) < slices.Index(Severities(), worst) {
			worst = severity
		}
		if worst == severity && tx.Now().Sub(store.FromMicros(last)) < shadowEvery {
			return nil
		}
	}
	if known && version > int64(d.PolicyVersion) {
		return nil // A scan that still runs with an older version.
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM shadow_findings WHERE workspace_id = $1 AND policy_id = $2 AND policy_version < $3`, store.Workspace, d.PolicyID, d.PolicyVersion); err != nil {
		return fmt.Errorf("drop old shadow findings: %w", err)
	}
	if !known || version < int64(d.PolicyVersion) {
		var n int64
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM shadow_findings WHERE workspace_id = $1 AND policy_id = $2`, store.Workspace, d.PolicyID).Scan(&n); err != nil {
			return fmt.Errorf("count shadow findings: %w", err)
		}
		if n >= MaxShadow {
			return nil
		}
	}
	now := store.Micros(tx.Now())
	_, err = tx.ExecContext(ctx, `INSERT INTO shadow_findings (workspace_id, id, policy_id, policy_version, severity, connection_id, resource_kind, resource_id, resource_name, resource_url, first_seen_at, last_seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (workspace_id, id) DO UPDATE SET severity = excluded.severity, resource_name = excluded.resource_name, resource_url = excluded.resource_url, last_seen_at = excluded.last_seen_at`,
		store.Workspace, id, d.PolicyID, d.PolicyVersion, worst, connectionID, d.Resource.Kind, d.Resource.ID, clean(d.Resource.Name, maxName), clean(d.Resource.URL, maxURL), now, now)
	if err != nil {
		return fmt.Errorf("store shadow finding: %w", err)
	}
	return nil
}

// ShadowCounts returns how many shadow findings each policy has, at most MaxShadow.
func ShadowCounts(ctx context.Context, q store.Querier) (map[string]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT policy_id, COUNT(*) FROM shadow_findings WHERE workspace_id = $1 GROUP BY policy_id`, store.Workspace)
	if err != nil {
		return nil, fmt.Errorf("count shadow findings: %w", err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var id string
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("count shadow findings: %w", err)
		}
		out[id] = n
	}
	return out, rows.Err()
}

// ListShadow returns shadow findings of a policy, those first seen last before others. before and beforeID are of the last one of the page before; a zero
// time begins.
func ListShadow(ctx context.Context, q store.Querier, policyID string, before time.Time, beforeID string, limit int) ([]ShadowFinding, error) {
	at := int64(1 << 62)
	if !before.IsZero() {
		at = store.Micros(before)
	}
	rows, err := q.QueryContext(ctx, `SELECT id, policy_id, policy_version, severity, connection_id, resource_kind, resource_id, resource_name, resource_url, first_seen_at, last_seen_at FROM shadow_findings
		WHERE workspace_id = $1 AND policy_id = $2 AND (first_seen_at < $3 OR first_seen_at = $3 AND id < $4) ORDER BY first_seen_at DESC, id DESC LIMIT $5`, store.Workspace, policyID, at, beforeID, limit)
	if err != nil {
		return nil, fmt.Errorf("list shadow findings: %w", err)
	}
	defer rows.Close()
	var out []ShadowFinding
	for rows.Next() {
		var f ShadowFinding
		var first, last int64
		if err := rows.Scan(&f.ID, &f.PolicyID, &f.PolicyVersion, &f.Severity, &f.ConnectionID, &f.Resource.Kind, &f.Resource.ID, &f.Resource.Name, &f.Resource.URL, &first, &last); err != nil {
			return nil, fmt.Errorf("read shadow finding: %w", err)
		}
		f.FirstSeenAt, f.LastSeenAt = store.FromMicros(first), store.FromMicros(last)
		out = append(out, f)
	}
	return out, rows.Err()
}

// DropShadow removes the shadow findings of a policy that is not in shadow any more.
func DropShadow(ctx context.Context, tx *store.Tx, policyID string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM shadow_findings WHERE workspace_id = $1 AND policy_id = $2`, store.Workspace, policyID); err != nil {
		return fmt.Errorf("drop shadow findings: %w", err)
	}
	return nil
}
