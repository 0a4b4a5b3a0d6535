package api

import (
	"context"
	"errors"

	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/deliver"
)

// DeliveriesInput is a question for deliveries.
type DeliveriesInput struct {
	IDInput
	ListInput
	State string `query:"state" enum:"queued,delivered,parked" doc:"Absent: all."`
}

func (a *API) listDeliveries(ctx context.Context, in *DeliveriesInput) (*ListOutput[deliver.Delivery], error) {
	page, err := deliver.Deliveries(ctx, a.d.DB.Read(), in.ID, in.State, in.Limit, in.Cursor)
	if errors.Is(err, cursor.Err) {
		return nil, badCursor()
	}
	if err != nil {
		return nil, err
	}
	return listed(page.Items, page.NextCursor), nil
}

// findingDeliveries is what became of a finding's events at every destination. It holds ids and states, no evidence.
func (a *API) findingDeliveries(ctx context.Context, in *InstancesInput) (*ListOutput[deliver.FindingDelivery], error) {
	page, err := deliver.OfFinding(ctx, a.d.DB.Read(), in.ID, in.Limit, in.Cursor)
	if errors.Is(err, cursor.Err) {
		return nil, badCursor()
	}
	if err != nil {
		return nil, err
	}
	return listed(page.Items, page.NextCursor), nil
}
