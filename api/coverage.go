package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/outband/outband/internal/store"
)

// Coverage is what became of everything in one stream of a connection (invariant 5).
type Coverage struct {
	ConnectionID      string           `json:"connection_id"`
	Stream            string           `json:"stream"`
	WatermarkAt       *string          `json:"watermark_at" format:"date-time" doc:"Everything before it has been read; null: nothing yet."`
	LagSeconds        *float64         `json:"lag_seconds" doc:"From the watermark to now."`
	Read              int64            `json:"read"`
	Scanned           int64            `json:"scanned"`
	Skipped           map[string]int64 `json:"skipped" doc:"By reason."`
	Failed            int64            `json:"failed" doc:"Given up after 72 hours of tries."`
	Deferred          int64            `json:"deferred" doc:"Wait for a worker of their own now."`
	Quarantined       int64            `json:"quarantined" doc:"Could not be scanned and are tried again."`
	DeletedBeforeScan int64            `json:"deleted_before_scan"`
	Late              int64            `json:"late" doc:"Appeared behind the watermark and were read again."`
	BackfillOpen      int64            `json:"backfill_open" doc:"Slices of history that are not read to their end."`
	Gaps              []Gap            `json:"gaps"`
	Error             string           `json:"error" doc:"Why the stream stands still; empty otherwise."`
}

// Gap is a time window that could not be read.
type Gap struct {
	From   *string `json:"from" format:"date-time"`
	To     *string `json:"to" format:"date-time"`
	Reason string  `json:"reason"`
}

// CoverageInput narrows the coverage.
type CoverageInput struct {
	ListInput
	ConnectionID string `query:"connection_id" maxLength:"128" doc:"Absent: of all connections."`
}

func (a *API) coverage(ctx context.Context, in *CoverageInput) (*ListOutput[Coverage], error) {
	q := a.d.DB.Read()
	var all []store.Connection
	if in.ConnectionID != "" {
		c, err := store.GetConnection(ctx, q, in.ConnectionID)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	} else {
		var err error
		if all, err = store.ListConnections(ctx, q); err != nil {
			return nil, err
		}
	}
	type row struct {
		key string
		Coverage
	}
	var rows []row
	for _, c := range all {
		streams, err := a.streams(ctx, q, c)
		if err != nil {
			return nil, err
		}
		for _, s := range streams {
			rows = append(rows, row{sortKey(c.CreatedAt, c.ID) + " " + s.Stream, s})
		}
	}
	page, err := paginate("coverage "+in.ConnectionID, rows, func(r row) string { return r.key }, in.ListInput)
	if err != nil {
		return nil, err
	}
	out := make([]Coverage, 0, len(page.Body.Items))
	for _, r := range page.Body.Items {
		out = append(out, r.Coverage)
	}
	return listed(out, page.Body.NextCursor), nil
}

// streams is the coverage of one connection, sorted by stream: those of the manifest, and every other that was ever counted.
func (a *API) streams(ctx context.Context, q store.Querier, c store.Connection) ([]Coverage, error) {
	counts, err := store.Counts(ctx, q, c.ID)
	if err != nil {
		return nil, err
	}
	items, err := store.CountItems(ctx, q, c.ID)
	if err != nil {
		return nil, err
	}
	gaps, err := store.Intervals(ctx, q, c.ID, store.IntervalGap)
	if err != nil {
		return nil, err
	}
	checkpoints, err := store.ListCheckpoints(ctx, q, c.ID)
	if err != nil {
		return nil, err
	}
	byStream := map[string]*Coverage{}
	at := func(stream string) *Coverage {
		if byStream[stream] == nil {
			byStream[stream] = &Coverage{ConnectionID: c.ID, Stream: stream, Skipped: map[string]int64{}, Gaps: []Gap{}}
		}
		return byStream[stream]
	}
	if m := a.manifest(c.Connector); m != nil {
		for _, s := range m.Streams {
			at(s.ID)
		}
	}
	for _, n := range counts {
		at(n.Stream).add(n)
	}
	for _, n := range items {
		switch n.Outcome {
		case store.ItemDeferred:
			at(n.Stream).Deferred += n.N
			at(n.Stream).Read += n.N
		case store.ItemQuarantined:
			at(n.Stream).Quarantined += n.N
			at(n.Stream).Read += n.N
		}
	}
	for _, g := range gaps {
		x := at(g.Stream)
		x.Gaps = append(x.Gaps, Gap{From: stamp(g.From), To: stamp(g.To), Reason: g.Reason})
	}
	watermarks := map[string]time.Time{}
	for _, p := range checkpoints {
		x := at(p.Stream)
		if p.Lane == store.LaneBackfill && !p.Done {
			x.BackfillOpen++
		}
		if p.Lane != store.LaneLive {
			continue
		}
		if p.Error != "" {
			x.Error = p.Error
		}
		if p.WatermarkAt.After(watermarks[p.Stream]) {
			watermarks[p.Stream] = p.WatermarkAt
		}
	}
	now := a.d.DB.Now()
	out := make([]Coverage, 0, len(byStream))
	for _, stream := range slices.Sorted(maps.Keys(byStream)) {
		x := byStream[stream]
		if w := watermarks[stream]; !w.IsZero() {
			lag := max(now.Sub(w), 0).Seconds()
			x.WatermarkAt, x.LagSeconds = stamp(w), &lag
		}
		out = append(out, *x)
	}
	return out, nil
}

// add puts one line of the ledger where it belongs.
func (x *Coverage) add(n store.Count) {
	if n.Outcome == store.OutcomeScanned || n.Outcome == store.OutcomeSkipped || n.Outcome == store.OutcomeFailed {
		x.Read += n.N
	}
	switch n.Outcome {
	case store.OutcomeScanned:
		x.Scanned += n.N
	case store.OutcomeSkipped:
		x.Skipped[n.Reason] += n.N
		if n.Reason == store.ReasonDeleted {
			x.DeletedBeforeScan += n.N
		}
	case store.OutcomeFailed:
		x.Failed += n.N
	case store.OutcomeLate:
		x.Late += n.N
	}
}
