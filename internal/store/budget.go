package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/outband/outband/internal/id"
)

const (
	// GrantLife is how long the calls of one grant may be made.
	GrantLife = 2 * time.Second

	// grantShare is the part of a minute whose calls one grant holds at most.
	grantShare = time.Second

	// budgetLongest is the longest span of a bound, with its margin.
	budgetLongest = time.Minute + time.Second

	// budgetKept is how long a budget that nobody uses keeps its row, and a grant at most.
	budgetKept = 24 * time.Hour
)

// BudgetBound is how many calls any span of time may hold at most.
type BudgetBound struct {
	Span  time.Duration // at most a minute
	Calls int
}

// budgetMargin is added to a span: calls that left a minute apart can arrive a little closer, and the clocks of several machines differ a little.
func budgetMargin(span time.Duration) time.Duration {
	return max(span/60, 250*time.Millisecond)
}

// BudgetAsk asks for calls of a budget.
type BudgetAsk struct {
	BudgetID string
	Bounds   []BudgetBound // at least one: what is kept, of all processes together
	Behind   []BudgetBound // what work that can wait keeps; none: it gets no calls of this grant
	Want     int           // as many as this; a grant holds at most those of a second, and at least one

	// What became of the asker's grant before; Last is empty if there is none. What was not used goes back.
	Last    string
	Used    int
	UsedAgo time.Duration // since the last of the calls that were used
}

// BudgetGrant is the answer. All times are distances from the time of the transaction, so that the asker needs no clock of the same setting.
type BudgetGrant struct {
	ID     string
	Calls  int           // 0: ask again after Wait
	Behind int           // so many of them may be made for work that can wait
	For    time.Duration // how long the calls may be made
	Wait   time.Duration

	Gap     time.Duration // least distance between two calls, for SlowFor
	SlowFor time.Duration
}

// TakeBudget takes calls from a budget. Every grant that could still lie in one span with this one counts, so that however many processes ask, no
// span holds more calls than its bound; and grants are rows, so that a restart forgets nothing. Transactions are serial, which this relies on.
func TakeBudget(ctx context.Context, tx *Tx, ask BudgetAsk) (BudgetGrant, error) {
	now := tx.Now()
	if err := settle(ctx, tx, ask); err != nil {
		return BudgetGrant{}, err
	}
	var paused, gap, slow int64
	err := tx.QueryRowContext(ctx, `SELECT paused_until, gap_us, slow_until FROM rate_budgets WHERE workspace_id = $1 AND id = $2`, Workspace, ask.BudgetID).Scan(&paused, &gap, &slow)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return BudgetGrant{}, fmt.Errorf("read the rate budget: %w", err)
	}
	var out BudgetGrant
	if slow > Micros(now) {
		out.Gap, out.SlowFor = time.Duration(gap)*time.Microsecond, FromMicros(slow).Sub(now)
	}
	if paused > Micros(now) {
		out.Wait = FromMicros(paused).Sub(now)
		return out, nil
	}
	grants, err := openGrants(ctx, tx, ask.BudgetID)
	if err != nil {
		return BudgetGrant{}, err
	}
	want := max(ask.Want, 1)
	for _, b := range ask.Bounds {
		want = min(want, max(int(time.Duration(b.Calls)*grantShare/b.Span), 1))
	}
	newest := int64(0)
	for _, g := range grants {
		newest = max(newest, g.at)
	}
	if out.SlowFor > 0 {
		// One call a gap, whoever makes it. At the end of the vendor's window the budget is full again, so nobody waits longer than that.
		want = 1
		if free := FromMicros(newest).Add(out.Gap).Sub(now); newest > 0 && free > 0 {
			out.Wait = min(free, out.SlowFor)
		}
	}
	calls, wait := room(grants, ask.Bounds, now)
	if out.Wait = max(out.Wait, wait); out.Wait > 0 {
		return out, nil
	}
	out.ID, out.Calls, out.For = id.New("rg_"), min(want, calls), GrantLife
	if len(ask.Behind) > 0 {
		behind, _ := room(grants, ask.Behind, now)
		out.Behind = min(behind, out.Calls)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO rate_grants (workspace_id, id, budget_id, calls, at, until_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		Workspace, out.ID, ask.BudgetID, out.Calls, Micros(now), Micros(now.Add(out.For)))
	if err != nil {
		return BudgetGrant{}, fmt.Errorf("store a rate grant: %w", err)
	}
	return out, nil
}

// room is how many calls can be added so that no bound is broken, whenever the calls of the grants are made; if none, how long that lasts.
func room(grants []openGrant, bounds []BudgetBound, now time.Time) (calls int, wait time.Duration) {
	calls = math.MaxInt
	for _, b := range bounds {
		span, most, spent := b.Span+budgetMargin(b.Span), max(b.Calls, 1), 0
		in := grants // The grant that ends first comes first.
		for len(in) > 0 && !FromMicros(in[0].until).Add(span).After(now) {
			in = in[1:]
		}
		for _, g := range in {
			spent += g.calls
		}
		calls = min(calls, most-spent)
		for _, g := range in {
			if spent < most {
				break
			}
			spent -= g.calls
			wait = max(wait, FromMicros(g.until).Add(span).Sub(now))
		}
	}
	return max(calls, 0), wait
}

