package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// Connection is a connector set up with a key for one organisation. Its secrets are not in it (invariant 8).
type Connection struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Connector    string         `json:"connector"`
	Account      AccountRef     `json:"account" doc:"The organisation behind the key."`
	Key          KeyFacts       `json:"key" doc:"What the last test of the key said of it."`
	Config       map[string]any `json:"config" doc:"As the connector's config schema says."`
	Schedule     Schedule       `json:"schedule"`
	BackfillFrom *string        `json:"backfill_from" format:"date-time" doc:"How far back history is read; null: not at all."`
	Paused       bool           `json:"backfill_paused" doc:"The reading of the history is paused; what is new is read all the same."`
	State        string         `json:"state" enum:"active,paused,needs_attention"`
	StateCode    string         `json:"state_code" doc:"Why it needs attention; empty otherwise."`
	StateMessage string         `json:"state_message" doc:"What to do about it, in one sentence."`
	Secrets      Secrets        `json:"secrets" doc:"By field. What is stored, never the secret itself."`
	LastScan     Nullable[Scan] `json:"last_scan" doc:"The newest scan; null: there is none yet."`
	CreatedAt    *string        `json:"created_at" format:"date-time"`
	UpdatedAt    *string        `json:"updated_at" format:"date-time"`
}

// KeyFacts is what the last test of a connection's key said of it.
type KeyFacts struct {
	MissingScopes []string `json:"missing_scopes" doc:"What cannot be read with this key."`
	SurplusScopes []string `json:"surplus_scopes" doc:"What the key may do beyond what is asked for: a smaller key would do."`
	Streams       []string `json:"streams" doc:"What can be read with it."`
	Organizations []string `json:"organizations" doc:"Ids of all organisations that it reaches."`
	Since         *string  `json:"since" format:"date-time" doc:"The oldest thing that can be read; null: not known."`
	TestedAt      *string  `json:"tested_at" format:"date-time" doc:"null: by a version of Outband that did not keep this."`
}

func keyFacts(k store.KeyFacts) KeyFacts {
	return KeyFacts{
		MissingScopes: some(k.MissingScopes), SurplusScopes: some(k.SurplusScopes), Streams: some(k.Streams), Organizations: some(k.Organizations), Since: stamp(k.Since), TestedAt: stamp(k.TestedAt),
	}
}

// Secrets says by field what is known of the secrets of a connection or destination.
type Secrets map[string]SecretInfo

// SecretInfo is what is known of a stored secret.
type SecretInfo struct {
	Set       bool    `json:"set"`
	RotatedAt *string `json:"rotated_at" format:"date-time" doc:"When it was stored; null: it is not."`
}

// Nullable is an output that is an object or null.
type Nullable[T any] struct{ Value *T }

// MarshalJSON implements json.Marshaler.
func (n Nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.Value) }

