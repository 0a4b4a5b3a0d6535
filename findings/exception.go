package findings

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

// MaxAccepted is how many findings AcceptUnder may accept at once.
const MaxAccepted = 5000

// AcceptUnder accepts the findings that a new exception covers and that somebody would have to look at: those that are open, acknowledged or in progress. A
// finding with an instance that the exception does not cover, or with more instances than are stored, stays. actor is the id of who makes the exception;
// the reason is the exception's id. It returns how many it accepted; over MaxAccepted is ErrTooMany, and nothing may be kept.
func AcceptUnder(ctx context.Context, tx *store.Tx, e store.Exception, actor string) (int, error) {
	args := []any{store.Workspace, e.PolicyID}
	query := `SELECT id, instance_count FROM findings WHERE workspace_id = $1 AND policy_id = $2 AND status IN (` + store.In(&args, []string{StatusOpen, StatusAcknowledged, StatusInProgress}) + `)`
	for _, part := range []struct {
		column string
		values []string
	}{{"connection_id", only(e.ConnectionID)}, {"resource_kind", only(e.ResourceKind)}, {"resource_id", only(e.ResourceID)}, {"actor_key", e.ActorKeys}} {
		if len(part.values) > 0 {
			query += ` AND ` + part.column + ` IN (` + store.In(&args, part.values) + `)`
		}
	}
	rows, err := tx.QueryContext(ctx, query+` ORDER BY id LIMIT `+strconv.Itoa(MaxAccepted+1), args...)
	if err != nil {
		return 0, fmt.Errorf("list what an exception covers: %w", err)
	}
	counts := map[string]int64{}
	var ids []string
	err = Each(rows, func() error {
		var id string
		var n int64
		err := rows.Scan(&id, &n)
		ids, counts[id] = append(ids, id), n
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("list what an exception covers: %w", err)
	}
	if len(ids) > MaxAccepted {
		return 0, fmt.Errorf("%w: an exception covers more than %d", ErrTooMany, MaxAccepted)
	}
	accepted := 0
	for _, id := range ids {
		covered, err := coversAll(ctx, tx, e, id, counts[id])
		if err != nil {
			return 0, err
		}
		if !covered {
			continue
		}
		if _, err := SetStatus(ctx, tx, Change{FindingID: id, Status: StatusAcceptedRisk, Reason: "exception " + e.ID, Actor: actor}); err != nil {
			return 0, err
		}
		accepted++
	}
	return accepted, nil
}

func only(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// coversAll reports whether an exception covers every instance of a finding that its other fields cover.
func coversAll(ctx context.Context, tx *store.Tx, e store.Exception, findingID string, n int64) (bool, error) {
	if e.Detector == "" && e.Fingerprint == "" {
		return true, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT detector, fingerprint FROM instances WHERE workspace_id = $1 AND finding_id = $2`, store.Workspace, findingID)
	if err != nil {
		return false, fmt.Errorf("read the instances of finding %s: %w", findingID, err)
	}
	var matches []dlp.Match
	err = Each(rows, func() error {
		var m dlp.Match
		err := rows.Scan(&m.Detector, &m.Fingerprint)
		matches = append(matches, m)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read the instances of finding %s: %w", findingID, err)
	}
	var stored int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM instances WHERE workspace_id = $1 AND finding_id = $2`, store.Workspace, findingID).Scan(&stored); err != nil {
		return false, fmt.Errorf("count the instances of finding %s: %w", findingID, err)
	}
	other := slices.ContainsFunc(matches, func(m dlp.Match) bool { return !Covers(e, m) })
	return stored > 0 && stored == n && !other, nil
}

// Covers reports whether a match falls under the detector and the value of an exception. An exception that names neither covers every match, and one
// that names either covers nothing that has no detector: an activity or a record.
func Covers(e store.Exception, m dlp.Match) bool {
	if e.Detector != "" && !dlp.Glob(e.Detector, m.Detector) {
		return false
	}
	return e.Fingerprint == "" || e.Fingerprint == m.Fingerprint
}

// FindActors returns the keys of the people with a key, an e-mail address or a vendor's id, in one connection or, with none given, in all: at most limit.
func FindActors(ctx context.Context, q store.Querier, connectionID, who string, limit int) (keys []string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT key FROM actors WHERE workspace_id = $1 AND ($2 = '' OR connection_id = $2) AND (key = $3 OR LOWER(email) = LOWER($3) OR vendor_id = $3) ORDER BY key LIMIT $4`,
		store.Workspace, connectionID, who, limit)
	if err != nil {
		return nil, fmt.Errorf("look for a person: %w", err)
	}
	err = Each(rows, func() error {
		var key string
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for a person: %w", err)
	}
	return keys, nil
}

// ValueOf is what an exception from the value of an instance needs of it. ErrNotFound: there is no such instance. Its fingerprint is empty where the
// instance is an activity or a record, which have no value.
func ValueOf(ctx context.Context, q store.Querier, instanceID string) (m dlp.Match, err error) {
	rows, err := q.QueryContext(ctx, `SELECT detector, fingerprint, masked FROM instances WHERE workspace_id = $1 AND id = $2`, store.Workspace, instanceID)
	if err != nil {
		return m, fmt.Errorf("read instance: %w", err)
	}
	known := false
	err = Each(rows, func() error {
		known = true
		return rows.Scan(&m.Detector, &m.Fingerprint, &m.Masked)
	})
	if err != nil {
		return m, fmt.Errorf("read instance: %w", err)
	}
	if !known {
		return m, ErrNotFound
	}
	if m.Detector == "" {
		m.Fingerprint, m.Masked = "", ""
	}
	return m, nil
}
