package workflows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/store"
)

// Runner keeps Temporal in step with the store: a schedule for each connection, a delivery for each destination. Temporal's own database is
// disposable; all of it is rebuilt from the store at every start (invariant 6).
type Runner struct {
	client     client.Client
	db         *store.DB
	activities *Activities
	log        *slog.Logger
	exclusive  bool
	workers    []worker.Worker
}

// RunnerOptions configure a Runner.
type RunnerOptions struct {
	Client     client.Client
	DB         *store.DB
	Activities *Activities
	Log        *slog.Logger

	// Exclusive says that no other process runs workers, as with the embedded server. What runs at start is then known to be dead: it is ended
	// and begun again at once, from the store, instead of waiting for its heartbeat to time out.
	Exclusive bool
}

// NewRunner makes a Runner. Nothing runs before Start.
func NewRunner(o RunnerOptions) *Runner {
	return &Runner{client: o.Client, db: o.DB, activities: o.Activities, log: o.Log, exclusive: o.Exclusive}
}

// Start starts the workers and reconciles Temporal with the store.
func (r *Runner) Start(ctx context.Context) error {
	for queue, slots := range map[string]int{QueueSync: 8, QueueExport: 32} {
		w := worker.New(r.client, queue, worker.Options{
			MaxConcurrentActivityExecutionSize: slots, WorkerStopTimeout: 3 * time.Second, DisableRegistrationAliasing: true,
			OnFatalError: func(err error) { r.log.Error("worker stopped", "code", "OB-3010", "err", err) },
		})
		w.RegisterWorkflow(SyncConnection)
		w.RegisterWorkflow(Deliver)
		w.RegisterWorkflow(Purge)
		w.RegisterActivity(r.activities)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the worker of %s: %w", queue, err)
		}
		r.workers = append(r.workers, w)
	}
	return r.reconcile(ctx)
}

// Stop stops the workers; what they were doing goes on at the next start.
func (r *Runner) Stop() {
	for _, w := range r.workers {
		w.Stop()
	}
}

func syncID(connectionID string) string     { return "sync-" + connectionID }
func deliverID(destinationID string) string { return "deliver-" + destinationID }

const purgeID = "purge"

func (r *Runner) reconcile(ctx context.Context) error {
	connections, err := store.ListConnections(ctx, r.db.Read())
	if err != nil {
		return err
	}
	want := map[string]bool{purgeID: true}
	for _, c := range connections {
		want[syncID(c.ID)] = true
	}
	list, err := r.client.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 100})
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	for list.HasNext() {
		s, err := list.Next()
		if err != nil {
			return fmt.Errorf("list schedules: %w", err)
		}
		if !want[s.ID] {
			if err := r.removeSchedule(ctx, s.ID); err != nil {
				return err
			}
		}
	}
	running, err := store.RunningScans(ctx, r.db.Read())
	if err != nil {
		return err
	}
	for _, s := range running {
		if !want[syncID(s.ConnectionID)] {
			if err := r.cancelScans(ctx, s.ConnectionID); err != nil {
				return err
			}
		}
	}
	if r.exclusive {
		if err := r.terminateScans(ctx); err != nil {
			return err
		}
	}
	for _, c := range connections {
		if err := r.begin(ctx, c); err != nil {
			return err
		}
	}
	if err := r.ensurePurge(ctx); err != nil {
		return err
	}
	destinations, err := deliver.List(ctx, r.db.Read())
	if err != nil {
		return err
	}
	for _, d := range destinations {
		conflict := enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
		if r.exclusive {
			conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		}
		if err := r.deliverTo(ctx, d.ID, conflict); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the schedule of a connection at start, and runs what is due: a scan that was interrupted goes on under its own id, which BeginScan
// claims; a queued one runs; and one that is overdue is not waited for.
func (r *Runner) begin(ctx context.Context, c store.Connection) error {
	if c.State == store.ConnectionPaused {
		if err := r.cancelScans(ctx, c.ID); err != nil {
			return err
		}
		return r.ensure(ctx, c)
	}
	due, err := r.due(ctx, c)
	if err != nil {
		return err
	}
	if r.exclusive {
		// A schedule that outlived its server answers only after its old worker's queue has timed out. A new one answers at once.
		if err := r.removeSchedule(ctx, syncID(c.ID)); err != nil {
			return err
		}
	}
	if err := r.ensure(ctx, c); err != nil || !due {
		return err
	}
	return r.ScanQueued(ctx, c.ID)
}

// due reports whether a scan is to run now: one is open, or the last one began longer ago than the connection's interval.
func (r *Runner) due(ctx context.Context, c store.Connection) (bool, error) {
	last, err := store.ListScans(ctx, r.db.Read(), c.ID, time.Time{}, "", 1)
	if err != nil {
		return false, err
	}
	if len(last) == 0 || r.db.Now().Sub(last[0].QueuedAt) >= c.Every {
		return true, nil
	}
	return store.HasOpenScan(ctx, r.db.Read(), c.ID)
}

func (r *Runner) trigger(ctx context.Context, connectionID string, overlap enumspb.ScheduleOverlapPolicy) error {
	err := r.client.ScheduleClient().GetHandle(ctx, syncID(connectionID)).Trigger(ctx, client.ScheduleTriggerOptions{Overlap: overlap})
	if err != nil {
		return fmt.Errorf("trigger the scan of connection %s: %w", connectionID, err)
	}
	return nil
}

func spec(every time.Duration) client.ScheduleSpec {
	return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}, Jitter: every / 10}
}

