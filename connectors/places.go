package connectors

import (
	"sort"
	"time"
)

// places are the calls that a receiver may have seen within a span of time: those under way, and those that were answered, or given up, less than the
// span ago. A call arrives before it is answered; so that as long as these are no more than a bound, no span that the receiver measures holds more,
// however long each call was on its way.
type places struct {
	start  time.Time // with a monotonic clock
	flying int
	ended  []time.Duration // since start, ascending; none older than the longest span
}

// end moves a call from those under way to those that ended.
func (p *places) end(now time.Time) {
	p.flying--
	at := now.Sub(p.start)
	old := p.from(at - window)
	p.ended = append(p.ended[old:], at)
}

// from is the index of the first call that ended after a time.
func (p *places) from(at time.Duration) int {
	return sort.Search(len(p.ended), func(i int) bool { return p.ended[i] > at })
}

// wait is how long, at the least, the bounds allow no further call.
func (p *places) wait(now time.Time, bounds [2]Bound) (wait time.Duration) {
	for _, b := range bounds {
		span := b.Span + margin
		at := now.Sub(p.start)
		first := p.from(at - span)
		over := p.flying + len(p.ended) - first - b.Calls // and one more call would be over by one more
		switch {
		case over < 0:
		case first+over < len(p.ended):
			wait = max(wait, p.ended[first+over]+span-at)
		default:
			wait = max(wait, span) // One of those under way has to end first.
		}
	}
	return wait
}
