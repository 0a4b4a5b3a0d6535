package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outband/outband/internal/id"
)

// States of an exception.
const (
	ExceptionActive  = "active"
	ExceptionExpired = "expired"
	ExceptionRevoked = "revoked"
)

// ExceptionStates are the states in the order of an exception's life.
func ExceptionStates() []string {
	return []string{ExceptionActive, ExceptionExpired, ExceptionRevoked}
}

// Exception keeps a policy from making findings of what its scope names, until it expires. Empty fields of the scope narrow nothing.
type Exception struct {
	ID       string
	PolicyID string

	ConnectionID             string
	ResourceKind, ResourceID string   // of the finding
	ActorKeys                []string // of the same person in several connections, or of people
	Detector                 string   // a glob
	Fingerprint              string   // of one value
	Masked                   string   // that value, to show

	Owner     string // id of a user
	Reason    string
	ExpiresAt time.Time

	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	RevokedAt time.Time // zero: it is not
	RevokedBy string

	Suppressed int64     // units (one instance.resource each) that it kept from making a finding
	LastAt     time.Time // when one was seen last; zero: none was
}

// State is the state of the exception at a time.
func (e Exception) State(now time.Time) string {
	switch {
	case !e.RevokedAt.IsZero():
		return ExceptionRevoked
	case !e.ExpiresAt.After(now):
		return ExceptionExpired
	}
	return ExceptionActive
}

const exceptionColumns = `id, policy_id, connection_id, resource_kind, resource_id, actor_keys, detector, fingerprint, masked, owner, reason, expires_at, created_at, created_by, updated_at, revoked_at, revoked_by,
	suppressed, last_at`

func scanException(row interface{ Scan(...any) error }) (Exception, error) {
	var e Exception
	var keys string
	var expires, created, updated, revoked, last int64
	err := row.Scan(&e.ID, &e.PolicyID, &e.ConnectionID, &e.ResourceKind, &e.ResourceID, &keys, &e.Detector, &e.Fingerprint, &e.Masked, &e.Owner, &e.Reason, &expires, &created, &e.CreatedBy, &updated, &revoked,
		&e.RevokedBy, &e.Suppressed, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return e, fmt.Errorf("exception: %w", ErrNotFound)
	}
	if err != nil {
		return e, fmt.Errorf("read exception: %w", err)
	}
	if keys != "" {
		e.ActorKeys = strings.Split(keys, ",")
	}
	e.ExpiresAt, e.CreatedAt, e.UpdatedAt, e.RevokedAt, e.LastAt = FromMicros(expires), FromMicros(created), FromMicros(updated), FromMicros(revoked), FromMicros(last)
	return e, nil
}

