package connectors

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// margin is added to the spans of a rate: clocks of two machines differ a little.
	margin = 250 * time.Millisecond
	// window is the longest that a vendor's count of calls may take to be full again.
	window = time.Minute + margin
	// Below this share of the vendor's budget the limiter slows down, because other programs of the customer share the budget.
	lowShare = 0.2
	// A waiting call looks again this often: the rate may have been raised meanwhile.
	recheck = 5 * time.Second
	// share is the part of a minute's calls that one grant holds at most: those of 1 s.
	share = 60
	// A limiter whose budget cannot be asked waits this long, doubling up to recheck. It never calls without a grant.
	awayFor = 250 * time.Millisecond
	// While the vendor's budget is low, others are told the pace at most this often.
	tellEvery = time.Second
	// refusedMost bounds the doubling waits of a budget that was refused.
	refusedMost = 5 * time.Minute
)

// Limiter makes the calls of one account in this process: it takes them from the account's Budget a second ahead, so that never more than N are made
// in any 60 s, nor more than a tenth of N in any 6 s, by whichever clock: that of the sender, or that of the receiver, to whom each may travel for
// another time; see places. All streams of a connection share one. Callers get their calls in the order in which they came;
// those of Background come after all others. It is safe for concurrent use.
type Limiter struct {
	budget Budget
	turn   chan struct{} // who asks the budget; the others wait for the answer

	mu      sync.Mutex
	line    [2][]*waiter // who waits, first come first: the foreground, the background
	places  places
	rate    int
	grant   string // id of the grant in use, until it is settled
	used    int
	left    int
	behind  int        // of those left, how many the background may make
	until   time.Time  // the calls of the grant are made before
	last    time.Time  // call
	want    int        // calls to ask for next; follows what is used
	none    [2]nothing // what the budget said last, to the foreground and to the background
	away    time.Duration
	gap     time.Duration // least distance between two calls until slowEnd
	slowEnd time.Time
	told    time.Time // when the pace was last told to the budget
	paused  time.Time // no call before
	refusal int       // in a row; see refused
}

// nothing is the answer of a budget that has no call now.
type nothing struct {
	free  time.Time // before it there is none
	askAt time.Time // before it there is no use in asking
}

// waiter is a caller in the line.
type waiter struct {
	class int           // index of the line
	wake  chan struct{} // holds one: look again
}

const foreground, background = 0, 1

// NewLimiter makes a limiter of perMinute calls in any 60 s, at least 1, with a budget of its own in memory.
func NewLimiter(perMinute int) *Limiter { return newLimiter(newLocal(), perMinute) }

func newLimiter(b Budget, perMinute int) *Limiter {
	return &Limiter{budget: b, turn: make(chan struct{}, 1), rate: max(perMinute, 1), want: 1, places: places{start: time.Now()}}
}

// Begin blocks until a call may be made and counts it. Its caller calls end once the call was answered or given up. A wait that cannot end before the
// deadline of the context fails at once with KindRateLimited and the time to wait; a caller that gave up has spent nothing.
func (l *Limiter) Begin(ctx context.Context) (end func(), err error) {
	w := l.enter(ctx)
	defer l.leave(w)
	if _, err := l.wait(ctx, w, nil); err != nil {
		return nil, err
	}
	return l.end, nil
}

// end takes a call from those under way. Who waits for that looks again.
func (l *Limiter) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places.end(time.Now())
	l.wake()
}

// beginBoth blocks until a call may be made of two limiters, and counts it in both at one moment: a call that waited for the other limiter would be
// made later than its own counts it.
func beginBoth(ctx context.Context, own, account *Limiter) (end func(), err error) {
	mine := own.enter(ctx)
	defer own.leave(mine)
	for {
		// What is free is only looked at: nobody else takes it while this caller is the first in its line.
		if _, err := own.wait(ctx, mine, func() bool { return false }); err != nil {
			return nil, err
		}
		w := account.enter(ctx)
		taken, err := account.wait(ctx, w, func() bool { _, _, ok := own.take(mine, nil); return ok })
		account.leave(w)
		if err != nil {
			return nil, err
		}
		if taken {
			return func() { own.end(); account.end() }, nil
		}
	}
}

// enter puts a caller at the end of its line.
func (l *Limiter) enter(ctx context.Context) *waiter {
	w := &waiter{wake: make(chan struct{}, 1)}
	if isBackground(ctx) {
		w.class = background
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line[w.class] = append(l.line[w.class], w)
	return w
}

// leave takes a caller out of its line and wakes who is first now.
func (l *Limiter) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line[w.class]
	i := slices.Index(line, w)
	l.line[w.class] = slices.Delete(line, i, i+1)
	l.wake()
}

// wake lets the first of the line look again.
func (l *Limiter) wake() {
	if first := l.first(); first != nil {
		select {
		case first.wake <- struct{}{}:
		default: // It will look again already.
		}
	}
}

func (l *Limiter) first() *waiter {
	for _, line := range l.line {
		if len(line) > 0 {
			return line[0]
		}
	}
	return nil
}

// wait blocks until it is w's turn and a call is free. Then it counts the call and returns true; with a function, only if that returns true, else it
// returns false.
func (l *Limiter) wait(ctx context.Context, w *waiter, also func() bool) (taken bool, err error) {
	for {
		wait, then, taken := l.take(w, also)
		switch then {
		case end:
			return taken, nil
		case ask:
			if err := l.refill(ctx, w.class); err != nil {
				return false, err
			}
			continue
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return false, &Error{Kind: KindRateLimited, Code: CodeBudget, RetryAfter: wait, Message: "The request budget of this connection is spent for now; reading goes on by itself."}
		}
		var timer *time.Timer
		var due <-chan time.Time // Who is not the first is woken by who leaves.
		if then == later {
			timer = time.NewTimer(min(wait, recheck))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-w.wake:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return false, err
		}
	}
}

