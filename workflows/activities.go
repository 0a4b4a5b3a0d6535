package workflows

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Bounds of one call of ScanPage. It returns after either and is called again.
const (
	pageTime    = 60 * time.Second
	oldPageTime = 15 * time.Second // of what is not new
	pageItems   = 100
	atOnce      = 4
)

const (
	activitiesKept = 180 * day // masked
	emptyScansKept = 7 * day   // scans of the schedule that read nothing
	suppressedKept = 180 * day // units of exceptions that have ended
	contentsKept   = 90 * day  // results of contents, from when they were scanned
)

// Dependencies of the activities.
type Dependencies struct {
	DB        *store.DB
	Open      *Opener
	Detectors *Detectors // with an engine
	Rules     *Rules
	Documents *sandbox.Pool // that reads files; nil in a process that scans nothing
	Keys      Keys
	Deliver   Deliverer
	Index     Indexer // nil: no search index of its own
	Log       *slog.Logger
}

// Keys digest what is found.
type Keys struct {
	Findings findings.Keys
	Matches  dlp.Keys
}

// Activities are the steps of the workflows. They resolve references, and keep content in memory only (invariant 4).
type Activities struct {
	Dependencies
	files  *locks
	trails *trails
	index  condition
}

// NewActivities makes the activities.
func NewActivities(d Dependencies) *Activities {
	return &Activities{Dependencies: d, files: newLocks(), trails: newTrails()}
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
	a.judgeBriefly(ctx, c, scan.ID)
	plan := Plan{ScanID: scan.ID, Every: c.Every}
	streams, err := Streams(ctx, a.DB.Read(), c, manifest)
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	due, err := dueStreams(ctx, a.DB.Read(), c, streams, a.DB.Now())
	if err != nil {
		return Plan{}, ActivityError(err)
	}
	for _, s := range due {
		if s.Every == 0 {
			plan.Live = append(plan.Live, SliceRef{s.ID, store.LaneLive, liveSlice})
		}
	}
	for _, s := range streams {
		if s.Budget != "" {
			plan.Budgets = append(plan.Budgets, s.Budget)
		}
	}
	slices.Sort(plan.Budgets)
	plan.Budgets = slices.Compact(plan.Budgets)
	a.Log.Info("scan began", "connection", c.ID, "scan", scan.ID)
	return plan, nil
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
	if in.Apart {
		streams = slices.DeleteFunc(slices.Clone(streams), func(s connectors.Stream) bool { return s.Budget != in.Budget })
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
	a.operate(ctx, true)
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
	ctx = p.paced(ctx, in.Slice.Lane != store.LaneLive)
	if err := p.begin(ctx); err != nil {
		if errors.Is(err, errNoSlice) {
			return PageResult{Done: true}, nil
		}
		return PageResult{}, lostOr(ctx, err)
	}
	read, err := p.read(ctx)
	if isConnectorError(err) && connectors.KindOf(err) == connectors.KindUnavailable {
		return PageResult{Done: true, Unavailable: true}, lostOr(ctx, p.notGiven(ctx))
	}
	if err != nil {
		return PageResult{}, lostOr(ctx, p.refused(ctx, err))
	}
	all, err := p.work(ctx, read)
	if err != nil {
		return PageResult{}, lostOr(ctx, p.refused(ctx, err))
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

// PurgeActivities deletes masked activities and empty scans past their time, in small transactions, what is left of leases and rate budgets that nobody
// uses, and what is kept of calls for a time.
func (a *Activities) PurgeActivities(ctx context.Context) error {
	ctx, stop := working(ctx)
	defer stop()
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(store.PurgeBudgets(ctx, tx), store.PurgeCalls(ctx, tx), store.PurgeLeases(ctx, tx, tx.Now().Add(-day)), store.PurgeStats(ctx, tx, tx.Now().Add(-statsKept)))
	})
	for _, purge := range []func(*store.Tx) (int64, error){
		func(tx *store.Tx) (int64, error) {
			return store.PurgeActivities(ctx, tx, tx.Now().Add(-activitiesKept), 1000)
		},
		func(tx *store.Tx) (int64, error) {
			return store.PurgeScans(ctx, tx, tx.Now().Add(-emptyScansKept), 1000)
		},
		func(tx *store.Tx) (int64, error) {
			return store.PurgeExceptionUnits(ctx, tx, tx.Now().Add(-suppressedKept), 1000)
		},
		func(tx *store.Tx) (int64, error) {
			return store.PurgeContents(ctx, tx, tx.Now().Add(-contentsKept), 1000)
		},
	} {
		for n := int64(1); n > 0 && err == nil; {
			err = a.DB.Write(ctx, func(tx *store.Tx) (err error) {
				n, err = purge(tx)
				return err
			})
		}
	}
	return ActivityError(err)
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
