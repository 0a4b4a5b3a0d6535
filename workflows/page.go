package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// page is one slice being worked.
type page struct {
	*Activities
	*lease
	connection store.Connection
	source     connectors.Source
	stream     connectors.Stream
	ref        SliceRef
	scanID     string
	checkpoint store.Checkpoint
	fresh      bool      // the checkpoint's cursor is not stored yet
	since      time.Time // the work at hand began: what was stored after it is not done again when a kill cuts it
	ruleset    string
	rules      *policy.Set
	engine     *dlp.Engine
	exceptions *exceptions
	unfit      map[string]int // records of the page that cannot be stored, by reason
	seen       seen           // before this page
	overlap    []store.Count  // rows of the page that were listed before
}

// page prepares the work on a slice. It returns nil and no error when the connection was paused or removed.
func (a *Activities) page(ctx context.Context, in PageInput) (*page, error) {
	c, err := store.GetConnection(ctx, a.DB.Read(), in.ConnectionID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && c.State == store.ConnectionPaused) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	source, manifest, err := a.Open.Source(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := a.Rules.Follow(ctx); err != nil {
		// The rules that this process has go on; it asks again at the next page.
		a.Log.Warn("policies could not be read again", "connection", c.ID, "code", "OB-3013", "err", err)
	}
	a.operate(ctx, false)
	if err := a.Detectors.Follow(ctx); err != nil {
		a.Log.Warn("detectors could not be read again", "connection", c.ID, "code", "OB-3030", "err", err)
	}
	rules, engine := a.Rules.Current(), a.Detectors.Engine()
	p := &page{Activities: a, connection: c, source: source, ref: in.Slice, scanID: in.ScanID, rules: rules, exceptions: a.Rules.exceptions.Load(), engine: engine, ruleset: engine.Ruleset() + "." + rules.Version()}
	if in.Slice.Stream == "" {
		return p, nil
	}
	var ok bool
	if p.stream, ok = manifest.Stream(in.Slice.Stream); !ok {
		return nil, temporal.NewNonRetryableApplicationError("The connector has no such stream any more.", typePageBroken, nil, "OB-3003")
	}
	return p, nil
}

// begin reads the checkpoint, which nobody else moves while the lease is held.
func (p *page) begin(ctx context.Context) (err error) {
	p.checkpoint, p.fresh, err = checkpoint(ctx, p.DB.Read(), p.connection, p.stream, p.ref, p.DB.Now())
	if err != nil {
		return err
	}
	p.since = p.checkpoint.UpdatedAt
	return p.loadSeen(ctx)
}

// maxPageFailures is after how many malformed answers in a row a page is given up for this scan.
const maxPageFailures = 3

// read lists the page after the checkpoint.
func (p *page) read(ctx context.Context) (connectors.Page, error) {
	if p.fresh {
		p.trails.forget(p.walk())
		// A window's bounds are stored before it is read, so that a page read again after a crash is the same page.
		err := p.write(ctx, func(tx *store.Tx) error {
			if p.isSnapshot() {
				began, err := p.snapshotBegins(ctx, tx)
				if err != nil {
					return err
				}
				p.checkpoint.Cursor = string(connectors.Slice{From: began}.Cursor())
			}
			p.checkpoint.UpdatedAt, p.since = tx.Now(), tx.Now()
			return store.PutCheckpoint(ctx, tx, p.checkpoint)
		})
		if err != nil {
			return connectors.Page{}, err
		}
	}
	after := connectors.Cursor(p.checkpoint.Cursor)
	if p.isSnapshot() {
		run, err := after.Slice()
		if err != nil {
			return connectors.Page{}, errors.Join(err, p.restart(ctx))
		}
		after = bare(run)
	}
	got, err := p.source.Read(ctx, p.ref.Stream, after)
	if err == nil && got.More && (got.Next == after || p.trails.crossed(p.walk(), string(got.Next))) {
		err = &connectors.Error{Kind: connectors.KindMalformed, Code: "OB-3004", Message: "The app answered with a page that leads back to where the walk has been."}
	}
	switch kind := connectors.KindOf(err); {
	case err == nil:
		return got, nil
	case kind == connectors.KindCursorExpired:
		return connectors.Page{}, errors.Join(err, p.restart(ctx))
	case kind == connectors.KindMalformed || kind == connectors.KindTooBig:
		return connectors.Page{}, p.broken(ctx, err)
	}
	return connectors.Page{}, err
}

// restart puts the checkpoint back to the start of its slice: to the watermark less the stream's lateness in the live lane.
func (p *page) restart(ctx context.Context) error {
	p.trails.forget(p.walk())
	cp := p.checkpoint
	s, err := connectors.Cursor(cp.Cursor).Slice()
	if err != nil {
		s = connectors.Slice{From: liveStart(p.connection)}
		if p.ref.Lane != store.LaneLive {
			if s, err = closedSlice(p.connection, p.ref); err != nil {
				return err
			}
		}
	}
	s.After = ""
	if p.isSnapshot() {
		cp.Done = true // A new run begins.
		return p.write(ctx, func(tx *store.Tx) error { return store.PutCheckpoint(ctx, tx, cp) })
	}
	if p.ref.Lane == store.LaneLive && p.stream.Cursor == connectors.CursorOpen && !cp.WatermarkAt.IsZero() {
		s.From = cp.WatermarkAt.Add(-time.Duration(p.stream.Lateness))
	}
	cp.Cursor = string(s.Cursor())
	return p.write(ctx, func(tx *store.Tx) error { return store.PutCheckpoint(ctx, tx, cp) })
}

// broken counts a malformed page. After three a window becomes a gap, which is read again apart, and a cursor stream stops until the next scan
// (invariant 5).
func (p *page) broken(ctx context.Context, cause error) error {
	cp := p.checkpoint
	cp.Failures++
	giveUp := cp.Failures >= maxPageFailures
	if giveUp {
		p.trails.forget(p.walk()) // The next try finds a circle again, if there is one.
	}
	var e *connectors.Error
	if errors.As(cause, &e) {
		cp.Error = e.Code
	}
	s, serr := connectors.Cursor(cp.Cursor).Slice()
	closed := serr == nil && !s.To.IsZero()
	err := p.write(ctx, func(tx *store.Tx) error {
		if giveUp && closed && p.ref.Lane != laneReread {
			cp.Done, cp.Failures = true, 0
			if p.ref.Lane == store.LaneLive {
				cp.WatermarkAt = s.To.Add(-time.Duration(p.stream.Settle))
			}
			if err := store.PutInterval(ctx, tx, p.connection.ID, store.Interval{Stream: p.ref.Stream, From: s.From, To: s.To, State: store.IntervalGap, Reason: cp.Error}); err != nil {
				return err
			}
		}
		return store.PutCheckpoint(ctx, tx, cp)
	})
	if err != nil {
		return err
	}
	p.Log.Warn("page could not be read", "connection", p.connection.ID, "stream", p.ref.Stream, "scan", p.scanID, "code", cp.Error, "failures", cp.Failures)
	if giveUp {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("A page of the stream %s cannot be read; the rest of the scan went on.", p.ref.Stream), typePageBroken, nil, cp.Error)
	}
	return cause
}

