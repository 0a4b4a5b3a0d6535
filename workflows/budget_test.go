package workflows

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

// made makes a call that is answered at once.
func made(ctx context.Context, l *connectors.Limiter) error {
	end, err := l.Begin(ctx)
	if err == nil {
		end()
	}
	return err
}

func openStore(t testing.TB, dir string) *store.DB {
	t.Helper()
	return storetest.Open(t, filepath.Join(dir, "outband.db"))
}

// process is what one process has of a budget: limiters of its own over the store.
func process(db *store.DB) *connectors.Limiters {
	return &connectors.Limiters{Budget: func(key string) connectors.Budget { return &sharedBudget{db, key} }}
}

// most returns the largest number of calls in any span of time.
func most(calls []time.Time, span time.Duration) (best int) {
	slices.SortFunc(calls, time.Time.Compare)
	first := 0
	for i, c := range calls {
		for c.Sub(calls[first]) > span {
			first++
		}
		best = max(best, i-first+1)
	}
	return best
}

// Several processes with several goroutines each, which call in bursts and with pauses and are restarted in between, spend one budget.
func TestNoProcessesTogetherExceedTheRateInAnyMinute(t *testing.T) {
	for seed := range uint64(6) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			db := openStore(t, dir)
			rate := []int{1, 3, 20, 60, 60, 120}[seed]
			var mu sync.Mutex
			var calls []time.Time
			var group sync.WaitGroup
			for range 2 + r.IntN(3) {
				for range 1 + r.IntN(3) {
					seed := r.Uint64()
					group.Go(func() {
						r := rand.New(rand.NewPCG(seed, 1))
						mine := process(db)
						for range 5 + rate/3 {
							switch n := r.IntN(40); {
							case n == 0:
								mine = process(db) // A restart: what it held is lost to it, and forgotten by nobody.
							case n < 3:
								time.Sleep(time.Duration(r.IntN(20_000)) * time.Millisecond)
							case n < 15:
								time.Sleep(time.Duration(r.IntN(900)) * time.Millisecond)
							}
							ctx := context.Background()
							if r.IntN(3) == 0 {
								ctx = connectors.Background(ctx)
							}
							if err := made(ctx, mine.Get("claude/acc", rate)); err != nil {
								t.Errorf("Wait: %v", err)
								return
							}
							mu.Lock()
							calls = append(calls, time.Now())
							mu.Unlock()
						}
					})
				}
			}
			group.Wait()
			for _, b := range connectors.Bounds(rate, false) {
				if n := most(calls, b.Span); n > b.Calls {
					t.Errorf("seed %d: %d calls of %d in %v, want at most %d", seed, n, len(calls), b.Span, b.Calls)
				}
			}
		})
	}
}

func TestABudgetIsSpentWhole(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t, dir)
		l, start, n := process(db).Get("claude/acc", 240), time.Now(), 0
		for time.Since(start) < 6*time.Minute {
			check(t, made(t.Context(), l))
			n++
		}
		if n < 5*240 {
			t.Errorf("%d calls in 6 minutes of 240 each", n)
		}
	})
}

// The background of one process leaves a fifth to the polls of another.
func TestAPollFindsCallsFreeBesideTheBackgroundOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t, dir)
		history, polls := process(db).Get("claude/acc", 300), process(db).Get("claude/acc", 300)
		ctx, stop := context.WithCancel(connectors.Background(t.Context()))
		n := 0
		var group sync.WaitGroup
		group.Go(func() {
			for made(ctx, history) == nil {
				n++
			}
		})
		for range 10 {
			time.Sleep(time.Minute + 700*time.Millisecond)
			start := time.Now()
			for range 6 {
				check(t, made(t.Context(), polls))
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("six calls of a poll took %v", d)
			}
		}
		stop()
		group.Wait()
		if n < 10*200 {
			t.Errorf("the background made %d calls in 10 minutes of 300", n)
		}
	})
}

