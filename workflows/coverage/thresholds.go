package coverage

import (
	"fmt"
	"time"

	"github.com/outband/outband/internal/store"
)

// Thresholds say from where on what is usual becomes an alert. They stand here and nowhere else: the API, the pages and the metrics show what follows
// from them, and docs/operating.md explains them.
type Thresholds struct {
	// LagFloor and LagScans: a watermark is late once it is further back than the larger of the floor and so many intervals between two reads.
	LagFloor time.Duration
	LagScans int

	// RecentDays and BaseDays are the whole UTC days, by the units' own times, that the share of skipped units is compared over: today and yesterday
	// against the days before these. Own times, and not those of the scan, so that reading old history changes nothing.
	RecentDays, BaseDays int
	// The share has risen when it is at least SkipFactor times that of before and SkipRise (of 1) above it, with at least SkipUnits units read in
	// each of the two spans and SkipLeast of the recent ones skipped.
	SkipFactor, SkipRise float64
	SkipUnits, SkipLeast int64
}

// DefaultThresholds returns those of the product.
func DefaultThresholds() Thresholds {
	return Thresholds{LagFloor: 10 * time.Minute, LagScans: 5, RecentDays: 2, BaseDays: 7, SkipFactor: 2, SkipRise: 0.05, SkipUnits: 20, SkipLeast: 5}
}

// lagLimit is how far back a watermark may be, for a stream that is read so often.
func (t Thresholds) lagLimit(every time.Duration) time.Duration {
	return max(t.LagFloor, time.Duration(t.LagScans)*every)
}

// share is how many units of a span were read, and how many of these were skipped or failed.
type share struct{ lost, read int64 }

func (s *share) add(n store.Count) {
	switch n.Outcome {
	case store.OutcomeScanned:
		s.read += n.N
	case store.OutcomeSkipped, store.OutcomeFailed:
		s.read, s.lost = s.read+n.N, s.lost+n.N
	}
}

func (s share) of() float64 { return float64(s.lost) / float64(max(s.read, 1)) }

// skips returns the alert of a share that has risen.
func (t Thresholds) skips(recent, before share) (Notice, bool) {
	if recent.read < t.SkipUnits || before.read < t.SkipUnits || recent.lost < t.SkipLeast {
		return Notice{}, false
	}
	if recent.of() < t.SkipFactor*before.of() || recent.of() < before.of()+t.SkipRise {
		return Notice{}, false
	}
	return Notice{CodeSkips, fmt.Sprintf("Of what is of today and yesterday %.0f %% was skipped or failed; in the week before it was %.0f %%. The reasons beside the counts say why.", 100*recent.of(), 100*before.of())}, true
}
