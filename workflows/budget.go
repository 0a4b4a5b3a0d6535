package workflows

import (
	"context"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// sharedBudget is the rate budget of an account as rows of the store, which all processes share and a restart does not forget.
type sharedBudget struct {
	db *store.DB
	id string
}

var _ connectors.Budget = (*sharedBudget)(nil)

// Take implements connectors.Budget.
func (b *sharedBudget) Take(ctx context.Context, ask connectors.Ask) (connectors.Grant, error) {
	var g store.BudgetGrant
	err := b.db.Write(ctx, func(tx *store.Tx) (err error) {
		g, err = store.TakeBudget(ctx, tx, store.BudgetAsk{BudgetID: b.id, PerMinute: ask.PerMinute, Want: ask.Want, Last: ask.Last, Used: ask.Used, UsedAgo: ask.UsedAgo})
		return err
	})
	if err != nil {
		return connectors.Grant{}, err
	}
	return connectors.Grant{ID: g.ID, Calls: g.Calls, For: g.For, Wait: g.Wait, Gap: g.Gap, SlowFor: g.SlowFor}, nil
}

// Pause implements connectors.Budget.
func (b *sharedBudget) Pause(ctx context.Context, d time.Duration) error {
	return b.db.Write(ctx, func(tx *store.Tx) error { return store.PauseBudget(ctx, tx, b.id, d) })
}

// Slow implements connectors.Budget.
func (b *sharedBudget) Slow(ctx context.Context, gap, d time.Duration) error {
	return b.db.Write(ctx, func(tx *store.Tx) error { return store.SlowBudget(ctx, tx, b.id, gap, d) })
}
