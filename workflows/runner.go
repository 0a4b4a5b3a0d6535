package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Runner keeps Temporal in step with the store: a schedule for each connection, a delivery for each destination, and the feeding of the search
// index. Temporal's own database is disposable; all of it is rebuilt from the store at every start (invariant 6).
type Runner struct {
	RunnerOptions
	workers []worker.Worker
	stop    context.CancelFunc
	ended   chan struct{}
}

// RunnerOptions configure a Runner.
type RunnerOptions struct {
	Client     client.Client
	DB         *store.DB
	Activities *Activities
	Log        *slog.Logger

	// Work makes this process run workers. Manage makes it keep Temporal in step with the store, at the start and every few minutes; several
	// processes may.
	Work, Manage bool

	// Index says that the finding log is to be brought into a search index of its own.
	Index bool

	// Exclusive says that no other process runs workers, as with the embedded server. What runs at start is then known to be dead: it is ended
	// and begun again at once, from the store, instead of waiting for its heartbeat to time out.
	Exclusive bool
}

// NewRunner makes a Runner. Nothing runs before Start.
func NewRunner(o RunnerOptions) *Runner { return &Runner{RunnerOptions: o} }

// Start starts the workers and reconciles Temporal with the store, as far as the options say.
func (r *Runner) Start(ctx context.Context) error {
	if r.Exclusive {
		// Nobody is left who could hold one, and what begins again need not wait for it to run out.
		if err := r.DB.Write(ctx, func(tx *store.Tx) error { return store.DropLeases(ctx, tx, connectionPrefix) }); err != nil {
			return err
		}
	}
	if r.Work {
		if err := r.startWorkers(); err != nil {
			return err
		}
	}
	if !r.Manage {
		return nil
	}
	if err := r.reconcile(ctx, true); err != nil {
		return err
	}
	if !r.Exclusive { // The embedded server's database changes by this process only.
		ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
		r.ended = make(chan struct{})
		go r.repeat(ctx)
	}
	return nil
}

func (r *Runner) startWorkers() error {
	// A page waits for the app and for its budget most of the time. A scan has several under way.
	for queue, slots := range map[string]int{QueueSync: 32, QueueExport: 32} {
		w := worker.New(r.Client, queue, worker.Options{
			MaxConcurrentActivityExecutionSize: slots, WorkerStopTimeout: 3 * time.Second, DisableRegistrationAliasing: true,
			OnFatalError: func(err error) { r.Log.Error("worker stopped", "code", "OB-3010", "err", err) },
		})
		w.RegisterWorkflow(SyncConnection)
		w.RegisterWorkflow(Deliver)
		w.RegisterWorkflow(Index)
		w.RegisterWorkflow(Purge)
		w.RegisterWorkflow(Judge)
		w.RegisterActivity(r.Activities)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the worker of %s: %w", queue, err)
		}
		r.workers = append(r.workers, w)
	}
	return nil
}

// Stop stops the workers; what they were doing goes on at the next start, or at another worker.
func (r *Runner) Stop() {
	if r.stop != nil {
		r.stop()
		<-r.ended
	}
	for _, w := range r.workers {
		w.Stop()
	}
}

func syncID(connectionID string) string     { return syncPrefix + connectionID }
func deliverID(destinationID string) string { return "deliver-" + destinationID }

const (
	syncPrefix = "sync-"

	// connectionPrefix begins the id of every connection, and so the leases of all of them.
	connectionPrefix = "con_"
	purgeID          = "purge"
	indexID          = "index"
	judgeID          = "judge"
)

// ConnectionSaved makes the schedule of a connection follow its row.
func (r *Runner) ConnectionSaved(ctx context.Context, connectionID string) error {
	c, err := store.GetConnection(ctx, r.DB.Read(), connectionID)
	if err != nil {
		return err
	}
	_, err = r.ensure(ctx, c, true)
	return err
}

// ConnectionRemoved ends all that runs for a connection.
func (r *Runner) ConnectionRemoved(ctx context.Context, connectionID string) error {
	if err := r.removeSchedule(ctx, syncID(connectionID)); err != nil {
		return err
	}
	running, err := store.ListScans(ctx, r.DB.Read(), connectionID, time.Time{}, "", 20)
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
	if err := r.Activities.Open.Forget(ctx, connectionID); err != nil {
		return err
	}
	_, err = findings.MarkSourceUnknown(ctx, r.DB, connectionID)
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
	_, err := r.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: deliverID(destinationID), TaskQueue: QueueExport, WorkflowIDConflictPolicy: conflict}, Deliver, DeliverInput{destinationID})
	return wrap(err, "start the delivery to "+destinationID)
}

// DestinationRemoved ends the delivery to a destination.
func (r *Runner) DestinationRemoved(ctx context.Context, destinationID string) error {
	return r.terminate(ctx, deliverID(destinationID), "the destination was removed")
}

// PoliciesChanged has new and changed posture policies judge the records that stand, now. One that is at it with the policies of before is ended: what it has
// judged is stored.
func (r *Runner) PoliciesChanged(ctx context.Context) error {
	_, err := r.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: judgeID, TaskQueue: QueueSync, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING}, Judge, JudgeInput{})
	return wrap(err, "start the judging of records")
}

// Healthy reports whether Temporal answers.
func (r *Runner) Healthy(ctx context.Context) error {
	_, err := r.Client.CheckHealth(ctx, &client.CheckHealthRequest{})
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
