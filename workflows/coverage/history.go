package coverage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// Progress is how far the reading of a connection's history is.
type Progress struct {
	Done, Total  int64         // slices of all streams
	OldestReadAt time.Time     // everything is read back to here without a break; zero: not even the newest day is
	Left         time.Duration // at the pace of the last slices; 0: not known, or nothing is left
}

const (
	paceSlices = 20             // the newest slices that tell the pace
	paceSpan   = 24 * time.Hour // no slice that was read longer ago tells it
	paceLeast  = 3
)

// HistoryProgress counts the slices of the history that were read.
func HistoryProgress(ctx context.Context, q store.Querier, c store.Connection, m *connectors.Manifest, now time.Time) (p Progress, err error) {
	if p.Done, p.Total, p.OldestReadAt, err = workflows.History(ctx, q, c, m); err != nil {
		return p, fmt.Errorf("history of connection %s: %w", c.ID, err)
	}
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return p, fmt.Errorf("history of connection %s: %w", c.ID, err)
	}
	var ends []time.Time
	for _, cp := range checkpoints {
		if cp.Lane == store.LaneBackfill && cp.Done && now.Sub(cp.UpdatedAt) <= paceSpan {
			ends = append(ends, cp.UpdatedAt)
		}
	}
	p.Left = pace(ends, now) * time.Duration(p.Total-p.Done)
	return p, nil
}

// pace is the time that one slice took of late, from the times at which slices were read; 0: not known.
func pace(ends []time.Time, now time.Time) time.Duration {
	slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
	ends = ends[:min(len(ends), paceSlices)]
	if len(ends) < paceLeast {
		return 0
	}
	return max(now.Sub(ends[len(ends)-1]), 0) / time.Duration(len(ends))
}
