package findings

import (
	"context"
	"fmt"
	"time"

	"github.com/outband/outband/internal/store"
)

// Yield is how many findings of a policy are new.
type Yield struct {
	PolicyID string
	New      int64
	Fresh    int64 // of these, those about what happened less than a day before it was found, or nobody knows when; the others are of history
}

// NewSince counts, by policy, the findings that were first seen at a time or later. policyID "" means all policies.
func NewSince(ctx context.Context, q store.Querier, since time.Time, policyID string) (out []Yield, err error) {
	rows, err := q.QueryContext(ctx, `SELECT policy_id, COUNT(*), SUM(CASE WHEN last_occurred_at = 0 OR last_occurred_at >= first_seen_at - $3 THEN 1 ELSE 0 END) FROM findings
		WHERE workspace_id = $1 AND first_seen_at >= $2 AND ($4 = '' OR policy_id = $4) GROUP BY policy_id ORDER BY policy_id`, store.Workspace, store.Micros(since), (24 * time.Hour).Microseconds(), policyID)
	if err != nil {
		return nil, fmt.Errorf("count new findings: %w", err)
	}
	err = Each(rows, func() error {
		var y Yield
		err := rows.Scan(&y.PolicyID, &y.New, &y.Fresh)
		out = append(out, y)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count new findings: %w", err)
	}
	return out, nil
}
