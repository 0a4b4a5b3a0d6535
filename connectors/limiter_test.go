package connectors

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// most returns the largest number of calls in any span of time.
func most(calls []time.Time, span time.Duration) int {
	slices.SortFunc(calls, time.Time.Compare)
	best := 0
	for i := range calls {
		n := 0
		for _, c := range calls[i:] {
			if c.Sub(calls[i]) <= span {
				n++
			}
		}
		best = max(best, n)
	}
	return best
}

// made makes a call that is answered at once.
func made(ctx context.Context, l *Limiter) error { return ended(l.Begin(ctx)) }

func ended(end func(), err error) error {
	if err == nil {
		end()
	}
	return err
}

func TestNeverMoreCallsThanTheRateInAnyMinute(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, 40).Draw(rt, "rate")
		workers := rapid.IntRange(1, 5).Draw(rt, "workers")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 90_000), 1, 60).Draw(rt, "pauses")
		synctest.Test(t, func(t *testing.T) {
			limiter := NewLimiter(rate)
			var mu sync.Mutex
			var calls []time.Time
			var group sync.WaitGroup
			for w := range workers {
				group.Go(func() {
					for i := w; i < len(pauses); i += workers {
						time.Sleep(time.Duration(pauses[i]/10) * time.Millisecond)
						ctx := context.Background()
						if i%3 == 0 {
							ctx = Background(ctx)
						}
						if err := made(ctx, limiter); err != nil {
							t.Errorf("Wait: %v", err)
						}
						mu.Lock()
						calls = append(calls, time.Now())
						mu.Unlock()
					}
				})
			}
			group.Wait()
			for _, b := range Bounds(rate, false) {
				if n := most(calls, b.Span); n > b.Calls {
					t.Errorf("%d calls in %v, want at most %d", n, b.Span, b.Calls)
				}
			}
		})
	})
}

func TestATenthOfTheRateDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(100)
		start := time.Now()
		for range 10 {
			waitFor(t, limiter)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the first 10 calls took %v, want 0", took)
		}
		if took := waitFor(t, limiter); took != 6*time.Second+margin {
			t.Errorf("call 11 came after %v", took)
		}
		for range 9 + 10*8 {
			waitFor(t, limiter)
		}
		if took := time.Since(start); took >= window {
			t.Errorf("100 calls took %v, want less than %v", took, window)
		}
	})
}

// Each call travels for another time, up to ten seconds, and the receiver counts it when it arrives.
func TestNoSpanOfTheReceiverHoldsMoreCallsThanTheRate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, 60).Draw(rt, "rate")
		workers := rapid.IntRange(1, 20).Draw(rt, "workers")
		travel := rapid.SliceOfN(rapid.IntRange(0, 10_000), 7, 60).Draw(rt, "travel")
		synctest.Test(t, func(t *testing.T) {
			limiter := NewLimiter(rate)
			var mu sync.Mutex
			var arrivals []time.Time
			var group sync.WaitGroup
			for w := range workers {
				group.Go(func() {
					for i := range 5 {
						end, err := limiter.Begin(context.Background())
						if err != nil {
							t.Errorf("Begin: %v", err)
							return
						}
						time.Sleep(time.Duration(travel[(w+3*i)%len(travel)]) * time.Millisecond)
						mu.Lock()
						arrivals = append(arrivals, time.Now())
						mu.Unlock()
						time.Sleep(time.Duration(travel[(5*w+i)%len(travel)]) * time.Millisecond)
						end()
					}
				})
			}
			group.Wait()
			for _, b := range Bounds(rate, false) {
				if n := most(arrivals, b.Span); n > b.Calls {
					t.Errorf("%d calls arrived within %v, want at most %d", n, b.Span, b.Calls)
				}
			}
		})
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(1)
		if err := made(t.Context(), limiter); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		var e *Error
		if err := made(short, limiter); !errors.As(err, &e) || e.Kind != KindRateLimited || e.RetryAfter != window || time.Since(start) != 0 {
			t.Errorf("a wait beyond the deadline: got %v after %v, want RateLimited at once", err, time.Since(start))
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if err := made(ctx, limiter); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait: got %v", err)
		}
		// Neither of them has spent anything.
		if err := made(t.Context(), limiter); err != nil || time.Since(start) != window {
			t.Errorf("the next call came after %v (%v), want %v", time.Since(start), err, window)
		}
	})
}

func TestLimiterSlowsDownWhenTheVendorsBudgetIsLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(300)
		step := func() time.Duration {
			start := time.Now()
			if err := made(t.Context(), limiter); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		step()
		limiter.Observe(t.Context(), 600, 300, time.Now().Add(30*time.Second))
		if d := step(); d != 0 {
			t.Errorf("at half of the budget: waited %v, want 0", d)
		}
		limiter.Observe(t.Context(), 600, 60, time.Now().Add(30*time.Second)) // 10 %: 30 calls in 30 s
		if d := step(); d != time.Second {
			t.Errorf("at a tenth of the budget: waited %v, want 1s", d)
		}
		limiter.Observe(t.Context(), 600, 0, time.Now().Add(30*time.Second))
		if d := step(); d != 30*time.Second {
			t.Errorf("at the end of the budget: waited %v, want until the reset in 30s", d)
		}
		if d := step(); d != 0 {
			t.Errorf("after the reset: waited %v, want 0", d)
		}
		limiter.Observe(t.Context(), 600, 1, time.Time{})
		limiter.Observe(t.Context(), 600, 600, time.Time{})
		if d := step(); d != 0 {
			t.Errorf("after a full budget was seen: waited %v, want 0", d)
		}
		limiter.Pause(t.Context(), 7*time.Second)
		if d := step(); d != 7*time.Second {
			t.Errorf("after a pause: waited %v, want 7s", d)
		}
	})
}