// CreateException stores an exception under a drawn id and returns it.
func CreateException(ctx context.Context, tx *Tx, e Exception) (Exception, error) {
	e.ID, e.CreatedAt, e.UpdatedAt = id.New("exc_"), tx.Now(), tx.Now()
	_, err := tx.ExecContext(ctx, `INSERT INTO exceptions (workspace_id, `+exceptionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, '', 0, 0)`,
		Workspace, e.ID, e.PolicyID, e.ConnectionID, e.ResourceKind, e.ResourceID, strings.Join(e.ActorKeys, ","), e.Detector, e.Fingerprint, e.Masked, e.Owner, e.Reason, Micros(e.ExpiresAt),
		Micros(e.CreatedAt), e.CreatedBy, Micros(e.UpdatedAt))
	if err != nil {
		return e, fmt.Errorf("store exception: %w", err)
	}
	return e, nil
}

// GetException returns an exception, or ErrNotFound.
func GetException(ctx context.Context, q Querier, exceptionID string) (Exception, error) {
	return scanException(q.QueryRowContext(ctx, `SELECT `+exceptionColumns+` FROM exceptions WHERE workspace_id = $1 AND id = $2`, Workspace, exceptionID))
}

// Exceptions returns all exceptions, the one that expires first at the beginning.
func Exceptions(ctx context.Context, q Querier) ([]Exception, error) {
	return exceptions(ctx, q, `SELECT `+exceptionColumns+` FROM exceptions WHERE workspace_id = $1 ORDER BY expires_at, id`, Workspace)
}

// ActiveExceptions returns the exceptions that are active at a time, by their ids.
func ActiveExceptions(ctx context.Context, q Querier, now time.Time) ([]Exception, error) {
	return exceptions(ctx, q, `SELECT `+exceptionColumns+` FROM exceptions WHERE workspace_id = $1 AND revoked_at = 0 AND expires_at > $2 ORDER BY id`, Workspace, Micros(now))
}

func exceptions(ctx context.Context, q Querier, query string, args ...any) ([]Exception, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list exceptions: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Exception, error) { return scanException(r) })
}

// ChangeException stores the owner, the reason and the expiry of an exception. ErrNotFound: there is none, or it is revoked.
func ChangeException(ctx context.Context, tx *Tx, e Exception) error {
	return oneException(tx.ExecContext(ctx, `UPDATE exceptions SET owner = $1, reason = $2, expires_at = $3, updated_at = $4 WHERE workspace_id = $5 AND id = $6 AND revoked_at = 0`,
		e.Owner, e.Reason, Micros(e.ExpiresAt), Micros(tx.Now()), Workspace, e.ID))
}

// RevokeException ends an exception. ErrNotFound: there is none, or it is revoked already.
func RevokeException(ctx context.Context, tx *Tx, exceptionID, by string) error {
	return oneException(tx.ExecContext(ctx, `UPDATE exceptions SET revoked_at = $1, revoked_by = $2, updated_at = $1 WHERE workspace_id = $3 AND id = $4 AND revoked_at = 0`,
		Micros(tx.Now()), by, Workspace, exceptionID))
}

func oneException(res sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("store exception: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("store exception: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("exception: %w", ErrNotFound)
	}
	return nil
}

// CountSuppressed notes that an exception kept a unit from making a finding. A unit counts once, however often it is judged.
func CountSuppressed(ctx context.Context, tx *Tx, exceptionID, resourceKind, resourceID string) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO exception_units (workspace_id, exception_id, resource_kind, resource_id, first_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, exception_id, resource_kind, resource_id) DO NOTHING`,
		Workspace, exceptionID, resourceKind, resourceID, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("count what an exception suppressed: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("count what an exception suppressed: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE exceptions SET suppressed = suppressed + $1, last_at = $2 WHERE workspace_id = $3 AND id = $4`, n, Micros(tx.Now()), Workspace, exceptionID); err != nil {
		return fmt.Errorf("count what an exception suppressed: %w", err)
	}
	return nil
}

// CountExceptions returns the number of exceptions by their state at a time; every state is in it.
func CountExceptions(ctx context.Context, q Querier, now time.Time) (map[string]int64, error) {
	out := map[string]int64{}
	var active, expired, revoked int64
	err := q.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN revoked_at = 0 AND expires_at > $2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN revoked_at = 0 AND expires_at <= $2 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN revoked_at <> 0 THEN 1 ELSE 0 END), 0) FROM exceptions WHERE workspace_id = $1`, Workspace, Micros(now)).Scan(&active, &expired, &revoked)
	if err != nil {
		return nil, fmt.Errorf("count exceptions: %w", err)
	}
	out[ExceptionActive], out[ExceptionExpired], out[ExceptionRevoked] = active, expired, revoked
	return out, nil
}

// PurgeExceptionUnits forgets the units of exceptions that ended well before a time, at most limit rows, and returns how many went. Their number stays.
func PurgeExceptionUnits(ctx context.Context, tx *Tx, before time.Time, limit int) (int64, error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM exception_units WHERE workspace_id = $1 AND (exception_id, resource_kind, resource_id) IN (SELECT u.exception_id, u.resource_kind, u.resource_id FROM exception_units u
		JOIN exceptions e ON e.workspace_id = u.workspace_id AND e.id = u.exception_id WHERE u.workspace_id = $1 AND u.first_at < $2 AND e.expires_at < $2 AND e.last_at < $2 LIMIT $3)`, Workspace, Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("purge what exceptions suppressed: %w", err)
	}
	return res.RowsAffected()
}
