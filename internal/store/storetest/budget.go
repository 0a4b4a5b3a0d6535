package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/outband/outband/internal/store"
)

// perMinute are the bounds of a rate without a shorter span.
func perMinute(n int) []store.BudgetBound { return []store.BudgetBound{{Span: time.Minute, Calls: n}} }

// take asks for calls of the budget "acc" of 300 a minute, of which a grant holds 5 at most.
func (s *suite) take(want int, more ...func(*store.BudgetAsk)) (g store.BudgetGrant) {
	s.Helper()
	ask := store.BudgetAsk{BudgetID: "acc", Bounds: perMinute(300), Want: want}
	for _, f := range more {
		f(&ask)
	}
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		g, err = store.TakeBudget(ctx, tx, ask)
		return err
	})
	return g
}

func settled(g store.BudgetGrant, used int, ago time.Duration) func(*store.BudgetAsk) {
	return func(a *store.BudgetAsk) { a.Last, a.Used, a.UsedAgo = g.ID, used, ago }
}

func (s *suite) wait(what string, want time.Duration, g store.BudgetGrant) {
	s.Helper()
	if g.Calls != 0 || g.Wait != want {
		s.Errorf("%s: %d calls, wait %v; want none, wait %v", what, g.Calls, g.Wait, want)
	}
}

const minute = time.Minute + time.Second // A minute with the margin.

func budgetGrants(s *suite) {
	if g := s.take(1); g.Calls != 1 || g.For != store.GrantLife || g.ID == "" {
		s.Errorf("the first call: %+v", g)
	}
	s.equal("a grant holds the calls of a second", 5, s.take(100).Calls)
	for range 58 {
		s.take(5)
	}
	s.equal("what is left of the minute", 4, s.take(5).Calls)
	s.wait("a spent budget", store.GrantLife+minute, s.take(1))
	other := s.take(1, func(a *store.BudgetAsk) { a.BudgetID = "other" })
	s.equal("another budget", 1, other.Calls)
	s.now = s.now.Add(store.GrantLife + minute - time.Microsecond)
	s.wait("a moment before the minute is over", time.Microsecond, s.take(1))
	s.now = s.now.Add(time.Microsecond)
	s.equal("after it", 5, s.take(100).Calls)
	s.equal("a rate below one call in a second", 1, s.take(9, func(a *store.BudgetAsk) { a.BudgetID, a.Bounds = "slow", perMinute(2) }).Calls)
}

// Bounds of a minute and of six seconds, of which work that can wait keeps less.
func budgetBounds(s *suite) {
	all := []store.BudgetBound{{Span: time.Minute, Calls: 60}, {Span: 6 * time.Second, Calls: 10}}
	behind := []store.BudgetBound{{Span: time.Minute, Calls: 48}, {Span: 6 * time.Second, Calls: 8}}
	const six = 6*time.Second + 250*time.Millisecond
	first := func(a *store.BudgetAsk) { a.BudgetID, a.Bounds, a.Behind = "two", all, behind }
	last := func(a *store.BudgetAsk) { a.BudgetID, a.Bounds, a.Behind = "two", behind, behind }
	n := 0
	for s.take(1, last).Calls == 1 {
		n++
	}
	s.equal("what the background gets of six seconds", 8, n)
	s.wait("the background after it", store.GrantLife+six, s.take(1, last))
	g := s.take(1, first)
	if g.Calls != 1 || g.Behind != 0 {
		s.Errorf("the foreground beside it: %+v, want one call that is not for the background", g)
	}
	s.take(1, first)
	s.wait("the foreground after it", store.GrantLife+six, s.take(1, first))
	s.now = s.now.Add(store.GrantLife + six)
	if g := s.take(1, first); g.Calls != 1 || g.Behind != 1 {
		s.Errorf("six seconds later: %+v, want one call for anybody", g)
	}
	for n = 11; ; n++ {
		g := s.take(1, first)
		if g.Calls == 0 && g.Wait <= store.GrantLife+six {
			s.now = s.now.Add(g.Wait)
			g = s.take(1, first)
		}
		if g.Calls == 0 {
			break
		}
	}
	s.equal("what the minute holds", 60, n)
}

func budgetSettled(s *suite) {
	var last store.BudgetGrant
	for range 60 {
		last = s.take(5)
	}
	// Two of the last five were used, the second one second before this: three are free now.
	s.now = s.now.Add(time.Second)
	got := s.take(5, settled(last, 2, time.Second))
	s.equal("what goes back", 3, got.Calls)
	// Told twice, as after an answer that was lost, it changes nothing.
	s.wait("told again", minute-time.Second, s.take(1, settled(last, 2, time.Second)))
	s.now = s.now.Add(minute - time.Second)
	s.equal("two calls end earlier than their grant would have", 2, s.take(5).Calls)
}

