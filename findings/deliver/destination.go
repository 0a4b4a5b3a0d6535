// Package deliver sends the finding log to destinations. It promises at least once, in order per finding, with the same webhook-id at every try
// (invariant 3): an event that fails waits in a queue of its own and holds back only later events of its finding, and one that is given up is
// parked with the reason and can be replayed.
package deliver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Errors that callers act on; filter.ErrFilter and the error of CheckURL are others.
var (
	ErrNotFound   = fmt.Errorf("destination: %w", store.ErrNotFound)
	ErrInvalid    = errors.New("destination refused")
	ErrSigningKey = errors.New("the signing key is whsec_ and the base64 of 24 to 64 bytes")
)

// States of a destination.
const (
	StateActive   = "active"
	StateFailing  = "failing"  // nothing gets through at the moment; StateMessage says why
	StateDisabled = "disabled" // by a person, or because the receiver answered 410
)

// FieldSigningKey is the field of a destination's one secret.
const FieldSigningKey = "signing_key"

// Config is where and how a destination gets its events.
type Config struct {
	URL    string `json:"url"`
	Format string `json:"format"` // native
	Auth   string `json:"auth"`   // standard_webhooks
}

// Destination is where findings are sent. Its secret is write-only (invariant 8) and no field of it.
type Destination struct {
	ID           string        `json:"id"`
	Name         string        `json:"name"`
	Kind         string        `json:"kind"` // webhook
	Config       Config        `json:"config"`
	Filter       string        `json:"filter"` // see package filter
	State        string        `json:"state"`
	StateMessage string        `json:"state_message,omitempty"`
	CreatedAt    findings.Time `json:"created_at"`
	UpdatedAt    findings.Time `json:"updated_at"`
}

// Spec is what a person says about a new destination. Empty Kind, Format and Auth mean the only ones there are.
type Spec struct {
	Name       string
	Kind       string
	Config     Config
	Filter     string
	SigningKey secret.Value // zero: one is made
}

// Patch changes what is not nil. A new URL or key, or StateActive, lets what is queued be tried at once.
type Patch struct {
	Name       *string
	Config     *Config
	Filter     *string
	SigningKey *secret.Value
	State      *string // StateActive or StateDisabled
}

// Destinations are the destinations in the store.
type Destinations struct {
	CheckURL func(url string) error                                    // refuses a URL that may not be called
	Seal     func(s secret.Value, owner, field string) (string, error) // invariant 8
}

