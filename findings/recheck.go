package findings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/outband/outband/internal/store"
)

// Reasons in the log of a finding that a re-check closed.
const (
	ReasonNoLongerSo     = "no longer so"
	ReasonNoLongerListed = "no longer listed"
	ReasonReverted       = "taken back"
)

// kindPosture is the kind of the findings that have causes.
const kindPosture = "posture"

// Cause is a record for which a posture finding holds. A finding that points to a project may have several: everybody whom it is shared with. It is
// closed when none is left.
type Cause struct {
	FindingID, PolicyID string
	Record              Ref
}

// storeCauses notes that findings hold of their records. It returns the fingerprints of those that they did not hold of before.
func storeCauses(ctx context.Context, tx *store.Tx, keys Keys, f Finding, detections []Detection) (fresh []string, err error) {
	if f.Kind != kindPosture {
		return nil, nil
	}
	for _, d := range detections {
		for _, in := range d.Instances {
			if in.Part != partRecord {
				continue
			}
			var stream, scope string
			var fine, gone int64
			err := tx.QueryRowContext(ctx, `SELECT stream, scope, fine_at, gone FROM posture_causes WHERE workspace_id = $1 AND finding_id = $2 AND kind = $3 AND id = $4`,
				store.Workspace, f.ID, in.Resource.Kind, in.Resource.ID).Scan(&stream, &scope, &fine, &gone)
			known := err == nil
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, fmt.Errorf("read the causes of finding %s: %w", f.ID, err)
			}
			if known && stream == d.Stream && scope == d.Scope && fine == 0 && gone == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO posture_causes (workspace_id, finding_id, connection_id, policy_id, stream, scope, kind, id, fine_at, gone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)
				ON CONFLICT (workspace_id, finding_id, kind, id) DO UPDATE SET stream = excluded.stream, scope = excluded.scope, fine_at = 0, gone = 0`,
				store.Workspace, f.ID, f.ConnectionID, f.PolicyID, d.Stream, d.Scope, in.Resource.Kind, in.Resource.ID); err != nil {
				return nil, fmt.Errorf("store a cause of finding %s: %w", f.ID, err)
			}
			if !known {
				fresh = append(fresh, keys.instanceID(f.ID, in))
			}
		}
	}
	return fresh, nil
}

// Causes returns, by the ids of records of one kind, the findings that held of them when they were last judged.
func Causes(ctx context.Context, q store.Querier, connectionID, kind string, ids []string) (map[string][]Cause, error) {
	out := map[string][]Cause{}
	for part := range slices.Chunk(ids, store.MaxRecordIDs) {
		args := []any{store.Workspace, connectionID, kind}
		rows, err := q.QueryContext(ctx, `SELECT finding_id, policy_id, id FROM posture_causes WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND id IN (`+store.In(&args, part)+`) ORDER BY policy_id, finding_id`, args...)
		if err != nil {
			return nil, fmt.Errorf("read causes: %w", err)
		}
		err = Each(rows, func() error {
			c := Cause{Record: Ref{Kind: kind}}
			if err := rows.Scan(&c.FindingID, &c.PolicyID, &c.Record.ID); err != nil {
				return err
			}
			out[c.Record.ID] = append(out[c.Record.ID], c)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read causes: %w", err)
		}
	}
	return out, nil
}

// MarkFine notes that a finding does not hold of a record any more, as a snapshot with this beginning tells. That alone closes nothing: only when
// the snapshot has been read to its end does Recheck know that nothing in it said otherwise.
func MarkFine(ctx context.Context, tx *store.Tx, c Cause, began time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE posture_causes SET fine_at = $1, gone = 0 WHERE workspace_id = $2 AND finding_id = $3 AND kind = $4 AND id = $5`,
		store.Micros(began), store.Workspace, c.FindingID, c.Record.Kind, c.Record.ID)
	if err != nil {
		return fmt.Errorf("note that a cause is gone: %w", err)
	}
	return nil
}

// MarkGone notes, in the transaction that ends them, that records stand no longer.
func MarkGone(ctx context.Context, tx *store.Tx, connectionID, kind string, ids []string) error {
	for part := range slices.Chunk(ids, store.MaxRecordIDs) {
		args := []any{store.Workspace, connectionID, kind}
		_, err := tx.ExecContext(ctx, `UPDATE posture_causes SET gone = 1 WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND id IN (`+store.In(&args, part)+`)`, args...)
		if err != nil {
			return fmt.Errorf("note that a record is gone: %w", err)
		}
	}
	return nil
}

