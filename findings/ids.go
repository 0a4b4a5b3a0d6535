package findings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

// Keys is what ids are computed with.
type Keys struct {
	ID []byte // idkey: 32 bytes, never rotated
}

// FindingID is the id of the finding of a policy about a resource. Invariant 2: ids are computed, never drawn.
func (k Keys) FindingID(connectionID string, resource Ref, policyID string) string {
	return id.Computed(k.ID, "fnd_", "finding", store.Workspace, connectionID, resource.Kind, resource.ID, policyID)
}

// InstanceID is the id of an instance: no offsets, no detector, no versions. value is the keyed digest of the canonical value, empty for an
// activity or a record.
func (k Keys) InstanceID(findingID string, resource Ref, part, path, value string) string {
	return id.Computed(k.ID, "ins_", "instance", findingID, resource.Kind, resource.ID, part, path, value)
}

// EventID is the id of a log row as receivers see it; it is stable through retries and replays.
func (k Keys) EventID(findingID string, findingSeq, epoch int64) string {
	return id.Computed(k.ID, "evt_", "event", findingID, strconv.FormatInt(findingSeq, 10), strconv.FormatInt(epoch, 10))
}

// Actor is who did something, as the source names them.
type Actor struct {
	ID    string // the vendor's id
	Email string
	Name  string
	Type  string
	Role  string
}

// ActorKey is the key by which every table but actors knows a person: from the vendor's id, or from type and e-mail where there is none. Nobody
// has the empty key.
func (k Keys) ActorKey(connectionID string, a Actor) string {
	switch {
	case a.ID != "":
		return id.Computed(k.ID, "act_", "actor", store.Workspace, connectionID, "id", a.ID)
	case a.Email != "" || a.Type != "":
		return id.Computed(k.ID, "act_", "actor", store.Workspace, connectionID, "email", a.Type, strings.ToLower(a.Email))
	}
	return ""
}

// UpsertActor stores what is known of a person and returns the key. An empty field never overwrites a known one.
func UpsertActor(ctx context.Context, tx *store.Tx, keys Keys, connectionID string, a Actor) (string, error) {
	key := keys.ActorKey(connectionID, a)
	if key == "" {
		return "", nil
	}
	var old Actor
	err := tx.QueryRowContext(ctx, `SELECT vendor_id, email, name, type, role FROM actors WHERE workspace_id = $1 AND key = $2`, store.Workspace, key).
		Scan(&old.ID, &old.Email, &old.Name, &old.Type, &old.Role)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read actor: %w", err)
	}
	pick := func(next, have string) string {
		if next = clean(next, 256); next != "" {
			return next
		}
		return have
	}
	next := Actor{pick(a.ID, old.ID), pick(a.Email, old.Email), pick(a.Name, old.Name), pick(a.Type, old.Type), pick(a.Role, old.Role)}
	if known && next == old {
		return key, nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO actors (workspace_id, connection_id, key, vendor_id, email, name, type, role, updated_at, tokens) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (workspace_id, key) DO UPDATE SET vendor_id = excluded.vendor_id, email = excluded.email, name = excluded.name, type = excluded.type, role = excluded.role,
			updated_at = excluded.updated_at, tokens = excluded.tokens`,
		store.Workspace, connectionID, key, next.ID, next.Email, next.Name, next.Type, next.Role, store.Micros(tx.Now()), token.Column(next.Email, next.Name, next.ID))
	if err != nil {
		return "", fmt.Errorf("store actor: %w", err)
	}
	return key, nil
}
