package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrLeaseLost says that a lease is another's now, or was taken away. Its former holder stores nothing more.
var ErrLeaseLost = errors.New("the lease was lost")

// LeaseHeldError says that another holds a lease, and for how long at most if it does not renew it.
type LeaseHeldError struct{ For time.Duration }

// Error implements error.
func (e *LeaseHeldError) Error() string { return "another process holds the lease" }

// LeaseOwner is who holds a lease: one attempt of one piece of work. Work must be unique to the piece of work.
type LeaseOwner struct {
	Work    string
	Attempt int32
}

// String is the stored form.
func (o LeaseOwner) String() string { return o.Work + "#" + strconv.Itoa(int(o.Attempt)) }

// follows reports whether o may take the lease of holder at once: it is the same work, and Temporal begins an attempt only when the one before is over.
func (o LeaseOwner) follows(holder string) bool {
	attempt, same := strings.CutPrefix(holder, o.Work+"#")
	n, err := strconv.ParseInt(attempt, 10, 32)
	return same && err == nil && int32(n) <= o.Attempt
}

// AcquireLease gives a lease to owner for ttl. It is free if nobody has it, if its time is over, or if its holder is an attempt of the same work
// that is not later; else the error is a *LeaseHeldError. Only ttl depends on the clocks of several machines: what a holder stores is guarded by
// CheckLease, which does not.
func AcquireLease(ctx context.Context, tx *Tx, name string, owner LeaseOwner, ttl time.Duration) error {
	var holder string
	var until int64
	err := tx.QueryRowContext(ctx, `SELECT owner, until_at FROM leases WHERE workspace_id = $1 AND name = $2`, Workspace, name).Scan(&holder, &until)
	switch left := FromMicros(until).Sub(tx.Now()); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return fmt.Errorf("read the lease: %w", err)
	case left > 0 && !owner.follows(holder):
		return &LeaseHeldError{For: min(left, ttl)} // Where the clock went back, its holder would seem to have it for longer.
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO leases (workspace_id, name, owner, until_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (workspace_id, name) DO UPDATE SET owner = excluded.owner, until_at = excluded.until_at`, Workspace, name, owner.String(), Micros(tx.Now().Add(ttl)))
	if err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	return nil
}

// RenewLease extends a lease to ttl from now, also one whose time is over if nobody took it meanwhile; else the error is ErrLeaseLost.
func RenewLease(ctx context.Context, tx *Tx, name string, owner LeaseOwner, ttl time.Duration) error {
	err := one(tx.ExecContext(ctx, `UPDATE leases SET until_at = $1 WHERE workspace_id = $2 AND name = $3 AND owner = $4`, Micros(tx.Now().Add(ttl)), Workspace, name, owner.String()))("lease")
	if errors.Is(err, ErrNotFound) {
		return ErrLeaseLost
	}
	return err
}

// CheckLease is ErrLeaseLost unless owner holds the lease. It belongs into every transaction that stores what the lease protects: transactions are
// serial, so that a holder that lost its lease can store nothing afterwards, whatever the clocks say.
func CheckLease(ctx context.Context, tx *Tx, name string, owner LeaseOwner) error {
	var holder string
	err := tx.QueryRowContext(ctx, `SELECT owner FROM leases WHERE workspace_id = $1 AND name = $2`, Workspace, name).Scan(&holder)
	switch {
	case errors.Is(err, sql.ErrNoRows) || (err == nil && holder != owner.String()):
		return ErrLeaseLost
	case err != nil:
		return fmt.Errorf("read the lease: %w", err)
	}
	return nil
}

// ReleaseLease gives a lease back; one that another has by now is left alone.
func ReleaseLease(ctx context.Context, tx *Tx, name string, owner LeaseOwner) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM leases WHERE workspace_id = $1 AND name = $2 AND owner = $3`, Workspace, name, owner.String()); err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	return nil
}

// LeasePrefix begins the names of all leases of work on a connection.
func LeasePrefix(connectionID string) string { return connectionID + "/" }

// DropLeases takes all leases away whose name begins with prefix; "" means all. Their holders store nothing more.
func DropLeases(ctx context.Context, tx *Tx, prefix string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM leases WHERE workspace_id = $1 AND SUBSTR(name, 1, $2) = $3`, Workspace, len(prefix), prefix); err != nil {
		return fmt.Errorf("take leases away: %w", err)
	}
	return nil
}

// PurgeLeases deletes leases whose time was over before a moment: those of work that died and was not begun again.
func PurgeLeases(ctx context.Context, tx *Tx, before time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM leases WHERE workspace_id = $1 AND until_at < $2`, Workspace, Micros(before)); err != nil {
		return fmt.Errorf("purge leases: %w", err)
	}
	return nil
}
