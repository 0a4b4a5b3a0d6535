package api

import (
	"context"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// ShadowFinding is what a policy in shadow would have made a finding of.
type ShadowFinding struct {
	ID           string            `json:"id" doc:"Of the finding that it would be; there is none of this id because of it."`
	Severity     string            `json:"severity" enum:"critical,high,medium,low,info"`
	ConnectionID string            `json:"connection_id"`
	Resource     findings.Resource `json:"resource"`
	FirstSeenAt  *string           `json:"first_seen_at" format:"date-time"`
	LastSeenAt   *string           `json:"last_seen_at" format:"date-time" doc:"To the hour."`
}

func (a *API) shadowFindings(ctx context.Context, in *struct {
	IDInput
	ListInput
}) (*ListOutput[ShadowFinding], error) {
	if _, err := a.policy(ctx, in.ID); err != nil {
		return nil, err
	}
	place, err := placeOf(in.ListInput, "shadow findings", in.ID)
	if err != nil {
		return nil, err
	}
	all, err := findings.ListShadow(ctx, a.d.DB.Read(), in.ID, store.FromMicros(place.Number), place.ID, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return page(all, in.Limit, func(f findings.ShadowFinding) (ShadowFinding, error) {
		return ShadowFinding{ID: f.ID, Severity: f.Severity, ConnectionID: f.ConnectionID, Resource: f.Resource, FirstSeenAt: stamp(f.FirstSeenAt), LastSeenAt: stamp(f.LastSeenAt)}, nil
	}, func(last findings.ShadowFinding) string {
		place.Number, place.ID = store.Micros(last.FirstSeenAt), last.ID
		return place.Encode()
	})
}
