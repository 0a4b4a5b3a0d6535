package connectors

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scripted is a budget that answers what the test says and remembers what it was asked.
type scripted struct {
	mu    sync.Mutex
	take  func(Ask) (Grant, error)
	asked []Ask
	slow  []time.Duration
	pause []time.Duration
}

func (s *scripted) Take(_ context.Context, a Ask) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, a)
	return s.take(a)
}

func (s *scripted) Pause(_ context.Context, d time.Duration) error {
	s.pause = append(s.pause, d)
	return nil
}

func (s *scripted) Slow(_ context.Context, gap, _ time.Duration) error {
	s.slow = append(s.slow, gap)
	return nil
}

func waitFor(t *testing.T, l *Limiter) time.Duration {
	t.Helper()
	start := time.Now()
	if err := made(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

func TestALimiterMakesNoCallWithoutAGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := true
		b := &scripted{take: func(Ask) (Grant, error) {
			if away {
				return Grant{}, errors.New("the store is busy")
			}
			return Grant{ID: "g", Calls: 1, For: 5 * time.Second}, nil
		}}
		l := newLimiter(b, 600)
		time.AfterFunc(time.Minute, func() { b.mu.Lock(); defer b.mu.Unlock(); away = false })
		if d := waitFor(t, l); d < time.Minute || d > time.Minute+recheck {
			t.Errorf("a call was made after %v, want it soon after the store came back", d)
		}
		if n := len(b.asked); n < 10 || n > 20 {
			t.Errorf("asked %d times in a minute", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		away = true
		time.AfterFunc(time.Second, cancel)
		if err := made(ctx, l); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was given up: %v", err)
		}
	})
}

func TestWhatALimiterAsksForFollowsWhatItUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scripted{take: func(a Ask) (Grant, error) { return Grant{ID: "g", Calls: a.Want, For: 5 * time.Second}, nil }}
		l := newLimiter(b, 600) // 10 in a second
		for range 1 + 2 + 4 + 8 + 10 {
			waitFor(t, l)
		}
		waitFor(t, l) // The first of ten.
		time.Sleep(time.Second)
		waitFor(t, l)
		time.Sleep(10 * time.Second) // The grant is over, two of it were used.
		waitFor(t, l)
		var got []int
		for _, a := range b.asked {
			got = append(got, a.Want)
		}
		if diff := cmp.Diff([]int{1, 2, 4, 8, 10, 10, 2}, got); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Ask{PerMinute: 600, Want: 2, Last: "g", Used: 2, UsedAgo: 10 * time.Second}, b.asked[6]); diff != "" {
			t.Errorf("what went back (-want +got):\n%s", diff)
		}
	})
}

func TestThePaceIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		grant := Grant{ID: "g", Calls: 5, For: 5 * time.Second, Gap: 2 * time.Second, SlowFor: 10 * time.Second}
		b := &scripted{take: func(Ask) (Grant, error) { return grant, nil }}
		l := newLimiter(b, 600)
		waitFor(t, l)
		if d := waitFor(t, l); d != 2*time.Second {
			t.Errorf("another process slowed down, this one waited %v, want 2s", d)
		}
		for range 10 {
			l.Observe(t.Context(), 600, 60, time.Now().Add(30*time.Second))
		}
		time.Sleep(tellEvery)
		l.Observe(t.Context(), 600, 30, time.Now().Add(30*time.Second))
		l.Observe(t.Context(), 600, 600, time.Time{})
		l.Observe(t.Context(), 600, 600, time.Time{})
		if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 0}, b.slow); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		l.Pause(t.Context(), 2*MaxRetryAfter)
		if diff := cmp.Diff([]time.Duration{MaxRetryAfter}, b.pause); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
	})
}

func TestGoroutinesShareOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scripted{take: func(Ask) (Grant, error) { return Grant{Wait: time.Minute}, nil }}
		l := newLimiter(b, 600)
		var group sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			group.Go(func() {
				if err := made(ctx, l); !errors.Is(err, context.Canceled) {
					t.Errorf("Wait: %v", err)
				}
			})
		}
		time.Sleep(11 * time.Second)
		cancel()
		group.Wait()
		if n := len(b.asked); n != 3 {
			t.Errorf("20 waiting goroutines asked %d times in 11 s, want 3", n)
		}
	})
}

func BenchmarkWaitInMemory(b *testing.B) {
	l := NewLimiter(20_000_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := made(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
}
