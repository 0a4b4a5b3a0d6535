package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// States of an item. Every item that was read is in one of them (invariant 5).
const (
	ItemScanned     = "scanned"
	ItemDeferred    = "deferred"
	ItemQuarantined = "quarantined"
	ItemSkipped     = "skipped"
	ItemFailed      = "failed"
)

// Reasons of skipped, quarantined and failed items.
const (
	ReasonUnsupportedType = "unsupported_type"
	ReasonTooBig          = "too_big"
	ReasonDeleted         = "deleted_before_scan"
	ReasonOverTime        = "over_time_limit"
	ReasonError           = "error"
	ReasonNoID            = "no_id"
	ReasonOther           = "other" // of members that were not counted one by one
)

// ItemKey names one item.
type ItemKey struct {
	ConnectionID, Kind, ID string
}

// Item is the state of an item: whether this version of it was scanned with this ruleset.
type Item struct {
	ItemKey
	Stream     string
	Version    string
	Ruleset    string // that everything scanned of it so far was scanned with; empty: nothing of it was
	State      string
	Reason     string
	Tries      int64
	FirstTryAt time.Time
	NextTryAt  time.Time
	At         time.Time
	Size       int64
	Result     string // masked matches as JSON, so that a file shown in another place is not fetched again
	Place      string // where the next fetch of it goes on, in the connector's own words
	ActorKey   string // whose it was, for what was deleted before it was scanned
	DeletedAt  time.Time
	Counted    string    // how the ledger counts this version of a file, as JSON; empty: not yet, or it is no file
	UpdatedAt  time.Time // when the row was stored
}

const itemColumns = `connection_id, kind, id, stream, version, ruleset, state, reason, tries, first_try_at, next_try_at, item_at, size, result, place, actor_key, deleted_at, counted, updated_at`

func scanItem(row interface{ Scan(...any) error }) (Item, error) {
	var i Item
	var first, next, at, deleted, updated int64
	err := row.Scan(&i.ConnectionID, &i.Kind, &i.ID, &i.Stream, &i.Version, &i.Ruleset, &i.State, &i.Reason, &i.Tries, &first, &next, &at, &i.Size, &i.Result, &i.Place, &i.ActorKey, &deleted, &i.Counted, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return i, fmt.Errorf("item: %w", ErrNotFound)
	}
	if err != nil {
		return i, fmt.Errorf("read item state: %w", err)
	}
	i.FirstTryAt, i.NextTryAt, i.At, i.DeletedAt, i.UpdatedAt = FromMicros(first), FromMicros(next), FromMicros(at), FromMicros(deleted), FromMicros(updated)
	return i, nil
}

// GetItem returns the state of an item, or ErrNotFound.
func GetItem(ctx context.Context, q Querier, k ItemKey) (Item, error) {
	return scanItem(q.QueryRowContext(ctx, `SELECT `+itemColumns+` FROM items WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND id = $4`, Workspace, k.ConnectionID, k.Kind, k.ID))
}

// PutItem stores the state of an item.
func PutItem(ctx context.Context, tx *Tx, i Item) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO items (workspace_id, `+itemColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (workspace_id, connection_id, kind, id) DO UPDATE SET stream = excluded.stream, version = excluded.version, ruleset = excluded.ruleset, state = excluded.state,
			reason = excluded.reason, tries = excluded.tries, first_try_at = excluded.first_try_at, next_try_at = excluded.next_try_at, item_at = excluded.item_at,
			size = excluded.size, result = excluded.result, place = excluded.place, actor_key = excluded.actor_key, deleted_at = excluded.deleted_at, counted = excluded.counted, updated_at = excluded.updated_at`,
		Workspace, i.ConnectionID, i.Kind, i.ID, i.Stream, i.Version, i.Ruleset, i.State, i.Reason, i.Tries, Micros(i.FirstTryAt), Micros(i.NextTryAt), Micros(i.At), i.Size, i.Result, i.Place, i.ActorKey, Micros(i.DeletedAt), i.Counted, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store item state: %w", err)
	}
	return nil
}

