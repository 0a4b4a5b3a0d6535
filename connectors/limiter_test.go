package connectors

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// most returns the largest number of calls in any 60 s.
func most(calls []time.Time) int {
	best := 0
	for i := range calls {
		n := 0
		for _, c := range calls[i:] {
			if c.Sub(calls[i]) <= time.Minute {
				n++
			}
		}
		best = max(best, n)
	}
	return best
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
						if err := limiter.Wait(context.Background()); err != nil {
							t.Errorf("Wait: %v", err)
						}
						mu.Lock()
						calls = append(calls, time.Now())
						mu.Unlock()
					}
				})
			}
			group.Wait()
			if n := most(calls); n > rate {
				t.Errorf("%d calls in 60 s, want at most %d", n, rate)
			}
		})
	})
}

func TestABurstUpToTheRateDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(100)
		start := time.Now()
		for range 100 {
			if err := limiter.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the first 100 calls took %v, want 0", took)
		}
		if err := limiter.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != window {
			t.Errorf("call 101 came after %v, want %v", took, window)
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(1)
		if err := limiter.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		var e *Error
		if err := limiter.Wait(short); !errors.As(err, &e) || e.Kind != KindRateLimited || e.RetryAfter != window || time.Since(start) != 0 {
			t.Errorf("a wait beyond the deadline: got %v after %v, want RateLimited at once", err, time.Since(start))
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if err := limiter.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait: got %v", err)
		}
		// Neither of them has spent anything.
		if err := limiter.Wait(t.Context()); err != nil || time.Since(start) != window {
			t.Errorf("the next call came after %v (%v), want %v", time.Since(start), err, window)
		}
	})
}

func TestLimiterSlowsDownWhenTheVendorsBudgetIsLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(300)
		step := func() time.Duration {
			start := time.Now()
			if err := limiter.Wait(t.Context()); err != nil {
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
			if err := a.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		start := time.Now()
		b := all.Get("acc", 2)
		if a != b {
			t.Fatal("the same key gave two limiters")
		}
		if err := b.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The second call of three is the oldest that counts for a rate of two.
		if want := window - 2*time.Second; time.Since(start) != want {
			t.Errorf("after lowering the rate: waited %v, want %v", time.Since(start), want)
		}
		start = time.Now()
		if err := all.Get("acc", 5).Wait(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("after raising the rate: waited %v (%v), want 0", time.Since(start), err)
		}
		all.Forget("acc")
		if all.Get("acc", 5) == a {
			t.Error("a forgotten limiter came back")
		}
	})
}
