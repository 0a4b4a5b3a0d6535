package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
)

// Opener makes the source of a connection. Credentials are opened here only, in the process that calls the app (invariant 8).
type Opener struct {
	vault     *vault.Vault
	db        *store.DB
	doer      *safehttp.Client
	limiters  *connectors.Limiters
	userAgent string
	calls     *callLogs
	byID      map[string]entry
	observe   func(connectorID, connectionID string, o connectors.Observation)
}

// Watch makes every call of every source known to f, which is called from many goroutines. Set it before the first source is opened.
func (o *Opener) Watch(f func(connectorID, connectionID string, o connectors.Observation)) {
	o.observe = f
}

// observer is what a client tells its calls.
func (o *Opener) observer(connectorID, connectionID string) func(connectors.Observation) {
	if o.observe == nil {
		return nil
	}
	return func(seen connectors.Observation) { o.observe(connectorID, connectionID, seen) }
}

type entry struct {
	connector connectors.Connector
	manifest  *connectors.Manifest
}

// NewOpener parses the manifests of the connectors.
func NewOpener(all []connectors.Connector, db *store.DB, v *vault.Vault, doer *safehttp.Client, userAgent string) (*Opener, error) {
	o := &Opener{vault: v, db: db, doer: doer, userAgent: userAgent, calls: newCallLogs(db, v.IDKey()), byID: map[string]entry{}}
	o.limiters = &connectors.Limiters{Budget: func(key string) connectors.Budget { return &sharedBudget{db, key} }}
	for _, c := range all {
		m, err := connectors.ParseManifest(c.Manifest)
		if err != nil {
			return nil, err
		}
		o.byID[m.ID] = entry{c, m}
	}
	return o, nil
}

// Manifest returns the manifest of a connector.
func (o *Opener) Manifest(connectorID string) (*connectors.Manifest, error) {
	e, ok := o.byID[connectorID]
	if !ok {
		return nil, &connectors.Error{Kind: connectors.KindConfig, Code: "OB-3005", Message: fmt.Sprintf("This version has no connector %q.", connectorID)}
	}
	return e.manifest, nil
}

// Source opens the source of a stored connection.
func (o *Opener) Source(ctx context.Context, c store.Connection) (connectors.Source, *connectors.Manifest, error) {
	m, err := o.Manifest(c.Connector)
	if err != nil {
		return nil, nil, err
	}
	field := m.Secrets[0].ID
	sealed, err := store.GetCredential(ctx, o.db.Read(), c.ID, field)
	if err != nil {
		return nil, nil, &connectors.Error{Kind: connectors.KindAuth, Code: "OB-3006", Message: "The connection has no key. Store one in its settings."}
	}
	key, err := o.vault.Unseal(sealed, c.ID, field)
	if err != nil {
		return nil, nil, &connectors.Error{Kind: connectors.KindAuth, Code: "OB-3007", Message: "The stored key cannot be opened with this key file. Store the key again."}
	}
	return o.open(c.Connector, c.ID, budget(c), o.calls.of(c.ID), c.Config, key)
}

// budget names the rate budget of a connection: one for an account, whatever streams and keys use it.
func budget(c store.Connection) string { return budgetOf(c.Connector, c.AccountID) }

func budgetOf(connectorID, accountID string) string { return connectorID + "/" + accountID }

// Forget drops the breaker of a connection that was removed, and ends its run of calls. Its account's budget stays: what was spent is spent.
func (o *Opener) Forget(ctx context.Context, connectionID string) error {
	o.doer.Forget(connectionID)
	return o.calls.forget(ctx, connectionID)
}

// Stop notes that this process makes no more calls. Without it, as after a kill, what it called last is not known for certain.
func (o *Opener) Stop(ctx context.Context) error { return o.calls.stop(ctx) }

// Test checks the key and the settings of a connection, step by step: of one that is not stored, or of a stored one with what is about to change. The
// calls for a stored one wait for the budget of its account like all others.
func (o *Opener) Test(ctx context.Context, c store.Connection, secrets map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error) {
	m, err := o.Manifest(c.Connector)
	if err != nil {
		return connectors.Account{}, err
	}
	known := ""
	if c.AccountID != "" {
		known = budget(c)
	}
	log := &counting{CallLog: o.calls.of("")}
	source, _, err := o.open(c.Connector, "", known, log, c.Config, secrets[m.Secrets[0].ID])
	if err != nil {
		return connectors.Account{}, err
	}
	tester, ok := source.(connectors.Tester)
	if !ok {
		return connectors.Account{}, &connectors.Error{Kind: connectors.KindConfig, Code: "OB-3008", Message: "This connector cannot be tested."}
	}
	account, err := tester.Test(ctx, report)
	spent := budgetOf(c.Connector, account.ID)
	if calls := int(log.signed.Load()); account.ID != "" && spent != known && calls > 0 {
		// Whose budget it is was not known before: what the test spent is taken from it afterwards, so that the scan that follows a new connection waits.
		err = errors.Join(err, o.db.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			_, err := store.TakeBudget(ctx, tx, store.BudgetAsk{BudgetID: spent, Bounds: []store.BudgetBound{{Span: time.Minute, Calls: 1_000_000}}, Want: calls})
			return err
		}))
	}
	return account, err
}

// counting counts the requests that a client signs: every one that it makes.
type counting struct {
	connectors.CallLog
	signed atomic.Int64
}

func (c *counting) Sign(ctx context.Context) (string, error) {
	c.signed.Add(1)
	return c.CallLog.Sign(ctx)
}

func (o *Opener) open(connectorID, connectionID, budget string, log connectors.CallLog, config map[string]string, key secret.Value) (connectors.Source, *connectors.Manifest, error) {
	e := o.byID[connectorID]
	checked, err := e.manifest.CheckConfig(config)
	if err != nil {
		return nil, nil, &connectors.Error{Kind: connectors.KindConfig, Code: connectors.CodeSetting, Message: "A setting of the connection is wrong.", Err: err}
	}
	limiter := func(name string, rate int) *connectors.Limiter {
		if budget == "" {
			return connectors.NewLimiter(rate)
		}
		return o.limiters.Get(budget+name, rate)
	}
	budgets := map[string]*connectors.Limiter{}
	for name, rate := range e.manifest.Budgets(checked) {
		budgets[name] = limiter("/"+name, rate)
	}
	client, err := connectors.NewClient(connectors.Options{
		Manifest: e.manifest, Connection: connectionID, Secret: key, Config: checked, Doer: o.doer, Limiter: limiter("", e.manifest.RequestsPerMinute(checked)), Budgets: budgets,
		UserAgent: o.userAgent, Calls: log, MapError: e.connector.MapError, Observe: o.observer(connectorID, connectionID),
	})
	if err != nil {
		return nil, nil, err
	}
	return e.connector.Open(client), e.manifest, nil
}
