package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/store"
)

// reconcileEvery is how often a process looks whether Temporal still has all that the store says: its database may be lost while Outband runs.
const reconcileEvery = 3 * time.Minute

func (r *Runner) repeat(ctx context.Context) {
	defer close(r.ended)
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	var failing condition
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.reconcile(ctx, false)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && failing.changed(1):
			r.Log.Error("schedules could not be compared with the store; it is tried again", "code", "OB-3014", "err", err)
		case err == nil:
			failing.changed(0)
		}
	}
}

// reconcile makes what Temporal lacks and removes what the store no longer has. Several processes may do it at once: what one has made already is
// fine, and nothing is removed before the store was asked again, since a connection may have been made meanwhile. At the start it also brings
// schedules up to date and runs what is overdue.
func (r *Runner) reconcile(ctx context.Context, start bool) error {
	if err := r.removeOthers(ctx); err != nil {
		return err
	}
	if start && r.Exclusive {
		if err := r.terminateScans(ctx); err != nil {
			return err
		}
	}
	connections, err := store.ListConnections(ctx, r.DB.Read())
	if err != nil {
		return err
	}
	for _, c := range connections {
		if err := r.begin(ctx, c, start); err != nil {
			return err
		}
	}
	if err := r.ensurePurge(ctx); err != nil {
		return err
	}
	conflict := enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	if start && r.Exclusive {
		conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	destinations, err := deliver.List(ctx, r.DB.Read())
	if err != nil {
		return err
	}
	for _, d := range destinations {
		if err := r.deliverTo(ctx, d.ID, conflict); err != nil {
			return err
		}
	}
	if !r.Index {
		return r.terminate(ctx, indexID, "elasticsearch.url is not set any more")
	}
	_, err = r.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: indexID, TaskQueue: QueueExport, WorkflowIDConflictPolicy: conflict}, Index, IndexInput{})
	return wrap(err, "start the feeding of the search index")
}

// removeOthers ends the schedules and scans of connections that are no more. What is not of a connection is not ours.
func (r *Runner) removeOthers(ctx context.Context) error {
	list, err := r.Client.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 100})
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	for list.HasNext() {
		s, err := list.Next()
		if err != nil {
			return fmt.Errorf("list schedules: %w", err)
		}
		connectionID, ours := strings.CutPrefix(s.ID, syncPrefix)
		if !ours {
			continue
		}
		if gone, err := r.gone(ctx, connectionID); err != nil {
			return err
		} else if gone {
			if err := r.removeSchedule(ctx, s.ID); err != nil {
				return err
			}
		}
	}
	running, err := store.RunningScans(ctx, r.DB.Read())
	if err != nil {
		return err
	}
	for _, s := range running {
		if gone, err := r.gone(ctx, s.ConnectionID); err != nil {
			return err
		} else if gone {
			if err := r.cancelScans(ctx, s.ConnectionID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runner) gone(ctx context.Context, connectionID string) (bool, error) {
	_, err := store.GetConnection(ctx, r.DB.Read(), connectionID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// begin makes the schedule of a connection, and runs what is due at the start, or where Temporal had lost it: a scan that was interrupted goes on
// under its own id, which BeginScan claims; a queued one runs; and one that is overdue is not waited for.
func (r *Runner) begin(ctx context.Context, c store.Connection, start bool) error {
	if c.State == store.ConnectionPaused {
		if err := r.cancelScans(ctx, c.ID); err != nil {
			return err
		}
		_, err := r.ensure(ctx, c, start)
		return err
	}
	due, err := r.due(ctx, c)
	if err != nil {
		return err
	}
	if start && r.Exclusive {
		// A schedule that outlived its server answers only after its old worker's queue has timed out. A new one answers at once.
		if err := r.removeSchedule(ctx, syncID(c.ID)); err != nil {
			return err
		}
	}
	made, err := r.ensure(ctx, c, start)
	if err != nil || !due || (!start && !made) {
		return err
	}
	return r.ScanQueued(ctx, c.ID)
}

// due reports whether a scan is to run now: one is open, or the last one began longer ago than the connection's interval.
func (r *Runner) due(ctx context.Context, c store.Connection) (bool, error) {
	last, err := store.ListScans(ctx, r.DB.Read(), c.ID, time.Time{}, "", 1)
	if err != nil {
		return false, err
	}
	if len(last) == 0 || r.DB.Now().Sub(last[0].QueuedAt) >= c.Every {
		return true, nil
	}
	return store.HasOpenScan(ctx, r.DB.Read(), c.ID)
}

func (r *Runner) trigger(ctx context.Context, connectionID string, overlap enumspb.ScheduleOverlapPolicy) error {
	err := r.Client.ScheduleClient().GetHandle(ctx, syncID(connectionID)).Trigger(ctx, client.ScheduleTriggerOptions{Overlap: overlap})
	if err != nil {
		return fmt.Errorf("trigger the scan of connection %s: %w", connectionID, err)
	}
	return nil
}

func spec(every time.Duration) client.ScheduleSpec {
	return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}, Jitter: every / 10}
}

// ensure makes the schedule of a connection, or with update brings one that exists up to date. It reports whether it made it.
func (r *Runner) ensure(ctx context.Context, c store.Connection, update bool) (made bool, err error) {
	paused := c.State == store.ConnectionPaused
	action := &client.ScheduleWorkflowAction{ID: syncID(c.ID), Workflow: SyncConnection, Args: []any{SyncInput{ConnectionID: c.ID}}, TaskQueue: QueueSync}
	_, err = r.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: syncID(c.ID), Spec: spec(c.Every), Action: action, Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchup(c.Every), Paused: paused,
	})
	switch exists := errors.Is(err, temporal.ErrScheduleAlreadyRunning); {
	case !exists:
		return err == nil, wrap(err, "create the schedule of connection "+c.ID)
	case !update:
		return false, nil
	}
	err = r.Client.ScheduleClient().GetHandle(ctx, syncID(c.ID)).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			every := spec(c.Every)
			s.Spec, s.Action = &every, action
			s.Policy = &client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchup(c.Every)}
			s.State.Paused = paused
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return false, wrap(err, "update the schedule of connection "+c.ID)
}