// moveCheckpoint stores the cursor after the page and reports whether the slice is read to its end.
func (p *page) moveCheckpoint(ctx context.Context, read connectors.Page, began time.Time) (bool, error) {
	cp := p.checkpoint
	s, err := connectors.Cursor(cp.Cursor).Slice()
	if err != nil {
		return false, err
	}
	cp.Cursor, cp.Failures, cp.Error = string(read.Next), 0, ""
	cp.Pages++
	closed := !s.To.IsZero()
	if p.isSnapshot() {
		run, err := onward(s, read)
		if err != nil {
			return false, err
		}
		cp.Cursor = string(run.Cursor())
		if !read.More {
			if err := p.snapshotEnded(ctx, run.From, run.Missing); err != nil {
				return false, err
			}
		}
	}
	err = p.last(ctx, func(tx *store.Tx) error {
		lines := slices.Clone(p.overlap)
		for reason, n := range read.Skipped {
			lines = append(lines, store.Count{Stream: p.ref.Stream, Outcome: store.OutcomeSkipped, Reason: reason, N: int64(n)})
		}
		for reason, n := range p.unfit {
			lines = append(lines, store.Count{Stream: p.ref.Stream, Unit: connectors.KindRecord, Outcome: store.OutcomeSkipped, Reason: reason, N: int64(n)})
		}
		if err := store.AddCounts(ctx, tx, p.connection.ID, lines...); err != nil {
			return err
		}
		if !read.More {
			cp.Done = closed || (p.ref.Lane == store.LaneLive && p.stream.Lookback > 0)
			from, to := s.From, s.To
			switch {
			case p.isSnapshot():
				cp.Done, cp.WatermarkAt, to = true, s.From, tx.Now() // The interval is the run.
			case p.ref.Lane == store.LaneLive && closed:
				to = s.To.Add(-time.Duration(p.stream.Settle))
				cp.WatermarkAt = to
			case p.ref.Lane == store.LaneLive:
				to = began.Add(-time.Duration(p.stream.Settle))
				cp.WatermarkAt = to
			}
			if err := store.ExtendInterval(ctx, tx, p.connection.ID, p.ref.Stream, from, to); err != nil {
				return err
			}
			if err := store.CloseGaps(ctx, tx, p.connection.ID, p.ref.Stream); err != nil {
				return err
			}
		}
		return store.PutCheckpoint(ctx, tx, cp)
	})
	if err != nil {
		return false, err
	}
	if read.More {
		p.trails.add(p.walk(), string(read.Next))
	} else {
		p.trails.forget(p.walk())
	}
	return !read.More, nil
}

// walk names the walk through the slice.
func (p *page) walk() string { return sliceLease(p.connection.ID, p.ref) }

// paced is the context in which the calls for the stream are made: from its own budget, and giving way to others where it can wait.
func (p *page) paced(ctx context.Context, canWait bool) context.Context {
	if p.stream.Budget != "" {
		ctx = connectors.WithBudget(ctx, p.stream.Budget)
	}
	if canWait {
		ctx = connectors.Background(ctx)
	}
	return ctx
}

// notGiven notes that the app does not give the stream to this tenant: no failure, and nothing that is known of it changes. It is looked for again now
// and then.
func (p *page) notGiven(ctx context.Context) error {
	if p.ref.Lane != store.LaneLive {
		return nil // The workflow leaves the slice to the next scan.
	}
	cp := p.checkpoint
	cp.Error, cp.Failures, cp.Done = Unavailable, 0, true
	p.trails.forget(p.walk())
	return p.write(ctx, func(tx *store.Tx) error {
		if p.isSnapshot() {
			if err := p.snapshotUnavailable(ctx, tx); err != nil {
				return err
			}
		}
		return store.PutCheckpoint(ctx, tx, cp)
	})
}

// refused notes the code of a missing scope beside the stream that needs it, and returns the error.
func (p *page) refused(ctx context.Context, cause error) error {
	var e *connectors.Error
	if !errors.As(cause, &e) || e.Kind != connectors.KindForbidden {
		return cause
	}
	cp := p.checkpoint
	cp.Error = e.Code
	return errors.Join(cause, p.write(ctx, func(tx *store.Tx) error { return store.PutCheckpoint(ctx, tx, cp) }))
}