// DueItems returns items in a state whose next try has come, the earliest first.
func DueItems(ctx context.Context, q Querier, connectionID, state string, now time.Time, limit int) ([]Item, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+itemColumns+` FROM items WHERE workspace_id = $1 AND connection_id = $2 AND state = $3 AND next_try_at <= $4 ORDER BY next_try_at, kind, id LIMIT $5`,
		Workspace, connectionID, state, Micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list due items: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Item, error) { return scanItem(r) })
}

// ListDeleted returns what its users deleted before it was scanned, whole or in part, the newest deletion first, after the (deleted_at, id) of the last
// row of the page before; connectionID "" means all connections. Who that was is named by ActorKey. Where only a 404 told of the deletion, DeletedAt is
// when it was seen.
func ListDeleted(ctx context.Context, q Querier, connectionID string, beforeAt time.Time, beforeID string, limit int) ([]Item, error) {
	if beforeAt.IsZero() {
		beforeAt, beforeID = FromMicros(1<<62), ""
	}
	rows, err := q.QueryContext(ctx, `SELECT `+itemColumns+` FROM items WHERE workspace_id = $1 AND ($2 = '' OR connection_id = $2) AND deleted_at > 0
		AND (deleted_at < $3 OR (deleted_at = $3 AND id < $4)) ORDER BY deleted_at DESC, id DESC LIMIT $5`, Workspace, connectionID, Micros(beforeAt), beforeID, limit)
	if err != nil {
		return nil, fmt.Errorf("list deleted items: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Item, error) { return scanItem(r) })
}

// StreamOf returns the stream that items of a kind came from, "" if there was none.
func StreamOf(ctx context.Context, q Querier, connectionID, kind string) (string, error) {
	var stream string
	err := q.QueryRowContext(ctx, `SELECT stream FROM items WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 LIMIT 1`, Workspace, connectionID, kind).Scan(&stream)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look for the stream of a kind: %w", err)
	}
	return stream, nil
}

// Place is one resource that shows an item: the item itself, or what a file or a document is in.
type Place struct {
	ResourceKind, ResourceID  string
	ResourceName, ResourceURL string // the name masked
	Owner, Visibility         string // the owner as the source names it
	Project                   string
	ActorKey                  string
	At                        time.Time
}

// AddPlace stores a place of an item; placing it there again brings what is known of the resource up to date.
func AddPlace(ctx context.Context, tx *Tx, k ItemKey, p Place) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO item_places (workspace_id, connection_id, kind, id, resource_kind, resource_id, resource_name, resource_url, actor_key, placed_at, owner, visibility, project)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (workspace_id, connection_id, kind, id, resource_kind, resource_id) DO UPDATE SET resource_name = excluded.resource_name, resource_url = excluded.resource_url,
			owner = excluded.owner, visibility = excluded.visibility, project = excluded.project`,
		Workspace, k.ConnectionID, k.Kind, k.ID, p.ResourceKind, p.ResourceID, p.ResourceName, p.ResourceURL, p.ActorKey, Micros(p.At), p.Owner, p.Visibility, p.Project)
	if err != nil {
		return fmt.Errorf("store the place of an item: %w", err)
	}
	return nil
}

// Places returns the places of an item.
func Places(ctx context.Context, q Querier, k ItemKey) ([]Place, error) {
	rows, err := q.QueryContext(ctx, `SELECT resource_kind, resource_id, resource_name, resource_url, actor_key, placed_at, owner, visibility, project FROM item_places
		WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND id = $4 ORDER BY placed_at, resource_id`, Workspace, k.ConnectionID, k.Kind, k.ID)
	if err != nil {
		return nil, fmt.Errorf("list the places of an item: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Place, error) {
		var p Place
		var at int64
		if err := r.Scan(&p.ResourceKind, &p.ResourceID, &p.ResourceName, &p.ResourceURL, &p.ActorKey, &at, &p.Owner, &p.Visibility, &p.Project); err != nil {
			return p, fmt.Errorf("read the place of an item: %w", err)
		}
		p.At = FromMicros(at)
		return p, nil
	})
}

// Activity is one masked row of an audit feed.
type Activity struct {
	ConnectionID, ID, Type   string
	At                       time.Time
	ActorKey                 string
	ResourceKind, ResourceID string
	Fields                   string // JSON object of masked strings
}

// HasActivity reports whether an activity is stored.
func HasActivity(ctx context.Context, q Querier, connectionID, activityID string) (bool, error) {
	var n int64
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM activities WHERE workspace_id = $1 AND connection_id = $2 AND id = $3`, Workspace, connectionID, activityID).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for an activity: %w", err)
	}
	return n > 0, nil
}