// Recheck is what a snapshot that was read to its end has to say of findings.
type Recheck struct {
	ConnectionID, Stream string
	BeganAt              time.Time // of the snapshot
	Missing              []string  // scopes that the app did not give: nothing of them is decided
}

// recheckBatch is how many causes one call of Close takes, so that a transaction stays short.
const recheckBatch = 200

// Close drops causes that the snapshot found gone, and closes the findings that have none left; what a person decided stays. It takes some and is
// to be called, in transactions of their own, until it returns 0; being killed in between loses nothing. It returns how many causes it dropped and
// how many findings it closed, with one log row each.
func (r Recheck) Close(ctx context.Context, tx *store.Tx) (dropped, closed int, err error) {
	args := []any{store.Workspace, r.ConnectionID, r.Stream, store.Micros(r.BeganAt)}
	whole := `fine_at = $4`
	if len(r.Missing) > 0 {
		whole += ` AND scope NOT IN (` + store.In(&args, r.Missing) + `)`
	}
	rows, err := tx.QueryContext(ctx, `SELECT finding_id, kind, id, gone FROM posture_causes WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3 AND (gone = 1 OR (`+whole+`))
		ORDER BY finding_id, kind, id LIMIT `+strconv.Itoa(recheckBatch), args...)
	if err != nil {
		return 0, 0, fmt.Errorf("list causes that are gone: %w", err)
	}
	var causes []Cause
	reasons := map[string]string{} // by finding
	err = Each(rows, func() error {
		var c Cause
		var gone int64
		if err := rows.Scan(&c.FindingID, &c.Record.Kind, &c.Record.ID, &gone); err != nil {
			return err
		}
		causes = append(causes, c)
		switch {
		case gone == 0:
			reasons[c.FindingID] = ReasonNoLongerSo
		case reasons[c.FindingID] == "":
			reasons[c.FindingID] = ReasonNoLongerListed
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("list causes that are gone: %w", err)
	}
	for i, c := range causes {
		if _, err := tx.ExecContext(ctx, `DELETE FROM posture_causes WHERE workspace_id = $1 AND finding_id = $2 AND kind = $3 AND id = $4`, store.Workspace, c.FindingID, c.Record.Kind, c.Record.ID); err != nil {
			return 0, 0, fmt.Errorf("drop a cause of finding %s: %w", c.FindingID, err)
		}
		if i+1 < len(causes) && causes[i+1].FindingID == c.FindingID {
			continue
		}
		done, err := closeFinding(ctx, tx, c.FindingID, reasons[c.FindingID])
		if err != nil {
			return 0, 0, err
		}
		if done {
			closed++
		}
	}
	return len(causes), closed, nil
}

// closeFinding closes a finding that has no cause left. One that a person decided about stays as it is; but what they held to be resolved is so
// indeed, so that the same cause, coming back, is a new one and opens the finding again.
func closeFinding(ctx context.Context, tx *store.Tx, id, reason string) (bool, error) {
	var left int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM posture_causes WHERE workspace_id = $1 AND finding_id = $2`, store.Workspace, id).Scan(&left); err != nil {
		return false, fmt.Errorf("count the causes of finding %s: %w", id, err)
	}
	rec, known, err := load(ctx, tx, id)
	if err != nil || !known || left > 0 {
		return false, err
	}
	to, ok := transitions[rec.Status][eventRecheck]
	if !ok {
		if rec.Status == StatusResolved {
			return false, cover(ctx, tx, id, false)
		}
		return false, nil
	}
	rec.Status = to
	return true, record(ctx, tx, rec, TypeClosed, "", reason)
}

// CloseReverted closes a finding whose cause was taken back at a time, such as a share that was revoked. One that is not there, that has an instance
// of a later time, or about which a person decided, stays as it is. It returns whether it closed it.
func CloseReverted(ctx context.Context, tx *store.Tx, id string, at time.Time) (bool, error) {
	rec, known, err := load(ctx, tx, id)
	if err != nil || !known || rec.LastOccurredAt > TimeOf(at) {
		return false, err
	}
	to, ok := transitions[rec.Status][eventRecheck]
	if !ok {
		return false, nil
	}
	rec.Status = to
	return true, record(ctx, tx, rec, TypeClosed, "", ReasonReverted)
}
