package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/internal/id"
)

// States of a connection.
const (
	ConnectionActive         = "active"
	ConnectionPaused         = "paused"
	ConnectionNeedsAttention = "needs_attention" // an admin must act; StateCode and StateMessage say how
)

// Connection is a connector set up with a credential for one organisation. Its secrets are in the table credentials.
type Connection struct {
	ID             string
	Name           string
	Connector      string
	AccountID      string // the organisation behind the key
	AccountName    string
	KeyKind        string
	Config         map[string]string
	Key            KeyFacts
	Every          time.Duration
	BackfillFrom   time.Time // zero: no history
	BackfillPaused bool
	State          string
	StateCode      string
	StateMessage   string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeletedAt      time.Time
}

// KeyFacts is what the last test of a connection's key said of it. All of it may be empty: not known.
type KeyFacts struct {
	MissingScopes []string  `json:"missing_scopes,omitempty"` // what cannot be read
	SurplusScopes []string  `json:"surplus_scopes,omitempty"` // what the key may do beyond what is asked for
	Streams       []string  `json:"streams,omitempty"`        // what can be read with it
	Organizations []string  `json:"organizations,omitempty"`  // ids of all that the key reaches
	Since         time.Time `json:"since,omitzero"`           // the oldest thing that can be read
	TestedAt      time.Time `json:"tested_at,omitzero"`
}

const connectionColumns = `id, name, connector, account_id, account_name, key_kind, config, every_us, backfill_from, state, state_code, state_message, created_at, updated_at, backfill_paused, key_facts, deleted_at`

func scanConnection(row interface{ Scan(...any) error }) (Connection, error) {
	var c Connection
	var config, facts string
	var every, backfill, created, updated, paused, deleted int64
	if err := row.Scan(&c.ID, &c.Name, &c.Connector, &c.AccountID, &c.AccountName, &c.KeyKind, &config, &every, &backfill, &c.State, &c.StateCode, &c.StateMessage, &created, &updated, &paused, &facts, &deleted); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return c, fmt.Errorf("connection: %w", ErrNotFound)
		}
		return c, fmt.Errorf("read connection: %w", err)
	}
	if err := json.Unmarshal([]byte(config), &c.Config); err != nil {
		return c, fmt.Errorf("decode the settings of connection %s: %w", c.ID, err)
	}
	if facts != "" {
		if err := json.Unmarshal([]byte(facts), &c.Key); err != nil {
			return c, fmt.Errorf("decode what is known of the key of connection %s: %w", c.ID, err)
		}
	}
	c.BackfillPaused = paused != 0
	c.Every = time.Duration(every) * time.Microsecond
	c.BackfillFrom, c.CreatedAt, c.UpdatedAt, c.DeletedAt = FromMicros(backfill), FromMicros(created), FromMicros(updated), FromMicros(deleted)
	return c, nil
}