// ensure makes or updates the schedule of a connection.
func (r *Runner) ensure(ctx context.Context, c store.Connection) error {
	paused := c.State == store.ConnectionPaused
	action := &client.ScheduleWorkflowAction{ID: syncID(c.ID), Workflow: SyncConnection, Args: []any{SyncInput{ConnectionID: c.ID}}, TaskQueue: QueueSync}
	_, err := r.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: syncID(c.ID), Spec: spec(c.Every), Action: action, Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchup(c.Every), Paused: paused,
	})
	if err == nil || !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return wrap(err, "create the schedule of connection "+c.ID)
	}
	err = r.client.ScheduleClient().GetHandle(ctx, syncID(c.ID)).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			every := spec(c.Every)
			s.Spec, s.Action = &every, action
			s.Policy = &client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchup(c.Every)}
			s.State.Paused = paused
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return wrap(err, "update the schedule of connection "+c.ID)
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
	if err := r.client.ScheduleClient().GetHandle(ctx, id).Delete(ctx); err != nil && !errors.As(err, &notFound) {
		return fmt.Errorf("delete schedule %s: %w", id, err)
	}
	return nil
}

func (r *Runner) ensurePurge(ctx context.Context) error {
	_, err := r.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
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
	return r.db.Write(ctx, func(tx *store.Tx) error {
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

// ConnectionSaved makes the schedule of a connection follow its row.
func (r *Runner) ConnectionSaved(ctx context.Context, connectionID string) error {
	c, err := store.GetConnection(ctx, r.db.Read(), connectionID)
	if err != nil {
		return err
	}
	return r.ensure(ctx, c)
}

// ConnectionRemoved ends all that runs for a connection.
func (r *Runner) ConnectionRemoved(ctx context.Context, connectionID string) error {
	if err := r.removeSchedule(ctx, syncID(connectionID)); err != nil {
		return err
	}
	running, err := store.ListScans(ctx, r.db.Read(), connectionID, time.Time{}, "", 20)
	if err != nil {
		return err
	}
	for _, s := range running {
		if s.State == store.ScanRunning && s.WorkflowID != "" {
			if err := r.terminate(ctx, s.WorkflowID, "the connection was removed"); err != nil {
				return err
			}
		}
	}
	if err := r.cancelScans(ctx, connectionID); err != nil {
		return err
	}
	r.activities.Open.Forget(connectionID)
	_, err = findings.MarkSourceUnknown(ctx, r.db, connectionID)
	return err
}

// ScanQueued starts the queued scan of a connection as soon as no other runs.
func (r *Runner) ScanQueued(ctx context.Context, connectionID string) error {
	return r.trigger(ctx, connectionID, enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE)
}

// Pause stops the schedule. The store's row says paused already, so that a running scan ends at its next page.
func (r *Runner) Pause(ctx context.Context, connectionID string) error {
	return r.ConnectionSaved(ctx, connectionID)
}

// Resume starts the schedule again.
func (r *Runner) Resume(ctx context.Context, connectionID string) error {
	return r.ConnectionSaved(ctx, connectionID)
}

// DestinationSaved starts the delivery to a destination unless it runs.
func (r *Runner) DestinationSaved(ctx context.Context, destinationID string) error {
	return r.deliverTo(ctx, destinationID, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
}

func (r *Runner) deliverTo(ctx context.Context, destinationID string, conflict enumspb.WorkflowIdConflictPolicy) error {
	_, err := r.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: deliverID(destinationID), TaskQueue: QueueExport, WorkflowIDConflictPolicy: conflict}, Deliver, DeliverInput{destinationID})
	return wrap(err, "start the delivery to "+destinationID)
}

// DestinationRemoved ends the delivery to a destination.
func (r *Runner) DestinationRemoved(ctx context.Context, destinationID string) error {
	return r.terminate(ctx, deliverID(destinationID), "the destination was removed")
}

// terminateScans ends every scan workflow that outlived its process, also one that had not claimed its scan yet.
func (r *Runner) terminateScans(ctx context.Context) error {
	var page []byte
	for {
		list, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = 'SyncConnection' AND ExecutionStatus = 'Running'", NextPageToken: page})
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
	if err := r.client.TerminateWorkflow(ctx, workflowID, "", reason); err != nil && !errors.As(err, &notFound) {
		return fmt.Errorf("end workflow %s: %w", workflowID, err)
	}
	return nil
}

// Healthy reports whether Temporal answers.
func (r *Runner) Healthy(ctx context.Context) error {
	_, err := r.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return wrap(err, "ask Temporal for its health")
}

// Dial connects to Temporal. Its SDK logs to log, without what workflows carry.
func Dial(ctx context.Context, address, namespace string, log *slog.Logger) (client.Client, error) {
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Namespace: namespace, Logger: quiet{log}, DataConverter: bounded()})
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w", address, err)
	}
	return c, nil
}

// quiet passes the SDK's warnings and errors on. Activity failures are told by the activities themselves.
type quiet struct{ log *slog.Logger }

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (q quiet) Warn(msg string, _ ...any) {
	q.log.Debug("temporal sdk warned", "err", strings.TrimSpace(msg))
}
func (q quiet) Error(msg string, _ ...any) {
	q.log.Debug("temporal sdk reported", "err", strings.TrimSpace(msg))
}
