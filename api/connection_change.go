package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// CreateConnectionInput is a new connection.
type CreateConnectionInput struct {
	Body struct {
		Name         string            `json:"name,omitempty" maxLength:"120" doc:"Absent: the connector's name and the organisation's."`
		Connector    string            `json:"connector" maxLength:"40"`
		Config       map[string]any    `json:"config,omitempty" doc:"As the connector's config schema says; what is absent takes its default."`
		Secrets      map[string]string `json:"secrets" writeOnly:"true" doc:"As the connector's credentials schema says; sealed, and never returned."`
		Schedule     *Schedule         `json:"schedule,omitempty" doc:"Absent: every 1m, or every 5m where the app allows few calls."`
		BackfillFrom Optional[string]  `json:"backfill_from,omitzero" doc:"RFC 3339. How far back history is read; absent: 30 days; null: not at all."`
	}
}

// UpdateConnectionInput changes what is in it.
type UpdateConnectionInput struct {
	IDInput
	Body struct {
		Name     *string           `json:"name,omitempty" minLength:"1" maxLength:"120"`
		Config   map[string]any    `json:"config,omitempty" doc:"Settings to change; null: the default."`
		Secrets  map[string]string `json:"secrets,omitempty" writeOnly:"true" doc:"Secrets to replace. They must be of the same organisation."`
		Schedule *Schedule         `json:"schedule,omitempty"`

		BackfillFrom Optional[string] `json:"backfill_from,omitzero" doc:"RFC 3339. How far back history is read: an earlier day adds what is before, a later one stops there; null: no history. What was read stays."`
	}
}

func noConnector() error {
	return problem.Invalid(problem.Field{Location: "body.connector", Message: "There is no such connector. GET /api/v1/connectors lists them."})
}

func (a *API) createConnection(ctx context.Context, in *CreateConnectionInput) (*Output[Connection], error) {
	b := &in.Body
	m := a.manifest(b.Connector)
	if m == nil {
		return nil, noConnector()
	}
	config, wrong := a.settings(m, b.Config)
	secrets, more := credentials(m, b.Secrets, false)
	wrong = append(wrong, more...)
	every, more := interval(b.Schedule, usualEvery(m, config))
	wrong = append(wrong, more...)
	from, more := backfill(b.BackfillFrom, a.d.DB.Now())
	wrong = append(wrong, more...)
	if wrong = append(wrong, name(b.Name)...); len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	account, steps, err := a.runTest(ctx, store.Connection{Connector: m.ID, Config: config}, secrets, nil)
	if err != nil {
		return nil, testProblem(steps, err)
	}
	c := store.Connection{
		Name: b.Name, Connector: m.ID, AccountID: a.accountID(m, account, secrets), AccountName: account.Name, KeyKind: account.KeyKind, Config: config, Key: a.factsOf(account),
		Every: every, BackfillFrom: from, State: store.ConnectionActive,
	}
	if c.Name == "" {
		c.Name = defaultName(m, account)
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		var err error
		if c, err = store.CreateConnection(ctx, tx, c); err != nil {
			return err
		}
		if err := a.sealAll(ctx, tx, c.ID, secrets); err != nil {
			return err
		}
		first, err := store.QueueScan(ctx, tx, c.ID, store.CauseFirst)
		if err != nil {
			return err
		}
		return audit(ctx, tx, "connection.create", c.ID, map[string]string{"connector": m.ID, "scan": first.ID})
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, problem.New(http.StatusConflict, problem.CodeConnected, "This organisation is connected already, as "+c.ID+". Change that connection instead, or remove it first.")
	}
	if err != nil {
		return nil, err
	}
	if err := a.started(ctx, c.ID); err != nil {
		return nil, a.undoCreate(ctx, c.ID, err)
	}
	return a.connected(ctx, c)
}

// started tells the engine of a new connection and of its first scan.
func (a *API) started(ctx context.Context, connectionID string) error {
	if err := a.d.Runner.ConnectionSaved(ctx, connectionID); err != nil {
		return err
	}
	return a.d.Runner.ScanQueued(ctx, connectionID)
}

// undoCreate takes back a connection that the engine could not be told of, so that the request can be sent again.
func (a *API) undoCreate(ctx context.Context, connectionID string, cause error) error {
	a.d.Log.Error("connection taken back", "connection", connectionID, "code", problem.CodeEngine, "err", cause)
	ctx = context.WithoutCancel(ctx)
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.DeleteConnection(ctx, tx, connectionID); err != nil {
			return err
		}
		return audit(ctx, tx, "connection.delete", connectionID, map[string]string{"code": problem.CodeEngine})
	})
	if err != nil {
		return err
	}
	return problem.New(http.StatusServiceUnavailable, problem.CodeEngine, "The scan engine did not answer, so nothing was stored. Send the request again.")
}

// accountID is the vendor's id of the organisation. Where nothing names one, the key itself stands for it, as a keyed digest.
func (a *API) accountID(m *connectors.Manifest, account connectors.Account, secrets map[string]secret.Value) string {
	if account.ID != "" {
		return account.ID
	}
	fields := []string{m.ID}
	for _, f := range m.Secrets {
		fields = append(fields, f.ID, secrets[f.ID].Reveal())
	}
	return id.Computed(a.d.Vault.IDKey(), "key_", "account", fields...)
}