// settle stores what was used of a grant and when: it then counts for less, and not until the minute after its end. Settling it again changes nothing.
func settle(ctx context.Context, tx *Tx, ask BudgetAsk) error {
	if ask.Last == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE rate_grants SET calls = CASE WHEN calls < $1 THEN calls ELSE $1 END, until_at = CASE WHEN until_at < $2 THEN until_at ELSE $2 END WHERE workspace_id = $3 AND id = $4`,
		ask.Used, Micros(tx.Now().Add(-ask.UsedAgo)), Workspace, ask.Last)
	if err != nil {
		return fmt.Errorf("settle a rate grant: %w", err)
	}
	return nil
}

type openGrant struct {
	calls     int
	at, until int64
}

// openGrants deletes the grants of a budget that count no more and returns the others, the one that ends first first.
func openGrants(ctx context.Context, tx *Tx, budgetID string) ([]openGrant, error) {
	now := tx.Now()
	_, err := tx.ExecContext(ctx, `DELETE FROM rate_grants WHERE workspace_id = $1 AND budget_id = $2 AND (until_at <= $3 OR calls = 0)`, Workspace, budgetID, Micros(now.Add(-budgetLongest)))
	if err != nil {
		return nil, fmt.Errorf("delete rate grants: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT calls, at, until_at FROM rate_grants WHERE workspace_id = $1 AND budget_id = $2 ORDER BY until_at`, Workspace, budgetID)
	if err != nil {
		return nil, fmt.Errorf("list rate grants: %w", err)
	}
	// No grant ends later than this, unless the clock was put back: it counts as if it were of now.
	latest := Micros(now.Add(GrantLife))
	moved := false
	grants, err := collect(rows, func(r *sql.Rows) (openGrant, error) {
		var g openGrant
		if err := r.Scan(&g.calls, &g.at, &g.until); err != nil {
			return g, fmt.Errorf("read a rate grant: %w", err)
		}
		moved = moved || g.until > latest+GrantLife.Microseconds()
		g.until, g.at = min(g.until, latest), min(g.at, Micros(now))
		return g, nil
	})
	if err != nil || !moved {
		return grants, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE rate_grants SET at = $1, until_at = $2 WHERE workspace_id = $3 AND budget_id = $4 AND until_at > $2`, Micros(now), latest, Workspace, budgetID)
	if err != nil {
		return nil, fmt.Errorf("move rate grants: %w", err)
	}
	return grants, nil
}

// PauseBudget stops all calls of a budget for d, after the vendor refused one. A longer pause stays.
func PauseBudget(ctx context.Context, tx *Tx, budgetID string, d time.Duration) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO rate_budgets (workspace_id, id, paused_until, gap_us, slow_until, updated_at) VALUES ($1, $2, $3, 0, 0, $4)
		ON CONFLICT (workspace_id, id) DO UPDATE SET updated_at = excluded.updated_at,
			paused_until = CASE WHEN rate_budgets.paused_until < excluded.paused_until THEN excluded.paused_until ELSE rate_budgets.paused_until END`,
		Workspace, budgetID, Micros(tx.Now().Add(d)), Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("pause the rate budget: %w", err)
	}
	return nil
}

// SlowBudget spreads the calls of a budget, one each gap, for d. A d of 0 ends that.
func SlowBudget(ctx context.Context, tx *Tx, budgetID string, gap, d time.Duration) error {
	until := int64(0)
	if d > 0 {
		until = Micros(tx.Now().Add(d))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO rate_budgets (workspace_id, id, paused_until, gap_us, slow_until, updated_at) VALUES ($1, $2, 0, $3, $4, $5)
		ON CONFLICT (workspace_id, id) DO UPDATE SET gap_us = excluded.gap_us, slow_until = excluded.slow_until, updated_at = excluded.updated_at`,
		Workspace, budgetID, gap.Microseconds(), until, Micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("slow the rate budget down: %w", err)
	}
	return nil
}

// PurgeBudgets deletes grants and states of budgets that nobody used for a day, as those of a connection that was removed.
func PurgeBudgets(ctx context.Context, tx *Tx) error {
	before := Micros(tx.Now().Add(-budgetKept))
	for _, q := range []string{
		`DELETE FROM rate_grants WHERE workspace_id = $1 AND until_at < $2`,
		`DELETE FROM rate_budgets WHERE workspace_id = $1 AND updated_at < $2`,
	} {
		if _, err := tx.ExecContext(ctx, q, Workspace, before); err != nil {
			return fmt.Errorf("purge rate budgets: %w", err)
		}
	}
	return nil
}
