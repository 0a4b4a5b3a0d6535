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
	behind := bounds(ask.PerMinute, true)
	in := store.BudgetAsk{BudgetID: b.id, Bounds: bounds(ask.PerMinute, false), Behind: behind, Want: ask.Want, Last: ask.Last, Used: ask.Used, UsedAgo: ask.UsedAgo}
	if ask.Background {
		in.Bounds = behind
	}
	var g store.BudgetGrant
	err := b.db.Write(ctx, func(tx *store.Tx) (err error) {
		g, err = store.TakeBudget(ctx, tx, in)
		return err
	})
	if err != nil {
		return connectors.Grant{}, err
	}
	return connectors.Grant{ID: g.ID, Calls: g.Calls, Background: g.Behind, For: g.For, Wait: g.Wait, Gap: g.Gap, SlowFor: g.SlowFor}, nil
}

// Pause implements connectors.Budget.
func (b *sharedBudget) Pause(ctx context.Context, d time.Duration) error {
	return b.db.Write(ctx, func(tx *store.Tx) error { return store.PauseBudget(ctx, tx, b.id, d) })
}

// Slow implements connectors.Budget.
func (b *sharedBudget) Slow(ctx context.Context, gap, d time.Duration) error {
	return b.db.Write(ctx, func(tx *store.Tx) error { return store.SlowBudget(ctx, tx, b.id, gap, d) })
}

func bounds(perMinute int, background bool) (out []store.BudgetBound) {
	for _, b := range connectors.Bounds(perMinute, background) {
		out = append(out, store.BudgetBound{Span: b.Span, Calls: b.Calls})
	}
	return out
}
