package workflows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/internal/store"
)

// cluster is what of a Temporal cluster a Runner uses, in memory: schedules and workflows by id. What was done is in calls.
type cluster struct {
	client.Client
	schedules map[string]bool // paused
	workflows map[string]bool
	calls     []string
	onList    func()
}

func (c *cluster) called(format string, args ...any) {
	c.calls = append(c.calls, fmt.Sprintf(format, args...))
}

func (c *cluster) ScheduleClient() client.ScheduleClient { return scheduleClient{c} }

type scheduleClient struct{ *cluster }

func (c scheduleClient) Create(_ context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	if _, ok := c.schedules[o.ID]; ok {
		return nil, temporal.ErrScheduleAlreadyRunning
	}
	c.schedules[o.ID] = o.Paused
	c.called("create %s", o.ID)
	return nil, nil
}

func (c scheduleClient) List(context.Context, client.ScheduleListOptions) (client.ScheduleListIterator, error) {
	it := &listed{ids: slices.Sorted(maps.Keys(c.schedules))}
	if c.onList != nil {
		c.onList()
	}
	return it, nil
}

func (c scheduleClient) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return &handle{cluster: c.cluster, id: id}
}

type listed struct{ ids []string }

func (l *listed) HasNext() bool { return len(l.ids) > 0 }
func (l *listed) Next() (*client.ScheduleListEntry, error) {
	id := l.ids[0]
	l.ids = l.ids[1:]
	return &client.ScheduleListEntry{ID: id}, nil
}

type handle struct {
	client.ScheduleHandle
	*cluster
	id string
}

func (h *handle) Delete(context.Context) error {
	if _, ok := h.schedules[h.id]; !ok {
		return serviceerror.NewNotFound("no such schedule")
	}
	delete(h.schedules, h.id)
	h.called("delete %s", h.id)
	return nil
}

func (h *handle) Trigger(context.Context, client.ScheduleTriggerOptions) error {
	h.called("trigger %s", h.id)
	return nil
}

func (h *handle) Update(_ context.Context, o client.ScheduleUpdateOptions) error {
	u, err := o.DoUpdate(client.ScheduleUpdateInput{Description: client.ScheduleDescription{Schedule: client.Schedule{State: &client.ScheduleState{}}}})
	if err != nil {
		return err
	}
	h.schedules[h.id] = u.Schedule.State.Paused
	h.called("update %s", h.id)
	return nil
}

func (c *cluster) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	if o.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, errors.New("would end what another process runs")
	}
	if !c.workflows[o.ID] {
		c.workflows[o.ID] = true
		c.called("start %s", o.ID)
	}
	return nil, nil
}

func (c *cluster) TerminateWorkflow(_ context.Context, id, _, _ string, _ ...any) error {
	if !c.workflows[id] {
		return serviceerror.NewNotFound("no such workflow")
	}
	delete(c.workflows, id)
	c.called("terminate %s", id)
	return nil
}

func (c *cluster) did(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, c.calls); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	c.calls = nil
}

func TestReconcile(t *testing.T) {
	b := newBench(t)
	c := &cluster{schedules: map[string]bool{"sync-con_gone": false, "of-somebody-else": false}, workflows: map[string]bool{}}
	r := NewRunner(RunnerOptions{Client: c, DB: b.DB, Activities: b.Activities, Log: b.Log, Manage: true, Index: true})
	ours := "sync-" + b.connection.ID

	check(t, r.reconcile(t.Context(), true))
	c.did(t, "the first start", "delete sync-con_gone", "create "+ours, "trigger "+ours, "create purge", "start index")
	check(t, r.reconcile(t.Context(), true))
	c.did(t, "another process at its start", "update "+ours, "trigger "+ours)
	check(t, r.reconcile(t.Context(), false))
	c.did(t, "once more, with nothing to do")

	// Temporal's database was wiped while all ran: what is due runs at once.
	delete(c.schedules, ours)
	delete(c.workflows, "index")
	check(t, r.reconcile(t.Context(), false))
	c.did(t, "after a loss", "create "+ours, "trigger "+ours, "start index")

	// A connection that another process makes between two looks is left alone, and so is its scan.
	c.onList = func() {
		c.onList = nil
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			other, err := store.CreateConnection(t.Context(), tx, store.Connection{Name: "Other", Connector: "fake", AccountID: "other", State: store.ConnectionActive, Every: time.Hour, Config: map[string]string{}})
			if err != nil {
				return err
			}
			c.schedules["sync-"+other.ID] = false
			_, err = store.ClaimScan(t.Context(), tx, other.ID, "w", "r")
			return err
		}))
	}
	check(t, r.reconcile(t.Context(), false))
	c.did(t, "while a connection is made")
	if running, err := store.RunningScans(t.Context(), b.DB.Read()); err != nil || len(running) != 2 {
		t.Errorf("running scans: %v, %v", running, err)
	}

	r.Index = false
	check(t, r.reconcile(t.Context(), true))
	if c.workflows["index"] {
		t.Error("the index is fed though there is none any more")
	}
}

func TestOnlyOneProcessMayTakeOthersForDead(t *testing.T) {
	b := newBench(t)
	name := sliceLease(b.connection.ID, liveChats)
	for _, exclusive := range []bool{false, true} {
		b.steal(name)
		r := NewRunner(RunnerOptions{DB: b.DB, Activities: b.Activities, Log: b.Log, Exclusive: exclusive})
		check(t, r.Start(t.Context()))
		r.Stop()
		if n := b.count(`SELECT COUNT(*) FROM leases`); (n == 0) != exclusive {
			t.Errorf("exclusive %v: %d leases", exclusive, n)
		}
	}
}