func budgetPace(s *suite) {
	pause := func(d time.Duration) {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.PauseBudget(ctx, tx, "acc", d) })
	}
	slow := func(gap, d time.Duration) {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.SlowBudget(ctx, tx, "acc", gap, d) })
	}
	pause(20 * time.Second)
	pause(10 * time.Second)
	s.wait("the longer pause stays", 20*time.Second, s.take(1))
	s.now = s.now.Add(20 * time.Second)
	s.equal("after the pause", 1, s.take(1).Calls)
	slow(4*time.Second, 30*time.Second)
	s.wait("a slow budget", 4*time.Second, s.take(5))
	s.now = s.now.Add(4 * time.Second)
	g := s.take(5)
	if g.Calls != 1 || g.Gap != 4*time.Second || g.SlowFor != 26*time.Second {
		s.Errorf("a slow budget gives one call a gap and tells it: %+v", g)
	}
	slow(2*time.Minute, 30*time.Second)
	s.wait("no longer than the vendor's window", 30*time.Second, s.take(1))
	slow(0, 0)
	s.equal("a budget that is full again", 5, s.take(5).Calls)
}

func budgetClock(s *suite) {
	for range 60 {
		s.take(5)
	}
	s.now = s.now.Add(-24 * time.Hour)
	s.wait("after the clock was put back", store.GrantLife+minute, s.take(1))
	s.now = s.now.Add(store.GrantLife + minute)
	s.equal("a minute later", 5, s.take(5).Calls)
}

func budgetPurge(s *suite) {
	s.take(1)
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PauseBudget(ctx, tx, "acc", time.Second) })
	rows := func() (n int) {
		s.Helper()
		if err := s.Read().QueryRowContext(s.Context(), `SELECT (SELECT COUNT(*) FROM rate_grants) + (SELECT COUNT(*) FROM rate_budgets)`).Scan(&n); err != nil {
			s.Fatal(err)
		}
		return n
	}
	s.write(store.PurgeBudgets)
	s.equal("rows of a budget in use", 2, rows())
	s.now = s.now.Add(25 * time.Hour)
	s.write(store.PurgeBudgets)
	s.equal("rows of a budget that nobody uses", 0, rows())
}

func leases(s *suite) {
	const ttl = 30 * time.Second
	a, b := store.LeaseOwner{Work: "run_1/5", Attempt: 1}, store.LeaseOwner{Work: "run_2/5", Attempt: 1}
	acquire := func(o store.LeaseOwner) error {
		return s.Write(s.Context(), func(tx *store.Tx) error { return store.AcquireLease(s.Context(), tx, "con_1/x", o, ttl) })
	}
	renew := func(o store.LeaseOwner) error {
		return s.Write(s.Context(), func(tx *store.Tx) error { return store.RenewLease(s.Context(), tx, "con_1/x", o, ttl) })
	}
	holds := func(o store.LeaseOwner) bool {
		s.Helper()
		err := s.Write(s.Context(), func(tx *store.Tx) error { return store.CheckLease(s.Context(), tx, "con_1/x", o) })
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			s.Fatal(err)
		}
		return err == nil
	}
	ok := func(what string, err error) {
		s.Helper()
		if err != nil {
			s.Errorf("%s: %v", what, err)
		}
	}
	refused := func(what string, err error, left time.Duration) {
		s.Helper()
		var held *store.LeaseHeldError
		if !errors.As(err, &held) || held.For != left {
			s.Errorf("%s: %v, want held for %v", what, err, left)
		}
	}
	s.equal("a lease that nobody took", false, holds(a))
	ok("a free lease", acquire(a))
	ok("its holder again", acquire(a))
	s.now = s.now.Add(10 * time.Second)
	refused("another", acquire(b), 20*time.Second)
	ok("renewed", renew(a))
	refused("another, after it was renewed", acquire(b), ttl)
	s.equal("who did not get it", false, holds(b))

	again := store.LeaseOwner{Work: a.Work, Attempt: 12}
	ok("a later attempt of the same work", acquire(again))
	s.equal("the earlier attempt", false, holds(a))
	refused("the earlier attempt, coming back", acquire(a), ttl)
	if err := renew(a); !errors.Is(err, store.ErrLeaseLost) {
		s.Errorf("renewing what another has: %v", err)
	}
	refused("work whose name only begins alike", acquire(store.LeaseOwner{Work: "run_1/", Attempt: 99}), ttl)

	s.now = s.now.Add(ttl)
	s.equal("a holder that is late and whom nobody replaced", true, holds(again))
	ok("renewed late", renew(again))
	s.now = s.now.Add(ttl)
	ok("another after its time", acquire(b))
	s.equal("the late holder", false, holds(again))

	s.write(func(ctx context.Context, tx *store.Tx) error { return store.ReleaseLease(ctx, tx, "con_1/x", again) })
	s.equal("given back by one who has it no more", true, holds(b))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.ReleaseLease(ctx, tx, "con_1/x", b) })
	ok("given back", acquire(a))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DropLeases(ctx, tx, "con_2/") })
	s.equal("after those of another connection were taken away", true, holds(a))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DropLeases(ctx, tx, "con_1/") })
	s.equal("taken away", false, holds(a))
	ok("once more", acquire(a))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PurgeLeases(ctx, tx, s.now) })
	s.equal("a purge of what is over", true, holds(a))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DropLeases(ctx, tx, "") })
	s.equal("all taken away", false, holds(a))
}
