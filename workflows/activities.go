package workflows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Bounds of one call of ScanPage. It returns after either and is called again.
const (
	pageTime  = 60 * time.Second
	pageItems = 100
	atOnce    = 4
)

// activitiesKept is how long masked activities are kept.
const activitiesKept = 180 * day

// Dependencies of the activities.
type Dependencies struct {
	DB      *store.DB
	Open    *Opener
	Engine  *dlp.Engine
	Rules   *Rules
	Keys    Keys
	Deliver Deliverer
	Index   Indexer // nil: no search index of its own
	Log     *slog.Logger
}

// Keys digest what is found.
type Keys struct {
	Findings findings.Keys
	Matches  dlp.Keys
}

// Activities are the steps of the workflows. They resolve references, and keep content in memory only (invariant 4).
type Activities struct {
	Dependencies
	files *locks
	index condition
}

// NewActivities makes the activities.
func NewActivities(d Dependencies) *Activities {
	return &Activities{Dependencies: d, files: newLocks()}
}

// BeginScan claims the scan that the workflow runs and says what it reads.
func (a *Activities) BeginScan(ctx context.Context, in SyncInput) (Plan, error) {
	c, err := store.GetConnection(ctx, a.DB.Read(), in.ConnectionID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && c.State == store.ConnectionPaused) {
		return Plan{Stopped: true}, nil
	}
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	manifest, err := a.Open.Manifest(c.Connector)
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	info := activity.GetInfo(ctx)
	var scan store.Scan
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		scan, err = store.ClaimScan(ctx, tx, c.ID, info.WorkflowExecution.ID, info.WorkflowExecution.RunID)
		return err
	})
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	a.judgeBriefly(ctx, c)
	plan := Plan{ScanID: scan.ID, Every: c.Every}
	due, err := a.due(ctx, c, manifest)
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	for _, s := range due {
		if s.Every == 0 {
			plan.Live = append(plan.Live, SliceRef{s.ID, store.LaneLive, liveSlice})
		}
	}
	a.Log.Info("scan began", "connection", c.ID, "scan", scan.ID)
	return plan, nil
}

// due returns the streams of a connection that are to be read now, in order.
func (a *Activities) due(ctx context.Context, c store.Connection, m *connectors.Manifest) ([]connectors.Stream, error) {
	streams, err := Streams(ctx, a.DB.Read(), c, m)
	if err != nil {
		return nil, err
	}
	return dueStreams(ctx, a.DB.Read(), c, streams, a.DB.Now())
}

// NextSlices returns what is still to be read beside the streams of every scan: those of a longer cadence that are due, then gaps, re-reads and history.
func (a *Activities) NextSlices(ctx context.Context, in SlicesInput) ([]SliceRef, error) {
	c, err := store.GetConnection(ctx, a.DB.Read(), in.ConnectionID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && c.State == store.ConnectionPaused) {
		return nil, nil
	}
	if err != nil {
		return nil, ActivityError(err)
	}
	manifest, err := a.Open.Manifest(c.Connector)
	if err != nil {
		return nil, ActivityError(err)
	}
	streams, err := Streams(ctx, a.DB.Read(), c, manifest)
	if err != nil {
		return nil, ActivityError(err)
	}
	due, err := dueStreams(ctx, a.DB.Read(), c, streams, a.DB.Now())
	if err != nil {
		return nil, ActivityError(err)
	}
	var out []SliceRef
	for _, s := range due {
		if ref := (SliceRef{s.ID, store.LaneLive, liveSlice}); s.Every > 0 && !slices.Contains(in.Skip, ref) {
			out = append(out, ref)
		}
	}
	if len(out) > 0 {
		return out[:min(len(out), slicesAtOnce)], nil // What can wait is asked for after these.
	}
	out, err = nextSlices(ctx, a.DB.Read(), c, streams, in.Skip, a.DB.Now())
	return out, ActivityError(err)
}

// DueItems returns deferred items, and quarantined ones whose next try has come.
func (a *Activities) DueItems(ctx context.Context, in PageInput) ([]ItemRef, error) {
	var out []ItemRef
	for _, state := range []string{store.ItemDeferred, store.ItemQuarantined} {
		items, err := store.DueItems(ctx, a.DB.Read(), in.ConnectionID, state, a.DB.Now(), 20)
		if err != nil {
			return nil, ActivityError(err)
		}
		for _, i := range items {
			out = append(out, ItemRef{i.Kind, i.ID})
		}
	}
	return out, nil
}

// FinishScan stores the end of a scan and the state of its connection.
func (a *Activities) FinishScan(ctx context.Context, in FinishInput) error {
	o := in.Outcome
	state := store.ScanSucceeded
	switch {
	case o.Stopped:
		state = store.ScanCancelled
	case o.Failed > 0 && (o.Final || o.Done == 0):
		state = store.ScanFailed
	case o.Failed > 0:
		state = store.ScanPartial
	}
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.FinishScan(ctx, tx, in.ScanID, state, o.Code, o.Message); err != nil {
			return err
		}
		switch state {
		case store.ScanCancelled:
			return nil
		case store.ScanSucceeded:
			return store.SetConnectionState(ctx, tx, in.ConnectionID, store.ConnectionActive, "", "")
		default:
			return store.SetConnectionState(ctx, tx, in.ConnectionID, store.ConnectionNeedsAttention, o.Code, o.Message)
		}
	})
	if err != nil {
		return ActivityError(err)
	}
	a.Log.Info("scan ended", "connection", in.ConnectionID, "scan", in.ScanID, "state", state, "code", o.Code)
	return nil
}