// What a caller does after take.
const (
	end = iota
	queue
	later
	ask
)

// take counts a call and returns true, or says what to do instead: to wait in the line, to wait for a time, or to ask the budget. The wait is how long
// no call can be made at the least.
func (l *Limiter) take(w *waiter, also func() bool) (wait time.Duration, then int, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	wait = max(l.pace(now), l.none[foreground].free.Sub(now))
	if w.class == background {
		wait = max(wait, l.none[background].free.Sub(now))
	}
	full := l.places.wait(now, Bounds(l.rate, false))
	wait = max(wait, full)
	open := l.left > 0 && now.Before(l.until)
	switch {
	case l.first() != w:
		if open {
			wait = max(l.pace(now), full)
		}
		return wait, queue, false
	case l.pace(now) > 0:
		return l.pace(now), later, false
	case full > 0:
		return wait, later, false
	case open && (w.class == foreground || l.behind > 0):
		if also != nil && !also() {
			return 0, end, false
		}
		l.left--
		l.used++
		l.places.flying++
		if w.class == background {
			l.behind--
		}
		l.behind = min(l.behind, l.left)
		l.last = now
		return 0, end, true
	case open:
		// What is left is for the foreground, which may not come for it.
		return l.until.Sub(now), later, false
	case now.Before(l.asks(w.class)):
		return wait, later, false
	}
	return 0, ask, false
}

// asks is the time before which there is no use in asking the budget.
func (l *Limiter) asks(class int) time.Time {
	at := l.none[foreground].askAt
	if class == background {
		at = latest(at, l.none[background].askAt)
	}
	return at
}

// pace is how long the vendor's answers forbid a call.
func (l *Limiter) pace(now time.Time) time.Duration {
	at := l.paused
	if now.Before(l.slowEnd) {
		// At the end of the vendor's window the budget is full again, so nobody waits longer than that.
		at = latest(at, earliest(l.last.Add(l.gap), l.slowEnd))
	}
	return at.Sub(now)
}

// refill asks the budget for calls, one goroutine at a time; one that waited for its turn looks first what the others got. Its error is that of the
// context: a budget that cannot be asked is waited for.
func (l *Limiter) refill(ctx context.Context, class int) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	ask, due := l.next(began, class)
	if !due {
		return nil
	}
	got, err := l.budget.Take(ctx, ask)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	l.took(began, class, got, err)
	return nil
}

// next ends the grant in use and returns what to ask for. A grant whose time ran out with calls left lowers what is asked for, one that was used up
// doubles it: a limiter holds little that it does not need, and asks seldom.
func (l *Limiter) next(now time.Time, class int) (ask Ask, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.left > 0 && now.Before(l.until)) || now.Before(l.asks(class)) || l.pace(now) > 0 {
		return Ask{}, false
	}
	switch {
	case l.left > 0:
		l.want = max(l.used, 1)
	case l.used > 0:
		l.want = min(2*l.want, max(l.rate/share, 1))
	}
	l.left, l.behind = 0, 0
	ask = Ask{PerMinute: l.rate, Want: l.want, Background: class == background, Last: l.grant, Used: l.used}
	if l.used > 0 {
		ask.UsedAgo = now.Sub(l.last)
	}
	return ask, true
}

func (l *Limiter) took(began time.Time, class int, got Grant, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if err != nil {
		l.away = min(max(2*l.away, awayFor), recheck)
		l.none[foreground] = nothing{now.Add(l.away), now.Add(l.away)}
		return
	}
	l.grant, l.used, l.away = got.ID, 0, 0
	if got.SlowFor > 0 {
		l.gap, l.slowEnd = got.Gap, now.Add(got.SlowFor)
	}
	if got.Calls > 0 {
		l.left, l.behind, l.until = got.Calls, min(got.Background, got.Calls), began.Add(got.For)
		l.none[foreground] = nothing{}
		if class == background {
			l.none[background] = nothing{}
		}
		return
	}
	// What the background does not get, the foreground may.
	l.none[class] = nothing{now.Add(got.Wait), now.Add(min(got.Wait, recheck))}
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
	l.paused = latest(l.paused, time.Now().Add(d))
	l.mu.Unlock()
	// Without the store this process pauses alone, and the vendor refuses the others itself.
	_ = l.budget.Pause(ctx, d)
}

// refused pauses a budget whose own refusals do not say how long to wait: for a second, doubled each time until a call is accepted, and for what was
// asked if that is longer. It returns how long.
func (l *Limiter) refused(ctx context.Context, asked time.Duration) time.Duration {
	l.mu.Lock()
	now := time.Now()
	if !now.Before(l.paused) { // Calls that were under way together are refused together.
		l.refusal++
	}
	d := max(asked, min(time.Second<<min(max(l.refusal-1, 0), 16), refusedMost), l.paused.Sub(now))
	l.mu.Unlock()
	l.Pause(ctx, d)
	return d
}

// accepted ends the doubling of refused.
func (l *Limiter) accepted() {
	l.mu.Lock()
	l.refusal = 0
	l.mu.Unlock()
}

// setRate changes N.
func (l *Limiter) setRate(perMinute int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := max(perMinute, 1)
	if n > l.rate {
		l.none = [2]nothing{}
	}
	l.rate, l.want = n, min(l.want, max(n/share, 1))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
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
