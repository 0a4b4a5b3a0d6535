package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Profile is one version of a profile that an author made.
type Profile struct {
	ID      string
	Version int64
	YAML    string // empty where it is removed
	Removed bool
	At      time.Time
	By      string // usr_ or tok_ id
}

const profileColumns = `id, version, yaml, removed, created_at, created_by`

// Profiles returns the newest version of each profile that authors made, in the order of the ids, removed ones too.
func Profiles(ctx context.Context, q Querier) ([]Profile, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+profileColumns+` FROM profiles p WHERE workspace_id = $1 AND version = (SELECT MAX(version) FROM profiles WHERE workspace_id = p.workspace_id AND id = p.id) ORDER BY id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	return collect(rows, scanProfile)
}

// ProfileVersions returns up to limit versions of a profile, the newest first. A profile that no author changed has none.
func ProfileVersions(ctx context.Context, q Querier, id string, limit int) ([]Profile, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+profileColumns+` FROM profiles WHERE workspace_id = $1 AND id = $2 ORDER BY version DESC LIMIT $3`, Workspace, id, limit)
	if err != nil {
		return nil, fmt.Errorf("list the versions of a profile: %w", err)
	}
	return collect(rows, scanProfile)
}

func scanProfile(r *sql.Rows) (Profile, error) {
	var p Profile
	var removed, at int64
	if err := r.Scan(&p.ID, &p.Version, &p.YAML, &removed, &at, &p.By); err != nil {
		return p, fmt.Errorf("read profile: %w", err)
	}
	p.Removed, p.At = removed != 0, FromMicros(at)
	return p, nil
}

// SaveProfile stores the version after the one that the caller has seen, 0 where there is none: ErrConflict if another one is the newest by now. Version
// and At of p are not looked at.
func SaveProfile(ctx context.Context, tx *Tx, seen int64, p Profile) error {
	var newest int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM profiles WHERE workspace_id = $1 AND id = $2`, Workspace, p.ID).Scan(&newest)
	if err != nil {
		return fmt.Errorf("read the version of profile %s: %w", p.ID, err)
	}
	if newest != seen {
		return fmt.Errorf("profile %s is at version %d: %w", p.ID, newest, ErrConflict)
	}
	removed := 0
	if p.Removed {
		removed = 1
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO profiles (workspace_id, id, version, yaml, removed, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		Workspace, p.ID, newest+1, p.YAML, removed, Micros(tx.Now()), p.By)
	if err != nil {
		return fmt.Errorf("store profile %s: %w", p.ID, err)
	}
	return nil
}