// CreateConnection stores c and returns it with its id. Connecting the account of a deleted connection again revives that connection under its
// old id, so that its findings stay its own; an account that is connected already is ErrConflict.
func CreateConnection(ctx context.Context, tx *Tx, c Connection) (Connection, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return c, fmt.Errorf("encode settings: %w", err)
	}
	facts, err := json.Marshal(c.Key)
	if err != nil {
		return c, fmt.Errorf("encode what is known of a key: %w", err)
	}
	now := tx.Now()
	old, err := scanConnection(tx.QueryRowContext(ctx, `SELECT `+connectionColumns+` FROM connections WHERE workspace_id = $1 AND connector = $2 AND account_id = $3 AND key_kind = $4`,
		Workspace, c.Connector, c.AccountID, c.KeyKind))
	switch {
	case errors.Is(err, ErrNotFound):
		c.ID, c.CreatedAt = id.New("con_"), now
	case err != nil:
		return c, err
	case old.DeletedAt.IsZero():
		return old, fmt.Errorf("connection %s to the same account: %w", old.ID, ErrConflict)
	default:
		c.ID, c.CreatedAt = old.ID, now
	}
	c.UpdatedAt, c.DeletedAt = now, time.Time{}
	_, err = tx.ExecContext(ctx, `INSERT INTO connections (workspace_id, `+connectionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0)
		ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, account_name = excluded.account_name, config = excluded.config, every_us = excluded.every_us,
			backfill_from = excluded.backfill_from, state = excluded.state, state_code = excluded.state_code, state_message = excluded.state_message,
			created_at = excluded.created_at, updated_at = excluded.updated_at, backfill_paused = excluded.backfill_paused, key_facts = excluded.key_facts, deleted_at = 0`,
		Workspace, c.ID, c.Name, c.Connector, c.AccountID, c.AccountName, c.KeyKind, string(config), c.Every.Microseconds(), Micros(c.BackfillFrom),
		c.State, c.StateCode, c.StateMessage, Micros(c.CreatedAt), Micros(c.UpdatedAt), truth(c.BackfillPaused), string(facts))
	if err != nil {
		return c, fmt.Errorf("store connection: %w", err)
	}
	return c, nil
}

// GetConnection returns a connection that is not deleted.
func GetConnection(ctx context.Context, q Querier, connectionID string) (Connection, error) {
	return scanConnection(q.QueryRowContext(ctx, `SELECT `+connectionColumns+` FROM connections WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0`, Workspace, connectionID))
}

// ListConnections returns the connections that are not deleted, oldest first.
func ListConnections(ctx context.Context, q Querier) ([]Connection, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+connectionColumns+` FROM connections WHERE workspace_id = $1 AND deleted_at = 0 ORDER BY created_at, id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Connection, error) { return scanConnection(r) })
}

// UpdateConnection stores the name, settings, schedule, history start, state and what is known of the key of c.
func UpdateConnection(ctx context.Context, tx *Tx, c Connection) error {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return fmt.Errorf("encode settings: %w", err)
	}
	facts, err := json.Marshal(c.Key)
	if err != nil {
		return fmt.Errorf("encode what is known of a key: %w", err)
	}
	return one(tx.ExecContext(ctx, `UPDATE connections SET name = $1, account_id = $2, account_name = $3, key_kind = $4, config = $5, every_us = $6, backfill_from = $7, state = $8, state_code = $9, state_message = $10, updated_at = $11, backfill_paused = $12, key_facts = $13
		WHERE workspace_id = $14 AND id = $15 AND deleted_at = 0`,
		c.Name, c.AccountID, c.AccountName, c.KeyKind, string(config), c.Every.Microseconds(), Micros(c.BackfillFrom), c.State, c.StateCode, c.StateMessage, Micros(tx.Now()), truth(c.BackfillPaused), string(facts), Workspace, c.ID))("connection " + c.ID)
}

// SetConnectionState stores the state that a scan found. A pause made by a person is not overwritten.
func SetConnectionState(ctx context.Context, tx *Tx, connectionID, state, code, message string) error {
	_, err := tx.ExecContext(ctx, `UPDATE connections SET state = $1, state_code = $2, state_message = $3, updated_at = $4
		WHERE workspace_id = $5 AND id = $6 AND state <> $7 AND (state <> $1 OR state_code <> $2 OR state_message <> $3)`,
		state, code, message, Micros(tx.Now()), Workspace, connectionID, ConnectionPaused)
	if err != nil {
		return fmt.Errorf("store the state of connection %s: %w", connectionID, err)
	}
	return nil
}

// SetBackfillPaused stops the reading of a connection's history, or lets it go on. What is new, gaps and re-reads are read all the same.
func SetBackfillPaused(ctx context.Context, tx *Tx, connectionID string, paused bool) error {
	return one(tx.ExecContext(ctx, `UPDATE connections SET backfill_paused = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4 AND deleted_at = 0`,
		truth(paused), Micros(tx.Now()), Workspace, connectionID))("connection " + connectionID)
}