// ScanPage lists the page after a slice's checkpoint and works its items. The checkpoint moves in a later transaction than the items', once all
// of them are stored, deferred or counted.
func (a *Activities) ScanPage(ctx context.Context, in PageInput) (PageResult, error) {
	ctx, stop := working(ctx)
	defer stop()
	began := a.DB.Now()
	p, err := a.page(ctx, in)
	if p == nil {
		return PageResult{Stopped: err == nil}, ActivityError(err)
	}
	if ctx, p.lease, err = a.hold(ctx, sliceLease(in.ConnectionID, in.Slice)); err != nil {
		return PageResult{}, ActivityError(err)
	}
	defer p.end(ctx)
	if err := p.begin(ctx); err != nil {
		if errors.Is(err, errNoSlice) {
			return PageResult{Done: true}, nil
		}
		return PageResult{}, lostOr(ctx, err)
	}
	read, err := p.read(ctx)
	if err != nil {
		return PageResult{}, lostOr(ctx, err)
	}
	all, err := p.work(ctx, read)
	if err != nil {
		return PageResult{}, lostOr(ctx, err)
	}
	result := PageResult{Items: len(read.Items)}
	if !all {
		return result, nil // Called again; what is stored is skipped then.
	}
	// Invariant 1: the checkpoint moves only after every item of its page is stored.
	if result.Done, err = p.moveCheckpoint(ctx, read, began); err != nil {
		return PageResult{}, lostOr(ctx, err)
	}
	return result, nil
}

// ScanFile works one deferred or quarantined item.
func (a *Activities) ScanFile(ctx context.Context, in ItemInput) error {
	ctx, stop := working(ctx)
	defer stop()
	p, err := a.page(ctx, PageInput{ConnectionID: in.ConnectionID, ScanID: in.ScanID})
	if p == nil {
		return ActivityError(err)
	}
	if ctx, p.lease, err = a.hold(ctx, itemLease(in.ConnectionID, in.Item)); err != nil {
		return ActivityError(err)
	}
	defer p.end(ctx)
	return lostOr(ctx, p.retry(ctx, in.Item))
}

// PurgeActivities deletes masked activities past their time, in small transactions, and what is left of leases and rate budgets that nobody uses.
func (a *Activities) PurgeActivities(ctx context.Context) error {
	ctx, stop := working(ctx)
	defer stop()
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(store.PurgeBudgets(ctx, tx), store.PurgeLeases(ctx, tx, tx.Now().Add(-day)))
	})
	if err != nil {
		return ActivityError(err)
	}
	for {
		var n int64
		err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = store.PurgeActivities(ctx, tx, tx.Now().Add(-activitiesKept), 1000)
			return err
		})
		if err != nil || n == 0 {
			return ActivityError(err)
		}
	}
}

// working beats until stop is called, and ends the context it returns when the worker stops: what an item has stored stays, the rest is done again.
// Beats carry no details (invariant 6).
func working(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	if !activity.IsActivity(ctx) {
		return ctx, cancel
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(4 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-activity.GetWorkerStopChannel(ctx):
				cancel()
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return ctx, func() { close(done); <-ended; cancel() }
}

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
	fresh      bool // the checkpoint's cursor is not stored yet
	ruleset    string
	rules      *policy.Set
	unfit      map[string]int // records of the page that cannot be stored, by reason
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
	rules := a.Rules.Current()
	p := &page{Activities: a, connection: c, source: source, ref: in.Slice, scanID: in.ScanID, rules: rules, ruleset: a.Engine.Ruleset() + "." + rules.Version()}
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
	return err
}

// maxPageFailures is after how many malformed answers in a row a page is given up for this scan.
const maxPageFailures = 3

// read lists the page after the checkpoint.
func (p *page) read(ctx context.Context) (connectors.Page, error) {
	if p.fresh {
		// A window's bounds are stored before it is read, so that a page read again after a crash is the same page.
		err := p.write(ctx, func(tx *store.Tx) error {
			if p.isSnapshot() {
				began, err := p.snapshotBegins(ctx, tx)
				if err != nil {
					return err
				}
				p.checkpoint.Cursor = string(connectors.Slice{From: began}.Cursor())
			}
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
	if err == nil && got.More && got.Next == after {
		err = &connectors.Error{Kind: connectors.KindMalformed, Code: "OB-3004", Message: "The app answered with a page that leads to itself."}
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
		for reason, n := range read.Skipped {
			if err := store.AddCount(ctx, tx, p.connection.ID, store.Count{Stream: p.ref.Stream, Outcome: store.OutcomeSkipped, Reason: reason, N: int64(n)}); err != nil {
				return err
			}
		}
		for reason, n := range p.unfit {
			if err := store.AddCount(ctx, tx, p.connection.ID, store.Count{Stream: p.ref.Stream, Unit: connectors.KindRecord, Outcome: store.OutcomeSkipped, Reason: reason, N: int64(n)}); err != nil {
				return err
			}
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
	return !read.More, err
}
