// Package workflows runs scans and deliveries on Temporal. A workflow carries references only (invariant 6): which connection, scan, stream and
// slice, and counts. What was read and found stands in the store, so that a workflow can be lost at any moment and a new one goes on.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// Task queues: their workers have slots of their own, so that a slow destination delays no scan.
const (
	QueueSync   = "outband-sync"
	QueueExport = "outband-export"
)

// SliceRef names a slice of a stream; with the connection it is the key of a checkpoint.
type SliceRef struct {
	Stream, Lane, Slice string
}

// SyncInput starts or continues a scan.
type SyncInput struct {
	ConnectionID string
	ScanID       string  // set when the workflow continues itself
	Outcome      Outcome // so far
	Skip         []SliceRef
}

// Outcome is what a scan has come to.
type Outcome struct {
	Failed  int    // streams or slices that could not be read to their end
	Done    int    // streams or slices that were
	Code    string // of the first failure
	Message string
	Final   bool // nothing can be read until an admin acts
	Stopped bool // the connection was paused or removed
}

// Plan is what a scan reads.
type Plan struct {
	ScanID  string
	Live    []SliceRef    // of the streams that every scan reads, the most urgent first
	Every   time.Duration // how often new content is looked for, also while history is read
	Budgets []string      // further request budgets of its streams, sorted
	Stopped bool
}

// PageInput asks for the next page of a slice.
type PageInput struct {
	ConnectionID, ScanID string
	Slice                SliceRef
}

// PageResult says how far the slice is.
type PageResult struct {
	Done    bool // the slice is read to its end as of now
	Stopped bool // the connection was paused or removed
	Items   int

	Unavailable bool // the app does not give it to this tenant
}

// ItemRef names a deferred or quarantined item.
type ItemRef struct {
	Kind, ID string
}

// ItemInput asks for one such item.
type ItemInput struct {
	ConnectionID, ScanID string
	Item                 ItemRef
}

// SlicesInput asks for slices of history that are not read yet.
type SlicesInput struct {
	ConnectionID, ScanID string
	Skip                 []SliceRef // failed in this scan
	Apart                bool       // only those of streams that take their calls from Budget, "" being the account's alone
	Budget               string
}

// FinishInput ends a scan.
type FinishInput struct {
	ConnectionID, ScanID string
	Outcome              Outcome
}

// maxBrokenSlices is after how many slices of history that cannot be read a scan leaves the rest to the next.
const maxBrokenSlices = 20

// retries is the one layer of long retries (invariant 7). Kinds that only an admin can end are final.
func retries() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute,
		NonRetryableErrorTypes: []string{
			string(connectors.KindAuth), string(connectors.KindForbidden), string(connectors.KindDisabled), string(connectors.KindConfig), typePageBroken,
		},
	}
}

func short(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retries()})
}

func long(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: 15 * time.Second, ScheduleToCloseTimeout: 30 * time.Minute, RetryPolicy: retries(),
	})
}

// Priorities of a worker's slots, where 1 goes first and what says nothing has 3: with many connections the pages of history would take them all.
const (
	priorityNew = 2
	priorityOld = 5
)

// pages are the options of reading a slice.
func pages(ctx workflow.Context, slice SliceRef) workflow.Context {
	key := priorityOld
	if slice.Lane == store.LaneLive {
		key = priorityNew
	}
	return workflow.WithPriority(long(ctx), temporal.Priority{PriorityKey: key})
}

// sideBySide marks, in a workflow's history, scans whose parts run beside each other. Those of before went through them one after the other.
const sideBySide = "side-by-side"

// SyncConnection is one scan: what is new in each stream, again and again for as long as it lasts, and beside that what waits, then history, newest
// first.
func SyncConnection(ctx workflow.Context, in SyncInput) error {
	var a *Activities
	var plan Plan
	if err := workflow.ExecuteActivity(short(ctx), a.BeginScan, in).Get(ctx, &plan); err != nil {
		return err
	}
	if plan.Stopped {
		return nil
	}
	s := &run{in: in, plan: plan, outcome: in.Outcome, skip: in.Skip}
	if workflow.GetVersion(ctx, sideBySide, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		s.inTurn(ctx)
	} else {
		s.beside(ctx)
	}
	if s.again && !s.ended() {
		return workflow.NewContinueAsNewError(ctx, SyncConnection, SyncInput{in.ConnectionID, plan.ScanID, s.outcome, s.skip})
	}
	return workflow.ExecuteActivity(short(ctx), a.FinishScan, FinishInput{in.ConnectionID, plan.ScanID, s.outcome}).Get(ctx, nil)
}

