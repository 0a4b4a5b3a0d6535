package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/outband/outband/internal/store"
)

// ErrSelection is returned for a replay that selects nothing in particular.
var ErrSelection = errors.New("a replay is of the parked events, of all since a sequence number, or of at most 500 named events")

// Selection says what to send again. Exactly one field is set.
type Selection struct {
	Parked   bool     // all that are parked
	SinceSeq *int64   // all of the log after this seq that the filter selects now; 0: from the first
	EventIDs []string // these, whatever their state; at most 500
}

// Replay queues events again, under the same webhook-ids, and returns how many; for SinceSeq, how many rows of the log are read again. Errors:
// ErrNotFound (the destination), ErrSelection.
func Replay(ctx context.Context, tx *store.Tx, destinationID string, sel Selection) (int64, error) {
	if _, err := Get(ctx, tx, destinationID); err != nil {
		return 0, err
	}
	set := 0
	for _, b := range []bool{sel.Parked, sel.SinceSeq != nil, len(sel.EventIDs) > 0} {
		if b {
			set++
		}
	}
	if set != 1 || len(sel.EventIDs) > 500 {
		return 0, ErrSelection
	}
	now := store.Micros(tx.Now())
	if sel.SinceSeq != nil {
		return rewind(ctx, tx, destinationID, *sel.SinceSeq, now)
	}
	args := []any{Queued, now, store.Workspace, destinationID}
	where := `state = $5`
	if sel.Parked {
		args = append(args, Parked)
	} else {
		where = `event_id IN (` + store.In(&args, sel.EventIDs) + `)`
	}
	res, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = $1, tries = 0, first_try_at = 0, next_try_at = $2, updated_at = $2 WHERE workspace_id = $3 AND destination_id = $4 AND `+where, args...)
	if err != nil {
		return 0, fmt.Errorf("replay to destination %s: %w", destinationID, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("replay to destination %s: %w", destinationID, err)
	}
	return n, nil
}

// rewind moves a destination's place in the log back. What is read again is queued again under its id.
func rewind(ctx context.Context, tx *store.Tx, destinationID string, since, now int64) (n int64, err error) {
	since = max(since, 0)
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM finding_log l, consumers c WHERE c.workspace_id = $1 AND c.id = $2 AND l.workspace_id = $1 AND l.seq > $3 AND l.seq <= c.seq`,
		store.Workspace, consumer(destinationID), since).Scan(&n); err != nil {
		return 0, fmt.Errorf("replay to destination %s: %w", destinationID, err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE consumers SET seq = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4 AND seq > $1`, since, now, store.Workspace, consumer(destinationID)); err != nil {
		return 0, fmt.Errorf("replay to destination %s: %w", destinationID, err)
	}
	return n, nil
}
