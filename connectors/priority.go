package connectors

import "context"

type contextKey int

const (
	backgroundKey contextKey = iota
	budgetKey
)

// Background marks what is done with the context as work that can wait, such as reading history: its calls are made when no other caller of the
// account waits, and leave a fifth of the account's rate to the others, so that a poll for what is new finds it free.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey, true)
}

func isBackground(ctx context.Context) bool {
	b, _ := ctx.Value(backgroundKey).(bool)
	return b
}

// WithBudget makes the calls that are made with the context count in one of the manifest's limits.budgets too, beside the account's. The empty name is
// that of none.
func WithBudget(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, budgetKey, name)
}

func budgetOf(ctx context.Context) string {
	name, _ := ctx.Value(budgetKey).(string)
	return name
}
