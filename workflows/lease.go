package workflows

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

const (
	leaseTime  = 30 * time.Second // after which another may take what its holder does not renew
	leaseRenew = 10 * time.Second
	leaseEnd   = 2 * time.Second // for giving a lease back; one that is not given back runs out
)

// sliceLease names the lease of a checkpoint, itemLease that of an item with an activity of its own. All of a connection begin with store.LeasePrefix.
func sliceLease(connectionID string, s SliceRef) string {
	return store.LeasePrefix(connectionID) + "slice/" + s.Stream + "/" + s.Lane + "/" + s.Slice
}

func itemLease(connectionID string, i ItemRef) string {
	return store.LeasePrefix(connectionID) + "item/" + i.Kind + "/" + i.ID
}

// lease is the right of one attempt of an activity to work on a slice or an item. Several workers can run the same scan: after a worker was silent
// for too long, Temporal begins its activity elsewhere, and the first may still be alive.
type lease struct {
	db    *store.DB
	name  string
	owner store.LeaseOwner

	given       bool // back
	done, ended chan struct{}
}

// hold takes a lease and renews it until end. The context that it returns ends when the lease is lost.
func (a *Activities) hold(ctx context.Context, name string) (context.Context, *lease, error) {
	l := &lease{db: a.DB, name: name, owner: leaseOwner(ctx), done: make(chan struct{}), ended: make(chan struct{})}
	err := a.DB.Write(ctx, func(tx *store.Tx) error { return store.AcquireLease(ctx, tx, name, l.owner, leaseTime) })
	if err != nil {
		return ctx, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go l.renew(ctx, cancel)
	return ctx, l, nil
}

// leaseOwner is the attempt of the activity that runs. A later attempt of the same activity takes its lease at once: Temporal begins one only
// when the attempt before is over for it.
func leaseOwner(ctx context.Context) store.LeaseOwner {
	if !activity.IsActivity(ctx) {
		return store.LeaseOwner{Work: id.New("run_")}
	}
	info := activity.GetInfo(ctx)
	return store.LeaseOwner{Work: info.WorkflowExecution.RunID + "/" + info.ActivityID, Attempt: info.Attempt}
}

func (l *lease) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(l.ended)
	defer cancel(nil)
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.db.Write(ctx, func(tx *store.Tx) error { return store.RenewLease(ctx, tx, l.name, l.owner, leaseTime) })
		if errors.Is(err, store.ErrLeaseLost) {
			cancel(err)
			return
		}
		// A store that is busy is asked again at the next tick. Until another takes the lease nothing is lost.
	}
}

// write is a transaction of the lease's holder: whoever lost the lease stores nothing any more.
func (l *lease) write(ctx context.Context, f func(*store.Tx) error) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		if err := store.CheckLease(ctx, tx, l.name, l.owner); err != nil {
			return err
		}
		return f(tx)
	})
}

// last is the holder's last transaction: it gives the lease back too.
func (l *lease) last(ctx context.Context, f func(*store.Tx) error) error {
	err := l.write(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return store.ReleaseLease(ctx, tx, l.name, l.owner)
	})
	l.given = err == nil
	return err
}

// end stops renewing and gives the lease back.
func (l *lease) end(ctx context.Context) {
	close(l.done)
	<-l.ended
	if l.given {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseEnd)
	defer cancel()
	// A lease that cannot be given back runs out by itself.
	_ = l.db.Write(ctx, func(tx *store.Tx) error { return store.ReleaseLease(ctx, tx, l.name, l.owner) })
}
