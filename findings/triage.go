package findings

import (
	"context"
	"fmt"
	"slices"

	"github.com/outband/outband/internal/store"
)

// Events that change a status: what a person asks for is named by the status it leads to; scans and re-checks have one each.
const (
	eventRecur   = "recur"   // an instance arrived that the decision does not cover
	eventRecheck = "recheck" // a re-check found the cause gone
)

// transitions is the one table of (status, event) -> new status. What is not in it may not happen. A person cannot close, and cannot reopen what
// a re-check closed: it would be closed again by the next one.
var transitions = map[string]map[string]string{
	StatusOpen:          by(eventRecheck, StatusClosed, StatusAcknowledged, StatusInProgress, StatusResolved, StatusAcceptedRisk, StatusFalsePositive),
	StatusAcknowledged:  by(eventRecheck, StatusClosed, StatusOpen, StatusInProgress, StatusResolved, StatusAcceptedRisk, StatusFalsePositive),
	StatusInProgress:    by(eventRecheck, StatusClosed, StatusOpen, StatusAcknowledged, StatusResolved, StatusAcceptedRisk, StatusFalsePositive),
	StatusResolved:      by(eventRecur, StatusOpen, StatusOpen, StatusInProgress, StatusAcceptedRisk, StatusFalsePositive),
	StatusAcceptedRisk:  by(eventRecur, StatusOpen, StatusOpen, StatusInProgress, StatusResolved, StatusFalsePositive),
	StatusFalsePositive: by(eventRecur, StatusOpen, StatusOpen, StatusInProgress, StatusResolved, StatusAcceptedRisk),
	StatusClosed:        by(eventRecur, StatusOpen),
}

// by makes one row of the table: an event that no person causes, where it leads, and the statuses that a person may choose.
func by(event, leadsTo string, person ...string) map[string]string {
	row := map[string]string{event: leadsTo}
	for _, s := range person {
		row[s] = s
	}
	return row
}

// done reports whether nobody needs to look at a finding with this status.
func done(status string) bool {
	return status == StatusResolved || status == StatusAcceptedRisk || status == StatusFalsePositive || status == StatusClosed
}

// TransitionError says which change of status was refused. It is an ErrTransition.
type TransitionError struct{ From, To string }

// Error implements error.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("a finding that is %s cannot become %s", e.From, e.To)
}

// Is makes errors.Is(err, ErrTransition) true.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }

// Change is what a person decides about a finding.
type Change struct {
	FindingID string
	Status    string
	Reason    string // required for accepted_risk and false_positive; at most 1000 bytes
	Actor     string // id of the user or token
	// Locked names the policies whose findings nobody can dismiss: accepted_risk and false_positive are refused, and resolved needs a reason.
	// nil: there are none.
	Locked func(policyID string) bool
}

// SetStatus changes a finding's status and logs it as triaged, closed or reopened. resolved, accepted_risk and false_positive cover the instances
// that are stored now. Setting the status that it has changes nothing and returns false. Errors: ErrNotFound, ErrStatus, ErrReason,
// ErrLocked, *TransitionError.
func SetStatus(ctx context.Context, tx *store.Tx, c Change) (changed bool, err error) {
	if !slices.Contains(Statuses(), c.Status) {
		return false, ErrStatus
	}
	const maxReason = 1000
	if c.Reason == "" && (c.Status == StatusAcceptedRisk || c.Status == StatusFalsePositive) || len(c.Reason) > maxReason {
		return false, ErrReason
	}
	rec, known, err := load(ctx, tx, c.FindingID)
	if err != nil {
		return false, err
	}
	if !known {
		return false, ErrNotFound
	}
	if rec.Status == c.Status {
		return false, nil
	}
	if c.Locked != nil && c.Locked(rec.PolicyID) {
		switch {
		case c.Status == StatusAcceptedRisk || c.Status == StatusFalsePositive:
			return false, ErrLocked
		case c.Status == StatusResolved && c.Reason == "":
			return false, ErrReason
		}
	}
	to, ok := transitions[rec.Status][c.Status]
	if !ok {
		return false, &TransitionError{From: rec.Status, To: c.Status}
	}
	typ := TypeTriaged
	switch {
	case done(to):
		typ = TypeClosed
	case done(rec.Status):
		typ = TypeReopened
	}
	if err := cover(ctx, tx, rec.ID, done(to)); err != nil {
		return false, err
	}
	rec.Status = to
	return true, record(ctx, tx, rec, typ, c.Actor, clean(c.Reason, maxReason))
}

// MaxBulk is how many findings one SetStatuses changes.
const MaxBulk = 500

// Outcome is what became of one change of many; Err is one of the errors of SetStatus.
type Outcome struct {
	FindingID string
	Changed   bool
	Err       error
}

// SetStatuses makes up to MaxBulk changes. One that is refused stops no other: its outcome says why. An error means that nothing may be kept.
func SetStatuses(ctx context.Context, tx *store.Tx, changes []Change) ([]Outcome, error) {
	if len(changes) > MaxBulk {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(changes), MaxBulk)
	}
	out := make([]Outcome, 0, len(changes))
	for _, c := range changes {
		changed, err := SetStatus(ctx, tx, c)
		if err != nil && !Refused(err) {
			return nil, err
		}
		out = append(out, Outcome{FindingID: c.FindingID, Changed: changed, Err: err})
	}
	return out, nil
}

// cover forgets what a former decision covered and, if a decision stands, covers the fingerprints of the instances that are stored now.
func cover(ctx context.Context, tx *store.Tx, findingID string, decided bool) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM finding_covered WHERE workspace_id = $1 AND finding_id = $2`, store.Workspace, findingID); err != nil {
		return fmt.Errorf("cover finding %s: %w", findingID, err)
	}
	if !decided {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO finding_covered (workspace_id, finding_id, fingerprint) SELECT DISTINCT workspace_id, finding_id, fingerprint FROM instances WHERE workspace_id = $1 AND finding_id = $2`,
		store.Workspace, findingID); err != nil {
		return fmt.Errorf("cover finding %s: %w", findingID, err)
	}
	return nil
}

// recur returns the status of a finding after instances with these fingerprints arrived, and the type of the log row.
func recur(ctx context.Context, tx *store.Tx, rec Snapshot, fresh []string) (status, typ string, err error) {
	to, ok := transitions[rec.Status][eventRecur]
	if !ok {
		return rec.Status, TypeUpdated, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT fingerprint FROM finding_covered WHERE workspace_id = $1 AND finding_id = $2`, store.Workspace, rec.ID)
	if err != nil {
		return "", "", fmt.Errorf("read what finding %s covers: %w", rec.ID, err)
	}
	covered := map[string]bool{}
	err = Each(rows, func() error {
		var fp string
		if err := rows.Scan(&fp); err != nil {
			return err
		}
		covered[fp] = true
		return nil
	})
	if err != nil {
		return "", "", fmt.Errorf("read what finding %s covers: %w", rec.ID, err)
	}
	for _, fp := range fresh {
		if !covered[fp] {
			return to, TypeReopened, cover(ctx, tx, rec.ID, false)
		}
	}
	return rec.Status, TypeUpdated, nil
}