func TestPausesAndSlownessReachOtherProcesses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t, dir)
		step := func(l *connectors.Limiter) time.Duration {
			start := time.Now()
			check(t, made(t.Context(), l))
			return time.Since(start)
		}
		a := process(db).Get("claude/acc", 600)
		step(a)
		a.Pause(t.Context(), 40*time.Second)
		if d := step(process(db).Get("claude/acc", 600)); d != 40*time.Second {
			t.Errorf("a process that starts in a pause waited %v, want 40s", d)
		}
		a.Observe(t.Context(), 600, 20, time.Now().Add(30*time.Second)) // 10 calls in 30 s
		b, c := process(db).Get("claude/acc", 600), process(db).Get("claude/acc", 600)
		if d := step(b) + step(c) + step(b); d != 9*time.Second {
			t.Errorf("three calls of two other processes took %v, want one each 3 s", d)
		}
		if d := step(process(db).Get("claude/other", 600)); d != 0 {
			t.Errorf("another account waited %v", d)
		}
		a.Observe(t.Context(), 600, 500, time.Time{})
		time.Sleep(5 * time.Second) // Others learn it when they ask next.
		if d := step(process(db).Get("claude/acc", 600)); d != 0 {
			t.Errorf("after the vendor's budget was full again a process waited %v", d)
		}
	})
}

func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	db := openStore(t, t.TempDir())
	check(t, db.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := made(ctx, process(db).Get("claude/acc", 600))
	if !errors.Is(err, context.DeadlineExceeded) && connectors.KindOf(err) != connectors.KindRateLimited {
		t.Errorf("a call without a grant: %v", err)
	}
}

// BenchmarkWaitShared is what a call costs that is taken from the store's budget.
func BenchmarkWaitShared(b *testing.B) {
	db := openStore(b, b.TempDir())
	l := process(db).Get("claude/acc", 1<<30)
	b.ReportAllocs()
	for b.Loop() {
		if err := made(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
}

// tested is a source with a test of two calls.
type tested struct {
	*app
	client connectors.Client
}

func (x tested) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	for _, name := range []string{"key", connectors.StepConnect, "chats", "activities"} {
		report(connectors.Step{Name: name, Title: name, State: connectors.StepOK, Message: "It is so."})
	}
	var got map[string]any
	for _, path := range []string{"chats", "activities"} {
		if err := x.client.GetJSON(ctx, path, nil, &got); err != nil {
			return connectors.Account{}, err
		}
	}
	return connectors.Account{ID: "acc"}, nil
}

func TestTheCallsOfATestAreTakenFromTheBudgetOfItsAccount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	for name, stored := range map[string]bool{"one that is stored": true, "one that is not": false} {
		b := newBench(t)
		connector := connectors.Connector{Manifest: []byte(fakeManifest), Open: func(c connectors.Client) connectors.Source { return tested{b.app, c} }}
		opener, err := NewOpener([]connectors.Connector{connector}, b.DB, b.Open.vault, safehttp.New(safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), "Outband/test")
		check(t, err)
		c := store.Connection{Connector: "fake", Config: map[string]string{"base_url": server.URL}}
		if stored {
			c.ID, c.AccountID = b.connection.ID, b.connection.AccountID
		}
		_, err = opener.Test(t.Context(), c, map[string]secret.Value{"api_key": secret.NewValue("fake-key")}, func(connectors.Step) {})
		check(t, err)
		shared := &sharedBudget{b.DB, budget(b.connection)}
		calls := 0
		for {
			g, err := shared.Take(t.Context(), connectors.Ask{PerMinute: 50, Want: 1})
			check(t, err)
			if calls += g.Calls; g.Calls == 0 {
				break
			}
		}
		if calls > 3 || !stored && calls < 3 { // A limiter takes from the account ahead of its calls.
			t.Errorf("%s: %d calls were left of the 5 that six seconds hold, want those that the test has not made: 3", name, calls)
		}
	}
}
