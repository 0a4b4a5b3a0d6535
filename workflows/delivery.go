package workflows

import (
	"context"
	"errors"
	"time"

	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/store"
)

// Deliverer sends what is due to a destination; *deliver.Deliverer is one.
type Deliverer interface {
	Step(ctx context.Context, destinationID string, budget time.Duration) (deliver.Progress, error)
}

const (
	deliverFor  = 4 * time.Minute // one call of DeliverSome
	deliverIdle = time.Second     // between two looks at a log that has nothing due
)

// DeliverSome sends what is due to a destination, for a few minutes. It reports whether the destination is gone.
func (a *Activities) DeliverSome(ctx context.Context, in DeliverInput) (stopped bool, err error) {
	ctx, stop := working(ctx)
	defer stop()
	end := time.Now().Add(deliverFor)
	for time.Now().Before(end) {
		progress, err := a.Deliver.Step(ctx, in.DestinationID, time.Until(end))
		if errors.Is(err, store.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, ActivityError(err)
		}
		if progress.More {
			continue
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(deliverIdle):
		}
	}
	return false, nil
}
