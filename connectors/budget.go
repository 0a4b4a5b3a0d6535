package connectors

import (
	"context"
	"sync"
	"time"
)

// Budget is the rate budget of one account, wherever it is kept: for all processes in the store, or in memory for a connection that is not saved. It
// promises that no 60 s hold more calls than the rate and no 6 s more than a tenth of it, however many limiters take from it, as long as each makes
// its calls within the time of their grant; and that calls for background work leave a fifth of both to others.
type Budget interface {
	// Take asks for calls. An error means that nothing was granted as far as the asker knows; asking again is safe.
	Take(ctx context.Context, ask Ask) (Grant, error)
	// Pause stops all calls for d, after the vendor refused one.
	Pause(ctx context.Context, d time.Duration) error
	// Slow spreads all calls, one each gap, for d; a d of 0 ends that.
	Slow(ctx context.Context, gap, d time.Duration) error
}

// Ask asks a Budget for calls.
type Ask struct {
	PerMinute  int  // the rate: calls in any 60 s
	Want       int  // calls, at least 1; fewer may be granted
	Background bool // they are for work that can wait

	// What became of the grant before; Last is empty if there is none. No more of its calls will be made.
	Last    string
	Used    int
	UsedAgo time.Duration // since the last call that was made of it
}

// Grant is what a Budget gives.
type Grant struct {
	ID         string
	Calls      int           // 0: none are free
	Background int           // so many of them may be made for work that can wait
	For        time.Duration // from the moment of asking, in which the calls may be made
	Wait       time.Duration // after which one may be free, if there are none

	Gap     time.Duration // least distance between two calls for SlowFor, since the vendor's budget is low
	SlowFor time.Duration
}

// Bound is how many calls any span of time may hold at most.
type Bound struct {
	Span  time.Duration
	Calls int
}

// Bounds are what a rate means: its calls in any minute, spread so far that no 6 s hold more than a tenth of them. Background work has four fifths of
// both; where that would be less than one call, it has all and only waits for the others.
func Bounds(perMinute int, background bool) [2]Bound {
	minute := max(perMinute, 1)
	out := [2]Bound{{time.Minute, minute}, {time.Minute / 10, (minute + 9) / 10}}
	if background {
		for i := range out {
			out[i].Calls -= out[i].Calls / 5
		}
	}
	return out
}

// atOnce is how long a call may be made that a budget in memory gave.
const atOnce = 100 * time.Millisecond

// local is a budget in memory: the times of the last calls, nanoseconds since start, 0 for none.
type local struct {
	start time.Time // with a monotonic clock

	mu    sync.Mutex
	calls []int64 // a ring
	next  int     // index of the oldest
}

func newLocal() *local { return &local{start: time.Now().Add(-time.Nanosecond)} }

// Take implements Budget: one call at a time, which is to be made at once.
func (l *local) Take(_ context.Context, ask Ask) (Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resize(max(ask.PerMinute, 1))
	now := time.Now()
	if wait := l.wait(now, Bounds(ask.PerMinute, ask.Background)); wait > 0 {
		return Grant{Wait: wait}, nil
	}
	g := Grant{Calls: 1, For: atOnce}
	if l.wait(now, Bounds(ask.PerMinute, true)) <= 0 {
		g.Background = 1
	}
	l.calls[l.next] = int64(now.Sub(l.start))
	l.next = (l.next + 1) % len(l.calls)
	return g, nil
}

// wait is how long the bounds allow no further call.
func (l *local) wait(now time.Time, bounds [2]Bound) (wait time.Duration) {
	for _, b := range bounds {
		// With the call that comes, so many calls lie in one span unless this one has left it.
		if at := l.calls[(l.next-b.Calls+len(l.calls))%len(l.calls)]; at != 0 {
			wait = max(wait, l.start.Add(time.Duration(at)).Add(b.Span+margin).Sub(now))
		}
	}
	return wait
}

// resize changes the rate and keeps the newest calls.
func (l *local) resize(n int) {
	old := len(l.calls)
	if n == old {
		return
	}
	ring := make([]int64, n)
	// Oldest first into the end of the new ring, so that the empty places come up first.
	for i := range min(n, old) {
		ring[n-1-i] = l.calls[(l.next-1-i+2*old)%old]
	}
	l.calls, l.next = ring, 0
}

// Pause implements Budget. The limiter paces itself, and it is the only one of this budget.
func (*local) Pause(context.Context, time.Duration) error { return nil }

// Slow implements Budget.
func (*local) Slow(context.Context, time.Duration, time.Duration) error { return nil }