// Create stores a destination. It gets what is logged from now on; what was before is had by Replay. The key is returned only if it was made
// here, to be shown once.
func (d *Destinations) Create(ctx context.Context, tx *store.Tx, s Spec) (Destination, secret.Value, error) {
	now := findings.TimeOf(tx.Now())
	x := Destination{ID: id.New("dst_"), Name: s.Name, Kind: s.Kind, Config: s.Config, Filter: s.Filter, State: StateActive, CreatedAt: now, UpdatedAt: now}
	if x.Kind == "" {
		x.Kind = "webhook"
	}
	if err := d.check(&x); err != nil {
		return x, secret.Value{}, err
	}
	var made secret.Value
	if s.SigningKey.IsZero() {
		var b [32]byte
		// crypto/rand.Read never fails: it ends the program instead.
		_, _ = rand.Read(b[:])
		made = secret.NewValue(keyPrefix + base64.StdEncoding.EncodeToString(b[:]))
		s.SigningKey = made
	}
	if err := d.putKey(ctx, tx, x.ID, s.SigningKey); err != nil {
		return x, secret.Value{}, err
	}
	config, err := json.Marshal(x.Config)
	if err != nil {
		return x, secret.Value{}, fmt.Errorf("encode destination: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO destinations (workspace_id, id, name, kind, config, filter, state, state_message, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $8)`,
		store.Workspace, x.ID, x.Name, x.Kind, string(config), x.Filter, x.State, int64(now)); err != nil {
		return x, secret.Value{}, fmt.Errorf("store destination: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO consumers (workspace_id, id, seq, updated_at) SELECT $1, $2, COALESCE(MAX(seq), 0), $3 FROM finding_log WHERE workspace_id = $1`,
		store.Workspace, consumer(x.ID), int64(now)); err != nil {
		return x, secret.Value{}, fmt.Errorf("store the place of destination %s in the log: %w", x.ID, err)
	}
	return x, made, nil
}

func consumer(destinationID string) string { return "destination:" + destinationID }

func (d *Destinations) check(x *Destination) error {
	if x.Config.Format == "" {
		x.Config.Format = "native"
	}
	if x.Config.Auth == "" {
		x.Config.Auth = "standard_webhooks"
	}
	switch {
	case strings.TrimSpace(x.Name) == "" || len(x.Name) > 200:
		return fmt.Errorf("%w: its name is empty or over 200 bytes", ErrInvalid)
	case x.Kind != "webhook" || x.Config.Format != "native" || x.Config.Auth != "standard_webhooks":
		return fmt.Errorf("%w: the kind is webhook, the format native, the auth standard_webhooks", ErrInvalid)
	case x.Config.URL == "" || len(x.Config.URL) > 2048:
		return fmt.Errorf("%w: its URL is empty or over 2048 bytes", ErrInvalid)
	}
	if _, err := filter.Parse(x.Filter); err != nil {
		return err
	}
	return d.CheckURL(x.Config.URL)
}

func (d *Destinations) putKey(ctx context.Context, tx *store.Tx, destinationID string, key secret.Value) error {
	if _, err := decodeKey(key); err != nil {
		return err
	}
	sealed, err := d.Seal(key, destinationID, FieldSigningKey)
	if err != nil {
		return fmt.Errorf("seal the signing key: %w", err)
	}
	return store.PutCredential(ctx, tx, destinationID, FieldSigningKey, sealed)
}

// Update changes a destination and returns it as it is then.
func (d *Destinations) Update(ctx context.Context, tx *store.Tx, destinationID string, p Patch) (Destination, error) {
	x, err := Get(ctx, tx, destinationID)
	if err != nil {
		return x, err
	}
	again := p.SigningKey != nil
	if p.Name != nil {
		x.Name = *p.Name
	}
	if p.Filter != nil {
		x.Filter = *p.Filter
	}
	if p.Config != nil {
		again = again || p.Config.URL != x.Config.URL
		x.Config = *p.Config
	}
	if again {
		x.State, x.StateMessage = StateActive, ""
	}
	if p.State != nil {
		if *p.State != StateActive && *p.State != StateDisabled {
			return x, fmt.Errorf("%w: the state is set to active or disabled", ErrInvalid)
		}
		again = *p.State == StateActive
		x.State, x.StateMessage = *p.State, ""
	}
	if err := d.check(&x); err != nil {
		return x, err
	}
	if p.SigningKey != nil {
		if err := d.putKey(ctx, tx, x.ID, *p.SigningKey); err != nil {
			return x, err
		}
	}
	config, err := json.Marshal(x.Config)
	if err != nil {
		return x, fmt.Errorf("encode destination: %w", err)
	}
	x.UpdatedAt = findings.TimeOf(tx.Now())
	if _, err := tx.ExecContext(ctx, `UPDATE destinations SET name = $1, config = $2, filter = $3, state = $4, state_message = $5, updated_at = $6 WHERE workspace_id = $7 AND id = $8`,
		x.Name, string(config), x.Filter, x.State, x.StateMessage, int64(x.UpdatedAt), store.Workspace, x.ID); err != nil {
		return x, fmt.Errorf("store destination: %w", err)
	}
	if again {
		if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET next_try_at = $1 WHERE workspace_id = $2 AND destination_id = $3 AND state = $4 AND next_try_at > $1`,
			int64(x.UpdatedAt), store.Workspace, x.ID, Queued); err != nil {
			return x, fmt.Errorf("store destination: %w", err)
		}
	}
	return x, nil
}

// Delete removes a destination and its secret. Its deliveries stay until they are purged.
func Delete(ctx context.Context, tx *store.Tx, destinationID string) error {
	if _, err := Get(ctx, tx, destinationID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE destinations SET deleted_at = $1, updated_at = $1 WHERE workspace_id = $2 AND id = $3`, store.Micros(tx.Now()), store.Workspace, destinationID); err != nil {
		return fmt.Errorf("delete destination: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM consumers WHERE workspace_id = $1 AND id = $2`, store.Workspace, consumer(destinationID)); err != nil {
		return fmt.Errorf("delete destination: %w", err)
	}
	return store.DeleteCredentials(ctx, tx, destinationID)
}

const destinationColumns = `id, name, kind, config, filter, state, state_message, created_at, updated_at`

func scanDestination(row interface{ Scan(...any) error }) (Destination, error) {
	var x Destination
	var config string
	err := row.Scan(&x.ID, &x.Name, &x.Kind, &config, &x.Filter, &x.State, &x.StateMessage, &x.CreatedAt, &x.UpdatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return x, ErrNotFound
	}
	if err != nil {
		return x, fmt.Errorf("read destination: %w", err)
	}
	if err := json.Unmarshal([]byte(config), &x.Config); err != nil {
		return x, fmt.Errorf("decode the settings of destination %s: %w", x.ID, err)
	}
	return x, nil
}

// Get returns a destination, or ErrNotFound.
func Get(ctx context.Context, q store.Querier, destinationID string) (Destination, error) {
	return scanDestination(q.QueryRowContext(ctx, `SELECT `+destinationColumns+` FROM destinations WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0`, store.Workspace, destinationID))
}

// List returns all destinations, the oldest first.
func List(ctx context.Context, q store.Querier) ([]Destination, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+destinationColumns+` FROM destinations WHERE workspace_id = $1 AND deleted_at = 0 ORDER BY created_at, id`, store.Workspace)
	if err != nil {
		return nil, fmt.Errorf("list destinations: %w", err)
	}
	out := []Destination{}
	err = findings.Each(rows, func() error {
		x, err := scanDestination(rows)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list destinations: %w", err)
	}
	return out, nil
}
