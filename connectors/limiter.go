package connectors

import (
	"context"
	"sync"
	"time"
)

const (
	// window is a minute and a margin: two calls that left a minute apart can arrive a little closer.
	window = time.Minute + 250*time.Millisecond
	// Below this share of the vendor's budget the limiter slows down, because other programs of the customer share the budget.
	lowShare = 0.2
	// A waiting call looks again this often: the rate may have been raised meanwhile.
	recheck = 5 * time.Second
)

// Limiter spends the rate budget of one account: never more than N calls in any 60 s. All streams of a connection share one.
type Limiter struct {
	mu      sync.Mutex
	granted []int64   // ring of the times of the last N calls, nanoseconds since start, 0 for none
	next    int       // index of the oldest
	start   time.Time // with a monotonic clock
	last    time.Time
	gap     time.Duration // least distance between two calls until slowEnd
	slowEnd time.Time
	paused  time.Time // no call before
}

// NewLimiter makes a limiter of perMinute calls in any 60 s, at least 1.
func NewLimiter(perMinute int) *Limiter {
	return &Limiter{granted: make([]int64, max(perMinute, 1)), start: time.Now().Add(-time.Nanosecond)}
}

// Wait blocks until a call may be made and counts it. A wait that cannot end before the deadline of the context fails at once with KindRateLimited
// and the time to wait; a caller that gave up has spent nothing.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		wait := l.take()
		if wait == 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return &Error{Kind: KindRateLimited, Code: CodeBudget, RetryAfter: wait, Message: "The request budget of this connection is spent for now; reading goes on by itself."}
		}
		timer := time.NewTimer(min(wait, recheck))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// take counts a call and returns 0, or returns the time until it is worth asking again.
func (l *Limiter) take() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	at := now
	if oldest := l.granted[l.next]; oldest != 0 {
		at = l.start.Add(time.Duration(oldest)).Add(window)
	}
	if now.Before(l.slowEnd) {
		// At the end of the vendor's window the budget is full again, so nobody waits longer than that.
		at = later(at, earlier(l.last.Add(l.gap), l.slowEnd))
	}
	at = later(at, l.paused)
	if wait := at.Sub(now); wait > 0 {
		return wait
	}
	l.granted[l.next] = int64(now.Sub(l.start))
	l.next = (l.next + 1) % len(l.granted)
	l.last = now
	return 0
}

// Observe takes the vendor's own count from a reply. Below a fifth of the limit, half of what remains is spread over the time until the reset.
func (l *Limiter) Observe(limit, remaining int, reset time.Time) {
	if limit <= 0 || remaining < 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if float64(remaining) >= lowShare*float64(limit) {
		l.gap, l.slowEnd = 0, time.Time{}
		return
	}
	left := window
	if d := time.Until(reset); !reset.IsZero() && d > 0 {
		left = min(d, window)
	}
	l.gap = left / time.Duration(max(remaining/2, 1))
	l.slowEnd = time.Now().Add(left)
}

// Pause stops all calls for a while, after the vendor refused one.
func (l *Limiter) Pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = later(l.paused, time.Now().Add(min(d, MaxRetryAfter)))
}

// setRate changes N and keeps the newest calls.
func (l *Limiter) setRate(perMinute int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, old := max(perMinute, 1), len(l.granted)
	if n == old {
		return
	}
	ring := make([]int64, n)
	// Oldest first into the end of the new ring, so that the empty places come up first.
	for i := range min(n, old) {
		ring[n-1-i] = l.granted[(l.next-1-i+2*old)%old]
	}
	l.granted, l.next = ring, 0
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Limiters hands out one limiter per key, the account or the connection, so that all clients of it share the budget.
type Limiters struct {
	mu sync.Mutex
	by map[string]*Limiter
}

// Get returns the limiter of the key and sets its rate.
func (r *Limiters) Get(key string, perMinute int) *Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]*Limiter{}
	}
	l, ok := r.by[key]
	if !ok {
		l = NewLimiter(perMinute)
		r.by[key] = l
	}
	l.setRate(perMinute)
	return l
}

// Forget drops the limiter of a key whose connection was deleted.
func (r *Limiters) Forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.by, key)
}