// run is the state of one run of SyncConnection.
type run struct {
	in       SyncInput
	plan     Plan
	outcome  Outcome
	skip     []SliceRef // of history, which cannot be read now
	stuck    bool       // an item that waits cannot be worked now
	first    int        // live lanes that are still at their first read
	done     bool       // nothing is left but what is new
	lastLive time.Time
	again    bool // the history of this run is long enough: a new run goes on from the checkpoints
}

func (s *run) ended() bool { return s.outcome.Final || s.outcome.Stopped }
func (s *run) over() bool  { return s.again || s.ended() }

// restFor is how long a live lane of a longer cadence that cannot be read is left alone within a scan.
const restFor = 15 * time.Minute

// beside reads each stream of every scan in a coroutine of its own, and the rest in one more for each request budget. New content waits neither for old
// nor for that of another stream; where the calls are short, the rate budget gives them to what is new. History that waits for a narrow budget of its own
// holds up no other.
func (s *run) beside(ctx workflow.Context) {
	s.first = len(s.plan.Live)
	all := workflow.NewWaitGroup(ctx)
	all.Add(len(s.plan.Live) + 1 + len(s.plan.Budgets))
	for _, slice := range s.plan.Live {
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			s.follow(ctx, slice)
		})
	}
	reading := 1 + len(s.plan.Budgets)
	for _, budget := range append([]string{""}, s.plan.Budgets...) {
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			s.rest(ctx, SlicesInput{ConnectionID: s.in.ConnectionID, ScanID: s.plan.ScanID, Apart: len(s.plan.Budgets) > 0, Budget: budget})
			reading--
			s.done = reading == 0
		})
	}
	all.Wait(ctx)
}

// follow reads what is new in a stream, and again each time that its interval has passed, until the rest of the scan is done.
func (s *run) follow(ctx workflow.Context, slice SliceRef) {
	for first := true; !s.over(); first = false {
		began := workflow.Now(ctx)
		if _, err := s.read(ctx, slice, time.Time{}); err != nil {
			s.fail(err)
		}
		if first {
			s.first--
		}
		next := max(began.Add(s.plan.Every).Sub(workflow.Now(ctx)), time.Second)
		if over, err := workflow.AwaitWithTimeout(ctx, next, func() bool { return s.done || s.over() }); over || err != nil {
			return
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			s.again = true
		}
	}
	s.first = 0 // Nobody waits for the first reads of a scan that is over.
}

// rest reads the streams of a longer cadence, holes and history, and works what waits beside those of the account's budget. It asks anew what is next at
// least once in the connection's interval, so that a long slice of history keeps nothing waiting for longer.
func (s *run) rest(ctx workflow.Context, ask SlicesInput) {
	var a *Activities
	var resting []SliceRef // live lanes that cannot be read now, until wakeAt
	var wakeAt time.Time
	// What is new has the first calls of a scan.
	if err := workflow.Await(ctx, func() bool { return s.first == 0 || s.over() }); err != nil {
		return
	}
	for !s.over() && len(s.skip) < maxBrokenSlices {
		if !s.stuck && ask.Budget == "" {
			s.waiting(ctx)
		}
		if s.over() {
			return
		}
		if workflow.Now(ctx).After(wakeAt) {
			resting = nil
		}
		var slices []SliceRef
		ask.Skip = append(append([]SliceRef{}, s.skip...), resting...)
		if err := workflow.ExecuteActivity(short(ctx), a.NextSlices, ask).Get(ctx, &slices); err != nil {
			s.fail(err)
			break
		}
		if len(slices) == 0 {
			break
		}
		until := workflow.Now(ctx).Add(s.plan.Every)
		for _, slice := range slices {
			page, err := s.read(ctx, slice, until)
			if err != nil {
				s.fail(err)
			}
			switch {
			case err == nil && !page.Unavailable:
			case slice.Lane == store.LaneLive:
				if len(resting) == 0 {
					wakeAt = workflow.Now(ctx).Add(restFor)
				}
				resting = append(resting, slice)
			default:
				s.skip = append(s.skip, slice)
			}
			if s.over() {
				return
			}
			if !workflow.Now(ctx).Before(until) {
				break
			}
		}
	}
	if ask.Budget == "" {
		s.waiting(ctx)
	}
}