// Schema implements huma.SchemaProvider.
func (n Nullable[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

// AccountRef is the organisation behind a key.
type AccountRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	KeyKind string `json:"key_kind"`
}

// Schedule says how often a connection is scanned.
type Schedule struct {
	Every string `json:"every" maxLength:"32" doc:"A duration such as 5m, from 1m to 24h." example:"5m"`
}

// connection is the public form of a connection, with its newest scan and what is known of its secrets.
func (a *API) connection(ctx context.Context, c store.Connection) (Connection, error) {
	out := Connection{
		ID: c.ID, Name: c.Name, Connector: c.Connector, Account: AccountRef{ID: c.AccountID, Name: c.AccountName, KeyKind: c.KeyKind}, Key: keyFacts(c.Key), Config: map[string]any{}, Paused: c.BackfillPaused,
		Schedule: Schedule{Every: every(c.Every)}, BackfillFrom: stamp(c.BackfillFrom), State: c.State, StateCode: c.StateCode, StateMessage: c.StateMessage,
		CreatedAt: stamp(c.CreatedAt), UpdatedAt: stamp(c.UpdatedAt),
	}
	kinds := map[string]string{}
	var fields []string
	if m := a.manifest(c.Connector); m != nil {
		for _, f := range m.Config {
			kinds[f.ID] = f.Type
		}
		for _, f := range m.Secrets {
			fields = append(fields, f.ID)
		}
	}
	for k, v := range c.Config {
		out.Config[k] = typed(kinds[k], v)
	}
	var err error
	if out.Secrets, err = a.secrets(ctx, c.ID, fields...); err != nil {
		return out, err
	}
	last, err := store.LastScan(ctx, a.d.DB.Read(), c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	public, err := a.scan(ctx, last)
	if err != nil {
		return out, err
	}
	out.LastScan.Value = &public
	return out, nil
}

// secrets says which of the fields are stored. Invariant 8: nothing is opened for it.
func (a *API) secrets(ctx context.Context, owner string, fields ...string) (Secrets, error) {
	stored, err := store.CredentialTimes(ctx, a.d.DB.Read(), owner)
	if err != nil {
		return nil, err
	}
	out := Secrets{}
	for _, f := range fields {
		at, set := stored[f]
		out[f] = SecretInfo{Set: set, RotatedAt: stamp(at)}
	}
	return out, nil
}

// connected answers with a connection.
func (a *API) connected(ctx context.Context, c store.Connection) (*Output[Connection], error) {
	out, err := a.connection(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Output[Connection]{out}, nil
}

// every is the text of a schedule: 5m, not 5m0s.
func every(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

func (a *API) listConnections(ctx context.Context, in *ListInput) (*ListOutput[Connection], error) {
	all, err := store.ListConnections(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	page, err := paginate("connections", all, func(c store.Connection) string { return sortKey(c.CreatedAt, c.ID) }, *in)
	if err != nil {
		return nil, err
	}
	out := make([]Connection, 0, len(page.Body.Items))
	for _, c := range page.Body.Items {
		x, err := a.connection(ctx, c)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return listed(out, page.Body.NextCursor), nil
}

// sortKey grows with the time, then with the id.
func sortKey(t time.Time, id string) string { return fmt.Sprintf("%020d %s", store.Micros(t), id) }

func (a *API) getConnection(ctx context.Context, in *IDInput) (*Output[Connection], error) {
	c, err := store.GetConnection(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	return a.connected(ctx, c)
}

func (a *API) deleteConnection(ctx context.Context, in *IDInput) error {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.DeleteConnection(ctx, tx, in.ID); err != nil {
			return err
		}
		return audit(ctx, tx, "connection.delete", in.ID, nil)
	})
	if err != nil {
		return err
	}
	if err := a.d.Runner.ConnectionRemoved(ctx, in.ID); err != nil {
		// Its key is gone, so nothing can be read any more; the schedule goes at the next start, when all are made from the store.
		a.d.Log.Error("schedule not removed", "connection", in.ID, "code", problem.CodeEngine, "err", err)
	}
	return nil
}

func (a *API) scanConnection(ctx context.Context, in *IDInput) (*Output[Scan], error) {
	var s store.Scan
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		c, err := store.GetConnection(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		if c.State == store.ConnectionPaused {
			return problem.New(http.StatusConflict, problem.CodePaused, "The connection is paused. Resume it, then scan.")
		}
		if s, err = store.QueueScan(ctx, tx, in.ID, store.CauseRequest); err != nil {
			return err
		}
		return audit(ctx, tx, "connection.scan", in.ID, map[string]string{"scan": s.ID})
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.Runner.ScanQueued(ctx, in.ID); err != nil {
		// The scan stays queued: the connection's next scheduled run takes it.
		a.d.Log.Warn("queued scan not started", "connection", in.ID, "scan", s.ID, "code", problem.CodeEngine, "err", err)
	}
	return a.aScan(ctx, s)
}

func (a *API) pauseConnection(ctx context.Context, in *IDInput) (*Output[Connection], error) {
	return a.setPaused(ctx, in.ID, "connection.pause", store.ConnectionPaused, a.d.Runner.Pause)
}

func (a *API) resumeConnection(ctx context.Context, in *IDInput) (*Output[Connection], error) {
	return a.setPaused(ctx, in.ID, "connection.resume", store.ConnectionActive, a.d.Runner.Resume)
}

// setPaused stores the state and tells the engine. Both can be done again, so a request whose second half failed is simply sent again.
func (a *API) setPaused(ctx context.Context, connectionID, action, state string, tell func(context.Context, string) error) (*Output[Connection], error) {
	var c store.Connection
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if c, err = store.GetConnection(ctx, tx, connectionID); err != nil {
			return err
		}
		if state == store.ConnectionActive && c.State != store.ConnectionPaused {
			return nil // It runs already, or an admin must act first: resuming changes neither.
		}
		if c.State != state {
			c.State, c.StateCode, c.StateMessage, c.UpdatedAt = state, "", "", tx.Now()
			if err := store.UpdateConnection(ctx, tx, c); err != nil {
				return err
			}
		}
		return audit(ctx, tx, action, connectionID, nil)
	})
	if err != nil {
		return nil, err
	}
	if err := tell(ctx, connectionID); err != nil {
		return nil, a.engineDown("connection", connectionID, err)
	}
	return a.connected(ctx, c)
}

// engineDown is the problem of a change that is stored and that the engine could not be told of.
func (a *API) engineDown(kind, id string, err error) error {
	a.d.Log.Error("engine not told of a change", kind, id, "code", problem.CodeEngine, "err", err)
	return problem.New(http.StatusServiceUnavailable, problem.CodeEngine, "The change is stored, but the scan engine did not answer. Send the request again, or restart Outband.")
}