func defaultName(m *connectors.Manifest, account connectors.Account) string {
	who := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.TrimSpace(account.Name))
	if who == "" || len(who) > 100 {
		return m.Name
	}
	return m.Name + " (" + who + ")"
}

// sealAll stores secrets. Invariant 8: they are sealed, bound to the connection and the field.
func (a *API) sealAll(ctx context.Context, tx *store.Tx, owner string, secrets map[string]secret.Value) error {
	for field, v := range secrets {
		sealed, err := a.d.Vault.Seal(v, owner, field)
		if err != nil {
			return err
		}
		if err := store.PutCredential(ctx, tx, owner, field, sealed); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) updateConnection(ctx context.Context, in *UpdateConnectionInput) (*Output[Connection], error) {
	b := &in.Body
	c, err := store.GetConnection(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	m := a.manifest(c.Connector)
	if m == nil {
		return nil, fmt.Errorf("connection %s: its connector %s is not part of this program", c.ID, c.Connector)
	}
	merged := map[string]any{}
	for k, v := range c.Config {
		merged[k] = v
	}
	maps.Copy(merged, b.Config)
	config, wrong := a.settings(m, merged)
	secrets, more := credentials(m, b.Secrets, true)
	wrong = append(wrong, more...)
	every := c.Every
	if b.Schedule != nil {
		every, more = interval(b.Schedule, c.Every)
		wrong = append(wrong, more...)
	}
	if b.Name != nil {
		wrong = append(wrong, name(*b.Name)...)
	}
	from := c.BackfillFrom
	if b.BackfillFrom.Set {
		from, more = backfill(b.BackfillFrom, a.d.DB.Now())
		wrong = append(wrong, more...)
	}
	if len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	tested := len(secrets) > 0 || !maps.Equal(config, c.Config)
	var facts store.KeyFacts
	if tested {
		if facts, err = a.testChange(ctx, m, c, config, secrets); err != nil {
			return nil, err
		}
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		// Read again: a scan or another request may have changed it during the test.
		if c, err = store.GetConnection(ctx, tx, in.ID); err != nil {
			return err
		}
		changed := map[string]string{}
		if b.Name != nil && *b.Name != c.Name {
			c.Name, changed["name"] = *b.Name, "changed"
		}
		if every != c.Every {
			c.Every, changed["schedule"] = every, "changed"
		}
		if !from.Equal(c.BackfillFrom) {
			c.BackfillFrom, changed["backfill_from"] = from, "changed"
		}
		if tested {
			c.Key = facts
		}
		if !maps.Equal(config, c.Config) {
			c.Config, changed["config"] = config, "changed"
		}
		if len(secrets) > 0 {
			changed["secrets"] = "changed"
		}
		if tested && c.State == store.ConnectionNeedsAttention {
			c.State, c.StateCode, c.StateMessage = store.ConnectionActive, "", ""
		}
		c.UpdatedAt = tx.Now()
		if err := store.UpdateConnection(ctx, tx, c); err != nil {
			return err
		}
		if err := a.sealAll(ctx, tx, c.ID, secrets); err != nil {
			return err
		}
		return audit(ctx, tx, "connection.update", c.ID, changed)
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.Runner.ConnectionSaved(ctx, c.ID); err != nil {
		return nil, a.engineDown("connection", c.ID, err)
	}
	return a.connected(ctx, c)
}

// testChange tests new settings and secrets together with the stored ones. They must be of the same organisation, or its findings would mix with
// those of another.
func (a *API) testChange(ctx context.Context, m *connectors.Manifest, c store.Connection, config map[string]string, secrets map[string]secret.Value) (store.KeyFacts, error) {
	all, err := a.unseal(ctx, m, c.ID)
	if err != nil {
		return store.KeyFacts{}, err
	}
	maps.Copy(all, secrets)
	changed := c
	changed.Config = config
	account, steps, err := a.runTest(ctx, changed, all, nil)
	if err != nil {
		return store.KeyFacts{}, testProblem(steps, err)
	}
	if a.accountID(m, account, all) != c.AccountID || account.KeyKind != c.KeyKind {
		return store.KeyFacts{}, problem.New(http.StatusConflict, problem.CodeOtherAccount, "The key is of another organisation or of another kind than the one that is connected. Use a key of the same organisation and kind, or make a new connection.")
	}
	return a.factsOf(account), nil
}

// unseal opens the stored secrets of a connection, in the process that calls with them (invariant 8).
func (a *API) unseal(ctx context.Context, m *connectors.Manifest, connectionID string) (map[string]secret.Value, error) {
	out := map[string]secret.Value{}
	for _, f := range m.Secrets {
		sealed, err := store.GetCredential(ctx, a.d.DB.Read(), connectionID, f.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if out[f.ID], err = a.d.Vault.Unseal(sealed, connectionID, f.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// factsOf is what a test said of a key, as it is kept.
func (a *API) factsOf(account connectors.Account) store.KeyFacts {
	return store.KeyFacts{
		MissingScopes: account.MissingScopes, SurplusScopes: account.SurplusScopes, Streams: account.Streams, Organizations: account.Organizations, Since: account.Since, TestedAt: a.d.DB.Now(),
	}
}