// read reads a slice to its end, or until a time, if one is given.
func (s *run) read(ctx workflow.Context, slice SliceRef, until time.Time) (page PageResult, err error) {
	var a *Activities
	for {
		page = PageResult{}
		if err := workflow.ExecuteActivity(pages(ctx, slice), a.ScanPage, PageInput{s.in.ConnectionID, s.plan.ScanID, slice}).Get(ctx, &page); err != nil {
			return page, err
		}
		if page.Stopped {
			s.outcome.Stopped = true
			return page, nil
		}
		if page.Done {
			s.outcome.Done++
			return page, nil
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			s.again = true
		}
		if s.over() || (!until.IsZero() && !workflow.Now(ctx).Before(until)) {
			return page, nil
		}
	}
}

// waiting works the items that a page put off: large files, and items that failed before.
func (s *run) waiting(ctx workflow.Context) {
	var a *Activities
	for !s.over() {
		var due []ItemRef
		if err := workflow.ExecuteActivity(short(ctx), a.DueItems, PageInput{ConnectionID: s.in.ConnectionID, ScanID: s.plan.ScanID}).Get(ctx, &due); err != nil {
			s.fail(err)
			return
		}
		for _, item := range due {
			if err := workflow.ExecuteActivity(long(ctx), a.ScanFile, ItemInput{s.in.ConnectionID, s.plan.ScanID, item}).Get(ctx, nil); err != nil {
				s.fail(err)
				s.stuck = true
				return // The item is still due: asking again in this scan would be a loop.
			}
		}
		if len(due) == 0 {
			return
		}
	}
}

// fail notes a failure; the first one names the scan's error.
func (s *run) fail(err error) {
	s.outcome.Failed++
	f := failureOf(err)
	if f.Final() {
		s.outcome.Final = true
	}
	if s.outcome.Code == "" || f.Final() {
		s.outcome.Code, s.outcome.Message = f.Code, f.Message
	}
}

// PurgeInput is empty: what to keep stands in the activity.
type PurgeInput struct{}

// Purge deletes activities that are past their time, and what is left of leases and rate budgets.
func Purge(ctx workflow.Context, _ PurgeInput) error {
	var a *Activities
	return workflow.ExecuteActivity(long(ctx), a.PurgeActivities).Get(ctx, nil)
}

// Judge asks new and changed posture policies about the records that stand, without a call to any app.
func Judge(ctx workflow.Context, _ JudgeInput) error {
	var a *Activities
	return workflow.ExecuteActivity(long(ctx), a.JudgePosture).Get(ctx, nil)
}

// DeliverInput names a destination.
type DeliverInput struct {
	DestinationID string
}

// rounds is how many activities a long workflow runs before it continues as new.
const rounds = 50

// Deliver sends the finding log to one destination, for as long as the destination exists.
func Deliver(ctx workflow.Context, in DeliverInput) error {
	var a *Activities
	if stopped, err := consume(ctx, time.Minute, a.DeliverSome, in); stopped || err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, Deliver, in)
}

// consume runs an activity that follows the finding log again and again, until it reports that its consumer is gone, or for so many rounds that
// the workflow is to continue as new. What fails is tried again without end, at most a retryMost apart.
func consume(ctx workflow.Context, retryMost time.Duration, activity any, args ...any) (stopped bool, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: 15 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: retryMost},
	})
	for i := 0; i < rounds && !stopped && err == nil; i++ {
		err = workflow.ExecuteActivity(ctx, activity, args...).Get(ctx, &stopped)
	}
	return stopped, err
}