// DeleteConnection marks a connection deleted and removes its secrets and all that says what was read: connecting the account again reads and counts
// it anew. Its findings stay.
func DeleteConnection(ctx context.Context, tx *Tx, connectionID string) error {
	if err := one(tx.ExecContext(ctx, `UPDATE connections SET deleted_at = $1, updated_at = $1 WHERE workspace_id = $2 AND id = $3 AND deleted_at = 0`,
		Micros(tx.Now()), Workspace, connectionID))("connection " + connectionID); err != nil {
		return err
	}
	for _, q := range []string{
		`DELETE FROM credentials WHERE workspace_id = $1 AND owner_id = $2`,
		`DELETE FROM checkpoints WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM items WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM item_places WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM activities WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM coverage_units WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM coverage_intervals WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM records WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM record_values WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM snapshots WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM posture_runs WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM calls_seen WHERE workspace_id = $1 AND run IN (SELECT run FROM call_runs WHERE workspace_id = $1 AND connection_id = $2)`,
		`DELETE FROM call_runs WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM call_requests WHERE workspace_id = $1 AND connection_id = $2`,
		`DELETE FROM own_keys WHERE workspace_id = $1 AND connection_id = $2`,
	} {
		if _, err := tx.ExecContext(ctx, q, Workspace, connectionID); err != nil {
			return fmt.Errorf("clear connection %s: %w", connectionID, err)
		}
	}
	// A worker in the middle of a page stores nothing more of it.
	return DropLeases(ctx, tx, LeasePrefix(connectionID))
}

// PutCredential stores a sealed secret of a connection or destination.
func PutCredential(ctx context.Context, tx *Tx, ownerID, field, sealed string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO credentials (workspace_id, owner_id, field, sealed, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (workspace_id, owner_id, field) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at`, Workspace, ownerID, field, sealed, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("store credential: %w", err)
	}
	return nil
}

// DeleteCredentials removes every secret of a connection or destination.
func DeleteCredentials(ctx context.Context, tx *Tx, ownerID string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM credentials WHERE workspace_id = $1 AND owner_id = $2`, Workspace, ownerID); err != nil {
		return fmt.Errorf("delete credentials: %w", err)
	}
	return nil
}

// GetCredential returns a sealed secret.
func GetCredential(ctx context.Context, q Querier, ownerID, field string) (string, error) {
	var sealed string
	err := q.QueryRowContext(ctx, `SELECT sealed FROM credentials WHERE workspace_id = $1 AND owner_id = $2 AND field = $3`, Workspace, ownerID, field).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("credential %s of %s: %w", field, ownerID, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	return sealed, nil
}

// Credential is a sealed secret with its place.
type Credential struct{ OwnerID, Field, Sealed string }

// ListCredentials returns all sealed secrets.
func ListCredentials(ctx context.Context, q Querier) ([]Credential, error) {
	rows, err := q.QueryContext(ctx, `SELECT owner_id, field, sealed FROM credentials WHERE workspace_id = $1 ORDER BY owner_id, field`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Credential, error) {
		var c Credential
		if err := r.Scan(&c.OwnerID, &c.Field, &c.Sealed); err != nil {
			return c, fmt.Errorf("read credential: %w", err)
		}
		return c, nil
	})
}

// one turns the result of an UPDATE or DELETE that must touch one row into ErrNotFound if it touched none.
func one(res sql.Result, err error) func(what string) error {
	return func(what string) error {
		if err != nil {
			return fmt.Errorf("store %s: %w", what, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("store %s: %w", what, err)
		}
		if n == 0 {
			return fmt.Errorf("%s: %w", what, ErrNotFound)
		}
		return nil
	}
}

func collect[T any](rows *sql.Rows, f func(*sql.Rows) (T, error)) (out []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := f(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// truth is a bool as both databases store it.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
