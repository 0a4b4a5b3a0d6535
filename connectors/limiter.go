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
	// share is the part of a minute's calls that one grant holds at most: those of 5 s.
	share = 12
	// A limiter whose budget cannot be asked waits this long, doubling up to recheck. It never calls without a grant.
	awayFor = 250 * time.Millisecond
	// While the vendor's budget is low, others are told the pace at most this often.
	tellEvery = time.Second
)

// Limiter makes the calls of one account in this process: it takes them from the account's Budget a few seconds ahead, so that never more than N
// are made in any 60 s. All streams of a connection share one. It is safe for concurrent use.
type Limiter struct {
	budget Budget
	turn   chan struct{} // who asks the budget; the others wait for the answer

	mu      sync.Mutex
	rate    int
	grant   string // id of the grant in use, until it is settled
	used    int
	left    int
	until   time.Time // the calls of the grant are made before
	last    time.Time // call
	want    int       // calls to ask for next; follows what is used
	free    time.Time // before it the budget has nothing
	askAt   time.Time // before it there is no use in asking
	away    time.Duration
	gap     time.Duration // least distance between two calls until slowEnd
	slowEnd time.Time
	told    time.Time // when the pace was last told to the budget
	paused  time.Time // no call before
}

// NewLimiter makes a limiter of perMinute calls in any 60 s, at least 1, with a budget of its own in memory.
func NewLimiter(perMinute int) *Limiter { return newLimiter(newLocal(), perMinute) }

func newLimiter(b Budget, perMinute int) *Limiter {
	return &Limiter{budget: b, turn: make(chan struct{}, 1), rate: max(perMinute, 1), want: 1}
}

// Wait blocks until a call may be made and counts it. A wait that cannot end before the deadline of the context fails at once with KindRateLimited
// and the time to wait; a caller that gave up has spent nothing.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		wait, ask := l.take()
		if ask {
			if err := l.refill(ctx); err != nil {
				return err
			}
			continue
		}
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

// take counts a call and returns 0, or returns how long none can be made, or says that the budget is to be asked.
func (l *Limiter) take() (wait time.Duration, ask bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait := l.pace(now); wait > 0 {
		return wait, false
	}
	if l.left > 0 && now.Before(l.until) {
		l.left--
		l.used++
		l.last = now
		return 0, false
	}
	if now.Before(l.askAt) {
		return l.free.Sub(now), false
	}
	return 0, true
}

// pace is how long the vendor's answers forbid a call.
func (l *Limiter) pace(now time.Time) time.Duration {
	at := l.paused
	if now.Before(l.slowEnd) {
		// At the end of the vendor's window the budget is full again, so nobody waits longer than that.
		at = later(at, earlier(l.last.Add(l.gap), l.slowEnd))
	}
	return at.Sub(now)
}

// refill asks the budget for calls, one goroutine at a time; one that waited for its turn looks first what the others got. Its error is that of the
// context: a budget that cannot be asked is waited for.
func (l *Limiter) refill(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	ask, due := l.next(began)
	if !due {
		return nil
	}
	got, err := l.budget.Take(ctx, ask)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	l.took(began, got, err)
	return nil
}

// next ends the grant in use and returns what to ask for. A grant whose time ran out with calls left lowers what is asked for, one that was used up
// doubles it: a limiter holds little that it does not need, and asks seldom.
func (l *Limiter) next(now time.Time) (ask Ask, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.left > 0 && now.Before(l.until)) || now.Before(l.askAt) || l.pace(now) > 0 {
		return Ask{}, false
	}
	switch {
	case l.left > 0:
		l.want = max(l.used, 1)
	case l.used > 0:
		l.want = min(2*l.want, max(l.rate/share, 1))
	}
	l.left = 0
	ask = Ask{PerMinute: l.rate, Want: l.want, Last: l.grant, Used: l.used}
	if l.used > 0 {
		ask.UsedAgo = now.Sub(l.last)
	}
	return ask, true
}

func (l *Limiter) took(began time.Time, got Grant, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if err != nil {
		l.away = min(max(2*l.away, awayFor), recheck)
		l.free = now.Add(l.away)
		l.askAt = l.free
		return
	}
	l.grant, l.used, l.away = got.ID, 0, 0
	l.free, l.askAt = time.Time{}, time.Time{}
	if got.SlowFor > 0 {
		l.gap, l.slowEnd = got.Gap, now.Add(got.SlowFor)
	}
	if got.Calls > 0 {
		l.left, l.until = got.Calls, began.Add(got.For)
		return
	}
	l.free = now.Add(got.Wait)
	l.askAt = now.Add(min(got.Wait, recheck))
}

// Observe takes the vendor's own count from a reply. Below a fifth of the limit, half of what remains is spread over the time until the reset.
func (l *Limiter) Observe(ctx context.Context, limit, remaining int, reset time.Time) {
	if limit <= 0 || remaining < 0 {
		return
	}
	gap, left, tell := l.observe(limit, remaining, reset)
	if !tell {
		return
	}
	// Without the store this process keeps the pace alone; the next reply tells it again.
	_ = l.budget.Slow(ctx, gap, left)
}

func (l *Limiter) observe(limit, remaining int, reset time.Time) (gap, left time.Duration, tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if float64(remaining) >= lowShare*float64(limit) {
		tell = now.Before(l.slowEnd)
		l.gap, l.slowEnd = 0, time.Time{}
		return 0, 0, tell
	}
	left = window
	if d := time.Until(reset); !reset.IsZero() && d > 0 {
		left = min(d, window)
	}
	tell = !now.Before(l.slowEnd) || now.Sub(l.told) >= tellEvery
	if tell {
		l.told = now
	}
	l.gap = left / time.Duration(max(remaining/2, 1))
	l.slowEnd = now.Add(left)
	return l.gap, left, tell
}

// Pause stops all calls for a while, after the vendor refused one.
func (l *Limiter) Pause(ctx context.Context, d time.Duration) {
	d = min(d, MaxRetryAfter)
	l.mu.Lock()
	l.paused = later(l.paused, time.Now().Add(d))
	l.mu.Unlock()
	// Without the store this process pauses alone, and the vendor refuses the others itself.
	_ = l.budget.Pause(ctx, d)
}

// setRate changes N.
func (l *Limiter) setRate(perMinute int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := max(perMinute, 1)
	if n > l.rate {
		l.free, l.askAt = time.Time{}, time.Time{}
	}
	l.rate, l.want = n, min(l.want, max(n/share, 1))
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
	// Budget makes the budget of a key; nil: in memory. Set it before the first Get.
	Budget func(key string) Budget

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
		var b Budget = newLocal()
		if r.Budget != nil {
			b = r.Budget(key)
		}
		l = newLimiter(b, perMinute)
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