// catchup is how late a missed run is still made up: about one interval, so that a machine that slept does one scan and not many.
func catchup(every time.Duration) time.Duration {
	return max(10*time.Second, min(every, 10*time.Minute))
}

func wrap(err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (r *Runner) removeSchedule(ctx context.Context, id string) error {
	var notFound *serviceerror.NotFound
	if err := r.Client.ScheduleClient().GetHandle(ctx, id).Delete(ctx); err != nil && !errors.As(err, &notFound) {
		return fmt.Errorf("delete schedule %s: %w", id, err)
	}
	return nil
}

func (r *Runner) ensurePurge(ctx context.Context) error {
	_, err := r.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: purgeID, Spec: spec(day), CatchupWindow: day,
		Action: &client.ScheduleWorkflowAction{ID: purgeID, Workflow: Purge, Args: []any{PurgeInput{}}, TaskQueue: QueueSync},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil
	}
	return wrap(err, "create the schedule of the purge")
}

// cancelScans ends the open scans of a connection that is paused or gone.
func (r *Runner) cancelScans(ctx context.Context, connectionID string) error {
	return r.DB.Write(ctx, func(tx *store.Tx) error {
		open, err := store.ListScans(ctx, tx, connectionID, time.Time{}, "", 20)
		if err != nil {
			return err
		}
		for _, s := range open {
			if s.State == store.ScanQueued || s.State == store.ScanRunning {
				if err := store.FinishScan(ctx, tx, s.ID, store.ScanCancelled, "", ""); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// terminateScans ends every scan workflow that outlived its process, also one that had not claimed its scan yet.
func (r *Runner) terminateScans(ctx context.Context) error {
	var page []byte
	for {
		list, err := r.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = 'SyncConnection' AND ExecutionStatus = 'Running'", NextPageToken: page})
		if err != nil {
			return fmt.Errorf("list running scans: %w", err)
		}
		for _, w := range list.Executions {
			if err := r.terminate(ctx, w.Execution.WorkflowId, "the process that ran it has ended"); err != nil {
				return err
			}
		}
		if page = list.NextPageToken; len(page) == 0 {
			return nil
		}
	}
}

func (r *Runner) terminate(ctx context.Context, workflowID, reason string) error {
	var notFound *serviceerror.NotFound
	if err := r.Client.TerminateWorkflow(ctx, workflowID, "", reason); err != nil && !errors.As(err, &notFound) {
		return fmt.Errorf("end workflow %s: %w", workflowID, err)
	}
	return nil
}