func TestLimitersShareAndKeepCallsWhenTheRateChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all Limiters
		a := all.Get("acc", 3)
		for range 3 {
			waitFor(t, a)
			time.Sleep(10 * time.Second)
		}
		start := time.Now()
		b := all.Get("acc", 2)
		if a != b {
			t.Fatal("the same key gave two limiters")
		}
		if err := made(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		// The second call of three is the oldest that counts for a rate of two.
		if want := window - 20*time.Second; time.Since(start) != want {
			t.Errorf("after lowering the rate: waited %v, want %v", time.Since(start), want)
		}
		time.Sleep(10 * time.Second)
		start = time.Now()
		if err := made(t.Context(), all.Get("acc", 5)); err != nil || time.Since(start) != 0 {
			t.Errorf("after raising the rate: waited %v (%v), want 0", time.Since(start), err)
		}
		all.Forget("acc")
		if all.Get("acc", 5) == a {
			t.Error("a forgotten limiter came back")
		}
	})
}

func TestTheBackgroundLeavesAFifthToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(300)
		ctx, stop := context.WithCancel(Background(t.Context()))
		var group sync.WaitGroup
		var behind atomic.Int64
		for range 8 {
			group.Go(func() {
				for made(ctx, limiter) == nil {
					behind.Add(1)
				}
			})
		}
		time.Sleep(10*time.Minute + time.Second)
		if n := behind.Load(); n < 10*230 || n > 10*240 {
			t.Errorf("the background alone made %d calls in 10 minutes of 300, want four fifths of them", n)
		}
		for range 20 {
			// A poll once a minute finds six calls free at once, whenever it comes.
			for range 6 {
				if d := waitFor(t, limiter); d != 0 {
					t.Fatalf("a poll waited %v beside the background", d)
				}
			}
			time.Sleep(time.Minute + 1300*time.Millisecond)
		}
		// A longer one waits for the bounds, but for nobody of the background: they get nothing until it has ended.
		before := behind.Load()
		for range 60 {
			if d := waitFor(t, limiter); d > 6*time.Second+margin {
				t.Errorf("a long poll waited %v for one call", d)
			}
		}
		if n := behind.Load() - before; n > 0 {
			t.Errorf("the background made %d calls while another waited", n)
		}
		stop()
		group.Wait()
	})
}

func TestCallersGetTheirTurnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(300)
		const callers, each = 50, 20
		for range 30 {
			waitFor(t, limiter) // Nothing is left, so that all of them stand in the line.
		}
		var mu sync.Mutex
		var order []int
		var group sync.WaitGroup
		for c := range callers {
			group.Go(func() {
				time.Sleep(time.Duration(c)) // Who comes first is known.
				for range each {
					waitFor(t, limiter)
					mu.Lock()
					order = append(order, c)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		// Nobody has another turn before everybody had one. Two turns of one moment may be noted the other way round, so that one is let pass.
		served := make([]int, callers)
		for i, c := range order {
			served[c]++
			if ahead := slices.Max(served) - slices.Min(served); ahead > 2 {
				t.Fatalf("after %d calls one caller is %d ahead of another", i+1, ahead)
			}
		}
		if len(order) != callers*each {
			t.Errorf("%d calls, want %d", len(order), callers*each)
		}
	})
}

func TestACallOfTwoBudgetsIsCountedInBothAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		account, own := NewLimiter(120), NewLimiter(50)
		var mu sync.Mutex
		var both, all []time.Time
		var group sync.WaitGroup
		run := func(n int, wait func() error, note func(time.Time)) {
			group.Go(func() {
				for range n {
					if err := wait(); err != nil {
						t.Errorf("wait: %v", err)
						return
					}
					mu.Lock()
					note(time.Now())
					mu.Unlock()
				}
			})
		}
		for range 4 {
			run(60, func() error { return ended(beginBoth(t.Context(), own, account)) }, func(at time.Time) { both, all = append(both, at), append(all, at) })
			run(60, func() error { return made(t.Context(), account) }, func(at time.Time) { all = append(all, at) })
		}
		group.Wait()
		for _, c := range []struct {
			what  string
			calls []time.Time
			rate  int
		}{{"its own budget", both, 50}, {"the account's", all, 120}} {
			for _, b := range Bounds(c.rate, false) {
				if n := most(c.calls, b.Span); n > b.Calls {
					t.Errorf("%s: %d calls in %v, want at most %d", c.what, n, b.Span, b.Calls)
				}
			}
		}
	})
}

func BenchmarkWaitBehindOthers(b *testing.B) {
	l := NewLimiter(20_000_000)
	ctx, stop := context.WithCancel(Background(b.Context()))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for made(ctx, l) == nil {
			}
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := made(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	group.Wait()
}