// PutActivity stores an activity; one that is stored already is left as it is.
func PutActivity(ctx context.Context, tx *Tx, a Activity) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO activities (workspace_id, connection_id, id, type, at, actor_key, resource_kind, resource_id, fields)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (workspace_id, connection_id, id) DO NOTHING`,
		Workspace, a.ConnectionID, a.ID, a.Type, Micros(a.At), a.ActorKey, a.ResourceKind, a.ResourceID, a.Fields)
	if err != nil {
		return fmt.Errorf("store activity: %w", err)
	}
	return nil
}

// CountActivities counts activities in (from, to] whose type matches a glob (path.Match), of one actor, on one resource or in the whole connection:
// the argument that is not empty narrows.
func CountActivities(ctx context.Context, q Querier, connectionID, typeGlob, actorKey, resourceID string, from, to time.Time) (int64, error) {
	query := `SELECT type, COUNT(*) FROM activities WHERE workspace_id = $1 AND connection_id = $2 AND at > $3 AND at <= $4`
	args := []any{Workspace, connectionID, Micros(from), Micros(to)}
	narrow := func(column, value string) {
		args = append(args, value)
		query += fmt.Sprintf(" AND %s = $%d", column, len(args))
	}
	switch {
	case actorKey != "":
		narrow("actor_key", actorKey)
	case resourceID != "":
		narrow("resource_id", resourceID)
	}
	if !strings.ContainsAny(typeGlob, `*?[\`) {
		narrow("type", typeGlob)
	}
	// Databases disagree about globs, so that the types, which are few, are matched here.
	rows, err := q.QueryContext(ctx, query+` GROUP BY type`, args...)
	if err != nil {
		return 0, fmt.Errorf("count activities: %w", err)
	}
	counts, err := collect(rows, func(r *sql.Rows) (int64, error) {
		var kind string
		var n int64
		if err := r.Scan(&kind, &n); err != nil {
			return 0, err
		}
		if ok, err := path.Match(typeGlob, kind); err != nil || !ok {
			return 0, err
		}
		return n, nil
	})
	if err != nil {
		return 0, fmt.Errorf("count activities: %w", err)
	}
	var total int64
	for _, n := range counts {
		total += n
	}
	return total, nil
}

// LaterActivities returns the stored activities of these types on one resource after a time, the newest first, at most limit of them.
func LaterActivities(ctx context.Context, q Querier, connectionID, resourceKind, resourceID string, types []string, after time.Time, limit int) ([]Activity, error) {
	if len(types) == 0 {
		return nil, nil
	}
	args := []any{Workspace, connectionID, resourceKind, resourceID, Micros(after)}
	in := In(&args, types)
	args = append(args, limit)
	rows, err := q.QueryContext(ctx, `SELECT id, type, at, actor_key, fields FROM activities WHERE workspace_id = $1 AND connection_id = $2 AND resource_kind = $3 AND resource_id = $4 AND at > $5 AND type IN (`+in+
		`) ORDER BY at DESC, id LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list activities: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Activity, error) {
		a := Activity{ConnectionID: connectionID, ResourceKind: resourceKind, ResourceID: resourceID}
		var at int64
		if err := r.Scan(&a.ID, &a.Type, &at, &a.ActorKey, &a.Fields); err != nil {
			return a, fmt.Errorf("read activity: %w", err)
		}
		a.At = FromMicros(at)
		return a, nil
	})
}

// PurgeActivities deletes activities older than before, at most limit rows, and returns how many went.
func PurgeActivities(ctx context.Context, tx *Tx, before time.Time, limit int) (int64, error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM activities WHERE (workspace_id, connection_id, id) IN (SELECT workspace_id, connection_id, id FROM activities WHERE workspace_id = $1 AND at < $2 LIMIT $3)`, Workspace, Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("purge activities: %w", err)
	}
	return res.RowsAffected()
}
